// Package sqlite keeps inboxes, their streams and what is to be sent in a
// SQLite file.
package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	kitsqlite "github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/notify"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is a notify.Store. Live learns at once of what is done with the same
// Store, and within a quarter of a second of what another, or another process,
// does with the same file.
type Store struct {
	*kitsqlite.DB

	mu    sync.Mutex
	added chan struct{} // closed when there may be new entries, and then another
}

// Open opens the database file at path.
func Open(ctx context.Context, path string) (*Store, error) {
	db, err := kitsqlite.Open(ctx, path, migrations)
	if err != nil {
		return nil, err
	}
	return &Store{DB: db, added: make(chan struct{})}, nil
}

// change runs f in a transaction, and tells Live of it.
func (s *Store) change(ctx context.Context, f func(*sql.Tx) error) error {
	if err := s.Tx(ctx, f); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.added)
	s.added = make(chan struct{})
	return nil
}

// reader is a database, or a transaction.
type reader interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// admit returns ErrForgotten if a user was erased.
func admit(ctx context.Context, db reader, user uuid.UUID) error {
	var forgotten bool
	err := db.QueryRowContext(ctx, `select exists (select 1 from forgotten where user = ? and until > ?)`, mark(user), now()).Scan(&forgotten)
	if err == nil && forgotten {
		err = notify.ErrForgotten
	}
	return err
}

// mark is what remains of a user who was erased.
func mark(user uuid.UUID) []byte {
	sum := sha256.Sum256(user[:])
	return sum[:]
}

// fresh remembers a key for DedupeFor, and tells whether it was unknown.
func fresh(ctx context.Context, tx *sql.Tx, user uuid.UUID, kind, key string) (bool, error) {
	if key == "" {
		return true, nil
	}
	hash := sha256.Sum256([]byte(kind + key))
	result, err := tx.ExecContext(ctx, `insert into dedupe (user, key, until) values (?, ?, ?)
		on conflict do update set until = excluded.until where until <= ?`, user[:], hash[:], after(notify.DedupeFor), now())
	return affected(result, err)
}

func affected(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// all collects what a query returns.
func all[T any](rows *sql.Rows, err error, scan func(row) (T, error)) (list []T, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

func now() int64 { return kitsqlite.Micros(time.Now()) }

func after(d time.Duration) int64 { return kitsqlite.Micros(time.Now().Add(d)) }

func none(err error) bool { return errors.Is(err, sql.ErrNoRows) }

func optional(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	return new(kitsqlite.Micros(*t))
}

func moment(micros *int64) *time.Time {
	if micros == nil {
		return nil
	}
	return new(kitsqlite.Time(*micros))
}
