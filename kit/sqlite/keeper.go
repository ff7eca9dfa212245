package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/transport"
)

// Keeper keeps answers for Idempotency-Key in this database.
func (d *DB) Keeper() transport.Keeper { return keeper{d} }

type keeper struct{ *DB }

func (k keeper) Begin(ctx context.Context, key transport.Hash, id uuid.UUID, fingerprint transport.Hash) (kept transport.Kept, err error) {
	err = k.Tx(ctx, func(tx *sql.Tx) error {
		now := time.Now() // it may have waited for the one writer
		if _, err := tx.ExecContext(ctx, `delete from kit_idempotency where key = ?1 and expires_at < ?2 or key in (
			select key from kit_idempotency where expires_at < ?2 limit 100)`, key[:], Micros(now)); err != nil {
			return err
		}
		var known, print []byte
		var claimedUntil int64
		err := tx.QueryRowContext(ctx, `select id, fingerprint, claimed_until, answer from kit_idempotency where key = ?`, key[:]).
			Scan(&known, &print, &claimedUntil, &kept.Sealed)
		if errors.Is(err, sql.ErrNoRows) {
			kept = transport.Kept{ID: id, Fingerprint: fingerprint}
			_, err = tx.ExecContext(ctx, `insert into kit_idempotency (key, id, fingerprint, claimed_until, expires_at) values (?, ?, ?, ?, ?)`,
				key[:], id[:], fingerprint[:], Micros(now.Add(transport.ClaimedFor)), Micros(now.Add(transport.KeptFor)))
			return err
		}
		if err != nil {
			return err
		}
		copy(kept.ID[:], known)
		copy(kept.Fingerprint[:], print)
		switch {
		case kept.Sealed != nil:
			kept.State = transport.Finished
		case claimedUntil > Micros(now):
			kept.State = transport.Running
		case kept.Fingerprint == fingerprint:
			_, err = tx.ExecContext(ctx, `update kit_idempotency set claimed_until = ? where key = ?`, Micros(now.Add(transport.ClaimedFor)), key[:])
		}
		return err
	})
	return kept, err
}

func (k keeper) Finish(ctx context.Context, key transport.Hash, sealed []byte) error {
	_, err := k.Writer.ExecContext(ctx, `update kit_idempotency set answer = ? where key = ? and answer is null`, sealed, key[:])
	return err
}

func (k keeper) Hold(ctx context.Context, key transport.Hash, d time.Duration) error {
	_, err := k.Writer.ExecContext(ctx, `update kit_idempotency set claimed_until = ? where key = ? and answer is null`, Micros(time.Now().Add(d)), key[:])
	return err
}
