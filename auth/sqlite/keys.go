package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/sqlite"
)

func (s *Store) UpdateKeys(ctx context.Context, change func([]auth.Key) []auth.Key) (keys []auth.Key, err error) {
	err = s.Tx(ctx, func(tx *sql.Tx) error {
		if keys, err = listKeys(ctx, tx); err != nil {
			return err
		}
		wanted := change(keys)
		ids := make([]string, 0, len(wanted))
		for _, k := range wanted {
			ids = append(ids, k.ID)
			if _, err := tx.ExecContext(ctx, `insert into signing_keys (id, seed, created_at, signs_from)
				values (?1, ?2, ?3, ?4) on conflict do nothing`, k.ID, k.Seed, sqlite.Micros(k.CreatedAt), sqlite.Micros(k.SignsFrom)); err != nil {
				return err
			}
		}
		list, err := json.Marshal(ids)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `delete from signing_keys where id not in (select value from json_each(?1))`, string(list)); err != nil {
			return err
		}
		keys, err = listKeys(ctx, tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

func listKeys(ctx context.Context, tx *sql.Tx) ([]auth.Key, error) {
	rows, err := tx.QueryContext(ctx, `select id, seed, created_at, signs_from from signing_keys order by created_at, id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []auth.Key
	for rows.Next() {
		var k auth.Key
		var createdAt, signsFrom int64
		if err := rows.Scan(&k.ID, &k.Seed, &createdAt, &signsFrom); err != nil {
			return nil, err
		}
		k.CreatedAt, k.SignsFrom = sqlite.Time(createdAt), sqlite.Time(signsFrom)
		keys = append(keys, k)
	}
	return keys, rows.Err()
}
