// Package postgres keeps notes in PostgreSQL.
package postgres

import (
	"context"
	"embed"
	"errors"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/kit/event"
	kitpostgres "github.com/trellis-go/trellis/kit/postgres"
	"github.com/trellis-go/trellis/notes"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is a notes.Store.
type Store struct{ *kitpostgres.DB }

// Open opens the database that a URL names.
func Open(ctx context.Context, url string) (*Store, error) {
	db, err := kitpostgres.Open(ctx, url, migrations)
	if err != nil {
		return nil, err
	}
	return &Store{db}, nil
}

const (
	headers = `n.id, n.owner, n.title, n.tags, n.pinned, n.status, n.reminder_at, n.version, n.created_at, n.updated_at,
		coalesce(n.editor, n.owner), coalesce(n.revised_at, n.created_at)`
	columns = headers + `, n.body`
)

// insert adds a note with its tags, unless its id is taken, and tells how many it added.
const insert = `with added as (
		insert into notes (id, owner, title, tags, pinned, status, reminder_at, version, created_at, updated_at, revised_at, body, indexed)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		on conflict do nothing returning id
	), tagged as (
		insert into note_tags (owner, tag, note) select $2, tag, id from added, unnest($4::text[]) tag on conflict do nothing
	)
	select count(*) from added`

func (s *Store) Create(ctx context.Context, n notes.Note, events ...event.Message) error {
	return s.Tx(ctx, func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		admit(b, n.Owner)
		b.Queue(insert, fields(n, &n.Version)...).QueryRow(func(row pgx.Row) error {
			var added int
			if err := row.Scan(&added); err != nil || added > 0 {
				return err
			}
			return notes.ErrExists
		})
		b.Queue(index, n.ID, tsvector(n))
		if err := tx.SendBatch(ctx, b).Close(); err != nil {
			return err
		}
		return s.Emit(ctx, tx, events...)
	})
}

func fields(n notes.Note, indexed *int64) []any {
	n.Normalize()
	return []any{n.ID, n.Owner, n.Title, n.Tags, n.Pinned, n.Status, n.ReminderAt, n.Version, n.CreatedAt, n.UpdatedAt, n.RevisedAt, n.Body, indexed}
}

// An import is sent in parts, to bound what is in flight.
const (
	partNotes = 1000
	partBytes = 4 << 20
)

func (s *Store) Import(ctx context.Context, list []notes.Note) (added []bool, err error) {
	order := make([]int, len(list)) // by ids, so that imports which overlap wait for each other but not in a ring
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return slices.Compare(list[i].ID[:], list[j].ID[:]) })
	err = s.Tx(ctx, func(tx pgx.Tx) error {
		added = make([]bool, len(list))
		part, bytes := &pgx.Batch{}, 0
		for _, i := range order {
			part.Queue(insert, fields(list[i], nil)...).QueryRow(func(row pgx.Row) error {
				var count int
				err := row.Scan(&count)
				added[i] = count == 1
				return err
			})
			bytes += len(list[i].Title) + len(list[i].Body)
			if part.Len() < partNotes && bytes < partBytes {
				continue
			}
			if err := tx.SendBatch(ctx, part).Close(); err != nil {
				return err
			}
			part, bytes = &pgx.Batch{}, 0
		}
		return tx.SendBatch(ctx, part).Close()
	})
	if err != nil {
		return nil, err
	}
	return added, nil
}

const get = `select ` + columns + `, case when n.owner = $2 then 'owner' else s.role end
	from notes n left join note_shares s on s.note = n.id and s.person = $2
	where n.id = $1 and (n.owner = $2 or s.role is not null and n.status <> 'trashed')`

func (s *Store) Get(ctx context.Context, reader, id uuid.UUID) (notes.Note, error) {
	return one(s.QueryRow(ctx, get, id, reader))
}

// hold returns a note as its reader sees it, and its shares, and keeps others
// from changing them until the transaction ends. The shares are selected
// behind the lock: what its own statement would see of them is from before it waited.
func hold(ctx context.Context, tx pgx.Tx, reader, id uuid.UUID) (notes.Note, []notes.Share, error) {
	return holdIn(ctx, tx, &pgx.Batch{}, reader, id)
}

