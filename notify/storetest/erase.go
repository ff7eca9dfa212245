package storetest

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
)

// everything keeps something of every kind for a user, with "hush" in all texts.
func everything(t testing.TB, s notify.Store, user uuid.UUID) {
	t.Helper()
	ctx := t.Context()
	hush := func(n *notify.Notification) {
		n.Category, n.Title, n.Body, n.Link, n.Data = "hush", "Hush!", "hush", "/hush", jsontext.Value(`{"hush":"hush"}`)
	}
	d := func(edit func(*notify.Delivery)) notify.Delivery {
		return delivery(user, uuid.Nil, func(d *notify.Delivery) { d.Kind, d.Reason = "hush", "hush" }, edit)
	}
	var last notify.Notification
	for i := range 5 {
		key := fmt.Sprint("hush", user, i)
		n, _, err := s.Publish(ctx, note(user, hush), notify.Keys{Dedupe: key, Collapse: key}, d(func(d *notify.Delivery) {}))
		must(t, err)
		if i < 3 {
			_, err := s.Update(ctx, user, n.ID, []func(*notify.Notification) error{read, archive, putOff}[i])
			must(t, err)
		}
		last = n
	}
	must(t, s.Signal(ctx, user, "hush", jsontext.Value(`"hush"`), "hush"))
	sent := d(func(d *notify.Delivery) {})
	must(t, s.Enqueue(ctx, sent, d(func(d *notify.Delivery) { d.State = notify.Skipped })))
	sent.State = notify.Sent
	must(t, s.Settle(ctx, sent))
	taken := take(t, s, day, 2)
	if len(taken) == 0 {
		t.Error("there is nothing to deliver")
	}
	for _, key := range []string{"hush:" + user.String(), "hush:" + last.ID.String()} {
		must(t, s.SetTimer(ctx, notify.Timer{Key: key, User: user, At: day, Data: []byte("hush")}))
	}
	_, err := s.Ring(ctx, day, lease, 1)
	must(t, err)
	must(t, s.PutTicket(ctx, sha256.Sum256(user[:]), notify.Ticket{User: user, Session: "hush"}, time.Minute))
	must(t, s.Present(ctx, []uuid.UUID{user}, time.Minute))
	must(t, s.PutSubscription(ctx, user, subscription("hush"+user.String(), func(s *notify.Subscription) {
		s.Endpoint, s.P256DH, s.Auth = "https://hush.example/"+user.String(), "hush", "hush"
	})))
}

func erase(t *testing.T, db Database) {
	s, late := db.Open(t), db.Open(t)
	user, other := newID(), newID()
	everything(t, s, user)
	kept := publishAs(t, s, note(other), notify.Keys{}, delivery(other, uuid.Nil))
	must(t, s.SetTimer(t.Context(), notify.Timer{Key: "other", User: other, At: day}))
	sent := delivery(user, uuid.Nil)
	must(t, s.Enqueue(t.Context(), sent))
	one := inbox(t, s, user).Notifications[0]
	before := position(t, s, user)
	find(t, db, true, user.String(), one.ID.String(), sent.ID.String(), "hush")

	counts, err := s.Erase(t.Context(), user)
	must(t, err)
	want := map[string]int{"notifications": 5, "entries": 9, "deliveries": 8, "timers": 2, "subscriptions": 1}
	same(t, fmt.Sprint(counts), fmt.Sprint(want))
	find(t, db, false, user.String(), strings.ReplaceAll(user.String(), "-", ""), one.ID.String(), sent.ID.String(), "hush")

	// What comes late stays outside, and finds nothing.
	ctx := t.Context()
	forbidden := func() {
		t.Helper()
		_, _, err := late.Publish(ctx, note(user), notify.Keys{Dedupe: "new"}, delivery(user, uuid.Nil))
		wantError(t, err, notify.ErrForgotten)
		wantError(t, late.Signal(ctx, user, "hush", jsontext.Value(`{}`), "new"), notify.ErrForgotten)
		wantError(t, late.Enqueue(ctx, delivery(other, uuid.Nil), delivery(user, uuid.Nil)), notify.ErrForgotten)
		wantError(t, late.SetTimer(ctx, notify.Timer{Key: "key", User: user, At: day}), notify.ErrForgotten)
		wantError(t, late.PutTicket(ctx, [32]byte{1}, notify.Ticket{User: user}, time.Minute), notify.ErrForgotten)
		wantError(t, late.PutSubscription(ctx, user, subscription("a")), notify.ErrForgotten)
		must(t, late.Present(ctx, []uuid.UUID{user, other}, time.Minute))
		sent.State = notify.Sent
		must(t, late.Settle(ctx, sent))
		_, err = late.Update(ctx, user, one.ID, read)
		wantError(t, err, notify.ErrNotFound)
		wantError(t, late.Delete(ctx, user, one.ID), notify.ErrNotFound)
		_, _, err = late.ReadAll(ctx, user, 1000, "", day)
		must(t, err)
		must(t, late.Rung(ctx, notify.Timer{Key: "hush:" + user.String(), User: user, At: day, Data: []byte("hush")}))
		_, err = late.TakeTicket(ctx, sha256.Sum256(user[:]))
		wantError(t, err, notify.ErrNoTicket)
		find(t, db, false, user.String(), "hush")
	}
	forbidden()
	same(t, inbox(t, s, user), notify.Inbox{})
	for _, p := range []notify.Position{before, {}} {
		_, _, err = s.Since(ctx, user, p, 10)
		wantError(t, err, notify.ErrForgotten)
	}
	_, err = s.Position(ctx, user)
	wantError(t, err, notify.ErrForgotten)
	if present, err := s.IsPresent(ctx, user); err != nil || present {
		t.Errorf("present: %t, %v", present, err)
	}

	counts, err = s.Erase(ctx, user)
	must(t, err)
	for what, n := range counts {
		if n != 0 {
			t.Errorf("a second time: %d %s", n, what)
		}
	}

	// Others are as they were.
	same(t, inbox(t, s, other).Notifications, []notify.Notification{kept})
	taken := take(t, s, day.Add(time.Hour), 100)
	if len(taken) != 1 || taken[0].User != other {
		t.Errorf("still to be delivered: %+v", taken)
	}
	if rung, err := s.Ring(ctx, day.Add(time.Hour), lease, 10); err != nil || len(rung) != 1 {
		t.Errorf("still to ring: %+v, %v", rung, err)
	}

	// The mark itself goes in the end.
	db.Age(t, notify.ForgottenFor-time.Minute)
	must(t, s.Purge(ctx, time.Now()))
	forbidden()
	db.Age(t, time.Minute)
	publish(t, s, user)
	same(t, position(t, s, user).Seq, 1)
	if position(t, s, user).Epoch == before.Epoch {
		t.Error("the epoch is the old one")
	}
}

