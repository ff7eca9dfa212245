// Package postgres keeps notes in PostgreSQL.
package postgres

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"math"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
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

const columns = `id, owner, title, tags, pinned, status, reminder_at, version, created_at, updated_at`

// insert adds a note with its tags, unless its id is taken, and tells how many it added.
const insert = `with added as (
		insert into notes (` + columns + `, body) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		on conflict do nothing returning id
	), tagged as (
		insert into note_tags (owner, tag, note) select $2, tag, id from added, unnest($4::text[]) tag on conflict do nothing
	)
	select count(*) from added`

func (s *Store) Create(ctx context.Context, n notes.Note) error {
	var added int
	if err := s.QueryRow(ctx, insert, fields(n)...).Scan(&added); err != nil {
		return err
	}
	if added == 0 {
		return notes.ErrExists
	}
	return nil
}

func fields(n notes.Note) []any {
	n.Normalize()
	return []any{n.ID, n.Owner, n.Title, n.Tags, n.Pinned, n.Status, n.ReminderAt, n.Version, n.CreatedAt, n.UpdatedAt, n.Body}
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
			part.Queue(insert, fields(list[i])...).QueryRow(func(row pgx.Row) error {
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

const get = `select ` + columns + `, body from notes where id = $1 and owner = $2`

func (s *Store) Get(ctx context.Context, owner, id uuid.UUID) (notes.Note, error) {
	return one(s.QueryRow(ctx, get, id, owner))
}

func (s *Store) List(ctx context.Context, owner uuid.UUID, q notes.Query) (list []notes.Note, more bool, err error) {
	query, args := listing(owner, q)
	rows, err := s.Query(ctx, query, args...)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	list = make([]notes.Note, 0, q.Limit)
	for rows.Next() {
		var n notes.Note
		var body *string
		if err := scan(rows, &n, &body); err != nil {
			return nil, false, err
		}
		if body == nil || len(list) == q.Limit {
			more = true
			continue
		}
		n.Body = *body
		list = append(list, n)
	}
	return list, more, rows.Err()
}

// listing returns the statement that a query means: one note more than its
// limit, and no bodies behind MaxBytes, for the server sends all that is selected.
func listing(owner uuid.UUID, q notes.Query) (query string, args []any) {
	o := orderOf(q.Sort)
	args = []any{owner, q.Status, cmp.Or(q.MaxBytes, math.MaxInt64), q.Limit + 1}
	where := ` where n.owner = $1 and n.status = $2`
	if q.Pinned != nil && *q.Pinned {
		where += ` and n.pinned`
	} else if q.Pinned != nil {
		where += ` and not n.pinned`
	}
	tag := `$5`
	if q.After != nil {
		where += ` and (n.` + o.column + `, n.id) ` + o.after + ` ($5, $6)`
		args = append(args, o.place(*q.After), q.After.ID)
		tag = `$7`
	}
	from := ` from notes n`
	if q.Tag != "" {
		// From tag to notes, which offset 0 holds the planner to: while it has no
		// statistics it would try each of the owner's notes on each of the tag's.
		from = ` from note_tags t cross join lateral (select * from notes where id = t.note offset 0) n`
		where += ` and t.owner = $1 and t.tag = ` + tag
		args = append(args, q.Tag)
	}
	order := ` order by n.` + o.column + o.direction + `, n.id` + o.direction
	return `select ` + columns + `, case when coalesce(sum(octet_length(title) + octet_length(body)) over (` +
		order + ` rows between unbounded preceding and 1 preceding), 0) < $3 then body end` +
		` from (select n.*` + from + where + order + ` limit $4) n` + order, args
}

// order is a sort as SQL says it. An index serves both directions.
type order struct{ column, direction, after string }

func orderOf(s notes.Sort) order {
	column, descending := s.By()
	if descending {
		return order{column, ` desc`, `<`}
	}
	return order{column, ``, `>`}
}

func (o order) place(p notes.Place) any {
	if o.column == `title` {
		return p.Title
	}
	return p.Time
}

const lock = get + ` for update`

func (s *Store) Update(ctx context.Context, owner, id uuid.UUID, change func(*notes.Note) error) (n notes.Note, err error) {
	err = s.Tx(ctx, func(tx pgx.Tx) error {
		was, err := one(tx.QueryRow(ctx, lock, id, owner))
		if err != nil {
			return err
		}
		n = was
		n.Tags = slices.Clone(was.Tags)
		if err := change(&n); err != nil {
			return err
		}
		n.ID, n.Owner, n.CreatedAt = was.ID, was.Owner, was.CreatedAt
		n.Normalize()
		var body *string
		if n.Body != was.Body {
			body = &n.Body // a body that stays is neither sent nor written
		}
		_, err = tx.Exec(ctx, `update notes set title = $2, body = coalesce($3, body), tags = $4, pinned = $5, status = $6,
			reminder_at = $7, version = $8, updated_at = $9 where id = $1`,
			n.ID, n.Title, body, n.Tags, n.Pinned, n.Status, n.ReminderAt, n.Version, n.UpdatedAt)
		if err != nil || slices.Equal(n.Tags, was.Tags) {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from note_tags where note = $1 and tag <> all($2)`, n.ID, n.Tags); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `insert into note_tags (owner, tag, note) select $1, tag, $2 from unnest($3::text[]) tag on conflict do nothing`,
			n.Owner, n.ID, n.Tags)
		return err
	})
	if err != nil {
		return notes.Note{}, err
	}
	return n, nil
}

func (s *Store) Delete(ctx context.Context, owner, id uuid.UUID, allow func(notes.Note) error) error {
	return s.Tx(ctx, func(tx pgx.Tx) error {
		n, err := one(tx.QueryRow(ctx, lock, id, owner))
		if err != nil {
			return err
		}
		if err := allow(n); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `delete from notes where id = $1`, id)
		return err
	})
}

func one(row pgx.Row) (n notes.Note, err error) {
	err = scan(row, &n, &n.Body)
	if errors.Is(err, pgx.ErrNoRows) {
		err = notes.ErrNotFound
	}
	return n, err
}

// scan reads the columns and, behind them, the body.
func scan(row pgx.Row, n *notes.Note, body any) error {
	err := row.Scan(&n.ID, &n.Owner, &n.Title, &n.Tags, &n.Pinned, &n.Status, &n.ReminderAt, &n.Version, &n.CreatedAt, &n.UpdatedAt, body)
	n.Normalize()
	return err
}
