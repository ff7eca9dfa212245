// Package sqlite keeps the auth service's users, sessions and keys in SQLite.
package sqlite

import (
	"context"
	"embed"
	"time"

	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store keeps them in one file.
type Store struct{ *sqlite.DB }

var _ auth.Store = (*Store)(nil)

// Open opens the database file at path, makes it if need be, and applies the migrations.
func Open(ctx context.Context, path string) (*Store, error) {
	db, err := sqlite.Open(ctx, path, migrations)
	if err != nil {
		return nil, err
	}
	return &Store{db}, nil
}

// purgeRows bounds the rows of one statement, so that other writers get their turn.
const purgeRows = 1000

var purges = []string{
	`delete from sessions where id in (select id from sessions where expires_at < ?1 limit ?2)`,
	`delete from sessions where id in (select id from sessions where ended_at < ?1 limit ?2)`,
	`delete from attempts where key in (select key from attempts where last_at < ?1 limit ?2)`,
	`delete from links where hash in (select hash from links where expires_at < ?1 limit ?2)`,
	`delete from ended_sessions where id in (select id from ended_sessions where ended_at < ?1 limit ?2)`,
}

func (s *Store) Purge(ctx context.Context, sessions, others time.Time) error {
	for i, before := range []time.Time{sessions, sessions, others, others, others} {
		for more := true; more; {
			result, err := s.Writer.ExecContext(ctx, purges[i], sqlite.Micros(before), purgeRows)
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return err
			}
			more = n == purgeRows
		}
	}
	return nil
}
