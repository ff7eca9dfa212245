package event_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openzipkin/zipkin-go/model"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/event/eventtest"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/telemetry"
)

type happened = event.Event[eventtest.Counted]

// Those of a subject go one after another, those of several side by side.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := newFake()
		for i := range 40 {
			bus.add(delivered(t, fmt.Sprint(i), 2)...)
		}
		began := time.Now()
		seen := newJournal()
		var at, most atomic.Int64
		start(t, consumer(t, bus, func(_ context.Context, e happened) error {
			most.Store(max(most.Load(), at.Add(1)))
			time.Sleep(time.Second)
			at.Add(-1)
			seen.add(e)
			return nil
		}).Run)
		next := map[string]int{}
		for _, e := range seen.await(t, "all", func(list []happened) bool { return len(list) == 80 }) {
			if e.Data.N != next[e.Subject.String()] {
				t.Errorf("of %s the %d. is not the next", e.Subject, e.Data.N)
			}
			next[e.Subject.String()]++
		}
		if took := time.Since(began); most.Load() != 16 || took != 5*time.Second {
			t.Errorf("%d at once took %v", most.Load(), took)
		}
	})
}

// What fails is tried again, ever more slowly, and then parked; meanwhile its
// subject waits, and no other does.
func TestFails(t *testing.T) {
	t.Parallel()
	never := func(time.Duration) bool { return false }
	for name, tt := range map[string]struct {
		fail    func(ctx context.Context) error
		until   time.Duration // it fails; 0 for ever
		sick    func(since time.Duration) bool
		given   int // how often it was given, with this time
		tried   int
		parked  bool
		parkAt  time.Duration
		because string
	}{
		"a little":          {fail: sorry, until: 400 * time.Millisecond, sick: never, given: 1, tried: 5},
		"for ever":          {fail: sorry, sick: never, given: 1, tried: 10, parked: true, parkAt: 16350 * time.Millisecond, because: "sorry"},
		"by panic":          {fail: func(context.Context) error { panic("boom") }, sick: never, given: 1, tried: 10, parked: true, parkAt: 16350 * time.Millisecond, because: "panic: boom\n"},
		"by panic, once":    {fail: func(context.Context) error { panic("boom") }, until: time.Nanosecond, sick: never, given: 1, tried: 2},
		"while not well":    {fail: sorry, until: 10 * time.Minute, sick: func(since time.Duration) bool { return since < 10*time.Minute }, given: 1, tried: 127},
		"and was not well":  {fail: sorry, sick: func(since time.Duration) bool { return since < time.Minute }, given: 1, tried: 28, parked: true, parkAt: 106350 * time.Millisecond, because: "sorry"},
		"for another":       {fail: func(context.Context) error { return fmt.Errorf("auth: %w", errAway) }, until: time.Minute, sick: never, given: 1, tried: 19},
		"by time":           {fail: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, until: 50 * time.Second, sick: never, given: 1, tried: 4},
		"and was given":     {fail: sorry, sick: never, given: 8, tried: 3, parked: true, parkAt: 150 * time.Millisecond, because: "sorry"},
		"and ended the 10.": {fail: sorry, sick: never, given: 11, tried: 0, parked: true, because: "the service ended each time that it was tried"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				list := delivered(t, "a", 2)
				list[0].Attempts = tt.given
				bus := newFake(append(list, delivered(t, "b", 1)...)...)
				began := time.Now()
				tried := 0
				c := consumer(t, bus, func(ctx context.Context, e happened) error {
					since := time.Since(began)
					switch {
					case e.Subject != list[0].Subject:
						if since > 0 {
							t.Errorf("another subject waits for %v", since)
						}
					case e.Data.N == 1:
						if since < tt.parkAt || since < tt.until {
							t.Errorf("the next one does not wait")
						}
					default:
						if tried++; tt.until == 0 || since < tt.until {
							return tt.fail(ctx)
						}
					}
					return nil
				})
				c.Healthy = func(context.Context) error {
					if tt.sick(time.Since(began)) {
						return errors.New("no store")
					}
					return nil
				}
				stop := start(t, c.Run)
				time.Sleep(20 * time.Minute)
				stop()
				if tried != tt.tried {
					t.Errorf("it is tried %d times", tried)
				}
				if !tt.parked {
					bus.isDone(t, "a 0", "a 1", "b 0")
					bus.isParked(t)
					return
				}
				bus.isDone(t, "a 1", "b 0")
				bus.isParked(t, "a 0")
				if p := bus.parked[0]; !strings.HasPrefix(p.Reason, tt.because) || p.Attempts != 10 {
					t.Errorf("it is parked as %+v", p)
				}
			})
		})
	}
}

