// Package sqlite keeps profiles in a SQLite file.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	kitsqlite "github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/profile"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is a profile.Store.
type Store struct {
	*kitsqlite.DB
	secret []byte // of the records' keys
}

// Open opens the database file at path.
func Open(ctx context.Context, path string) (*Store, error) {
	db, err := kitsqlite.Open(ctx, path, migrations)
	if err != nil {
		return nil, err
	}
	secret, err := db.Secret(ctx, profile.KeySecret)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: %w", err), db.Close())
	}
	return &Store{db, secret}, nil
}

const (
	get  = `select record from records where key = ?`
	find = `select r.record from record_tasks t join records r on r.key = t.record where t.task = ?`
	due  = `select record from records where due_at <= ? order by due_at limit ?`
	// Without the Z, times of UTC are in the order of their texts.
	dueErasures = `select record from records where due_at <= ? and exists (
		select 1 from json_each(record, '$.tasks') where value ->> 'kind' = 'erasure' and rtrim(value ->> 'due_at', 'Z') <= ?) order by due_at limit ?`
)

func (s *Store) Get(ctx context.Context, user uuid.UUID) (profile.Record, error) {
	return one(s.Reader.QueryRowContext(ctx, get, profile.Key(s.secret, user)))
}

func (s *Store) Find(ctx context.Context, task uuid.UUID) (profile.Record, error) {
	return one(s.Reader.QueryRowContext(ctx, find, task[:]))
}

func (s *Store) Due(ctx context.Context, by time.Time, limit int) ([]profile.Record, error) {
	return s.list(ctx, due, kitsqlite.Micros(by), limit)
}

func (s *Store) DueErasures(ctx context.Context, by time.Time, limit int) ([]profile.Record, error) {
	text := strings.TrimSuffix(by.UTC().Format(time.RFC3339Nano), "Z")
	return s.list(ctx, dueErasures, kitsqlite.Micros(by), text, limit)
}

func (s *Store) list(ctx context.Context, query string, args ...any) ([]profile.Record, error) {
	rows, err := s.Reader.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []profile.Record
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

func (s *Store) Update(ctx context.Context, user uuid.UUID, edit profile.Edit) (profile.Record, error) {
	return s.update(ctx, user, edit, false)
}

func (s *Store) Erase(ctx context.Context, user uuid.UUID, edit profile.Edit) (profile.Record, error) {
	return s.update(ctx, user, edit, true)
}

// update changes a record. With forget it drops the events that there were.
func (s *Store) update(ctx context.Context, user uuid.UUID, edit profile.Edit, forget bool) (r profile.Record, err error) {
	key := profile.Key(s.secret, user)
	err = s.Tx(ctx, func(tx *sql.Tx) error {
		r, err = one(tx.QueryRowContext(ctx, get, key))
		if errors.Is(err, profile.ErrNotFound) {
			r, err = profile.Record{User: user}, nil
		}
		if err != nil {
			return err
		}
		had, revision := tasks(r), r.Revision
		events, err := edit(&r)
		if err != nil {
			return err
		}
		r.Revision = revision + 1
		if err := write(ctx, tx, key, &r); err != nil {
			return err
		}
		if now := tasks(r); !slices.Equal(had, now) {
			if err := index(ctx, tx, key, now); err != nil {
				return err
			}
		}
		if forget {
			if err := s.Forget(ctx, tx, user); err != nil {
				return err
			}
		}
		return s.Emit(ctx, tx, events...)
	})
	if err != nil {
		return profile.Record{}, err
	}
	return r, nil
}

func write(ctx context.Context, tx *sql.Tx, key []byte, r *profile.Record) error {
	r.Normalize()
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	var dueAt *int64
	if at := r.DueAt(); at != nil {
		dueAt = new(kitsqlite.Micros(*at))
	}
	_, err = tx.ExecContext(ctx, `insert into records (key, revision, due_at, record) values (?, ?, ?, ?)
		on conflict (key) do update set revision = excluded.revision, due_at = excluded.due_at, record = excluded.record`,
		key, r.Revision, dueAt, string(text))
	return err
}

// tasks are the ids of a record's tasks.
func tasks(r profile.Record) (ids []uuid.UUID) {
	for _, t := range r.Tasks {
		ids = append(ids, t.ID)
	}
	return ids
}

// index lets Find find the record.
func index(ctx context.Context, tx *sql.Tx, key []byte, tasks []uuid.UUID) error {
	if _, err := tx.ExecContext(ctx, `delete from record_tasks where record = ?`, key); err != nil {
		return err
	}
	for _, id := range tasks {
		if _, err := tx.ExecContext(ctx, `insert into record_tasks (task, record) values (?, ?)`, id[:], key); err != nil {
			return err
		}
	}
	return nil
}

func one(row *sql.Row) (profile.Record, error) {
	r, err := scan(row)
	if errors.Is(err, sql.ErrNoRows) {
		err = profile.ErrNotFound
	}
	return r, err
}

func scan(row interface{ Scan(...any) error }) (r profile.Record, err error) {
	var text []byte
	if err := row.Scan(&text); err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, err
	}
	r.Normalize()
	return r, nil
}
