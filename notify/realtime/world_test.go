package realtime_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/notify/realtime"
)

// quick are times for tests.
var quick = realtime.Times{
	Beat: 5 * time.Millisecond, Hold: time.Hour, Retry: 5 * time.Millisecond,
}

// world is a service that has streams, as server.Run serves it.
type world struct {
	t       testing.TB
	store   *store
	hub     *realtime.Hub
	revoked *token.Revocations
	key     token.Key
	addr    string
	stop    context.CancelFunc
	stopped chan error // has one when the server has
}

func newWorld(t testing.TB, times realtime.Times, o realtime.Options) *world {
	t.Helper()
	store := newStore(t)
	w := &world{t: t, store: store, revoked: token.NewRevocations(), stopped: make(chan error, 1)}
	o.Ended = w.revoked.Ended
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w.key = token.Key{ID: "test", Private: private}
	w.revoked.Complete()
	app := server.New(server.App{Name: "notify", Addr: "127.0.0.1:0"}, func(_ context.Context, env *server.Env, _ struct{}) (http.Handler, error) {
		o.Draining, o.Metrics, o.Logger = env.Draining, env.Metrics, env.Logger
		w.hub = realtime.NewHub(store, o)
		w.hub.Hurry(times)
		env.Go(w.hub.Run)
		env.Keys, env.Revocations = w, w.revoked
		return env.Handler(rows(w.hub), nil)
	})
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	line := &firstLine{text: make(chan string, 1)}
	go func() { w.stopped <- server.Run(ctx, line, app) }()
	select {
	case text := <-line.text:
		_, rest, _ := strings.Cut(text, "http://")
		w.addr, _, _ = strings.Cut(rest, " ")
	case err := <-w.stopped:
		t.Fatal(err)
	}
	testenv.Eventually(t, "somebody reads", func() bool { store.mu.Lock(); defer store.mu.Unlock(); return store.gap != nil })
	t.Cleanup(func() {
		stop()
		if err := <-w.stopped; err != nil {
			t.Error(err)
		}
		w.stopped <- nil
	})
	return w
}

// rows are the API's, without a bound to how often one address may call.
func rows(hub *realtime.Hub) []transport.Route {
	rows := []transport.Route{
		transport.Get("/v1/realtime/ws", transport.Raw("WebSocket", "Follow your stream.", hub.WebSocket).Public()),
		transport.Get("/v1/realtime/events", transport.Raw("Events", "Follow your stream.", hub.Events)),
	}
	for i := range rows {
		rows[i].Rate = endpoint.Rate{}
	}
	return rows
}

// Key makes the world know its own tokens.
func (w *world) Key(context.Context, string) (ed25519.PublicKey, error) {
	return w.key.Private.Public().(ed25519.PublicKey), nil
}

func (w *world) token(user uuid.UUID, session string) string {
	w.t.Helper()
	signer, now := token.Signer{Issuer: "http://localhost:8000", Audience: "trellis"}, time.Now()
	text, err := signer.Sign(w.key, token.Caller{ID: user.String(), Session: session, Expires: now.Add(time.Hour)}, now)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// ticket is a path with a ticket, and whatever else.
func (w *world) ticket(user uuid.UUID, session string, more ...string) string {
	text := rand.Text()
	if err := w.store.PutTicket(context.Background(), sha256.Sum256([]byte(text)), notify.Ticket{User: user, Session: session}, time.Minute); err != nil {
		w.t.Fatal(err)
	}
	return "/v1/realtime/ws?ticket=" + text + strings.Join(more, "")
}

// tell adds entries to a user's stream.
func (w *world) tell(user uuid.UUID, data ...string) {
	w.t.Helper()
	for _, d := range data {
		if err := w.store.Signal(context.Background(), user, "note.changed", jsontext.Value(d), ""); err != nil {
			w.t.Fatal(err)
		}
	}
}

// epoch is that of a user's stream.
func (w *world) epoch(user uuid.UUID) string {
	w.t.Helper()
	p, err := w.store.Store.Position(context.Background(), user)
	if err != nil || p.Epoch == "" {
		w.t.Fatal(p, err)
	}
	return p.Epoch
}

// empty waits until all streams have gone.
func (w *world) empty() {
	w.t.Helper()
	testenv.Eventually(w.t, "nobody is open", func() bool { return w.hub.Open() == 0 })
}

// firstLine is what server.Run tells on, of which the first line matters.
type firstLine struct {
	once sync.Once
	text chan string
}

func (l *firstLine) Write(b []byte) (int, error) {
	l.once.Do(func() { l.text <- string(b) })
	return len(b), nil
}