func sorry(context.Context) error { return errSorry }

var errAway = fault.New(fault.Unavailable, "away", "Away.")

// What nobody handles is let pass.
func TestUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		list := delivered(t, "a", 4)
		list[0].Type = "test.happened.v2"
		list[1].Source = "somebody"
		list[2].Message = event.Message{}
		bus := newFake(list...)
		seen := newJournal()
		stop := start(t, consumer(t, bus, seen.handle).Run)
		synctest.Wait()
		stop()
		bus.isDone(t, "a 0", "a 1", "a 2", "a 3")
		if len(seen.seen) != 1 || seen.seen[0].Data.N != 3 || seen.seen[0].ID != list[3].ID {
			t.Errorf("handled are %v", seen.seen)
		}
	})
}

// A member that a handler does not know is let pass, what is none of its
// payload's is an attempt.
func TestPayload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		list := delivered(t, "a", 2)
		list[0].Data = []byte(`{"n":0,"more":[1]}`)
		list[1].Data = []byte(`{"n":"one"}`)
		bus := newFake(list...)
		start(t, consumer(t, bus, newJournal().handle).Run)
		time.Sleep(time.Minute)
		bus.isDone(t, "a 0")
		bus.isParked(t, "a 1")
	})
}

// Handlers are in the trace of what they handle.
func TestTrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		call := &endpoint.Call{Context: t.Context(), Trace: model.SpanContext{TraceID: model.TraceID{High: 1, Low: 2}, ID: 3}}
		d := delivered(t, "a", 1)[0]
		m, err := eventtest.Happened.About(call, d.Subject, eventtest.Counted{})
		must(t, err)
		m.Source = "teller"
		bus := newFake(event.Delivery{Message: m, Ref: "a", Attempts: 1})
		handled := make(chan *endpoint.Call, 1)
		start(t, consumer(t, bus, func(ctx context.Context, e happened) error {
			handled <- endpoint.From(ctx)
			return nil
		}).Run)
		got := <-handled
		if got.Trace.TraceID != call.Trace.TraceID || got.Trace.ID == 3 || got.Trace.ID == 0 || got.RequestID != m.ID.String() {
			t.Errorf("it is handled in %+v, %s", got.Trace, got.RequestID)
		}
	})
}

// Those in hand are finished when the consumer stops, those that do not finish
// are left with what comes behind them.
func TestStop(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		handle func(context.Context, happened) error
		took   time.Duration
		done   []string
	}{
		"they finish":    {func(ctx context.Context, _ happened) error { return wait(ctx, 3*time.Second) }, 8 * time.Second, []string{"a 0", "a 1", "a 2", "b 0"}},
		"some finish":    {func(ctx context.Context, _ happened) error { return wait(ctx, 4*time.Second) }, 10 * time.Second, []string{"a 0", "a 1", "b 0"}},
		"none finishes":  {func(ctx context.Context, _ happened) error { return wait(ctx, time.Minute) }, 10 * time.Second, nil},
		"one fails":      {func(_ context.Context, e happened) error { return map[int]error{1: errSorry}[e.Data.N] }, 0, []string{"a 0", "b 0"}},
		"nobody listens": {func(context.Context, happened) error { time.Sleep(15 * time.Second); return nil }, 14 * time.Second, []string{"a 0", "b 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bus := newFake(append(delivered(t, "a", 3), delivered(t, "b", 1)...)...)
				stop := start(t, consumer(t, bus, tt.handle).Run)
				time.Sleep(time.Second)
				began := time.Now()
				stop()
				if took := time.Since(began); took != tt.took {
					t.Errorf("it takes %v", took)
				}
				bus.isDone(t, tt.done...)
				bus.isParked(t)
				if !bus.left {
					t.Error("the consumer does not leave")
				}
			})
		})
	}
}

