package storetest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
)

func signal(t *testing.T, db Database) {
	s := db.Open(t)
	user := newID()
	publish(t, s, user)
	data := []jsontext.Value{jsontext.Value(`{"id":"7","big":12345678901234567890,"list":[]}`), jsontext.Value(`null`), jsontext.Value(`[1, "\u0000"]`)}
	kinds := []string{"note.changed", "", "a b\nc\x00\" 7 {}"}
	for i := range data {
		must(t, s.Signal(t.Context(), user, kinds[i], data[i], ""))
	}
	got := entries(t, s, user, notify.Position{})
	same(t, got[1:], []notify.Entry{
		{Seq: 2, Type: kinds[0], Data: data[0], Unread: 1},
		{Seq: 3, Type: kinds[1], Data: data[1], Unread: 1},
		{Seq: 4, Type: kinds[2], Data: data[2], Unread: 1},
	})
	same(t, len(inbox(t, s, user).Notifications), 1)

	user = newID() // of whom there is nothing else
	must(t, s.Signal(t.Context(), user, "first", data[0], ""))
	same(t, entries(t, s, user, notify.Position{}), []notify.Entry{{Seq: 1, Type: "first", Data: data[0]}})
}

func since(t *testing.T, db Database) {
	s := db.Open(t)
	user := newID()
	const count = 25
	for i := range count {
		must(t, s.Signal(t.Context(), user, "signal", jsontext.Value(fmt.Sprint(i+1)), ""))
	}
	p := position(t, s, user)
	same(t, p.Seq, count)
	for from := range int64(count + 1) {
		for _, max := range []int{1, 7, count, 1000} {
			got, end, err := s.Since(t.Context(), user, notify.Position{Epoch: p.Epoch, Seq: from}, max)
			must(t, err)
			same(t, end, p)
			var want []notify.Entry
			for seq := from + 1; seq <= count && len(want) < max; seq++ {
				want = append(want, notify.Entry{Seq: seq, Type: "signal", Data: jsontext.Value(fmt.Sprint(seq))})
			}
			same(t, got, want)
		}
	}
	same(t, len(entries(t, s, user, notify.Position{})), count)
	same(t, inbox(t, s, user).Position, p)
}

func resync(t *testing.T, db Database) {
	s := db.Open(t)
	user, nobody := newID(), newID()
	publish(t, s, user)
	publish(t, s, user)
	p := position(t, s, user)
	same(t, position(t, s, nobody), notify.Position{})
	for _, tt := range []struct {
		user uuid.UUID
		p    notify.Position
		ok   bool
	}{
		{user, notify.Position{}, true},
		{user, notify.Position{Epoch: p.Epoch}, true},
		{user, p, true},
		{user, notify.Position{Epoch: p.Epoch, Seq: 3}, false},
		{user, notify.Position{Epoch: p.Epoch, Seq: -1}, false},
		{user, notify.Position{Epoch: p.Epoch, Seq: math.MinInt64}, false},
		{user, notify.Position{Epoch: p.Epoch, Seq: math.MaxInt64}, false},
		{user, notify.Position{Seq: -1}, false},
		{user, notify.Position{Epoch: p.Epoch + "x", Seq: 1}, false},
		{user, notify.Position{Epoch: "other"}, false},
		{user, notify.Position{Epoch: "other", Seq: 2}, false},
		{user, notify.Position{Seq: 1}, false},
		{user, notify.Position{Seq: 2}, false},
		{user, notify.Position{Epoch: "\x00'", Seq: 1 << 62}, false},
		{nobody, notify.Position{}, true},
		{nobody, notify.Position{Seq: 1}, false},
		{nobody, notify.Position{Epoch: p.Epoch}, false},
		{nobody, p, false},
	} {
		got, end, err := s.Since(t.Context(), tt.user, tt.p, 10)
		if tt.ok {
			must(t, err)
			same(t, end, position(t, s, tt.user))
			same(t, int64(len(got)), end.Seq-tt.p.Seq)
		} else {
			wantError(t, err, notify.ErrResync)
			same(t, got, nil)
		}
	}
}

// listener is what a Live tells, by user.
type listener struct {
	mu      sync.Mutex
	changed *sync.Cond
	gaps    int
	heard   map[uuid.UUID][]heard
	hear    func() // if not nil, is called instead of keeping what is heard
}

