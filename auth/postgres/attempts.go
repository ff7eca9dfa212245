package postgres

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/auth"
)

func (s *Store) Attempts(ctx context.Context, keys []auth.Hash, change func([]auth.Attempts) error) error {
	return s.Tx(ctx, func(tx pgx.Tx) error {
		was, err := lockAttempts(ctx, tx, keys)
		if err != nil {
			return err
		}
		now := slices.Clone(was)
		if err := change(now); err != nil {
			return err
		}
		b := &pgx.Batch{}
		for i, key := range keys {
			switch a := now[i]; {
			case a == was[i]: // most logins fail never: they cost no write
			case a.Failures == 0 && a.Last.IsZero() && a.Until.IsZero():
				b.Queue(`delete from attempts where key = $1`, key[:])
			default:
				b.Queue(`insert into attempts (key, failures, last_at, until_at) values ($1, $2, $3, $4)
					on conflict (key) do update set failures = $2, last_at = $3, until_at = $4`,
					key[:], a.Failures, a.Last, a.Until)
			}
		}
		if b.Len() == 0 {
			return nil
		}
		return tx.SendBatch(ctx, b).Close()
	})
}

// lockAttempts returns the attempts behind the keys, which nobody else changes
// until the transaction ends. Mostly there are none, so it is not rows that it
// locks, but numbers made of the keys, in one order for everybody.
func lockAttempts(ctx context.Context, tx pgx.Tx, keys []auth.Hash) ([]auth.Attempts, error) {
	locks, wanted := make([]int64, len(keys)), make([][]byte, len(keys))
	for i, key := range keys {
		locks[i], wanted[i] = int64(binary.BigEndian.Uint64(key[:])), key[:]
	}
	slices.Sort(locks)
	b := &pgx.Batch{}
	b.Queue(`select pg_advisory_xact_lock(l) from unnest($1::bigint[]) as l`, locks)
	found := make(map[auth.Hash]auth.Attempts, len(keys))
	b.Queue(`select key, failures, last_at, until_at from attempts where key = any ($1)`, wanted).Query(func(rows pgx.Rows) error {
		var key []byte
		var a auth.Attempts
		_, err := pgx.ForEachRow(rows, []any{&key, &a.Failures, &a.Last, &a.Until}, func() error {
			a.Last, a.Until = a.Last.UTC(), a.Until.UTC()
			found[auth.Hash(key)] = a
			return nil
		})
		return err
	})
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return nil, err
	}
	list := make([]auth.Attempts, len(keys))
	for i, key := range keys {
		list[i] = found[key]
	}
	return list, nil
}
