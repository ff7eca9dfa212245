package eventtest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/testenv"
)

// Bus is a bus, and what happens to it.
type Bus struct {
	event.Bus
	Other event.Bus                            // the same, opened by another process
	Age   func(t *testing.T, by time.Duration) // makes all that was ever heard of consumers that much older
	Lose  func(t *testing.T)                   // empties it
}

// RunBus tests the bus that open opens anew, and closes when the test ends.
func RunBus(t *testing.T, open func(t *testing.T) Bus) {
	t.Parallel()
	run(t, open, map[string]func(*testing.T, Bus){
		"Carry":      carry,
		"Positions":  positions,
		"Lost":       lost,
		"Groups":     groups,
		"Max":        receiveMax,
		"Sources":    sources,
		"Wait":       wait,
		"Trim":       trim,
		"TrimAlone":  trimAlone,
		"Ping":       ping,
		"Share":      share,
		"Stick":      stick,
		"Done":       done,
		"Hold":       hold,
		"Claim":      claim,
		"ClaimMany":  claimMany,
		"Leave":      leave,
		"Late":       late,
		"Park":       park,
		"Replay":     replay,
		"ReplayMany": replayMany,
		"Stress":     stress,
	})
}

// silence is after how long a consumer is dead in these tests; only Age makes
// it pass.
const silence = time.Hour

// member is a consumer of the group "hearers" that hears of "tellers".
func member(consumer string) event.Group {
	return event.Group{Name: "hearers", Consumer: consumer, Sources: []string{"tellers"}, Claim: silence}
}

// publish publishes a source's events after a position.
func (b Bus) publish(t testing.TB, source string, after int64, list ...event.Message) {
	t.Helper()
	must(t, b.Publish(t.Context(), source, event.Batch{After: after, Messages: from(source, list)}))
}

// tell publishes numbered events about subjects in turn.
func (b Bus) tell(t testing.TB, n int, subjects ...uuid.UUID) []event.Message {
	t.Helper()
	list := from("tellers", messages(t, n, subjects...))
	b.publish(t, "tellers", 0, list...)
	return list
}

// get receives exactly n events.
func get(t testing.TB, b event.Bus, g event.Group, n int) (list []event.Delivery) {
	t.Helper()
	testenv.Eventually(t, "enough events", func() bool {
		some, err := b.Receive(t.Context(), g, n-len(list))
		must(t, err)
		list = append(list, some...)
		return len(list) >= n
	})
	if len(list) > n {
		t.Fatalf("there are %d, not %d", len(list), n)
	}
	return list
}

// nothing checks that there is nothing to receive, without waiting for more.
func nothing(t testing.TB, b event.Bus, g event.Group) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	list, err := b.Receive(ctx, g, 100)
	if len(list) > 0 || err != nil && ctx.Err() == nil {
		t.Errorf("%s receives %v, %v", g.Consumer, list, err)
	}
}

func events(list []event.Delivery) (events []event.Message) {
	for _, d := range list {
		events = append(events, d.Message)
	}
	return events
}

// attempts checks how often deliveries were given.
func attempts(t testing.TB, list []event.Delivery, want int) {
	t.Helper()
	for _, d := range list {
		if d.Attempts != want {
			t.Errorf("%s is given for the %d. time, not the %d.", d.ID, d.Attempts, want)
		}
	}
}

func carry(t *testing.T, b Bus) {
	list := from("tellers", messages(t, 5, uuid.New(), uuid.New()))
	list[1].Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	list[2].Data = []byte(`{"text":"ü \u0000 \" 😀","n":9007199254740993}`)
	b.publish(t, "tellers", 0, list[:3]...)
	got := get(t, b, member("a"), 3)
	b.publish(t, "tellers", 3, list[3:]...)
	got = append(got, get(t, b, member("a"), 2)...)
	same(t, "they", events(got), list)
	attempts(t, got, 1)
	refs := map[string]bool{}
	for _, d := range got {
		refs[d.Ref] = true
	}
	if len(refs) != 5 {
		t.Errorf("refs are %v", refs)
	}
}

