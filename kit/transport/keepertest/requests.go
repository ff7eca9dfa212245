package keepertest

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

const parcel = `{"what":"a cake"}`

func replay(t *testing.T, store Store) {
	s, key := serve(t, store, nil), uuid.NewString()
	first := s.post("/v1/parcels?urgent=true", key, parcel).first(t, 201)
	if p := first.parcel(t); p.ID.Version() != 7 || first.Header.Get("Location") != p.Location() || first.Header.Get("ETag") != `"1"` {
		t.Errorf("%v for %s", first.Header, first.body)
	}
	for range 2 {
		s.post("/v1/parcels?urgent=true", key, parcel).repeats(t, first)
	}
	s.ran(1)
	again := serve(t, store, nil) // another process
	again.post("/v1/parcels?urgent=true", key, parcel).repeats(t, first)
	again.ran(0)
}

func replayEmpty(t *testing.T, store Store) {
	s, key := serve(t, store, nil), uuid.NewString()
	first := s.post("/v1/sendings", key, parcel).first(t, 202)
	if first.body != "" {
		t.Errorf("202 has a body: %s", first.body)
	}
	s.post("/v1/sendings", key, parcel).repeats(t, first)
	s.ran(1)
}

func keyless(t *testing.T, store Store) {
	s := serve(t, store, nil)
	a, b := s.post("/v1/parcels", "", parcel).first(t, 201), s.post("/v1/parcels", "", parcel).first(t, 201)
	if a.parcel(t).ID == b.parcel(t).ID {
		t.Error("two parcels have one id")
	}
	s.ran(2)
}

func otherRequest(t *testing.T, store Store) {
	s, key := serve(t, store, nil), uuid.NewString()
	first := s.post("/v1/parcels", key, parcel).first(t, 201)
	s.post("/v1/parcels", key, parcel+" ").refused(t, 422, "idempotency_key_reused")
	s.post("/v1/parcels", key, `{"what":"a bomb"}`).refused(t, 422, "idempotency_key_reused")
	s.post("/v1/parcels?urgent=true", key, parcel).refused(t, 422, "idempotency_key_reused")
	s.post("/v1/parcels", key, parcel).repeats(t, first)
	s.ran(1)
}

// Who comes while the first is at it waits for as long as one that died would
// hold the key.
func stillRunning(t *testing.T, store Store) {
	began, end := make(chan struct{}), make(chan struct{})
	s := serve(t, store, func(context.Context, Request) error { close(began); <-end; return nil })
	key := uuid.NewString()
	var first answer
	var wg sync.WaitGroup
	wg.Go(func() { first = s.post("/v1/parcels", key, parcel) })
	<-began
	if a := s.post("/v1/parcels", key, parcel).refused(t, 409, "idempotency_key_running"); a.Header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
	}
	s.post("/v1/parcels", key, `{"what":"a bomb"}`).refused(t, 422, "idempotency_key_reused")
	close(end)
	wg.Wait()
	first.first(t, 201)
	s.post("/v1/parcels", key, parcel).repeats(t, first)
	s.ran(1)
}

// Who waits for the first gets its answer.
func comesMeanwhile(t *testing.T, store Store) {
	began, end := make(chan struct{}), make(chan struct{})
	s := serve(t, store, func(context.Context, Request) error { close(began); <-end; return nil })
	key := uuid.NewString()
	var first answer
	var wg sync.WaitGroup
	wg.Go(func() { first = s.post("/v1/parcels", key, parcel) })
	<-began
	time.AfterFunc(transport.ClaimedFor/10, func() { close(end) })
	second := s.post("/v1/parcels", key, parcel)
	wg.Wait()
	second.repeats(t, first.first(t, 201))
	s.ran(1)
}

