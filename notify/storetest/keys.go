package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/trellis-go/trellis/notify"
)

func dedupe(t *testing.T, db Database) {
	s := db.Open(t)
	user := newID()
	signal := func(dedupe string) bool {
		t.Helper()
		p := position(t, s, user)
		must(t, s.Signal(t.Context(), user, "note.changed", jsontext.Value(`{}`), dedupe))
		return position(t, s, user) != p
	}
	n := publishAs(t, s, note(user), notify.Keys{Dedupe: "a"})
	known(t, s, n, notify.Keys{Dedupe: "a"})
	known(t, s, note(user), notify.Keys{Dedupe: "a", Collapse: "b"})
	publishAs(t, s, note(user), notify.Keys{Dedupe: "b"})
	publishAs(t, s, note(user), notify.Keys{})
	publishAs(t, s, note(user), notify.Keys{})
	publishAs(t, s, note(newID()), notify.Keys{Dedupe: "a"})
	if !signal("a") || signal("a") || !signal("") || !signal("") {
		t.Error("signals don't have their own keys")
	}
	must(t, s.Delete(t.Context(), user, n.ID))
	known(t, s, note(user), notify.Keys{Dedupe: "a"})

	db.Age(t, notify.DedupeFor/2)
	publishAs(t, s, note(user), notify.Keys{Dedupe: "c"})
	db.Age(t, notify.DedupeFor/2-time.Minute)
	known(t, s, note(user), notify.Keys{Dedupe: "a"})
	if signal("a") {
		t.Error("a signal's key is forgotten")
	}
	must(t, s.Purge(t.Context(), time.Now()))
	known(t, s, note(user), notify.Keys{Dedupe: "a"})
	db.Age(t, 2*time.Minute)
	publishAs(t, s, note(user), notify.Keys{Dedupe: "a"})
	known(t, s, note(user), notify.Keys{Dedupe: "a"})
	known(t, s, note(user), notify.Keys{Dedupe: "c"})
	if !signal("a") || signal("a") {
		t.Error("a signal's key is never forgotten")
	}
}

