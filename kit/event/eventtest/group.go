package eventtest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
)

// people are n subjects.
func people(n int) (list []uuid.UUID) {
	for range n {
		list = append(list, uuid.New())
	}
	return list
}

// Of several consumers one gets each event.
func share(t *testing.T, b Bus) {
	list := b.tell(t, 30, people(30)...)
	a, c := member("a"), member("c")
	got := get(t, b, a, 10)
	got = append(got, get(t, b.Other, c, 15)...)
	got = append(got, get(t, b, a, 5)...)
	same(t, "all", events(got), list)
	nothing(t, b, a)
	nothing(t, b.Other, c)
}

// A subject's events are for whoever has earlier ones of it in hand.
func stick(t *testing.T, b Bus) {
	anna, ben := uuid.New(), uuid.New()
	list := b.tell(t, 2, anna, ben)
	a, c := member("a"), member("c")
	as := get(t, b, a, 1)
	cs := get(t, b.Other, c, 1)
	more := from("tellers", messages(t, 4, anna, ben))
	b.publish(t, "tellers", 2, more...)
	as = append(as, get(t, b, a, 2)...)
	cs = append(cs, get(t, b.Other, c, 2)...)
	same(t, "Anna's", events(as), []event.Message{list[0], more[0], more[2]})
	same(t, "Ben's", events(cs), []event.Message{list[1], more[1], more[3]})
	attempts(t, as, 1)
	nothing(t, b, a)
	nothing(t, b.Other, c)

	must(t, b.Done(t.Context(), a, as[:2]))
	b.publish(t, "tellers", 6, Message(t, anna, 6))
	nothing(t, b.Other, c)
	as = append(as[2:], get(t, b, a, 1)...)
	must(t, b.Done(t.Context(), a, as))
	b.publish(t, "tellers", 7, Message(t, anna, 7)) // nobody has any of Anna's now
	get(t, b.Other, c, 1)
	nothing(t, b, a)
}

func done(t *testing.T, b Bus) {
	b.tell(t, 3, uuid.New())
	a := member("a")
	got := get(t, b, a, 3)
	must(t, b.Done(t.Context(), a, got))
	must(t, b.Done(t.Context(), a, got)) // again, as when the answer was lost
	must(t, b.Done(t.Context(), a, nil))
	b.Age(t, 2*silence)
	nothing(t, b, a)
	nothing(t, b.Other, member("c"))
}

// What a living consumer has in hand nobody else gets.
func hold(t *testing.T, b Bus) {
	list := b.tell(t, 4, people(4)...)
	a, c := member("a"), member("c")
	get(t, b, a, 4)
	for range 3 {
		b.Age(t, silence*2/3)
		nothing(t, b.Other, c)
		must(t, b.Hold(t.Context(), a))
	}
	b.Age(t, silence*2)
	got := get(t, b.Other, c, 4)
	same(t, "a dead one's", events(got), list)
	attempts(t, got, 2)
}

func claim(t *testing.T, b Bus) {
	anna, ben := uuid.New(), uuid.New()
	list := b.tell(t, 6, anna, ben)
	a, c := member("a"), member("c")
	got := get(t, b, a, 4)
	must(t, b.Done(t.Context(), a, got[:1]))
	b.Age(t, silence/2)
	nothing(t, b.Other, c) // and what is new is for a, too
	b.Age(t, 2*silence)
	more := Message(t, anna, 6)
	b.publish(t, "tellers", 6, more)
	claimed := get(t, b.Other, c, 6)
	same(t, "those claimed, and those behind them", events(claimed), append(list[1:], from("tellers", []event.Message{more})...))
	attempts(t, claimed[:3], 2)
	attempts(t, claimed[5:], 1)
	must(t, b.Hold(t.Context(), a)) // it was only slow
	must(t, b.Done(t.Context(), a, got[1:2]))
	must(t, b.Done(t.Context(), c, claimed))
	nothing(t, b, a)
	b.Age(t, 2*silence)
	nothing(t, b.Other, c)
}