type heard struct {
	gap   int // after so many
	epoch string
	entry notify.Entry
}

// listen has a store's Live running until the test ends, or stop is called.
func listen(t testing.TB, s notify.Store) (l *listener, stop func()) {
	l = &listener{heard: map[uuid.UUID][]heard{}}
	l.changed = sync.NewCond(&l.mu)
	ctx, cancel := context.WithCancel(t.Context())
	context.AfterFunc(ctx, l.changed.Broadcast)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Live(ctx, func(user uuid.UUID, epoch string, e notify.Entry) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.hear != nil {
				l.hear()
				return
			}
			l.heard[user] = append(l.heard[user], heard{l.gaps, epoch, e})
			l.changed.Broadcast()
		}, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.gaps++
			l.changed.Broadcast()
		})
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	l.await(t, func() bool { return l.gaps > 0 })
	return l, stop
}

// await waits until it is so.
func (l *listener) await(t testing.TB, so func() bool) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for !so() {
		if t.Context().Err() != nil {
			t.Fatal("the test is over")
		}
		l.changed.Wait()
	}
}

// of returns what was heard of a user once the entry seq was.
func (l *listener) of(t testing.TB, user uuid.UUID, seq int64) []heard {
	t.Helper()
	l.await(t, func() bool { n := len(l.heard[user]); return n > 0 && l.heard[user][n-1].entry.Seq >= seq })
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.heard[user])
}

func live(t *testing.T, db Database) {
	a, b := db.Open(t), db.Open(t)
	user := newID()
	publish(t, a, user) // before anybody listens
	la, _ := listen(t, a)
	lb, stop := listen(t, b)
	n := publish(t, a, user)
	_, err := b.Update(t.Context(), user, n.ID, read)
	must(t, err)
	_, err = b.Update(t.Context(), user, n.ID, read) // which changes nothing
	must(t, err)
	other := newID()
	must(t, b.Signal(t.Context(), other, "a b\n\"c", jsontext.Value(`{"a":[]}`), ""))
	must(t, a.Delete(t.Context(), user, n.ID))
	_, _, err = b.ReadAll(t.Context(), user, 1, "", day)
	must(t, err)
	epoch := position(t, a, user)
	epoch.Seq = 1
	want := entries(t, a, user, epoch)
	for _, l := range []*listener{la, lb} {
		var got []notify.Entry
		for _, h := range l.of(t, user, 5) {
			got = append(got, h.entry)
			same(t, h.epoch, epoch.Epoch)
			same(t, h.gap, 1)
		}
		same(t, got, want)
		same(t, l.of(t, other, 1)[0].entry, entries(t, b, other, notify.Position{})[0])
	}
	stop()
	publish(t, a, user)
	la.of(t, user, 6)
	same(t, len(lb.of(t, user, 5)), 4)
}

// Publishers to one user at once: one whole sequence, and each listener hears
// all of it in order, or of a gap.
func atOnce(t *testing.T, db Database) {
	stores := []notify.Store{db.Open(t), db.Open(t), db.Open(t)}
	user := newID()
	var listeners []*listener
	for _, s := range stores {
		l, _ := listen(t, s)
		listeners = append(listeners, l)
	}
	const workers, each = 8, 15
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			s := stores[worker%2]
			for i := range each {
				n, _, err := s.Publish(t.Context(), note(user), notify.Keys{Collapse: fmt.Sprint(worker, i/3)})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := s.Update(t.Context(), user, n.ID, read); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	const total = 2 * workers * each
	all := entries(t, stores[2], user, notify.Position{})
	same(t, len(all), total)
	end := inbox(t, stores[2], user)
	same(t, end.Unread, 0)
	same(t, len(end.Notifications), workers*each)
	same(t, all[total-1].Unread, 0)
	for _, l := range listeners {
		gap, seq := 1, int64(0)
		for _, h := range l.of(t, user, total) {
			if h.gap == gap && h.entry.Seq != seq+1 {
				t.Fatalf("%d came after %d", h.entry.Seq, seq)
			}
			gap, seq = h.gap, h.entry.Seq
			same(t, h.entry, all[seq-1])
			same(t, h.epoch, end.Position.Epoch)
		}
	}
}