// lacks checks that a bus knows less than the position that a batch is after.
func (b Bus) lacks(t testing.TB, after, has int64, list ...event.Message) {
	t.Helper()
	err := b.Publish(t.Context(), "tellers", event.Batch{After: after, Messages: from("tellers", list)})
	if e, ok := errors.AsType[*event.Lost](err); !ok || e.Has != has {
		t.Errorf("after %d the bus answers %v, and not that it has %d", after, err, has)
	}
}

func positions(t *testing.T, b Bus) {
	list := messages(t, 9, uuid.New())
	b.lacks(t, 1, 0, list[0])
	b.lacks(t, 7, 0)
	b.publish(t, "tellers", 0)
	b.publish(t, "tellers", 0, list[:3]...)
	b.publish(t, "tellers", 3)
	b.publish(t, "tellers", 1) // which a relay asks that died before it could mark what it published
	b.lacks(t, 4, 3)
	b.lacks(t, 4, 3, list[3])
	b.publish(t, "others", 0, list[4])
	b.publish(t, "tellers", 3, list[3])
	b.publish(t, "tellers", 4)
	b.publish(t, "tellers", 2, list[2])
	b.lacks(t, 4, 3) // the outbox is the truth
	got := events(get(t, b, member("a"), 5))
	same(t, "they", got, from("tellers", []event.Message{list[0], list[1], list[2], list[3], list[2]}))
	nothing(t, b, member("a"))
}

func lost(t *testing.T, b Bus) {
	list := b.tell(t, 4, uuid.New())
	a := member("a")
	first := get(t, b, a, 2)
	b.Lose(t)
	b.lacks(t, 4, 0)
	b.lacks(t, 4, 0, list[0])
	nothing(t, b, a)
	must(t, b.Done(t.Context(), a, first))
	must(t, b.Hold(t.Context(), a))
	must(t, b.Park(t.Context(), a, first[0], "sorry"))
	if parked, err := b.Parked(t.Context(), a.Name); err != nil || len(parked) > 0 {
		t.Errorf("what comes again is parked: %v, %v", parked, err)
	}
	must(t, b.Leave(t.Context(), a))
	must(t, b.Trim(t.Context(), "tellers"))
	b.publish(t, "tellers", 0, list...)
	got := get(t, b, a, 4)
	same(t, "those published again", events(got), list)
	attempts(t, got, 1)
}

func groups(t *testing.T, b Bus) {
	list := b.tell(t, 6, uuid.New(), uuid.New())
	b.publish(t, "others", 0, messages(t, 2, uuid.New())...)
	a, c := member("a"), member("a")
	c.Name = "late hearers"
	got := get(t, b, a, 6)
	same(t, "the first group's", events(got), list)
	must(t, b.Done(t.Context(), a, got))
	same(t, "the second group's", events(get(t, b.Other, c, 6)), list)
	nothing(t, b, a)
	b.publish(t, "tellers", 6, list[0])
	get(t, b, a, 1)
	get(t, b.Other, c, 1)
}

func receiveMax(t *testing.T, b Bus) {
	list := b.tell(t, 10, uuid.New(), uuid.New(), uuid.New())
	a := member("a")
	a.Sources = append(a.Sources, "others", "yet others")
	b.publish(t, "others", 0, messages(t, 10, uuid.New())...)
	var got []event.Message
	for n := 0; n < 20; {
		some, err := b.Receive(t.Context(), a, 3)
		must(t, err)
		if len(some) > 3 || len(some) == 0 {
			t.Fatalf("of 3 at most there are %d", len(some))
		}
		n += len(some)
		got = append(got, events(some)...)
	}
	got = slices.DeleteFunc(got, func(m event.Message) bool { return m.Source != "tellers" })
	same(t, "those of one source", got, list)
	nothing(t, b, a)
}

