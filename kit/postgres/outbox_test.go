package postgres_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/event/eventtest"
	"github.com/trellis-go/trellis/kit/testenv"
)

func TestOutbox(t *testing.T) {
	eventtest.RunOutbox(t, func(t *testing.T) eventtest.Outbox {
		url := testenv.Postgres(t)
		db := open(t, url)
		return eventtest.Outbox{
			Outbox: db.Outbox(), Other: open(t, url).Outbox(),
			Emit: func(ctx context.Context, finish func() error, events ...event.Message) error {
				return db.Tx(ctx, func(tx pgx.Tx) error {
					if err := db.Emit(ctx, tx, events...); err != nil {
						return err
					}
					return finish()
				})
			},
			Forget: func(ctx context.Context, subject uuid.UUID) error {
				return db.Tx(ctx, func(tx pgx.Tx) error { return db.Forget(ctx, tx, subject) })
			},
		}
	})
}
