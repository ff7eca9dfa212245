// Package sqlite keeps notes in a SQLite file.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"slices"

	"github.com/google/uuid"
	kitsqlite "github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/notes"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is a notes.Store.
type Store struct{ *kitsqlite.DB }

// Open opens the database file at path.
func Open(ctx context.Context, path string) (*Store, error) {
	db, err := kitsqlite.Open(ctx, path, migrations)
	if err != nil {
		return nil, err
	}
	return &Store{db}, nil
}

const columns = `n.id, n.owner, n.title, n.tags, n.pinned, n.status, n.reminder_at, n.version, n.created_at, n.updated_at, n.body`

const (
	insert = `insert into notes (id, owner, title, tags, pinned, status, reminder_at, version, created_at, updated_at, body)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`
	insertTags = `insert into note_tags (owner, tag, note) select ?, value, ? from json_each(?) where true on conflict do nothing`
)

func (s *Store) Create(ctx context.Context, n notes.Note) error {
	added, err := s.Import(ctx, []notes.Note{n})
	if err != nil {
		return err
	}
	if !added[0] {
		return notes.ErrExists
	}
	return nil
}

func (s *Store) Import(ctx context.Context, list []notes.Note) (added []bool, err error) {
	added = make([]bool, len(list))
	err = s.Tx(ctx, func(tx *sql.Tx) error {
		note, err := tx.PrepareContext(ctx, insert)
		if err != nil {
			return err
		}
		defer note.Close()
		tag, err := tx.PrepareContext(ctx, insertTags)
		if err != nil {
			return err
		}
		defer tag.Close()
		for i, n := range list {
			tags, err := encode(n.Tags)
			if err != nil {
				return err
			}
			result, err := note.ExecContext(ctx, n.ID[:], n.Owner[:], n.Title, tags, n.Pinned, n.Status, reminder(n),
				n.Version, kitsqlite.Micros(n.CreatedAt), kitsqlite.Micros(n.UpdatedAt), n.Body)
			if err != nil {
				return err
			}
			if count, err := result.RowsAffected(); err != nil || count == 0 {
				if err != nil {
					return err
				}
				continue
			}
			added[i] = true
			if len(n.Tags) == 0 {
				continue
			}
			if _, err := tag.ExecContext(ctx, n.Owner[:], n.ID[:], tags); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return added, nil
}

const get = `select ` + columns + ` from notes n where n.id = ? and n.owner = ?`

func (s *Store) Get(ctx context.Context, owner, id uuid.UUID) (notes.Note, error) {
	return one(s.Reader.QueryRowContext(ctx, get, id[:], owner[:]))
}

func (s *Store) List(ctx context.Context, owner uuid.UUID, q notes.Query) (list []notes.Note, more bool, err error) {
	query, args := listing(owner, q)
	rows, err := s.Reader.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	list = make([]notes.Note, 0, q.Limit)
	bytes := 0
	for rows.Next() {
		if len(list) == q.Limit || len(list) > 0 && q.MaxBytes > 0 && bytes >= q.MaxBytes {
			return list, true, nil // the bodies that follow are not read
		}
		n, err := scan(rows)
		if err != nil {
			return nil, false, err
		}
		list = append(list, n)
		bytes += len(n.Title) + len(n.Body)
	}
	return list, false, rows.Err()
}

// listing returns the statement that a query means: one note more than its limit.
func listing(owner uuid.UUID, q notes.Query) (query string, args []any) {
	o := orderOf(q.Sort)
	from, args := `notes n where n.owner = ? and n.status = ?`, []any{owner[:], q.Status}
	if q.Tag != "" {
		from = `note_tags t join notes n on n.id = t.note where t.owner = ? and n.status = ? and t.tag = ?`
		args = append(args, q.Tag)
	}
	if q.Pinned != nil && *q.Pinned {
		from += ` and n.pinned`
	} else if q.Pinned != nil {
		from += ` and not n.pinned`
	}
	if q.After != nil {
		from += ` and (n.` + o.column + `, n.id) ` + o.after + ` (?, ?)`
		args = append(args, o.place(*q.After), q.After.ID[:])
	}
	from += ` order by n.` + o.column + o.direction + `, n.id` + o.direction + ` limit ?`
	args = append(args, q.Limit+1)
	if q.Tag == "" {
		return `select ` + columns + ` from ` + from, args
	}
	// The notes of a tag are sorted. To sort their bodies along would cost what
	// MaxBytes is to save, so ids are sorted and the outer loop, which cross
	// join makes theirs, keeps their order.
	return `select ` + columns + ` from (select n.id from ` + from + `) k cross join notes n on n.id = k.id`, args
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
	return kitsqlite.Micros(p.Time)
}

func (s *Store) Update(ctx context.Context, owner, id uuid.UUID, change func(*notes.Note) error) (n notes.Note, err error) {
	err = s.Tx(ctx, func(tx *sql.Tx) error {
		was, err := one(tx.QueryRowContext(ctx, get, id[:], owner[:]))
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
		tags, err := encode(n.Tags)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `update notes set title = ?, tags = ?, pinned = ?, status = ?, reminder_at = ?,
			version = ?, updated_at = ?, body = ? where id = ?`,
			n.Title, tags, n.Pinned, n.Status, reminder(n), n.Version, kitsqlite.Micros(n.UpdatedAt), n.Body, n.ID[:])
		if err != nil || slices.Equal(n.Tags, was.Tags) {
			return err
		}
		if _, err := tx.ExecContext(ctx, `delete from note_tags where note = ?`, n.ID[:]); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, insertTags, n.Owner[:], n.ID[:], tags)
		return err
	})
	if err != nil {
		return notes.Note{}, err
	}
	return n, nil
}

func (s *Store) Delete(ctx context.Context, owner, id uuid.UUID, allow func(notes.Note) error) error {
	return s.Tx(ctx, func(tx *sql.Tx) error {
		n, err := one(tx.QueryRowContext(ctx, get, id[:], owner[:]))
		if err != nil {
			return err
		}
		if err := allow(n); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `delete from notes where id = ?`, id[:])
		return err
	})
}

func one(row *sql.Row) (notes.Note, error) {
	n, err := scan(row)
	if errors.Is(err, sql.ErrNoRows) {
		err = notes.ErrNotFound
	}
	return n, err
}

func scan(row interface{ Scan(...any) error }) (n notes.Note, err error) {
	var tags []byte
	var reminder *int64
	var created, updated int64
	if err := row.Scan(&n.ID, &n.Owner, &n.Title, &tags, &n.Pinned, &n.Status, &reminder, &n.Version, &created, &updated, &n.Body); err != nil {
		return notes.Note{}, err
	}
	if reminder != nil {
		n.ReminderAt = new(kitsqlite.Time(*reminder))
	}
	n.CreatedAt, n.UpdatedAt = kitsqlite.Time(created), kitsqlite.Time(updated)
	return n, json.Unmarshal(tags, &n.Tags)
}

func encode(tags []string) (string, error) {
	if len(tags) == 0 {
		return `[]`, nil
	}
	text, err := json.Marshal(tags)
	return string(text), err
}

func reminder(n notes.Note) *int64 {
	if n.ReminderAt == nil {
		return nil
	}
	return new(kitsqlite.Micros(*n.ReminderAt))
}