// A source with many events does not keep others' from being received.
func sources(t *testing.T, b Bus) {
	b.tell(t, 200, uuid.New(), uuid.New(), uuid.New())
	a := member("a")
	a.Sources = append(a.Sources, "others")
	get(t, b, a, 10)
	b.publish(t, "others", 0, Message(t, uuid.New(), 0))
	for n := 0; ; n += 10 {
		some, err := b.Receive(t.Context(), a, 10)
		must(t, err)
		if slices.ContainsFunc(some, func(d event.Delivery) bool { return d.Source == "others" }) {
			return
		}
		if n > 100 {
			t.Fatal("it waits behind another source's")
		}
	}
}

func wait(t *testing.T, b Bus) {
	a := member("a")
	nothing(t, b, a)
	for i, other := range []bool{false, false, true} {
		received := make(chan []event.Delivery)
		go func() {
			for {
				list, err := b.Receive(t.Context(), a, 10)
				if len(list) > 0 || err != nil {
					received <- list
					return
				}
			}
		}()
		by := b.Bus
		if other {
			by = b.Other
		}
		must(t, by.Publish(t.Context(), "tellers", event.Batch{After: int64(i), Messages: from("tellers", messages(t, 1, uuid.New()))}))
		within(t, 10*time.Second, "to hear of an event", func() {
			if list := <-received; len(list) != 1 {
				t.Errorf("it receives %v", list)
			}
		})
	}
	within(t, 20*time.Second, "to hear of none", func() {
		if list, err := b.Receive(t.Context(), a, 10); len(list) > 0 || err != nil {
			t.Errorf("it receives %v, %v", list, err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if list, err := b.Receive(ctx, a, 10); len(list) > 0 || err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("at the end it receives %v, %v", list, err)
	}
}

// oldest is what a new group receives first.
func (b Bus) oldest(t testing.TB, n int) []event.Message {
	t.Helper()
	g := member("new")
	g.Name = uuid.NewString()
	got := get(t, b, g, n)
	nothing(t, b, g)
	must(t, b.Done(t.Context(), g, got))
	return events(got)
}

func trim(t *testing.T, b Bus) {
	list := b.tell(t, 10, uuid.New(), uuid.New())
	must(t, b.Trim(t.Context(), "nobody"))
	a, c := member("a"), member("a")
	c.Name = "others"
	as, cs := get(t, b, a, 6), get(t, b, c, 4)
	must(t, b.Trim(t.Context(), "tellers"))
	must(t, b.Done(t.Context(), a, as))
	must(t, b.Done(t.Context(), c, cs[:2]))
	must(t, b.Done(t.Context(), c, cs[3:])) // it still has the third
	must(t, b.Trim(t.Context(), "tellers"))
	same(t, "those not trimmed", b.oldest(t, 8), list[2:])
	must(t, b.Done(t.Context(), c, cs[2:3]))
	must(t, b.Trim(t.Context(), "tellers"))
	same(t, "those not trimmed then", b.oldest(t, 6), list[4:])
	must(t, b.Done(t.Context(), c, get(t, b, c, 6)))
	must(t, b.Done(t.Context(), a, get(t, b, a, 4)))
	must(t, b.Trim(t.Context(), "tellers"))
	b.oldest(t, 0)
	b.publish(t, "tellers", 10) // which it knows of nevertheless
	b.publish(t, "tellers", 10, list[0])
	get(t, b, a, 1)
	get(t, b, c, 1)
}

func trimAlone(t *testing.T, b Bus) {
	list := b.tell(t, 10, uuid.New())
	must(t, b.Trim(t.Context(), "tellers"))
	same(t, "those that nobody has received", b.oldest(t, 10), list)
}

func ping(t *testing.T, b Bus) {
	must(t, b.Ping(t.Context()))
	must(t, b.Other.Ping(t.Context()))
}
