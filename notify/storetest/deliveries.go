package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
)

func delivery(user, notification uuid.UUID, edits ...func(*notify.Delivery)) notify.Delivery {
	d := notify.Delivery{
		ID: newID(), User: user, Notification: notification, Channel: notify.Email, Kind: "notification", State: notify.Pending,
		Reason: "a reason, \"state\":\"sent\"\n", Attempts: 1, NextAt: day, UpdatedAt: day.Add(-time.Hour),
	}
	for _, edit := range edits {
		edit(&d)
	}
	return d
}

const lease = time.Minute

// take takes deliveries, up to max of each channel, and returns them by their ids.
func take(t testing.TB, s notify.Store, now time.Time, max int) (taken []notify.Delivery) {
	t.Helper()
	for _, over := range []notify.Channel{notify.Email, notify.Push} {
		some, err := s.Take(t.Context(), over, now, lease, max)
		must(t, err)
		taken = append(taken, some...)
	}
	slices.SortFunc(taken, func(a, b notify.Delivery) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return taken
}

func deliveries(t *testing.T, db Database) {
	s := db.Open(t)
	user, about := newID(), newID()
	dueAt := func(after time.Duration) func(*notify.Delivery) {
		return func(d *notify.Delivery) { d.NextAt = day.Add(after) }
	}
	first, second := delivery(user, about), delivery(user, about, dueAt(time.Second))
	mail := delivery(user, uuid.Nil, dueAt(2*time.Second), func(d *notify.Delivery) { d.Kind, d.Reason, d.Attempts = "verify", "", 0 })
	over := delivery(user, about, dueAt(-time.Hour), func(d *notify.Delivery) { d.State = notify.Skipped })
	other := delivery(newID(), about, dueAt(3*time.Second))
	must(t, s.Enqueue(t.Context()))
	must(t, s.Enqueue(t.Context(), first, second, mail, over))
	must(t, s.Enqueue(t.Context(), other))
	again := first
	again.Reason, again.NextAt = "another", day.Add(time.Hour)
	must(t, s.Enqueue(t.Context(), again))

	of := func(user, notification uuid.UUID, want ...notify.Delivery) {
		t.Helper()
		got, err := s.Deliveries(t.Context(), user, notification)
		must(t, err)
		same(t, got, want)
	}
	of(user, about, first, second, over)
	of(user, uuid.Nil, mail)
	of(other.User, about, other)
	of(user, newID())
	of(newID(), about)

	now := day.Add(2 * time.Second)
	leased := func(now time.Time, list ...notify.Delivery) []notify.Delivery {
		list = slices.Clone(list)
		for i := range list {
			list[i].NextAt = now.Add(lease)
		}
		return list
	}
	same(t, take(t, s, day.Add(-time.Microsecond), 10), nil)
	same(t, take(t, s, now, 1), leased(now, first)) // who has waited longest
	same(t, take(t, s, now, 10), leased(now, second, mail))
	same(t, take(t, s, now, 10), nil)
	of(user, uuid.Nil, leased(now, mail)...)
	now = now.Add(lease)
	same(t, take(t, s, now, 10), leased(now, first, second, mail, other))

	// What became of them.
	sent := first
	sent.State, sent.Reason, sent.Attempts, sent.NextAt, sent.UpdatedAt = notify.Sent, "", 2, day, day.Add(time.Hour)
	must(t, s.Settle(t.Context(), sent))
	retry := second
	retry.Reason, retry.Attempts, retry.NextAt, retry.UpdatedAt = "busy", 3, now.Add(2*lease), day.Add(time.Hour)
	must(t, s.Settle(t.Context(), retry))
	failed := mail
	failed.State, failed.Reason = notify.Failed, "no such \xff\xfe address"
	must(t, s.Settle(t.Context(), failed))
	failed.Reason = "no such \ufffd address"
	of(user, about, sent, retry, over)
	of(user, uuid.Nil, failed)
	same(t, take(t, s, now.Add(lease), 10), leased(now.Add(lease), other))
	same(t, take(t, s, now.Add(2*lease), 10), leased(now.Add(2*lease), retry, other))

	// What is over stays so, and what is not there does not come.
	for _, d := range []notify.Delivery{first, again, failed, delivery(user, about)} {
		d.Reason = "late"
		if d.ID != failed.ID {
			must(t, s.Settle(t.Context(), d))
			must(t, s.Enqueue(t.Context(), sent))
		}
	}
	elsewhere := retry
	elsewhere.User, elsewhere.State = newID(), notify.Sent
	must(t, s.Settle(t.Context(), elsewhere))
	of(user, about, sent, leased(now.Add(2*lease), retry)[0], over)
	of(user, uuid.Nil, failed)
}

// One channel's deliveries are not in the way of another's.
func deliveriesByChannel(t *testing.T, db Database) {
	s := db.Open(t)
	user, about := newID(), newID()
	mail, other := delivery(user, about), delivery(user, about)
	push := delivery(user, about, func(d *notify.Delivery) { d.Channel, d.NextAt = notify.Push, day.Add(time.Second) })
	must(t, s.Enqueue(t.Context(), mail, other, push))
	now := day.Add(2 * time.Second)
	takes := func(over notify.Channel, max int, want ...uuid.UUID) {
		t.Helper()
		taken, err := s.Take(t.Context(), over, now, lease, max)
		must(t, err)
		var got []uuid.UUID
		for _, d := range taken {
			got = append(got, d.ID)
			same(t, d.Channel, over)
		}
		same(t, got, want)
	}
	takes(notify.InApp, 10)
	takes(notify.Push, 1, push.ID)
	takes(notify.Push, 10)
	takes(notify.Email, 1, mail.ID)
	takes(notify.Email, 10, other.ID)
	push.NextAt, push.Attempts = now, 2
	must(t, s.Settle(t.Context(), push))
	takes(notify.Email, 10)
	takes(notify.Push, 10, push.ID)
	push.NextAt = now.Add(lease)
	mail.NextAt, other.NextAt = push.NextAt, push.NextAt
	got, err := s.Deliveries(t.Context(), user, about)
	must(t, err)
	same(t, got, []notify.Delivery{mail, other, push})
	push.State = notify.Sent
	must(t, s.Settle(t.Context(), push))
	now = push.NextAt
	takes(notify.Push, 10)
	takes(notify.Email, 10, mail.ID, other.ID)
}

// Each of many is taken by one.
func deliveriesAtOnce(t *testing.T, db Database) {
	stores := []notify.Store{db.Open(t), db.Open(t)}
	user := newID()
	const count = 60
	var all []notify.Delivery
	for range count {
		all = append(all, delivery(user, uuid.Nil))
	}
	must(t, stores[0].Enqueue(t.Context(), all...))
	var mu sync.Mutex
	times := map[uuid.UUID]int{}
	var wg sync.WaitGroup
	for worker := range 6 {
		wg.Go(func() {
			for {
				taken, err := stores[worker%2].Take(t.Context(), notify.Email, day, lease, 4)
				if err != nil {
					t.Error(err)
				}
				if len(taken) == 0 {
					return
				}
				mu.Lock()
				for _, d := range taken {
					times[d.ID]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, d := range all {
		if times[d.ID] != 1 {
			t.Errorf("%s was taken %d times", d.ID, times[d.ID])
		}
	}
}

// A notification's deliveries come with it, and under its id.
func publishedWith(t *testing.T, db Database) {
	s := db.Open(t)
	user := newID()
	keys := notify.Keys{Dedupe: "d", Collapse: "c"}
	first, second := delivery(newID(), newID()), delivery(newID(), newID(), func(d *notify.Delivery) { d.Channel = notify.Push })
	n := publishAs(t, s, note(user), keys, first, second)
	first.User, first.Notification, second.User, second.Notification = user, n.ID, user, n.ID
	got, err := s.Deliveries(t.Context(), user, n.ID)
	must(t, err)
	same(t, got, []notify.Delivery{first, second})

	if _, added, err := s.Publish(t.Context(), note(user), keys, delivery(user, newID())); err != nil || added {
		t.Errorf("%t, %v", added, err)
	}
	third := delivery(user, newID())
	publishAs(t, s, note(user), notify.Keys{Collapse: "c"}, third, first)
	third.Notification = n.ID
	got, err = s.Deliveries(t.Context(), user, n.ID)
	must(t, err)
	same(t, got, []notify.Delivery{first, second, third})
	same(t, len(take(t, s, day, 10)), 3)
}

func timers(t *testing.T, db Database) {
	s := db.Open(t)
	user := newID()
	timer := func(key string, after time.Duration, data string) notify.Timer {
		return notify.Timer{Key: key, User: user, At: day.Add(after), Data: []byte(data)}
	}
	ring := func(after time.Duration, max int, want ...notify.Timer) {
		t.Helper()
		got, err := s.Ring(t.Context(), day.Add(after), lease, max)
		must(t, err)
		slices.SortFunc(got, func(a, b notify.Timer) int { return bytes.Compare([]byte(a.Key), []byte(b.Key)) })
		same(t, got, want)
	}
	a, b, c := timer("a", 0, "data\x00\xff\n"), timer("b", time.Second, ""), timer("c", 2*time.Second, "{}")
	has := func(user uuid.UUID, want ...notify.Timer) {
		t.Helper()
		got, err := s.Timers(t.Context(), user)
		must(t, err)
		same(t, got, want)
	}
	for _, one := range []notify.Timer{c, b, a, timer("e", time.Second, "")} {
		must(t, s.SetTimer(t.Context(), one))
	}
	e := timer("e", time.Hour, "later")
	must(t, s.SetTimer(t.Context(), e))
	has(user, a, b, c, e)
	has(newID())
	ring(-time.Microsecond, 10)
	ring(time.Second, 1, a)
	ring(2*time.Second, 10, b, c)
	ring(2*time.Second, 10)
	must(t, s.Rung(t.Context(), a))
	must(t, s.Rung(t.Context(), a))
	must(t, s.Rung(t.Context(), timer("never set", 0, "")))
	has(user, b, c, e)
	must(t, s.Rung(t.Context(), b))
	ring(lease+2*time.Second, 10, c) // the lease is over
	ring(time.Hour, 10, c, e)
	must(t, s.Rung(t.Context(), c))
	must(t, s.Rung(t.Context(), e))
	ring(1000*time.Hour, 10)

	other := e
	other.User = newID()
	must(t, s.SetTimer(t.Context(), e))
	must(t, s.SetTimer(t.Context(), other)) // the key is one
	has(user)
	has(other.User, other)
	ring(time.Hour, 10, other)
}

func timersAtOnce(t *testing.T, db Database) {
	stores := []notify.Store{db.Open(t), db.Open(t)}
	const count = 60
	for i := range count {
		must(t, stores[0].SetTimer(t.Context(), notify.Timer{Key: fmt.Sprint(i), User: newID(), At: day}))
	}
	var mu sync.Mutex
	times := map[string]int{}
	var wg sync.WaitGroup
	for worker := range 6 {
		wg.Go(func() {
			for {
				rung, err := stores[worker%2].Ring(t.Context(), day, lease, 4)
				if err != nil {
					t.Error(err)
				}
				if len(rung) == 0 {
					return
				}
				for _, r := range rung {
					mu.Lock()
					times[r.Key]++
					mu.Unlock()
					if err := stores[worker%2].Rung(t.Context(), r); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	for i := range count {
		if times[fmt.Sprint(i)] != 1 {
			t.Errorf("%d rang %d times", i, times[fmt.Sprint(i)])
		}
	}
	if rest, err := stores[0].Ring(t.Context(), day.Add(time.Hour), lease, 10); err != nil || len(rest) > 0 {
		t.Errorf("there are still %v, %v", rest, err)
	}
}

// A timer that is set while it rings will ring again.
func timerSetAnew(t *testing.T, db Database) {
	s := db.Open(t)
	was := notify.Timer{Key: "key", User: newID(), At: day, Data: []byte("data")}
	for name, edit := range map[string]func(*notify.Timer){
		"for later":     func(n *notify.Timer) { n.At = day.Add(time.Second) },
		"for something": func(n *notify.Timer) { n.Data = []byte("else") },
		"for somebody":  func(n *notify.Timer) { n.User = newID() },
		"as it was":     func(*notify.Timer) {},
	} {
		anew := was
		edit(&anew)
		must(t, s.SetTimer(t.Context(), was))
		rung, err := s.Ring(t.Context(), day, lease, 10)
		must(t, err)
		same(t, rung, []notify.Timer{was})
		must(t, s.SetTimer(t.Context(), anew))
		must(t, s.Rung(t.Context(), was))
		rung, err = s.Ring(t.Context(), day.Add(time.Second), lease, 10)
		must(t, err)
		same(t, rung, []notify.Timer{anew})
		if name != "as it was" {
			must(t, s.Rung(t.Context(), was)) // late
			rung, err = s.Ring(t.Context(), day.Add(time.Hour), lease, 10)
			must(t, err)
			same(t, rung, []notify.Timer{anew})
		}
		must(t, s.Rung(t.Context(), anew))
		if t.Failed() {
			t.Fatal("set anew " + name)
		}
	}
}
