package sqlite_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/event/eventtest"
)

func TestOutbox(t *testing.T) {
	eventtest.RunOutbox(t, func(t *testing.T) eventtest.Outbox {
		path := filepath.Join(t.TempDir(), "outbox.db")
		db := open(t, path)
		return eventtest.Outbox{
			Outbox: db.Outbox(), Other: open(t, path).Outbox(), Serial: true,
			Emit: func(ctx context.Context, finish func() error, events ...event.Message) error {
				return db.Tx(ctx, func(tx *sql.Tx) error {
					if err := db.Emit(ctx, tx, events...); err != nil {
						return err
					}
					return finish()
				})
			},
			Forget: func(ctx context.Context, subject uuid.UUID) error {
				return db.Tx(ctx, func(tx *sql.Tx) error { return db.Forget(ctx, tx, subject) })
			},
		}
	})
}
