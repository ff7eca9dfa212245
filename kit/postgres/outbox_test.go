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

// Who awaits events hears of them at once, and again after the server has gone
// and come back.
func TestAwaitAgain(t *testing.T) {
	t.Parallel()
	server := testenv.PostgresServer(t)
	db := open(t, server.URL)
	outbox := db.Outbox()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		for ctx.Err() == nil {
			outbox.Await(ctx)
		}
	}()
	listens := func() bool {
		var n int
		err := db.QueryRow(t.Context(), `select count(*) from pg_stat_activity where query = 'listen kit_outbox' and state = 'idle'`).Scan(&n)
		return err == nil && n == 1
	}
	testenv.Eventually(t, "it listens", listens)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "it listens again", listens)
	cancel()
	<-returned
}
