package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/auth"
)

const selectKeys = `select id, seed, created_at, signs_from from signing_keys order by created_at, id`

func (s *Store) UpdateKeys(ctx context.Context, change func([]auth.Key) []auth.Key) (keys []auth.Key, err error) {
	list := func(rows pgx.Rows) (err error) {
		keys, err = pgx.CollectRows(rows, scanKey)
		return err
	}
	err = s.Tx(ctx, func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		lock(b, "keys")
		b.Queue(selectKeys).Query(list)
		if err := tx.SendBatch(ctx, b).Close(); err != nil {
			return err
		}
		wanted := change(keys)
		b = &pgx.Batch{}
		ids := make([]string, 0, len(wanted)) // not nil: nothing differs from all of null
		for _, k := range wanted {
			ids = append(ids, k.ID)
			b.Queue(`insert into signing_keys (id, seed, created_at, signs_from)
				values ($1, $2, $3, $4) on conflict do nothing`, k.ID, k.Seed, k.CreatedAt, k.SignsFrom)
		}
		b.Queue(`delete from signing_keys where id <> all ($1)`, ids)
		b.Queue(selectKeys).Query(list)
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

func scanKey(row pgx.CollectableRow) (k auth.Key, err error) {
	err = row.Scan(&k.ID, &k.Seed, &k.CreatedAt, &k.SignsFrom)
	k.CreatedAt, k.SignsFrom = k.CreatedAt.UTC(), k.SignsFrom.UTC()
	return k, err
}