// holdIn is hold behind what is in the batch.
func holdIn(ctx context.Context, tx pgx.Tx, b *pgx.Batch, reader, id uuid.UUID) (n notes.Note, shares []notes.Share, err error) {
	b.Queue(`select `+columns+`, '' from notes n where n.id = $1 for update`, id).QueryRow(func(row pgx.Row) (err error) {
		n, err = one(row)
		return err
	})
	b.Queue(sharesOf, []uuid.UUID{id}).Query(func(rows pgx.Rows) (err error) {
		shares, err = pgx.CollectRows(rows, scanShare)
		return err
	})
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return n, nil, err
	}
	n.Role, err = n.RoleOf(reader, shares)
	return n, shares, err
}

func (s *Store) Update(ctx context.Context, reader, id uuid.UUID, change func(*notes.Note, []notes.Share) ([]event.Message, error)) (n notes.Note, err error) {
	err = s.Tx(ctx, func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		protect(b, reader)
		was, shares, err := holdIn(ctx, tx, b, reader, id)
		if err != nil {
			return err
		}
		n = was
		n.Tags = slices.Clone(was.Tags)
		events, err := change(&n, shares)
		if err != nil {
			return err
		}
		n.ID, n.Owner, n.CreatedAt, n.Role = was.ID, was.Owner, was.CreatedAt, was.Role
		n.Normalize()
		if err := update(ctx, tx, was, n); err != nil {
			return err
		}
		return s.Emit(ctx, tx, events...)
	})
	if err != nil {
		return notes.Note{}, err
	}
	return n, nil
}

func update(ctx context.Context, tx pgx.Tx, was, n notes.Note) error {
	var body *string
	if n.Body != was.Body {
		body = &n.Body // a body that stays is neither sent nor written
	}
	retagged := !slices.Equal(n.Tags, was.Tags)
	rewritten := retagged || body != nil || n.Title != was.Title
	b := &pgx.Batch{}
	b.Queue(`update notes set title = $2, body = coalesce($3, body), tags = $4, pinned = $5, status = $6,
		reminder_at = $7, reminded_at = case when reminder_at is not distinct from $7 then reminded_at end, version = $8, updated_at = $9,
		editor = nullif($10::uuid, owner), revised_at = $11, indexed = case when $12 or indexed = version then $8::bigint end where id = $1`,
		n.ID, n.Title, body, n.Tags, n.Pinned, n.Status, n.ReminderAt, n.Version, n.UpdatedAt, n.Editor, n.RevisedAt, rewritten)
	if !n.RevisedAt.Equal(was.RevisedAt) {
		b.Queue(revise, n.ID, was.Version, was.Title, was.Tags, was.Editor, was.Owner, was.UpdatedAt, was.Body)
		b.Queue(dropRevisions, n.ID, notes.MaxRevisions, notes.MaxRevised)
	}
	if rewritten {
		b.Queue(index, n.ID, tsvector(n))
	}
	if retagged {
		b.Queue(`delete from note_tags where note = $1 and tag <> all($2)`, n.ID, n.Tags)
		b.Queue(`insert into note_tags (owner, tag, note) select $1, tag, $2 from unnest($3::text[]) tag on conflict do nothing`, n.Owner, n.ID, n.Tags)
	}
	return tx.SendBatch(ctx, b).Close()
}

func (s *Store) Delete(ctx context.Context, reader, id uuid.UUID, allow func(notes.Note, []notes.Share) ([]event.Message, error)) error {
	return s.Tx(ctx, func(tx pgx.Tx) error {
		n, shares, err := hold(ctx, tx, reader, id)
		if err != nil {
			return err
		}
		events, err := allow(n, shares)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from notes where id = $1`, id); err != nil {
			return err
		}
		return s.Emit(ctx, tx, events...)
	})
}

func one(row pgx.Row) (n notes.Note, err error) {
	err = scan(row, &n, &n.Body)
	if errors.Is(err, pgx.ErrNoRows) {
		err = notes.ErrNotFound
	}
	return n, err
}

// scan reads the columns, the body to where it is wanted, and behind them the reader's role.
func scan(row pgx.Row, n *notes.Note, body any) error {
	err := row.Scan(&n.ID, &n.Owner, &n.Title, &n.Tags, &n.Pinned, &n.Status, &n.ReminderAt, &n.Version, &n.CreatedAt, &n.UpdatedAt,
		&n.Editor, &n.RevisedAt, body, &n.Role)
	n.Normalize()
	return err
}