func dedupeAtOnce(t *testing.T, db Database) {
	stores := []notify.Store{db.Open(t), db.Open(t)}
	user := newID()
	const keys = 5
	var added atomic.Int64
	var wg sync.WaitGroup
	for worker := range 6 {
		wg.Go(func() {
			for i := range keys {
				_, ok, err := stores[worker%2].Publish(t.Context(), note(user), notify.Keys{Dedupe: fmt.Sprint(i)}, delivery(user, newID()))
				if err != nil {
					t.Error(err)
				}
				if ok {
					added.Add(1)
				}
				if err := stores[worker%2].Signal(t.Context(), user, "signal", jsontext.Value(`{}`), fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	in := inbox(t, stores[0], user)
	if added.Load() != keys || len(in.Notifications) != keys || in.Unread != keys || in.Position.Seq != 2*keys {
		t.Errorf("%d were added, %d are there, at %d", added.Load(), len(in.Notifications), in.Position.Seq)
	}
	same(t, len(take(t, stores[0], day, 100)), keys)
}

func collapse(t *testing.T, db Database) {
	s := db.Open(t)
	user := newID()
	key := notify.Keys{Collapse: "k"}
	first := publishAs(t, s, note(user, func(n *notify.Notification) { n.Title = "one" }), key)
	between := publish(t, s, user)
	other := publishAs(t, s, note(user), notify.Keys{Collapse: "k2"})
	stranger := publishAs(t, s, note(newID()), key)

	// The first is unread: what comes next takes its place, and its id.
	next := note(user, func(n *notify.Notification) {
		n.Title, n.Category, n.CreatedAt = "two", notify.Reminder, day.Add(time.Minute)
	})
	own := next.ID
	got := publishAs(t, s, next, key)
	next.ID, next.Seq = first.ID, 4
	same(t, got, next)
	in := inbox(t, s, user)
	same(t, in.Notifications, []notify.Notification{next, other, between})
	same(t, in.Unread, 3)
	same(t, entries(t, s, user, notify.Position{Epoch: in.Position.Epoch, Seq: 3}), []notify.Entry{entry(t, 4, "notification", next, 3)})
	_, err := s.Notification(t.Context(), user, own)
	wantError(t, err, notify.ErrNotFound)
	same(t, list(t, s, user, notify.Query{Category: notify.Sharing, Limit: 5}).Notifications, []notify.Notification{other, between})

	// Once that is read, archived, put off or deleted, it stays what it is.
	for name, end := range map[string]func(n notify.Notification) error{
		"read": func(n notify.Notification) error { _, err := s.Update(t.Context(), user, n.ID, read); return err },
		"all read": func(n notify.Notification) error {
			_, _, err := s.ReadAll(t.Context(), user, n.Seq, "", day)
			return err
		},
		"archived": func(n notify.Notification) error { _, err := s.Update(t.Context(), user, n.ID, archive); return err },
		"put off":  func(n notify.Notification) error { _, err := s.Update(t.Context(), user, n.ID, putOff); return err },
		"deleted":  func(n notify.Notification) error { return s.Delete(t.Context(), user, n.ID) },
	} {
		key := notify.Keys{Collapse: name}
		old := publishAs(t, s, note(user), key)
		must(t, end(old))
		fresh := publishAs(t, s, note(user), key)
		if fresh.ID == old.ID {
			t.Errorf("%s: and yet another takes its place", name)
		}
		if name != "deleted" && name != "archived" && name != "put off" { // unread once more, it is not the last one
			_, err := s.Update(t.Context(), user, old.ID, forget)
			must(t, err)
		}
		if again := publishAs(t, s, note(user), key); again.ID != fresh.ID {
			t.Errorf("%s: the next one is %s and doesn't take the place of %s", name, again.ID, fresh.ID)
		}
	}

	// Unread again, it can be replaced.
	old := publishAs(t, s, note(user), notify.Keys{Collapse: "again"})
	for _, change := range []func(*notify.Notification) error{putOff, read, bringBack, forget} {
		_, err := s.Update(t.Context(), user, old.ID, change)
		must(t, err)
	}
	if got := publishAs(t, s, note(user), notify.Keys{Collapse: "again"}); got.ID != old.ID {
		t.Error("what is unread again is not replaced")
	}
	same(t, inbox(t, s, stranger.User).Notifications, []notify.Notification{stranger})
}

// Who publishes an id again replaces what is there.
func sameID(t *testing.T, db Database) {
	s := db.Open(t)
	n := publish(t, s, newID())
	for i, change := range []func(*notify.Notification) error{read, archive, putOff, func(*notify.Notification) error { return nil }} {
		_, err := s.Update(t.Context(), n.User, n.ID, change)
		must(t, err)
		again := n
		again.Title, again.Category = fmt.Sprint(i), notify.Category(fmt.Sprint(i))
		again = publishAs(t, s, again, notify.Keys{})
		same(t, inbox(t, s, n.User), notify.Inbox{Notifications: []notify.Notification{again}, Unread: 1, Position: position(t, s, n.User)})
	}
	other := publish(t, s, newID(), func(o *notify.Notification) { o.ID = n.ID }) // of another user
	same(t, len(inbox(t, s, n.User).Notifications), 1)
	must(t, s.Delete(t.Context(), other.User, n.ID))
	same(t, len(inbox(t, s, n.User).Notifications), 1)
}

// What is too much goes, the oldest first.
func bounds(t *testing.T, db Database) {
	s := db.Open(t)
	user := newID()
	const more = 5
	var all []notify.Notification
	for i := range notify.MaxInbox + more {
		n := publishAs(t, s, note(user), notify.Keys{Collapse: fmt.Sprint(i)})
		all = append(all, n)
		if i < 3 {
			_, err := s.Update(t.Context(), user, n.ID, []func(*notify.Notification) error{read, archive, putOff}[i])
			must(t, err)
		}
	}
	in := inbox(t, s, user)
	if len(in.Notifications) != notify.MaxInbox || in.Unread != notify.MaxInbox || in.More {
		t.Errorf("there are %d, %d unread", len(in.Notifications), in.Unread)
	}
	same(t, in.Notifications[notify.MaxInbox-1], all[more])
	for _, gone := range all[:more] {
		_, err := s.Notification(t.Context(), user, gone.ID)
		wantError(t, err, notify.ErrNotFound)
		wantError(t, s.Delete(t.Context(), user, gone.ID), notify.ErrNotFound)
	}
	same(t, list(t, s, user, notify.Query{Status: notify.Archived, Limit: 1}).Notifications, nil)

	// What came back is new.
	if _, err := s.Update(t.Context(), user, all[more].ID, putOff); err != nil {
		t.Fatal(err)
	}
	old, err := s.Update(t.Context(), user, all[more].ID, bringBack)
	must(t, err)
	last := publish(t, s, user)
	in = inbox(t, s, user)
	same(t, in.Notifications[:2], []notify.Notification{last, old})
	same(t, in.Notifications[notify.MaxInbox-1].ID, all[more+2].ID)

	p := in.Position
	p.Seq -= notify.MaxStream
	same(t, len(entries(t, s, user, p)), notify.MaxStream)
	p.Seq--
	_, _, err = s.Since(t.Context(), user, p, notify.MaxStream)
	wantError(t, err, notify.ErrResync)
	_, _, err = s.Since(t.Context(), user, notify.Position{}, 1)
	wantError(t, err, notify.ErrResync)
	if replaced := publishAs(t, s, note(user), notify.Keys{Collapse: fmt.Sprint(0)}); replaced.ID == all[0].ID {
		t.Error("what has gone is replaced")
	}
}