// Those who claim a little at a time, side by side, keep the order too.
func claimMany(t *testing.T, b Bus) {
	subjects := people(3)
	list := b.tell(t, 60, subjects...)
	get(t, b, member("dead"), 40)
	b.Age(t, 2*silence)
	var mu sync.Mutex
	got, all := map[uuid.UUID][]event.Message{}, 0
	var wg sync.WaitGroup
	for _, c := range []event.Group{member("a"), member("c")} {
		wg.Go(func() {
			for more := true; more; {
				some, err := b.Receive(t.Context(), c, 7)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, d := range some {
					got[d.Subject] = append(got[d.Subject], d.Message)
					all++
				}
				more = all < len(list)
				mu.Unlock()
				if err := b.Done(t.Context(), c, some); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i, subject := range subjects {
		var want []event.Message
		for j := i; j < len(list); j += 3 {
			want = append(want, list[j])
		}
		same(t, fmt.Sprint("subject ", i, "'s"), got[subject], want)
	}
}

// Who leaves tried nothing.
func leave(t *testing.T, b Bus) {
	list := b.tell(t, 5, uuid.New(), uuid.New())
	a, c := member("a"), member("c")
	get(t, b, a, 3)
	nothing(t, b.Other, c)
	must(t, b.Leave(t.Context(), a))
	got := get(t, b.Other, c, 5)
	same(t, "those given to the other", events(got), list)
	attempts(t, got, 1)
	must(t, b.Leave(t.Context(), c))
	must(t, b.Leave(t.Context(), c))
	attempts(t, get(t, b, a, 5), 1) // it is back
}

// What is done and held too late does no harm.
func late(t *testing.T, b Bus) {
	subject := uuid.New()
	b.tell(t, 2, subject)
	a, c := member("a"), member("c")
	got := get(t, b, a, 2)
	b.Age(t, 2*silence)
	claimed := get(t, b.Other, c, 2)
	must(t, b.Hold(t.Context(), a))
	nothing(t, b, a)
	must(t, b.Park(t.Context(), a, got[0], "late"))
	must(t, b.Park(t.Context(), c, claimed[0], "later"))
	parked, err := b.Parked(t.Context(), a.Name)
	if err != nil || len(parked) != 1 || parked[0].Reason != "late" {
		t.Errorf("parked are %v, %v", parked, err)
	}
	must(t, b.Done(t.Context(), c, claimed))
	b.Age(t, 2*silence)
	nothing(t, b, a)
}

// parkedIDs checks which messages are parked.
func parkedIDs(t testing.TB, b event.Bus, group string, want ...event.Message) (list []event.Parked) {
	t.Helper()
	list, err := b.Parked(t.Context(), group)
	must(t, err)
	got := []event.Message{}
	for _, p := range list {
		if got = append(got, p.Message); p.ID != p.Message.ID.String() {
			t.Errorf("%s is parked as %s", p.Message.ID, p.ID)
		}
	}
	same(t, "the parked", got, append([]event.Message{}, want...))
	if n, err := b.CountParked(t.Context(), group); err != nil || n != len(want) {
		t.Errorf("%d are parked, %v; want %d", n, err, len(want))
	}
	return list
}

func park(t *testing.T, b Bus) {
	list := b.tell(t, 3, uuid.New())
	a, c := member("a"), member("a")
	c.Name = "others"
	parkedIDs(t, b, a.Name)
	got := get(t, b, a, 3)
	got[1].Attempts = 10
	must(t, b.Park(t.Context(), a, got[1], "a reason\nof two lines: ü"))
	must(t, b.Park(t.Context(), a, got[1], "again, as when the answer was lost"))
	must(t, b.Park(t.Context(), a, got[0], "another"))
	parked := parkedIDs(t, b.Other, a.Name, list[1], list[0])
	if p := parked[0]; p.Reason != "a reason\nof two lines: ü" || p.Attempts != 10 || time.Since(p.ParkedAt).Abs() > time.Hour || p.ParkedAt.Location() != time.UTC {
		t.Errorf("it is parked as %+v", p)
	}
	parkedIDs(t, b, c.Name)
	must(t, b.Done(t.Context(), a, got))
	b.Age(t, 2*silence)
	nothing(t, b, a)
	same(t, "another group's", events(get(t, b, c, 3)), list)

	b.publish(t, "tellers", 3, list[1]) // as after a loss
	must(t, b.Park(t.Context(), a, get(t, b, a, 1)[0], "again"))
	parked = parkedIDs(t, b, a.Name, list[0], list[1])
	if parked[1].Reason != "again" {
		t.Errorf("it is parked as %+v", parked[1])
	}
	for _, tt := range []struct {
		group string
		ids   []string
		want  int
	}{
		{a.Name, nil, 0}, {a.Name, []string{uuid.NewString()}, 0}, {c.Name, []string{parked[0].ID}, 0},
		{a.Name, []string{parked[0].ID, "?"}, 1}, {a.Name, []string{parked[0].ID}, 0},
	} {
		if n, err := b.Discard(t.Context(), tt.group, tt.ids...); n != tt.want || err != nil {
			t.Errorf("of %v %d are discarded, %v", tt.ids, n, err)
		}
	}
	parkedIDs(t, b, a.Name, list[1])
	nothing(t, b, a)
}

func replay(t *testing.T, b Bus) {
	list := b.tell(t, 4, uuid.New())
	a, c := member("a"), member("a")
	c.Name = "others"
	must(t, b.Done(t.Context(), c, get(t, b, c, 4)))
	got := get(t, b, a, 4)
	for _, d := range got {
		must(t, b.Park(t.Context(), a, d, "sorry"))
	}
	replay := func(want int, ids ...string) {
		t.Helper()
		if n, err := b.Other.Replay(t.Context(), a.Name, ids...); n != want || err != nil {
			t.Errorf("of %v %d are replayed, %v", ids, n, err)
		}
	}
	replay(0, uuid.NewString())
	replay(1, list[2].ID.String(), uuid.NewString())
	replay(0, list[2].ID.String())
	parkedIDs(t, b, a.Name, list[0], list[1], list[3])
	got = get(t, b, a, 1)
	same(t, "the replayed", events(got), list[2:3])
	attempts(t, got, 1)
	must(t, b.Park(t.Context(), a, got[0], "sorry again"))
	replay(4)
	replay(0)
	parkedIDs(t, b, a.Name)
	got = get(t, b, a, 4)
	same(t, "the replayed", events(got), []event.Message{list[0], list[1], list[3], list[2]})
	must(t, b.Done(t.Context(), a, got[:2]))
	b.Age(t, 2*silence)
	claimed := get(t, b, member("c"), 2)
	same(t, "those claimed", events(claimed), events(got[2:]))
	attempts(t, claimed, 2)
	must(t, b.Done(t.Context(), a, claimed))
	b.Age(t, 2*silence)
	nothing(t, b, a)
	nothing(t, b, c)
}

func replayMany(t *testing.T, b Bus) {
	b.tell(t, 600, people(7)...)
	a := member("a")
	for range 6 {
		for _, d := range get(t, b, a, 100) {
			must(t, b.Park(t.Context(), a, d, "sorry"))
		}
	}
	if n, err := b.Replay(t.Context(), a.Name); n != 600 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	got := events(get(t, b, a, 600))
	slices.SortFunc(got, func(x, y event.Message) int { return x.Time.Compare(y.Time) })
	if len(slices.CompactFunc(got, func(x, y event.Message) bool { return x.ID == y.ID })) != 600 {
		t.Error("some are given twice")
	}
}
