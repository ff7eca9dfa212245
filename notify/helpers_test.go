package notify_test

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	eventsqlite "github.com/trellis-go/trellis/kit/event/sqlite"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/server/servertest"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/notify/redis"
	"github.com/trellis-go/trellis/notify/sqlite"
)

// onStores runs a test on every store.
func onStores(t *testing.T, test func(*testing.T, notify.Store)) {
	testenv.OnStores(t, test, map[string]func(testing.TB) notify.Store{
		"sqlite": func(t testing.TB) notify.Store {
			return testenv.Open(t, sqlite.Open, filepath.Join(t.TempDir(), "notify.db"))
		},
		"redis": func(t testing.TB) notify.Store { return testenv.Open(t, redis.Open, testenv.Redis(t)) },
	})
}

// world is a notify service and all that is around it.
type world struct {
	store    notify.Store
	service  *notify.Service
	sender   *notify.Sender
	client   notify.Client
	server   *servertest.Service
	people   *people
	profiles *profiles
	mailer   *mailer
	pusher   *pusher
	clock    *clock
	bus      *bus
	ann, bob uuid.UUID
}

func newWorld(t *testing.T, store notify.Store) *world {
	t.Helper()
	w := &world{
		store: store, people: &people{}, profiles: &profiles{}, mailer: &mailer{}, pusher: &pusher{},
		clock: &clock{now: time.Now()}, bus: newBus(t), ann: uuid.New(), bob: uuid.New(),
	}
	w.people.set(w.ann, notify.Person{Name: "Ann", Email: "ann@example.org", Verified: true})
	w.people.set(w.bob, notify.Person{Name: "Bob", Email: "bob@example.org", Verified: true})
	w.service = w.instance(t)
	w.sender = w.newSender(t, w.service, w.mailer, w.pusher)
	w.server = servertest.Serve(t, notify.Routes(w.service, nil), store.Keeper(), nil)
	w.client = notify.NewClient(w.server.Over)
	return w
}

// instance is one more service on the same store.
func (w *world) instance(t *testing.T) *notify.Service {
	t.Helper()
	service, err := notify.NewService(t.Context(), w.store, w.people, w.profiles, "the public key")
	if err != nil {
		t.Fatal(err)
	}
	service.SetNow(w.clock.Now)
	return service
}

func (w *world) newSender(t *testing.T, s *notify.Service, m notify.Mailer, p notify.Pusher) *notify.Sender {
	t.Helper()
	sender, err := notify.NewSender(s, m, p, telemetry.NewLogger(t.Output()), telemetry.NewMetrics())
	if err != nil {
		t.Fatal(err)
	}
	return sender
}

func (w *world) as(t *testing.T, user uuid.UUID) context.Context { return w.server.As(t, user) }

// happens lets the service handle an event, as often as it is given.
func (w *world) happens(t *testing.T, source string, times int, m event.Message) {
	t.Helper()
	batch := event.Batch{After: w.bus.told[source]}
	for m.Source = source; len(batch.Messages) < times; batch.After++ {
		batch.Messages = append(batch.Messages, m)
	}
	batch.After, w.bus.told[source] = w.bus.told[source], batch.After
	if err := w.bus.Publish(t.Context(), source, batch); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	w.bus.expect(times, cancel)
	c := event.NewConsumer("notify", w.bus, notify.Handlers(w.service)...)
	c.Logger, c.Tracer = telemetry.NewLogger(t.Output()), &telemetry.Tracer{}
	c.Run(ctx)
	if left := w.bus.left.Load(); left != 0 {
		t.Errorf("%s was not handled, %d times", m.Type, left)
	}
}

