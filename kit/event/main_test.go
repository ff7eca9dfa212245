package event_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/event/eventtest"
	redisbus "github.com/trellis-go/trellis/kit/event/redis"
	sqlitebus "github.com/trellis-go/trellis/kit/event/sqlite"
	"github.com/trellis-go/trellis/kit/postgres"
	"github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/kit/telemetry"
)

// asMain makes this test's binary one of the processes that events go through.
const asMain = "EVENT_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	run := map[string]func(context.Context) error{"teller": tell, "relay": publish, "hearer": hear}[os.Getenv(asMain)]
	if run == nil {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, os.Getenv(asMain)+":", err)
		os.Exit(1)
	}
}

// What the processes are told: the teller's store, the bus, and the file with
// what the hearers did.
const (
	storeVariable   = "EVENT_TEST_STORE"
	busVariable     = "EVENT_TEST_BUS"
	effectsVariable = "EVENT_TEST_EFFECTS"
)

// stuck is the event that a hearer handles for ever the first time.
const stuck = 100

var people = []uuid.UUID{uuid.UUID{1}, uuid.UUID{2}, uuid.UUID{3}, uuid.UUID{4}}

// next is the next event that the teller is to tell of, when it has told of n.
func next(ctx context.Context, n int) (event.Message, error) {
	return eventtest.Happened.About(ctx, people[n%len(people)], eventtest.Counted{N: n})
}

// tell makes and tells of things, numbered from 0, until there are as many as
// the last line of its input says.
func tell(ctx context.Context) error {
	step, err := teller(ctx, os.Getenv(storeVariable))
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		limit, err := strconv.Atoi(lines.Text())
		if err != nil {
			return err
		}
		for n := -1; n < limit; {
			if n, err = step(limit); err != nil {
				return err
			}
		}
		fmt.Println("told", limit)
	}
	return nil
}

// teller returns a function that does one more thing if there are fewer than
// so many, and tells how many there were.
func teller(ctx context.Context, url string) (step func(limit int) (int, error), err error) {
	const count, add = `select count(*) from done`, `insert into done values ($1)`
	if file, ok := strings.CutPrefix(url, "sqlite:"); ok {
		db, err := sqlite.Open(ctx, file, migrations)
		return func(limit int) (n int, err error) {
			err = db.Tx(ctx, func(tx *sql.Tx) error {
				err := tx.QueryRowContext(ctx, count).Scan(&n)
				if err != nil || n >= limit {
					return err
				}
				m, wrong := next(ctx, n)
				_, failed := tx.ExecContext(ctx, add, m.ID.String())
				return errors.Join(wrong, failed, db.Emit(ctx, tx, m))
			})
			return n, err
		}, err
	}
	db, err := postgres.Open(ctx, url, migrations)
	return func(limit int) (n int, err error) {
		err = db.Tx(ctx, func(tx pgx.Tx) error {
			err := tx.QueryRow(ctx, count).Scan(&n)
			if err != nil || n >= limit {
				return err
			}
			m, wrong := next(ctx, n)
			_, failed := tx.Exec(ctx, add, m.ID.String())
			return errors.Join(wrong, failed, db.Emit(ctx, tx, m))
		})
		return n, err
	}, err
}

func busAt(ctx context.Context, url string) (event.Bus, error) {
	if file, ok := strings.CutPrefix(url, "sqlite:"); ok {
		return sqlitebus.Open(ctx, file)
	}
	return redisbus.Open(url)
}

// publish relays what the teller tells of.
func publish(ctx context.Context) error {
	bus, err := busAt(ctx, os.Getenv(busVariable))
	if err != nil {
		return err
	}
	r := event.Relay{Source: "teller", Bus: bus, Logger: telemetry.NewLogger(os.Stderr, "process", "relay")}
	if file, ok := strings.CutPrefix(os.Getenv(storeVariable), "sqlite:"); ok {
		db, err := sqlite.Open(ctx, file, migrations)
		if err != nil {
			return err
		}
		r.Outbox = db.Outbox()
	} else {
		db, err := postgres.Open(ctx, os.Getenv(storeVariable), migrations)
		if err != nil {
			return err
		}
		r.Outbox = db.Outbox()
	}
	fmt.Println("relays")
	r.Run(ctx)
	return nil
}

// claimAfter is how soon hearers claim what a dead one had.
const claimAfter = 2 * time.Second

// hear does what it hears of, once.
func hear(ctx context.Context) error {
	bus, err := busAt(ctx, os.Getenv(busVariable))
	if err != nil {
		return err
	}
	file := os.Getenv(effectsVariable)
	db, err := sqlite.Open(ctx, file, migrations)
	if err != nil {
		return err
	}
	c := event.NewConsumer("hearer", bus, event.On("teller", eventtest.Happened, func(ctx context.Context, e happened) error {
		if e.Data.N == stuck {
			if f, err := os.OpenFile(file+"-stuck", os.O_CREATE|os.O_EXCL, 0o600); err == nil {
				f.Close()
				fmt.Println("stuck")
				<-ctx.Done()
			} else if !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
		return db.Tx(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `insert into done values (?) on conflict do nothing`, fmt.Sprint(e.Subject[0], " ", e.Data.N))
			return err
		})
	}))
	c.Group.Claim, c.Logger = claimAfter, telemetry.NewLogger(os.Stderr, "process", "hearer")
	fmt.Println("hears")
	c.Run(ctx)
	return nil
}
