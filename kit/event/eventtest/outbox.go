package eventtest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
)

// Outbox is an outbox, and what a service and others do with it.
type Outbox struct {
	event.Outbox
	Other event.Outbox // the same store's, of another instance
	// Emit writes events in a transaction that commits when finish, called
	// behind the writing, returns nil.
	Emit   func(ctx context.Context, finish func() error, events ...event.Message) error
	Forget func(ctx context.Context, subject uuid.UUID) error
	Serial bool // transactions wait for each other
}

// RunOutbox tests the outbox that open opens anew, and closes when the test ends.
func RunOutbox(t *testing.T, open func(t *testing.T) Outbox) {
	t.Parallel()
	run(t, open, map[string]func(*testing.T, Outbox){
		"Pass":        pass,
		"RolledBack":  rolledBack,
		"Fails":       publishFails,
		"Max":         passMax,
		"Empty":       passEmpty,
		"OneAtATime":  oneAtATime,
		"Rewind":      rewind,
		"Sweep":       sweep,
		"Forget":      forget,
		"ForgetLate":  forgetLate,
		"Writers":     writers,
		"Await":       await,
		"Order":       orderAsCommitted,
		"LateCommit":  lateCommit,
		"Interrupted": interrupted,
	})
}

func (o Outbox) emit(t testing.TB, events ...event.Message) {
	t.Helper()
	must(t, o.Emit(t.Context(), func() error { return nil }, events...))
}

// next publishes what there is up to max, and checks where it begins.
func (o Outbox) next(t testing.TB, max int, after int64) (got []event.Message) {
	t.Helper()
	n, err := o.Pass(t.Context(), max, func(b event.Batch) error {
		if b.After != after {
			t.Errorf("the batch is after %d, not %d", b.After, after)
		}
		got = b.Messages
		return nil
	})
	if must(t, err); n != len(got) {
		t.Errorf("%d of %d were published", n, len(got))
	}
	return got
}

func pass(t *testing.T, o Outbox) {
	list := messages(t, 5, uuid.New(), uuid.New())
	list[1].Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	list[2].Data = []byte(`{"text":"ü \u0000 \" 😀","n":9007199254740993}`)
	o.emit(t, list[:2]...)
	o.emit(t)
	o.emit(t, list[2])
	same(t, "the first", o.next(t, 100, 0), list[:3])
	o.emit(t, list[3:]...)
	same(t, "the next", o.next(t, 100, 3), list[3:])
	o.unpublished(t)
}

// unpublished checks that there is nothing to publish.
func (o Outbox) unpublished(t testing.TB) {
	t.Helper()
	n, err := o.Pass(t.Context(), 100, func(b event.Batch) error {
		t.Errorf("there is still %v", b)
		return nil
	})
	if err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
}

var errSorry = errors.New("sorry")

func rolledBack(t *testing.T, o Outbox) {
	list := messages(t, 3, uuid.New())
	o.emit(t, list[0])
	if err := o.Emit(t.Context(), func() error { return errSorry }, list[1]); !errors.Is(err, errSorry) {
		t.Error(err)
	}
	o.emit(t, list[2])
	same(t, "those that were committed", o.next(t, 100, 0), []event.Message{list[0], list[2]})
}

func publishFails(t *testing.T, o Outbox) {
	list := messages(t, 2, uuid.New())
	o.emit(t, list...)
	for range 2 {
		n, err := o.Pass(t.Context(), 100, func(event.Batch) error { return &event.Lost{Has: 7} })
		if lost, ok := errors.AsType[*event.Lost](err); n != 0 || !ok || lost.Has != 7 {
			t.Errorf("%d, %v", n, err)
		}
	}
	same(t, "those that failed", o.next(t, 100, 0), list)
}

func passMax(t *testing.T, o Outbox) {
	list := messages(t, 7, uuid.New(), uuid.New())
	o.emit(t, list...)
	same(t, "the first three", o.next(t, 3, 0), list[:3])
	same(t, "the next three", o.next(t, 3, 3), list[3:6])
	same(t, "the last", o.next(t, 3, 6), list[6:])
	o.unpublished(t)
}

