package event_test

import (
	"context"
	"database/sql"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-kit/log"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/event/eventtest"
	redisbus "github.com/trellis-go/trellis/kit/event/redis"
	sqlitebus "github.com/trellis-go/trellis/kit/event/sqlite"
	"github.com/trellis-go/trellis/kit/postgres"
	"github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/testenv"
)

// migrations are a service's: one table, of what it did.
var migrations = fstest.MapFS{"migrations/001_init.sql": {Data: []byte("-- +goose Up\ncreate table done (what text primary key);\n")}}

// store is a service's outbox.
type store struct {
	event.Outbox
	emit func(context.Context, ...event.Message) error
}

func sqliteStore(t testing.TB, path string) store {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, migrations)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return store{db.Outbox(), func(ctx context.Context, events ...event.Message) error {
		return db.Tx(ctx, func(tx *sql.Tx) error { return db.Emit(ctx, tx, events...) })
	}}
}

func postgresStore(t testing.TB, url string) store {
	t.Helper()
	db, err := postgres.Open(t.Context(), url, migrations)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return store{db.Outbox(), func(ctx context.Context, events ...event.Message) error {
		return db.Tx(ctx, func(tx pgx.Tx) error { return db.Emit(ctx, tx, events...) })
	}}
}

func openBus(t testing.TB, bus event.Bus, err error) event.Bus {
	t.Helper()
	must(t, err)
	t.Cleanup(func() { must(t, bus.Close()) })
	return bus
}

var stores = map[string]func(testing.TB) store{
	"sqlite":   func(t testing.TB) store { return sqliteStore(t, filepath.Join(t.TempDir(), "service.db")) },
	"postgres": func(t testing.TB) store { return postgresStore(t, testenv.Postgres(t)) },
}

var buses = map[string]func(testing.TB) event.Bus{
	"sqlite": func(t testing.TB) event.Bus {
		bus, err := sqlitebus.Open(t.Context(), filepath.Join(t.TempDir(), "events.db"))
		return openBus(t, bus, err)
	},
	"redis": func(t testing.TB) event.Bus {
		bus, err := redisbus.Open(testenv.Redis(t))
		return openBus(t, bus, err)
	},
}

// everywhere runs a test on all stores and buses, side by side.
func everywhere(t *testing.T, test func(*testing.T, store, event.Bus)) {
	t.Parallel()
	for from, openStore := range stores {
		for over, openBus := range buses {
			t.Run(from+" over "+over, func(t *testing.T) { t.Parallel(); test(t, openStore(t), openBus(t)) })
		}
	}
}

// start runs work until the test ends, or until stop is called.
func start(t testing.TB, work func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); work(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// relay publishes a store's events as the teller's.
func relay(t testing.TB, outbox event.Outbox, bus event.Bus) event.Relay {
	return event.Relay{Source: "teller", Outbox: outbox, Bus: bus, Logger: logger(t)}
}

func logger(t testing.TB) log.Logger { return telemetry.NewLogger(t.Output()) }

// journal is what handlers saw.
type journal struct {
	mu   sync.Mutex
	seen []event.Event[eventtest.Counted]
	more chan struct{} // closed when there is more
}

func newJournal() *journal { return &journal{more: make(chan struct{})} }

func (j *journal) add(e event.Event[eventtest.Counted]) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen = append(j.seen, e)
	close(j.more)
	j.more = make(chan struct{})
}

func (j *journal) handle(_ context.Context, e event.Event[eventtest.Counted]) error {
	j.add(e)
	return nil
}

// await waits until what was seen is enough.
func (j *journal) await(t testing.TB, what string, enough func(seen []event.Event[eventtest.Counted]) bool) []event.Event[eventtest.Counted] {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		j.mu.Lock()
		seen, more := slices.Clone(j.seen), j.more
		j.mu.Unlock()
		if enough(seen) {
			return seen
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("never: %s; %d were seen", what, len(seen))
		}
	}
}

// all waits for n different events of a subject, and checks their order but for
// those that come again.
func (j *journal) all(t testing.TB, n int, subject uuid.UUID) {
	t.Helper()
	j.await(t, "all events of a subject", func(seen []event.Event[eventtest.Counted]) bool {
		next := 0
		for _, e := range seen {
			if e.Subject != subject {
				continue
			}
			if e.Data.N > next {
				t.Fatalf("the %d. comes before the %d.", e.Data.N, next)
			}
			next = max(next, e.Data.N+1)
		}
		return next == n
	})
}

// consumer handles the teller's events with handle.
func consumer(t testing.TB, bus event.Bus, handle func(context.Context, event.Event[eventtest.Counted]) error) *event.Consumer {
	c := event.NewConsumer("hearer", bus, event.On("teller", eventtest.Happened, handle))
	c.Logger = logger(t)
	return c
}

// emit writes n numbered events about each subject, in turn.
func (s store) emitTo(t testing.TB, from, to int, subjects ...uuid.UUID) {
	t.Helper()
	for n := from; n < to; n++ {
		for _, subject := range subjects {
			must(t, s.emit(t.Context(), eventtest.Message(t, subject, n)))
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// scrape is what the metrics say.
func scrape(m *telemetry.Metrics) string {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}
