// Package storetest is what every notify.Store must pass.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
)

// Database is where stores keep things, and what a test does to it behind
// their backs.
type Database struct {
	Open func(t testing.TB) notify.Store      // one more store on it, closed when the test ends
	Age  func(t testing.TB, by time.Duration) // makes all that is kept for a while that much older
	Text func(t testing.TB) string            // is all that is kept, ids as their text
}

// Run tests the stores on the databases that create makes, empty ones.
func Run(t *testing.T, create func(t testing.TB) Database) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T, Database){
		"RoundTrip":           roundTrip,
		"Refused":             refused,
		"Lists":               lists,
		"Update":              update,
		"UpdateAtOnce":        updateAtOnce,
		"Snooze":              snooze,
		"ReadAll":             readAll,
		"ReadAllMeanwhile":    readAllMeanwhile,
		"Delete":              deletion,
		"Dedupe":              dedupe,
		"DedupeAtOnce":        dedupeAtOnce,
		"Collapse":            collapse,
		"SameID":              sameID,
		"Bounds":              bounds,
		"Random":              random,
		"Signal":              signal,
		"Since":               since,
		"Resync":              resync,
		"AtOnce":              atOnce,
		"Live":                live,
		"Deliveries":          deliveries,
		"DeliveriesAtOnce":    deliveriesAtOnce,
		"DeliveriesByChannel": deliveriesByChannel,
		"PublishedWith":       publishedWith,
		"Timers":              timers,
		"TimersAtOnce":        timersAtOnce,
		"TimerSetAnew":        timerSetAnew,
		"Tickets":             tickets,
		"Presence":            presence,
		"Subscriptions":       subscriptions,
		"Purge":               purge,
		"Erase":               erase,
		"EraseEmpty":          eraseEmpty,
		"EraseWhileWritten":   eraseWhileWritten,
		"Secrets":             secrets,
		"Canceled":            canceled,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, create(t)) })
	}
}

// day is a time with microseconds.
var day = time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.UTC)

// note returns a notification as a store returns it, but for its Seq.
func note(user uuid.UUID, edits ...func(*notify.Notification)) notify.Notification {
	n := notify.Notification{
		ID: newID(), User: user, Category: notify.Sharing, Title: "A title", Body: "A body.\n",
		Data: jsontext.Value(`{"note":"7","n":12345678901234567890}`), Link: "/notes/7", CreatedAt: day,
	}
	for _, edit := range edits {
		edit(&n)
	}
	return n
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func publish(t testing.TB, s notify.Store, user uuid.UUID, edits ...func(*notify.Notification)) notify.Notification {
	t.Helper()
	return publishAs(t, s, note(user, edits...), notify.Keys{})
}

func publishAs(t testing.TB, s notify.Store, n notify.Notification, keys notify.Keys, with ...notify.Delivery) notify.Notification {
	t.Helper()
	got, added, err := s.Publish(t.Context(), n, keys, with...)
	must(t, err)
	if !added {
		t.Fatal("it was known")
	}
	return got
}

// known publishes what must be known already.
func known(t testing.TB, s notify.Store, n notify.Notification, keys notify.Keys) {
	t.Helper()
	before := inbox(t, s, n.User)
	if _, added, err := s.Publish(t.Context(), n, keys); err != nil || added {
		t.Errorf("it was not known: %v", err)
	}
	same(t, inbox(t, s, n.User), before)
}

func inbox(t testing.TB, s notify.Store, user uuid.UUID) notify.Inbox {
	t.Helper()
	return list(t, s, user, notify.Query{Status: notify.All, Limit: notify.MaxInbox})
}

func list(t testing.TB, s notify.Store, user uuid.UUID, q notify.Query) notify.Inbox {
	t.Helper()
	in, err := s.Inbox(t.Context(), user, q)
	must(t, err)
	return in
}

func position(t testing.TB, s notify.Store, user uuid.UUID) notify.Position {
	t.Helper()
	p, err := s.Position(t.Context(), user)
	must(t, err)
	return p
}

// entries returns all behind a position, and checks that none is missing.
func entries(t testing.TB, s notify.Store, user uuid.UUID, p notify.Position) []notify.Entry {
	t.Helper()
	list, end, err := s.Since(t.Context(), user, p, notify.MaxStream)
	must(t, err)
	for i, e := range list {
		if e.Seq != p.Seq+int64(i)+1 {
			t.Fatalf("entry %d behind %d is %d", i+1, p.Seq, e.Seq)
		}
	}
	if p.Seq+int64(len(list)) != end.Seq {
		t.Errorf("%d entries behind %d, and the stream is at %d", len(list), p.Seq, end.Seq)
	}
	return list
}

// entry is what an entry must be: data is marshaled.
func entry(t testing.TB, seq int64, kind string, data any, unread int) notify.Entry {
	t.Helper()
	text, err := json.Marshal(data)
	must(t, err)
	return notify.Entry{Seq: seq, Type: kind, Data: text, Unread: unread}
}

// same is strict, times in UTC, but for the order and the spaces of JSON.
func same[T any](t testing.TB, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), strict, alike); diff != "" {
		t.Errorf("got + instead of -: %.3000s", diff)
	}
}