// find tells whether texts are in a database.
func find(t testing.TB, db Database, want bool, texts ...string) {
	t.Helper()
	all := strings.ToLower(db.Text(t))
	for _, text := range texts {
		if i := strings.Index(all, text); i >= 0 != want {
			t.Errorf("%q is in the database: %t, %.200s", text, !want, all[max(i-50, 0):])
		}
	}
}

// Nobody was told anything yet, and is to be told nothing.
func eraseEmpty(t *testing.T, db Database) {
	s := db.Open(t)
	user := newID()
	counts, err := s.Erase(t.Context(), user)
	must(t, err)
	for what, n := range counts {
		if n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
	_, _, err = s.Publish(t.Context(), note(user), notify.Keys{})
	wantError(t, err, notify.ErrForgotten)
	find(t, db, false, user.String())
}

// A user is erased while others write: afterwards there is nothing.
func eraseWhileWritten(t *testing.T, db Database) {
	s, other := db.Open(t), db.Open(t)
	user := newID()
	publish(t, s, user)
	began := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				_, _, err := other.Publish(t.Context(), note(user), notify.Keys{Collapse: "k", Dedupe: fmt.Sprint(worker, i)}, delivery(user, uuid.Nil))
				if err != nil {
					wantError(t, err, notify.ErrForgotten)
					return
				}
				must(t, other.Present(t.Context(), []uuid.UUID{user}, time.Minute))
				_, _, err = other.ReadAll(t.Context(), user, 10, "", day)
				must(t, err)
				once.Do(func() { close(began) })
			}
		})
	}
	<-began
	_, err := s.Erase(t.Context(), user)
	must(t, err)
	wg.Wait()
	find(t, db, false, user.String())
}

func purge(t *testing.T, db Database) {
	s := db.Open(t)
	user := newID()
	settled := func(at time.Time, state notify.State) notify.Delivery {
		d := delivery(user, uuid.Nil)
		must(t, s.Enqueue(t.Context(), d))
		if state != notify.Pending {
			d.State, d.UpdatedAt = state, at
			must(t, s.Settle(t.Context(), d))
		}
		return d
	}
	old := day.Add(-notify.SettledFor)
	var kept []notify.Delivery
	for range 1200 {
		d := delivery(user, uuid.Nil, func(d *notify.Delivery) { d.State, d.UpdatedAt = notify.Skipped, old.Add(-time.Second) })
		kept = append(kept, d)
	}
	must(t, s.Enqueue(t.Context(), kept...))
	kept = nil
	settled(old, notify.Sent)
	settled(old, notify.Failed)
	settled(old.Add(-1000*time.Hour), notify.Skipped)
	kept = append(kept, settled(old, notify.Pending), settled(old.Add(time.Second), notify.Sent), settled(day, notify.Failed))
	n := publishAs(t, s, note(user, func(n *notify.Notification) { n.CreatedAt = old.Add(-time.Hour) }), notify.Keys{})
	must(t, s.Purge(t.Context(), day))
	must(t, s.Purge(t.Context(), day))
	got, err := s.Deliveries(t.Context(), user, uuid.Nil)
	must(t, err)
	same(t, got, kept)
	same(t, inbox(t, s, user).Notifications, []notify.Notification{n})
	same(t, len(take(t, s, day.Add(time.Hour), 10)), 1)

	// Known again, its id is new.
	must(t, s.Purge(t.Context(), day.Add(1000*time.Hour)))
	must(t, s.Enqueue(t.Context(), kept[1]))
	got, err = s.Deliveries(t.Context(), user, uuid.Nil)
	must(t, err)
	same(t, got[1:], kept[1:2])
}
