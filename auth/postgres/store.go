// Package postgres keeps the auth service's users, sessions and keys in PostgreSQL.
package postgres

import (
	"context"
	"embed"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/postgres"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store keeps them in one database, for any number of instances.
type Store struct{ *postgres.DB }

var _ auth.Store = (*Store)(nil)

// Open connects to the database that a URL names and applies the migrations.
func Open(ctx context.Context, url string) (*Store, error) {
	db, err := postgres.Open(ctx, url, migrations)
	if err != nil {
		return nil, err
	}
	return &Store{db}, nil
}

// lock queues the wait for a lock that is held until the transaction ends. An
// advisory lock, not one of the table: nobody waits for the vacuum.
func lock(b *pgx.Batch, name string) {
	b.Queue(`select pg_advisory_xact_lock(hashtextextended($1, 0))`, "auth "+name)
}

// purgeRows bounds the rows of one statement, and so its time.
const purgeRows = 1000

// Rows that somebody is changing are left for the next purge.
var purges = []string{
	`delete from sessions where id = any (array(
		select id from sessions where expires_at < $1 limit $2 for update skip locked))`,
	`delete from sessions where id = any (array(
		select id from sessions where ended_at < $1 limit $2 for update skip locked))`,
	`delete from attempts where key = any (array(
		select key from attempts where last_at < $1 limit $2 for update skip locked))`,
	`delete from links where hash = any (array(
		select hash from links where expires_at < $1 limit $2 for update skip locked))`,
	`delete from ended_sessions where id = any (array(
		select id from ended_sessions where ended_at < $1 limit $2 for update skip locked))`,
}

func (s *Store) Purge(ctx context.Context, sessions, others time.Time) error {
	for i, before := range []time.Time{sessions, sessions, others, others, others} {
		for more := true; more; {
			result, err := s.Exec(ctx, purges[i], before, purgeRows)
			if err != nil {
				return err
			}
			more = result.RowsAffected() == purgeRows
		}
	}
	return nil
}
