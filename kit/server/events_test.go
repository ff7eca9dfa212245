package server_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/event/eventtest"
	bus "github.com/trellis-go/trellis/kit/event/sqlite"
	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport"
)

// A service that tells of events and one that handles them, as they are
// assembled; the first tells of one more while it stops.
func TestEvents(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TRELLIS_EVENTS", "sqlite:"+filepath.Join(dir, "events.db"))
	subject := uuid.New()
	handled := make(chan int, 10)
	teller := server.New(server.App{Name: "teller", Doc: "Tells.", Addr: "127.0.0.1:0"}, func(ctx context.Context, env *server.Env, _ struct{}) (http.Handler, error) {
		db, err := sqlite.Open(ctx, filepath.Join(dir, "teller.db"), fstest.MapFS{"migrations/001_init.sql": {Data: []byte("-- +goose Up\ncreate table t (a);\n")}})
		if err != nil {
			return nil, err
		}
		env.OnStop(db.Close)
		if err := env.Publish(ctx, []event.Kind{eventtest.Happened}, db.Outbox()); err != nil {
			return nil, err
		}
		tell := func(ctx context.Context, n int) error {
			m, err := eventtest.Happened.About(ctx, subject, eventtest.Counted{N: n})
			if err != nil {
				return err
			}
			return db.Tx(ctx, func(tx *sql.Tx) error { return db.Emit(ctx, tx, m) })
		}
		env.OnStop(func() error { return tell(context.Background(), 2) })
		return env.Handler([]transport.Route{
			transport.Post("/v1/tell", endpoint.Do(func(ctx context.Context, _ endpoint.None) error { return tell(ctx, 1) }, "Tell.").Named("Tell").Public()),
		}, nil)
	})
	hearer := server.New(server.App{Name: "hearer", Doc: "Hears.", Addr: "127.0.0.1:0"}, func(ctx context.Context, env *server.Env, _ struct{}) (http.Handler, error) {
		err := env.Subscribe(ctx, event.On("teller", eventtest.Happened, func(_ context.Context, e event.Event[eventtest.Counted]) error {
			handled <- e.Data.N
			return nil
		}))
		if err != nil {
			return nil, err
		}
		return env.Handler(nil, nil)
	})
	r := run(t, hearer, teller) // so that the teller stops first
	res, err := testenv.Client.Post(r.urls["teller"]+"/v1/tell", "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	hears := func(want int) {
		t.Helper()
		select {
		case n := <-handled:
			if n != want {
				t.Errorf("%d is handled, not %d", n, want)
			}
		case <-time.After(soon):
			t.Fatal("nothing is handled")
		}
	}
	hears(1)
	for name, want := range map[string]string{"teller": `"action":"send"`, "hearer": `"action":"receive"`} {
		if status, text := get(r.urls[name] + "/asyncapi.json"); status != 200 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	testenv.Eventually(t, "the metrics tell of it", func() bool {
		_, text := get(r.urls["hearer"] + "/metrics")
		return strings.Contains(text, `trellis_events_total{outcome="handled",type="test.happened.v1"} 1`) && strings.Contains(text, "trellis_events_parked 0")
	})
	r.stop()
	if err := r.ended(t); err != nil {
		t.Error(err)
	}
	if len(handled) == 0 { // the hearer had stopped before it heard of it
		run(t, hearer)
	}
	hears(2)
}

// The command "events" shows what is parked, and has it replayed or discarded.
func TestEventsCommand(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "events.db")
	b, err := bus.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	subject := uuid.New()
	var list []event.Message
	for n := range 4 {
		list = append(list, eventtest.Message(t, subject, n))
	}
	if err := b.Publish(t.Context(), "teller", event.Batch{Messages: list}); err != nil {
		t.Fatal(err)
	}
	park := func(name string, n int) {
		t.Helper()
		g := event.Group{Name: name, Consumer: uuid.NewString(), Sources: []string{"teller"}, Claim: time.Hour}
		got, err := b.Receive(t.Context(), g, n)
		if err != nil || len(got) != n {
			t.Fatalf("%d, %v", len(got), err)
		}
		for _, d := range got {
			if err := b.Park(t.Context(), g, d, "panic: boom\ngoroutine 1"); err != nil {
				t.Fatal(err)
			}
		}
	}
	park("thing", 4)
	park("other", 1)
	events := func(services string, code int, args []string, want string) {
		t.Helper()
		got := execute(t, services, []string{"TRELLIS_EVENTS=sqlite:" + file}, append([]string{"events"}, args...)...)
		if said := got.out + got.err; got.code != code || want != "" && said != want {
			t.Errorf("events %q says, with code %d,\n%s, not\n%s", args, got.code, said, want)
		}
	}
	rows := func(services string, want ...string) {
		t.Helper()
		got := execute(t, services, []string{"TRELLIS_EVENTS=sqlite:" + file}, "events")
		lines := strings.Split(strings.TrimSuffix(got.out, "\n"), "\n")
		if got.code != 0 || len(lines) != len(want)+1 || strings.Join(strings.Fields(lines[0]), " ") != "ID SERVICE TYPE SUBJECT PARKED ATTEMPTS REASON" {
			t.Fatalf("%d %s", got.code, got.out)
		}
		for i, line := range lines[1:] {
			words := strings.Fields(line)
			at, err := time.Parse(time.RFC3339, words[4])
			words[4] = "AT"
			if got := strings.Join(words, " "); got != want[i] || err != nil || time.Since(at).Abs() > time.Hour {
				t.Errorf("the %d. is\n%s, not\n%s", i, line, want[i])
			}
		}
	}
	row := func(name string, m event.Message) string {
		return fmt.Sprint(m.ID, " ", name, " test.happened.v1 ", subject, " AT 1 panic: boom")
	}
	id := func(n int) string { return list[n].ID.String() }
	rows("one", row("thing", list[0]), row("thing", list[1]), row("thing", list[2]), row("thing", list[3]))
	rows("two", row("thing", list[0]), row("thing", list[1]), row("thing", list[2]), row("thing", list[3]), row("other", list[0]))
	for _, args := range [][]string{{"all"}, {"replay"}, {"discard"}, {"forget", id(0)}, {"discard", "all"}, {"replay", "all", id(0)}} {
		events("one", 1, args, "")
	}
	events("one", 1, []string{"replay", id(1), "x", id(2), "y"}, "error: no such event is parked: x y\n")
	events("one", 0, []string{"discard", id(0)}, "discarded 1\n")
	events("one", 1, []string{"discard", id(0)}, "error: no such event is parked: "+id(0)+"\n")
	events("one", 0, []string{"replay", id(1), id(3)}, "replayed 2\n")
	rows("two", row("thing", list[2]), row("other", list[0]))
	events("two", 0, []string{"replay", "all"}, "replayed 2\n")
	rows("two")
	events("two", 0, []string{"replay", "all"}, "replayed 0\n")
	park("thing", 3)
	rows("one", row("thing", list[1]), row("thing", list[3]), row("thing", list[2]))
	if got := execute(t, "one", []string{"TRELLIS_EVENTS=sqlite:" + filepath.Dir(file)}, "events"); got.code != 1 || !strings.HasPrefix(got.err, "error: TRELLIS_EVENTS: ") {
		t.Errorf("of no bus: %+v", got)
	}
}