// notify tells Ann something over the internal endpoint.
func (w *world) notify(t *testing.T, r notify.NotifyRequest) {
	t.Helper()
	if r.Users == nil {
		r.Users = []uuid.UUID{w.ann}
	}
	if err := w.client.Notify(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// inbox is Ann's.
func (w *world) inbox(t *testing.T, status notify.Status) notify.InboxPage {
	t.Helper()
	page, err := w.client.List(w.as(t, w.ann), notify.ListRequest{Status: status})
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// only is the one notification that Ann has.
func (w *world) only(t *testing.T, status notify.Status) notify.Notification {
	t.Helper()
	page := w.inbox(t, status)
	if len(page.Data) != 1 {
		t.Fatalf("%d notifications, want one: %+v", len(page.Data), page.Data)
	}
	return page.Data[0]
}

// step sends what is due, and returns the deliveries of Ann's notification by their channel.
func (w *world) step(t *testing.T, id uuid.UUID) map[notify.Channel]notify.Delivery {
	t.Helper()
	if _, err := w.sender.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	page, err := w.client.ListDeliveries(w.as(t, w.ann), notify.NotificationRequest{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	by := map[notify.Channel]notify.Delivery{}
	for _, d := range page.Data {
		by[d.Channel] = d
	}
	return by
}

// ring does what is due, and fails the test unless so many timers rang.
func (w *world) ring(t *testing.T, want int) {
	t.Helper()
	if n, err := w.service.RingOnce(t.Context()); err != nil || n != want {
		t.Errorf("%d timers rang, want %d; %v", n, want, err)
	}
}

// browser is a subscription that is well-formed.
func browser(id string) notify.SubscribeRequest {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	return notify.SubscribeRequest{ID: id, Endpoint: "https://push.example.org/" + id, Keys: notify.PushKeys{P256DH: text(key.PublicKey().Bytes()), Auth: text(make([]byte, 16))}}
}

// subscribe has pushes sent to browsers of Ann's.
func (w *world) subscribe(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := w.client.Subscribe(w.as(t, w.ann), browser(id)); err != nil {
			t.Fatal(err)
		}
	}
}

// plain calls as a user does: it shows no service's token.
type plain struct{ over http.RoundTripper }

func (p plain) RoundTrip(r *http.Request) (*http.Response, error) {
	return p.over.(transport.Peer).Over.RoundTrip(r)
}

// signals are the entries of a user's stream that are no notifications.
func (w *world) signals(t *testing.T, user uuid.UUID) (list []string) {
	t.Helper()
	end, err := w.store.Position(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	if end.Epoch == "" {
		return nil
	}
	entries, _, err := w.store.Since(t.Context(), user, notify.Position{Epoch: end.Epoch}, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Type != notify.EntryNotification {
			list = append(list, e.Type+" "+string(e.Data))
		}
	}
	return list
}

func wantCode(t *testing.T, what string, err error, kind fault.Kind, code string) *fault.Error {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != kind || f.Code != code {
		t.Errorf("%s: got %v, want %d %s", what, err, kind, code)
		return &fault.Error{}
	}
	return f
}

// clock is what time it is in a test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// people are the users of a test.
type people struct {
	mu    sync.Mutex
	known map[uuid.UUID]notify.Person
	away  error
	link  error
}

func (p *people) set(user uuid.UUID, who notify.Person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[uuid.UUID]notify.Person{}
	}
	p.known[user] = who
}

func (p *people) Person(_ context.Context, user uuid.UUID) (notify.Person, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	who, ok := p.known[user]
	if !ok && p.away == nil {
		return who, fault.New(fault.NotFound, "user_not_found", "There is no such user.")
	}
	return who, p.away
}

func (p *people) Link(_ context.Context, user uuid.UUID, kind string) (notify.Link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	who := p.known[user]
	return notify.Link{Email: who.Email, Name: who.Name, Token: "trk_a-_Z09", Expires: time.Date(2031, 5, 1, 8, 4, 0, 0, time.UTC)}, errors.Join(p.away, p.link)
}

// profiles are their settings.
type profiles struct {
	mu    sync.Mutex
	known map[uuid.UUID]notify.Settings
	away  error
	asked int
}

func (p *profiles) set(user uuid.UUID, s notify.Settings) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[uuid.UUID]notify.Settings{}
	}
	p.known[user] = s
}

func (p *profiles) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = err
}

func (p *profiles) Settings(_ context.Context, user uuid.UUID) (notify.Settings, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	s, ok := p.known[user]
	if !ok && p.away == nil {
		return s, fault.New(fault.NotFound, "profile_not_found", "There is no such profile.")
	}
	return s, p.away
}

var errAway = fault.New(fault.Unavailable, "unreachable", "It cannot be reached.")

// mailer keeps the mails that are sent, and fails when it is told to.
type mailer struct {
	mu    sync.Mutex
	mails []notify.Mail
	err   error
}

func (m *mailer) Send(_ context.Context, mail notify.Mail) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.mails = append(m.mails, mail)
	}
	return m.err
}

func (m *mailer) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func (m *mailer) sent() []notify.Mail {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.mails)
}

// pusher counts what browsers get, by their subscription.
type pusher struct {
	mu     sync.Mutex
	pushed []string
	last   notify.Message
	errs   map[string]error
}

func (p *pusher) PublicKey() string { return "the public key" }

func (p *pusher) Push(_ context.Context, to notify.Subscription, m notify.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pushed, p.last = append(p.pushed, to.ID), m
	return p.errs[to.ID]
}

// took returns to whom was pushed since it was last asked.
func (p *pusher) took() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.pushed
	p.pushed = nil
	slices.Sort(list)
	return list
}

// bus is a bus that tells when events are done with.
type bus struct {
	event.Bus
	told map[string]int64 // the last position of each source
	left atomic.Int64
	done func()
}

func newBus(t *testing.T) *bus {
	t.Helper()
	b, err := eventsqlite.Open(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bus{Bus: b, told: map[string]int64{}}
}

func (b *bus) expect(events int, done func()) {
	b.left.Store(int64(events))
	b.done = done
}

func (b *bus) Done(ctx context.Context, g event.Group, done []event.Delivery) error {
	err := b.Bus.Done(ctx, g, done)
	if b.left.Add(-int64(len(done))) == 0 {
		b.done()
	}
	return err
}
