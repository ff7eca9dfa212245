package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/sqlite"
)

func (s *Store) Attempts(ctx context.Context, keys []auth.Hash, change func([]auth.Attempts) error) error {
	return s.Tx(ctx, func(tx *sql.Tx) error {
		was := make([]auth.Attempts, len(keys))
		for i, key := range keys {
			var err error
			if was[i], err = attempts(ctx, tx, key); err != nil {
				return err
			}
		}
		now := slices.Clone(was)
		if err := change(now); err != nil {
			return err
		}
		for i, key := range keys {
			var err error
			switch a := now[i]; {
			case a == was[i]: // most logins fail never: they cost no write
			case a.Failures == 0 && a.Last.IsZero() && a.Until.IsZero():
				_, err = tx.ExecContext(ctx, `delete from attempts where key = ?1`, key[:])
			default:
				_, err = tx.ExecContext(ctx, `insert into attempts (key, failures, last_at, until_at) values (?1, ?2, ?3, ?4)
					on conflict (key) do update set failures = ?2, last_at = ?3, until_at = ?4`,
					key[:], a.Failures, sqlite.Micros(a.Last), sqlite.Micros(a.Until))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func attempts(ctx context.Context, tx *sql.Tx, key auth.Hash) (a auth.Attempts, err error) {
	var last, until int64
	err = tx.QueryRowContext(ctx, `select failures, last_at, until_at from attempts where key = ?1`, key[:]).Scan(&a.Failures, &last, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.Attempts{}, nil
	}
	a.Last, a.Until = sqlite.Time(last), sqlite.Time(until)
	return a, err
}
