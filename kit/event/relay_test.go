package event_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/event/eventtest"
)

// Relays and consumers of several instances handle everything, in order.
func TestThrough(t *testing.T) {
	everywhere(t, func(t *testing.T, s store, bus event.Bus) {
		subjects := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
		seen := newJournal()
		s.emitTo(t, 0, 5, subjects...)
		for range 2 {
			start(t, relay(t, s, bus).Run)
			start(t, consumer(t, bus, seen.handle).Run)
		}
		s.emitTo(t, 5, 20, subjects...)
		for _, subject := range subjects {
			seen.all(t, 20, subject)
		}
		seen.await(t, "each is handled once", func(seen []event.Event[eventtest.Counted]) bool { return len(seen) == 60 })
	})
}

// What a stopping service has written is published before it ends.
func TestFlush(t *testing.T) {
	everywhere(t, func(t *testing.T, s store, bus event.Bus) {
		subject := uuid.New()
		stop := start(t, relay(t, s, bus).Run)
		s.emitTo(t, 0, 3, subject)
		stop()
		seen := newJournal()
		start(t, consumer(t, bus, seen.handle).Run)
		seen.all(t, 3, subject)
	})
}

// forgetful is a bus whose answers are lost now and then, as when the relay
// dies before it can mark what it published.
type forgetful struct {
	event.Bus
	published atomic.Int64
}

var errSorry = errors.New("sorry")

func (f *forgetful) Publish(ctx context.Context, source string, b event.Batch) error {
	err := f.Bus.Publish(ctx, source, b)
	if err == nil && len(b.Messages) > 0 && f.published.Add(1)%2 == 1 {
		return errSorry
	}
	return err
}

func TestPublishedAgain(t *testing.T) {
	everywhere(t, func(t *testing.T, s store, bus event.Bus) {
		subjects := []uuid.UUID{uuid.New(), uuid.New()}
		seen := newJournal()
		start(t, consumer(t, bus, seen.handle).Run)
		start(t, relay(t, s, &forgetful{Bus: bus}).Run)
		s.emitTo(t, 0, 10, subjects...)
		for _, subject := range subjects {
			seen.all(t, 10, subject)
		}
		seen.await(t, "what was published twice is handled twice", func(seen []event.Event[eventtest.Counted]) bool { return len(seen) > 20 })
	})
}

// losing is a bus that has lost what it was given, for a while.
type losing struct {
	event.Bus
	has atomic.Int64 // or -1
}

func (l *losing) Publish(ctx context.Context, source string, b event.Batch) error {
	if has := l.has.Load(); has >= 0 && b.After > has {
		l.has.Store(-1)
		return &event.Lost{Has: has}
	}
	return l.Bus.Publish(ctx, source, b)
}

func TestLost(t *testing.T) {
	everywhere(t, func(t *testing.T, s store, bus event.Bus) {
		subject := uuid.New()
		seen := newJournal()
		start(t, consumer(t, bus, seen.handle).Run)
		l := &losing{Bus: bus}
		l.has.Store(-1)
		start(t, relay(t, s, l).Run)
		s.emitTo(t, 0, 6, subject)
		seen.all(t, 6, subject)
		l.has.Store(4) // which it notices at the next event
		s.emitTo(t, 6, 7, subject)
		list := seen.await(t, "the lost are handled again", func(seen []event.Event[eventtest.Counted]) bool { return len(seen) >= 9 })
		for i, n := range []int{0, 1, 2, 3, 4, 5, 4, 5, 6} {
			if list[i].Data.N != n {
				t.Errorf("the %d. is %d, not %d", i, list[i].Data.N, n)
			}
		}
		l.has.Store(6) // which it notices though nothing happens
		seen.await(t, "the lost is handled again", func(seen []event.Event[eventtest.Counted]) bool {
			return len(seen) == 10 && seen[9].Data.N == 6
		})
	})
}

// What is published long ago is swept, and what is handled is trimmed.
func TestTidy(t *testing.T) {
	everywhere(t, func(t *testing.T, s store, bus event.Bus) {
		seen := newJournal()
		start(t, consumer(t, bus, seen.handle).Run)
		trimmed, swept := make(chan struct{}), make(chan time.Time, 1)
		r := relay(t, s, &tidy{Bus: bus, trimmed: trimmed})
		r.Outbox = &sweeping{Outbox: r.Outbox, swept: swept}
		start(t, r.Run)
		for range 2 {
			select {
			case <-trimmed:
				trimmed = nil
			case before := <-swept:
				swept = nil
				if age := time.Since(before); age < 24*time.Hour || age > 25*time.Hour {
					t.Errorf("what is older than %v is swept", age)
				}
			case <-time.After(time.Minute):
				t.Fatal("not all is tidied")
			}
		}
	})
}

// sweeping is an outbox that tells from which time on it was swept at first.
type sweeping struct {
	event.Outbox
	swept chan time.Time
}

func (o *sweeping) Sweep(ctx context.Context, before time.Time) error {
	err := o.Outbox.Sweep(ctx, before)
	if err == nil {
		select {
		case o.swept <- before:
		default:
		}
	}
	return err
}

type tidy struct {
	event.Bus
	trimmed chan struct{}
	done    atomic.Bool
}

func (b *tidy) Trim(ctx context.Context, source string) error {
	err := b.Bus.Trim(ctx, source)
	if err == nil && b.done.CompareAndSwap(false, true) {
		close(b.trimmed)
	}
	return err
}