func passEmpty(t *testing.T, o Outbox) {
	o.next(t, 0, 0)
	o.emit(t, messages(t, 3, uuid.New())...)
	if got := o.next(t, 0, 0); len(got) > 0 {
		t.Errorf("an empty batch has %v", got)
	}
	o.next(t, 2, 0)
	o.next(t, 0, 2)
	_, err := o.Pass(t.Context(), 0, func(event.Batch) error { return errSorry })
	if !errors.Is(err, errSorry) {
		t.Error(err)
	}
}

func oneAtATime(t *testing.T, o Outbox) {
	o.emit(t, messages(t, 2, uuid.New())...)
	_, err := o.Pass(t.Context(), 1, func(event.Batch) error {
		for _, other := range []event.Outbox{o.Outbox, o.Other} {
			n, err := other.Pass(t.Context(), 1, func(event.Batch) error { t.Error("there are two at a time"); return nil })
			if n != 0 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		}
		return nil
	})
	must(t, err)
	n, err := o.Other.Pass(t.Context(), 1, func(b event.Batch) error {
		if b.After != 1 {
			t.Errorf("the other begins after %d", b.After)
		}
		return nil
	})
	if n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func rewind(t *testing.T, o Outbox) {
	list := messages(t, 6, uuid.New(), uuid.New())
	o.emit(t, list[:5]...)
	o.next(t, 2, 0)
	o.next(t, 100, 2)
	must(t, o.Rewind(t.Context(), 3))
	o.emit(t, list[5])
	same(t, "those behind 3", o.next(t, 100, 3), list[3:])
	o.unpublished(t)
	must(t, o.Other.Rewind(t.Context(), 0))
	same(t, "all", o.next(t, 4, 0), list[:4])
	must(t, o.Rewind(t.Context(), 4))
	same(t, "the rest", o.next(t, 100, 4), list[4:])
}

func sweep(t *testing.T, o Outbox) {
	list := messages(t, 2500, uuid.New())
	o.emit(t, list[:2400]...)
	for n := 2400; n > 0; n -= 1200 {
		o.next(t, 1200, int64(2400-n))
	}
	o.emit(t, list[2400:]...)
	must(t, o.Sweep(t.Context(), time.Now().Add(-time.Hour)))
	must(t, o.Rewind(t.Context(), 2399))
	same(t, "the last", o.next(t, 1, 2399), list[2399:2400])
	must(t, o.Sweep(t.Context(), time.Now().Add(time.Hour)))
	o.next(t, 0, 2400) // positions go on
	must(t, o.Rewind(t.Context(), 0))
	same(t, "the unpublished", o.next(t, 200, 0), list[2400:])
}

func forget(t *testing.T, o Outbox) {
	anna, ben := uuid.New(), uuid.New()
	list := messages(t, 8, anna, ben)
	o.emit(t, list[:4]...)
	o.next(t, 100, 0)
	o.emit(t, list[4:]...)
	must(t, o.Forget(t.Context(), anna))
	same(t, "Ben's unpublished", o.next(t, 100, 4), []event.Message{list[5], list[7]})
	must(t, o.Rewind(t.Context(), 0))
	same(t, "Ben's", o.next(t, 100, 0), []event.Message{list[1], list[3], list[5], list[7]})
	must(t, o.Forget(t.Context(), ben))
	must(t, o.Rewind(t.Context(), 0))
	o.unpublished(t)
}

// What is forgotten while it is published is no other event's position.
func forgetLate(t *testing.T, o Outbox) {
	anna, ben := uuid.New(), uuid.New()
	list := messages(t, 5, anna, ben)
	o.emit(t, list[:4]...)
	n, err := o.Pass(t.Context(), 100, func(event.Batch) error {
		must(t, o.Forget(t.Context(), ben))
		o.emit(t, list[4])
		return nil
	})
	if n != 4 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	same(t, "the one that came meanwhile", o.next(t, 100, 4), list[4:])
	must(t, o.Rewind(t.Context(), 1))
	same(t, "those behind the first", o.next(t, 100, 1), []event.Message{list[2], list[4]})
}

// Whoever writes does not wait for the bus.
func writers(t *testing.T, o Outbox) {
	list := messages(t, 30, uuid.New())
	o.emit(t, list[0])
	_, err := o.Pass(t.Context(), 100, func(event.Batch) error {
		for _, m := range list[1:] {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			must(t, o.Emit(ctx, func() error { return nil }, m))
			cancel()
		}
		return nil
	})
	must(t, err)
	same(t, "those written meanwhile", o.next(t, 100, 1), list[1:])
}

func await(t *testing.T, o Outbox) {
	subject := uuid.New()
	for i, which := range []event.Outbox{o.Outbox, o.Outbox, o.Other} {
		returned := make(chan struct{})
		awaited := make(chan struct{})
		go func() {
			defer close(returned)
			for first := true; ; first = false {
				if first {
					close(awaited)
				}
				which.Await(t.Context())
				if n, err := which.Pass(t.Context(), 100, func(event.Batch) error { return nil }); n > 0 || err != nil {
					return
				}
			}
		}()
		<-awaited
		o.emit(t, Message(t, subject, i))
		within(t, 10*time.Second, "to hear of an event", func() { <-returned })
	}
	o.emit(t, Message(t, subject, 3))
	within(t, 10*time.Second, "to hear of one that is there", func() { o.Await(t.Context()) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	within(t, 10*time.Second, "the end", func() { o.Await(ctx) })
}

// A subject's events are published in the order in which they were committed.
func orderAsCommitted(t *testing.T, o Outbox) {
	subjects := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	var mu sync.Mutex
	committed := map[uuid.UUID][]uuid.UUID{}
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			for j := range 10 {
				list := []event.Message{Message(t, subjects[(i+j)%3], j), Message(t, subjects[j%3], j)}
				err := o.Emit(t.Context(), func() error { // no other may come between this and the commit
					mu.Lock()
					defer mu.Unlock()
					for _, m := range list {
						committed[m.Subject] = append(committed[m.Subject], m.ID)
					}
					return nil
				}, list...)
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	published := map[uuid.UUID][]uuid.UUID{}
	var all int64
	for all < 120 && !t.Failed() {
		for _, m := range o.next(t, 7, all) {
			published[m.Subject] = append(published[m.Subject], m.ID)
			all++
		}
	}
	wg.Wait()
	for subject, want := range committed {
		if !slices.Equal(published[subject], want) {
			t.Errorf("%s is published in the order\n%v, not\n%v", subject, published[subject], want)
		}
	}
}

// What is committed late is published after what was written after it.
func lateCommit(t *testing.T, o Outbox) {
	if o.Serial {
		t.Skip("there is one transaction at a time")
	}
	late, early := Message(t, uuid.New(), 0), Message(t, uuid.New(), 1)
	written, commit := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := o.Emit(t.Context(), func() error { close(written); <-commit; return nil }, late); err != nil {
			t.Error(err)
		}
	})
	<-written
	o.emit(t, early)
	same(t, "the first", o.next(t, 100, 0), []event.Message{early})
	close(commit)
	wg.Wait()
	same(t, "the second", o.next(t, 100, 1), []event.Message{late})
}

// Passes of two instances that fail now and then publish all, in order.
func interrupted(t *testing.T, o Outbox) {
	list := messages(t, 60, uuid.New(), uuid.New())
	var wg sync.WaitGroup
	wg.Go(func() {
		for some := range slices.Chunk(list, 4) {
			o.emit(t, some...)
		}
	})
	var mu sync.Mutex
	var got []event.Message
	var calls atomic.Int64
	for _, instance := range []event.Outbox{o.Outbox, o.Other} {
		wg.Go(func() {
			for done := false; !done && !t.Failed(); {
				_, err := instance.Pass(t.Context(), 7, func(b event.Batch) error {
					mu.Lock()
					defer mu.Unlock()
					if calls.Add(1)%3 == 0 {
						return errSorry
					}
					if b.After != int64(len(got)) {
						t.Errorf("a batch is after %d, not %d", b.After, len(got))
					}
					got = append(got, b.Messages...)
					return nil
				})
				if err != nil && !errors.Is(err, errSorry) {
					t.Error(err)
				}
				mu.Lock()
				done = len(got) >= len(list)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	same(t, "they", got, list)
}