// Ten who send the same at once get one parcel.
func atOnce(t *testing.T, store Store) {
	s, key := serve(t, store, nil), uuid.NewString()
	answers := make([]answer, 10)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = s.post("/v1/parcels", key, parcel) })
	}
	wg.Wait()
	firsts := 0
	for _, a := range answers {
		if a.StatusCode != 201 || a.body != answers[0].body {
			t.Errorf("%s: %s and %s", a.Status, a.body, answers[0].body)
		}
		if a.Header["Idempotency-Replayed"] == nil {
			firsts++
		}
	}
	if firsts != 1 {
		t.Errorf("%d of ten were the first", firsts)
	}
	s.ran(1)
}

// once fails the first run of each test, and remembers under which id.
type once struct {
	failure func() error
	ids     []uuid.UUID
}

func (o *once) do(ctx context.Context, _ Request) error {
	id, err := endpoint.NewID(ctx)
	if o.ids = append(o.ids, id); len(o.ids) == 1 {
		return o.failure()
	}
	return err
}

// What went wrong for no reason that is the request's runs again, under the same id.
func failures(t *testing.T, store Store) {
	is := func(err error) func() error { return func() error { return err } }
	for name, tt := range map[string]struct {
		failure func() error
		status  int
	}{
		"unclassified":    {is(errors.New("disk full")), 500},
		"unavailable":     {is(fault.New(fault.Unavailable, "away", "Away.")), 503},
		"timeout":         {is(context.DeadlineExceeded), 504},
		"panic":           {func() error { panic("bug") }, 500},
		"unauthenticated": {is(fault.New(fault.Unauthenticated, "no", "No.")), 401},
		"too many":        {is(fault.New(fault.TooMany, "slow", "Slow.")), 429},
		"canceled":        {is(context.Canceled), 499},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := once{failure: tt.failure}
			s, key := serve(t, store, o.do), uuid.NewString()
			s.post("/v1/parcels", key, parcel).first(t, tt.status)
			second := s.post("/v1/parcels", key, parcel).first(t, 201)
			s.post("/v1/parcels", key, parcel).repeats(t, second)
			s.ran(2)
			if o.ids[0] != o.ids[1] || o.ids[0] != second.parcel(t).ID {
				t.Errorf("it ran under the ids %v", o.ids)
			}
		})
	}
	t.Run("connection cut", func(t *testing.T) {
		t.Parallel()
		o := once{failure: func() error { panic(http.ErrAbortHandler) }}
		s, key := serve(t, store, o.do), uuid.NewString()
		if res, err := s.Client().Do(s.request(t.Context(), "alice", "POST", "/v1/parcels", key, parcel)); err == nil {
			res.Body.Close() // net/http's client has tried again, as it may with an Idempotency-Key
		}
		second := s.post("/v1/parcels", key, parcel)
		s.post("/v1/parcels", key, parcel).repeats(t, second)
		s.ran(2)
		if o.ids[0] != o.ids[1] {
			t.Errorf("it ran under the ids %v", o.ids)
		}
	})
}

// A refusal for what the request is stays one.
func refusals(t *testing.T, store Store) {
	for name, refusal := range map[string]*fault.Error{
		"conflict":  fault.New(fault.Conflict, "taken", "Taken."),
		"invalid":   fault.Breaks(fault.Field{Pointer: "/what", Code: "odd", Detail: "is odd"}),
		"not found": fault.New(fault.NotFound, "none", "None."),
		"stale":     fault.New(fault.Stale, "stale", "Stale.").With(Parcel{What: "x"}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, key := serve(t, store, func(context.Context, Request) error { return refusal }), uuid.NewString()
			first := s.post("/v1/parcels", key, parcel).first(t, int(refusal.Kind)).refused(t, int(refusal.Kind), refusal.Code)
			s.post("/v1/parcels", key, parcel).repeats(t, first)
			s.ran(1)
		})
	}
}

func undecodable(t *testing.T, store Store) {
	s, key := serve(t, store, nil), uuid.NewString()
	s.post("/v1/parcels", key, `{"waht":1}`).first(t, 422)
	s.post("/v1/parcels", key, ``).first(t, 422)
	s.post("/v1/parcels", key, `{"what":"`+strings.Repeat("x", 2<<20)+`"}`).refused(t, 413, "body_too_large")
	s.post("/v1/parcels", key, parcel).first(t, 201) // what was never read claims nothing
	s.ran(1)
}