var (
	strict = cmp.Comparer(func(a, b time.Time) bool { return a == b })
	alike  = cmp.FilterPath(func(p cmp.Path) bool { return p.Last().Type() == reflect.TypeFor[jsontext.Value]() },
		cmp.FilterValues(func(a, b jsontext.Value) bool { return len(a)+len(b) > 0 },
			cmp.Comparer(func(a, b jsontext.Value) bool { return canonical(a) == canonical(b) })))
)

func canonical(v jsontext.Value) string {
	v = v.Clone()
	if err := v.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)); err != nil {
		return err.Error()
	}
	return string(v)
}

func wantError(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func secrets(t *testing.T, db Database) {
	a, b := db.Open(t), db.Open(t)
	secret := func(s notify.Store, name string) []byte {
		t.Helper()
		secret, err := s.Secret(t.Context(), name)
		must(t, err)
		if len(secret) != 32 {
			t.Errorf("%d bytes", len(secret))
		}
		return secret
	}
	for _, name := range []string{"one", "two", ""} {
		if first := secret(a, name); !bytes.Equal(first, secret(b, name)) || !bytes.Equal(first, secret(a, name)) {
			t.Errorf("the secret %q does not stay the same", name)
		}
	}
	if bytes.Equal(secret(a, "one"), secret(b, "two")) {
		t.Error("two secrets are the same")
	}
}

// canceled calls every method for a caller who has gone.
func canceled(t *testing.T, db Database) {
	s := db.Open(t)
	user := newID()
	n := publish(t, s, user)
	before := inbox(t, s, user)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls(ctx, s, n) {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want context.Canceled", name, err)
		}
	}
	same(t, inbox(t, s, user), before)
	s.Live(ctx, func(uuid.UUID, string, notify.Entry) {}, func() {})
}

// calls are all methods that may fail, about a notification that is there.
func calls(ctx context.Context, s notify.Store, n notify.Notification) map[string]func() error {
	user, other := n.User, note(n.User)
	d := delivery(user, n.ID)
	timer := notify.Timer{Key: "canceled", User: user, At: day, Data: []byte("data")}
	ticket := notify.Ticket{User: user, Session: "session"}
	return map[string]func() error{
		"Publish":            func() error { _, _, err := s.Publish(ctx, other, notify.Keys{}, d); return err },
		"Signal":             func() error { return s.Signal(ctx, user, "note.changed", jsontext.Value(`{}`), "") },
		"Inbox":              func() error { _, err := s.Inbox(ctx, user, notify.Query{Limit: 10}); return err },
		"Notification":       func() error { _, err := s.Notification(ctx, user, n.ID); return err },
		"Update":             func() error { _, err := s.Update(ctx, user, n.ID, archive); return err },
		"ReadAll":            func() error { _, _, err := s.ReadAll(ctx, user, n.Seq, "", day); return err },
		"Delete":             func() error { return s.Delete(ctx, user, n.ID) },
		"Since":              func() error { _, _, err := s.Since(ctx, user, notify.Position{}, 10); return err },
		"Position":           func() error { _, err := s.Position(ctx, user); return err },
		"Enqueue":            func() error { return s.Enqueue(ctx, d) },
		"Take":               func() error { _, err := s.Take(ctx, notify.Email, day, time.Minute, 10); return err },
		"Settle":             func() error { return s.Settle(ctx, d) },
		"Deliveries":         func() error { _, err := s.Deliveries(ctx, user, n.ID); return err },
		"SetTimer":           func() error { return s.SetTimer(ctx, timer) },
		"Timers":             func() error { _, err := s.Timers(ctx, user); return err },
		"Ring":               func() error { _, err := s.Ring(ctx, day, time.Minute, 10); return err },
		"Rung":               func() error { return s.Rung(ctx, timer) },
		"PutTicket":          func() error { return s.PutTicket(ctx, [32]byte{1}, ticket, time.Minute) },
		"TakeTicket":         func() error { _, err := s.TakeTicket(ctx, [32]byte{2}); return err },
		"Present":            func() error { return s.Present(ctx, []uuid.UUID{user}, time.Minute) },
		"IsPresent":          func() error { _, err := s.IsPresent(ctx, user); return err },
		"PutSubscription":    func() error { return s.PutSubscription(ctx, user, subscription("a")) },
		"DeleteSubscription": func() error { return s.DeleteSubscription(ctx, user, "b") },
		"Subscriptions":      func() error { _, err := s.Subscriptions(ctx, user); return err },
		"Erase":              func() error { _, err := s.Erase(ctx, user); return err },
		"Purge":              func() error { return s.Purge(ctx, day) },
		"Secret":             func() error { _, err := s.Secret(ctx, "canceled"); return err },
		"Ping":               func() error { return s.Ping(ctx) },
	}
}
