package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/google/uuid"
	kitsqlite "github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/notify"
)

// What there is by user: what an erasure counts, and the rest.
var (
	counted = []string{"notifications", "entries", "deliveries", "timers", "subscriptions"}
	others  = []string{"streams", "dedupe", "tickets", "presence"}
)

func (s *Store) Erase(ctx context.Context, user uuid.UUID) (map[string]int, error) {
	counts := map[string]int{}
	err := s.Tx(ctx, func(tx *sql.Tx) error {
		for _, table := range slices.Concat(counted, others) {
			result, err := tx.ExecContext(ctx, `delete from `+table+` where user = ?`, user[:])
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return err
			}
			if slices.Contains(counted, table) {
				counts[table] = int(n)
			}
		}
		_, err := tx.ExecContext(ctx, `insert or replace into forgotten (user, until) values (?, ?)`, mark(user), after(notify.ForgottenFor))
		return err
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}

func (s *Store) Purge(ctx context.Context, now time.Time) error {
	for _, table := range []string{"dedupe", "tickets", "presence", "forgotten"} {
		if _, err := s.Writer.ExecContext(ctx, `delete from `+table+` where until <= ?`, kitsqlite.Micros(now)); err != nil {
			return err
		}
	}
	_, err := s.Writer.ExecContext(ctx, `delete from deliveries where state <> 'pending' and updated_at <= ?`, kitsqlite.Micros(now.Add(-notify.SettledFor)))
	return err
}