func callerAndRoute(t *testing.T, store Store) {
	s, key := serve(t, store, nil), uuid.NewString()
	first := s.post("/v1/parcels", key, parcel).first(t, 201)
	bobs := s.send(s.request(t.Context(), "bob", "POST", "/v1/parcels", key, parcel)).first(t, 201)
	s.post("/v1/letters", key, parcel).first(t, 201)
	s.post("/v1/leaflets", key, parcel).first(t, 201)
	s.ran(4)
	s.post("/v1/parcels", key, parcel).repeats(t, first)
	s.send(s.request(t.Context(), "bob", "POST", "/v1/parcels", key, parcel)).repeats(t, bobs)
	r := s.request(t.Context(), "", "POST", "/v1/parcels", key, parcel)
	r.Header.Del("Authorization")
	s.send(r).refused(t, 401, "token_missing")
	s.ran(4)
}

func malformedKeys(t *testing.T, store Store) {
	s := serve(t, store, nil)
	for name, keys := range map[string][]string{
		"empty": {""}, "blank": {"a b"}, "not ASCII": {"clé"}, "too long": {strings.Repeat("x", 256)}, "two": {"a", "a"}, "tab": {"a\tb"},
	} {
		r := s.request(t.Context(), "alice", "POST", "/v1/parcels", "", parcel)
		r.Header["Idempotency-Key"] = keys
		if a := s.send(r); a.StatusCode != 400 {
			t.Errorf("%s: %s", name, a.Status)
		} else {
			a.refused(t, 400, "idempotency_key_malformed")
		}
	}
	s.ran(0)
	s.post("/v1/parcels", strings.Repeat("~", 255), parcel).first(t, 201)
	s.post("/v1/parcels", "!", parcel).first(t, 201)
}

// An answer is kept though nobody waits for it any more.
func callerGone(t *testing.T, store Store) {
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan struct{})
	s := serve(t, store, func(ctx context.Context, _ Request) error {
		leave()
		<-ctx.Done()
		defer close(gone)
		return nil
	})
	key := uuid.NewString()
	if res, err := s.Client().Do(s.request(ctx, "alice", "POST", "/v1/parcels", key, parcel)); err == nil {
		res.Body.Close()
		t.Fatal("there is an answer")
	}
	<-gone
	second := s.post("/v1/parcels", key, parcel)
	if second.StatusCode != 201 || second.parcel(t).Run != 1 || second.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s %v: %s", second.Status, second.Header["Idempotency-Replayed"], second.body)
	}
}

// Only a POST that creates or sends takes the header.
func otherMethods(t *testing.T, store Store) {
	s, key := serve(t, store, nil), uuid.NewString()
	for range 2 {
		s.send(s.request(t.Context(), "alice", "GET", "/v1/parcels", key, "")).first(t, 200)
		s.send(s.request(t.Context(), "alice", "GET", "/v1/parcels", "a malformed one", "")).first(t, 200)
		s.send(s.request(t.Context(), "alice", "PUT", "/v1/parcels", key, parcel)).first(t, 200)
		s.post("/v1/quotes", key, parcel).first(t, 200)
	}
	s.ran(4)
}

// broken is a keeper that fails now and then.
type broken struct {
	transport.Keeper
	begin, finish atomic.Bool
}

var errBroken = errors.New("disk full")

func (b *broken) Begin(ctx context.Context, key transport.Hash, id uuid.UUID, fingerprint transport.Hash) (transport.Kept, error) {
	if b.begin.Load() {
		return transport.Kept{}, errBroken
	}
	return b.Keeper.Begin(ctx, key, id, fingerprint)
}

func (b *broken) Finish(ctx context.Context, key transport.Hash, sealed []byte) error {
	if b.finish.Load() {
		return errBroken
	}
	return b.Keeper.Finish(ctx, key, sealed)
}

