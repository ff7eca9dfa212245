package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/kit/transport"
)

// Keeper keeps answers for Idempotency-Key in this database.
func (d *DB) Keeper() transport.Keeper { return keeper{d} }

type keeper struct{ *DB }

func (k keeper) Begin(ctx context.Context, key transport.Hash, id uuid.UUID, fingerprint transport.Hash) (kept transport.Kept, err error) {
	now := time.Now()
	err = k.Tx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `delete from kit_idempotency where key = $1 and expires_at < $2 or key = any (array(
			select key from kit_idempotency where expires_at < $2 limit 100 for update skip locked))`, key[:], now); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `insert into kit_idempotency (key, id, fingerprint, claimed_until, expires_at)
			values ($1, $2, $3, $4, $5) on conflict do nothing`,
			key[:], id, fingerprint[:], now.Add(transport.ClaimedFor), now.Add(transport.KeptFor))
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 1 {
			kept = transport.Kept{ID: id, Fingerprint: fingerprint}
			return nil
		}
		var print []byte
		var claimedUntil time.Time
		err = tx.QueryRow(ctx, `select id, fingerprint, claimed_until, answer from kit_idempotency where key = $1 for update`, key[:]).
			Scan(&kept.ID, &print, &claimedUntil, &kept.Sealed)
		if err != nil {
			return err
		}
		copy(kept.Fingerprint[:], print)
		switch {
		case kept.Sealed != nil:
			kept.State = transport.Finished
		case claimedUntil.After(now):
			kept.State = transport.Running
		case kept.Fingerprint == fingerprint:
			kept.State = transport.Claimed
			_, err = tx.Exec(ctx, `update kit_idempotency set claimed_until = $1 where key = $2`, now.Add(transport.ClaimedFor), key[:])
		}
		return err
	})
	return kept, err
}

func (k keeper) Finish(ctx context.Context, key transport.Hash, sealed []byte) error {
	_, err := k.Exec(ctx, `update kit_idempotency set answer = $1 where key = $2`, sealed, key[:])
	return err
}

func (k keeper) Hold(ctx context.Context, key transport.Hash, d time.Duration) error {
	_, err := k.Exec(ctx, `update kit_idempotency set claimed_until = $2 where key = $1 and answer is null`, key[:], time.Now().Add(d))
	return err
}
