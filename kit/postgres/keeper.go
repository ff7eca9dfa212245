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

// Begin goes by the server's clock, which is the same for all instances.
func (k keeper) Begin(ctx context.Context, key transport.Hash, id uuid.UUID, fingerprint transport.Hash) (kept transport.Kept, err error) {
	err = k.Tx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `delete from kit_idempotency where key = $1 and expires_at < now() or key = any (array(
			select key from kit_idempotency where expires_at < now() limit 100 for update skip locked))`, key[:]); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `insert into kit_idempotency (key, id, fingerprint, claimed_until, expires_at)
			values ($1, $2, $3, now() + $4, now() + $5) on conflict do nothing`,
			key[:], id, fingerprint[:], transport.ClaimedFor, transport.KeptFor)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 1 {
			kept = transport.Kept{ID: id, Fingerprint: fingerprint}
			return nil
		}
		var print []byte
		var running bool
		err = tx.QueryRow(ctx, `select id, fingerprint, claimed_until > now(), answer from kit_idempotency where key = $1 for update`, key[:]).
			Scan(&kept.ID, &print, &running, &kept.Sealed)
		if err != nil {
			return err
		}
		copy(kept.Fingerprint[:], print)
		switch {
		case kept.Sealed != nil:
			kept.State = transport.Finished
		case running:
			kept.State = transport.Running
		case kept.Fingerprint == fingerprint:
			kept.State = transport.Claimed
			_, err = tx.Exec(ctx, `update kit_idempotency set claimed_until = now() + $1 where key = $2`, transport.ClaimedFor, key[:])
		}
		return err
	})
	return kept, err
}

func (k keeper) Finish(ctx context.Context, key transport.Hash, sealed []byte) error {
	_, err := k.Exec(ctx, `update kit_idempotency set answer = $1 where key = $2 and answer is null`, sealed, key[:])
	return err
}

func (k keeper) Hold(ctx context.Context, key transport.Hash, d time.Duration) error {
	_, err := k.Exec(ctx, `update kit_idempotency set claimed_until = now() + $2 where key = $1 and answer is null`, key[:], d)
	return err
}