// wait waits, for as long as ctx lasts.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// What the bus could not be told it is told again, and what it gives again
// meanwhile is not handled twice.
func TestBusFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		list := delivered(t, "a", 2)
		bus := newFake(list...)
		bus.breaks("Done", errSorry)
		seen := newJournal()
		stop := start(t, consumer(t, bus, seen.handle).Run)
		time.Sleep(time.Minute)
		bus.add(list...)
		synctest.Wait()
		bus.breaks("Done", nil)
		bus.breaks("Receive", errSorry)
		time.Sleep(time.Minute)
		bus.isDone(t, "a 0", "a 1")
		bus.breaks("Receive", nil)
		bus.add(delivered(t, "b", 1)...)
		time.Sleep(10 * time.Second)
		stop()
		bus.isDone(t, "a 0", "a 1", "b 0")
		if len(seen.seen) != 3 {
			t.Errorf("3 are handled %d times", len(seen.seen))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		bus := newFake(delivered(t, "a", 2)...)
		bus.breaks("Park", errSorry)
		start(t, consumer(t, bus, func(_ context.Context, e happened) error {
			if e.Data.N == 0 {
				return errSorry
			}
			return nil
		}).Run)
		time.Sleep(time.Minute)
		bus.isDone(t)
		bus.breaks("Park", nil)
		time.Sleep(time.Minute)
		bus.isParked(t, "a 0")
		bus.isDone(t, "a 1")
	})
}

// A consumer gives signs of life while handlers work, and takes no more than
// it can hold.
func TestHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := newFake()
		for i := range 300 {
			bus.add(delivered(t, fmt.Sprint(i), 1)...)
		}
		stop := start(t, consumer(t, bus, func(ctx context.Context, _ happened) error { return wait(ctx, 15*time.Second) }).Run)
		time.Sleep(14 * time.Second)
		bus.mu.Lock()
		if waiting := len(bus.waiting); waiting != 300-256 || bus.held != 1 {
			t.Errorf("%d wait, %d signs of life", waiting, bus.held)
		}
		bus.mu.Unlock()
		time.Sleep(10 * time.Minute)
		bus.mu.Lock()
		if len(bus.done) != 300 || bus.held != 61 {
			t.Errorf("%d are done, %d signs of life", len(bus.done), bus.held)
		}
		bus.mu.Unlock()
		stop()
	})
}

// The metrics tell what becomes of events, and how many wait for an operator.
func TestMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := newFake(append(delivered(t, "a", 2), delivered(t, "b", 3)...)...)
		subject := bus.waiting[0].Subject
		c := consumer(t, bus, func(_ context.Context, e happened) error {
			if e.Subject == subject && e.Data.N == 0 {
				return errSorry
			}
			return nil
		})
		m := telemetry.NewMetrics()
		c.Metrics = event.NewMetrics(m)
		start(t, c.Run)
		time.Sleep(time.Minute)
		text := scrape(m)
		for _, want := range []string{
			`trellis_events_total{outcome="failed",type="test.happened.v1"} 10`,
			`trellis_events_total{outcome="handled",type="test.happened.v1"} 4`,
			`trellis_events_total{outcome="parked",type="test.happened.v1"} 1`,
			`trellis_event_lag_seconds_count{type="test.happened.v1"} 4`,
			`trellis_events_parked 1`,
		} {
			if !slices.Contains(strings.Split(text, "\n"), want) {
				t.Errorf("%s is not in\n%s", want, text)
			}
		}
	})
}