func keeperFails(t *testing.T, store Store) {
	b := &broken{Keeper: store}
	var ids []uuid.UUID
	s := serve(t, b, func(ctx context.Context, _ Request) error {
		id, err := endpoint.NewID(ctx)
		ids = append(ids, id)
		return err
	})
	key := uuid.NewString()
	b.begin.Store(true)
	s.post("/v1/parcels", key, parcel).refused(t, 500, "internal")
	s.ran(0) // what could not be claimed does not run
	b.begin.Store(false)
	b.finish.Store(true)
	s.post("/v1/parcels", key, parcel).refused(t, 500, "internal")
	b.finish.Store(false)
	s.post("/v1/parcels", key, parcel).first(t, 201)
	s.ran(2)
	if ids[0] != ids[1] {
		t.Errorf("it ran under the ids %v", ids)
	}
}

// standing is the keeper of a process that can't say that it still runs, and
// whose calls hang.
type standing struct{ transport.Keeper }

func (standing) Hold(ctx context.Context, _ transport.Hash, _ time.Duration) error {
	<-ctx.Done()
	return ctx.Err()
}

// A request whose process died, or stands still, holds its key for ClaimedFor.
// The next one waits for that, and runs under the same id. If the first goes on
// after all, the key is not its any more.
func deadProcess(t *testing.T, store Store) {
	began, end := make(chan uuid.UUID), make(chan struct{})
	dead := serve(t, standing{store}, func(ctx context.Context, _ Request) error {
		id, err := endpoint.NewID(ctx)
		must(t, err)
		began <- id
		<-end
		return fault.New(fault.NotFound, "gone", "It has gone meanwhile.")
	})
	key := uuid.NewString()
	var wg sync.WaitGroup
	wg.Go(func() { dead.post("/v1/parcels", key, parcel) })
	id := <-began
	s := serve(t, store, nil)
	second := s.post("/v1/parcels", key, parcel).first(t, 201)
	if p := second.parcel(t); p.ID != id {
		t.Errorf("the parcel is %s, the dead process's was %s", p.ID, id)
	}
	close(end)
	wg.Wait()
	s.post("/v1/parcels", key, parcel).repeats(t, second)
	s.ran(1)
}

func forgotten(t *testing.T, store Store) {
	s, key := serve(t, store, nil), uuid.NewString()
	first := s.post("/v1/parcels", key, parcel).first(t, 201)
	store.Age(t, transport.KeptFor/2)
	s.post("/v1/parcels", key, parcel).repeats(t, first)
	store.Age(t, transport.KeptFor/2)
	second := s.post("/v1/parcels", key, `{"what":"another"}`).first(t, 201)
	if first.parcel(t).ID == second.parcel(t).ID {
		t.Error("the old id is used again")
	}
	s.ran(2)
}

// Whoever reads the store learns neither keys nor requests nor answers.
func secret(t *testing.T, store Store) {
	s := serve(t, store, func(_ context.Context, r Request) error {
		if r.What == "refused-hush" {
			return fault.New(fault.Conflict, "code-hush", "Detail-hush.")
		}
		return nil
	})
	first := s.post("/v1/parcels", "key-hush", `{"what":"what-hush"}`).first(t, 201)
	s.post("/v1/parcels", "key2-hush", `{"what":"refused-hush"}`).first(t, 409)
	s.post("/v1/parcels", "key-hush", `{"what":"what-hush"}`).repeats(t, first)
	seen := store.Bytes(t)
	if id := first.parcel(t).ID; !bytes.Contains(seen, id[:]) {
		t.Error("this is not all of the store: it lacks the id")
	}
	for _, text := range []string{"hush", "alice", "Location", "parcels", "application/", first.parcel(t).ID.String()} {
		if bytes.Contains(bytes.ToLower(seen), bytes.ToLower([]byte(text))) {
			t.Errorf("the store shows %q", text)
		}
	}
}
