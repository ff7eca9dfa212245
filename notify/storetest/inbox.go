package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
)

// Changes for Update.
func read(n *notify.Notification) error      { n.ReadAt = new(day.Add(time.Hour)); return nil }
func forget(n *notify.Notification) error    { n.ReadAt = nil; return nil }
func archive(n *notify.Notification) error   { n.ArchivedAt = new(day.Add(2 * time.Hour)); return nil }
func unarchive(n *notify.Notification) error { n.ArchivedAt = nil; return nil }
func putOff(n *notify.Notification) error    { n.SnoozedUntil = new(day.Add(24 * time.Hour)); return nil }
func bringBack(n *notify.Notification) error { n.SnoozedUntil = nil; return nil }

func update(t *testing.T, db Database) {
	s := db.Open(t)
	user := newID()
	n := publish(t, s, user)
	seq := n.Seq
	for _, step := range []struct {
		name   string
		change func(*notify.Notification) error
		unread int
		entry  bool
	}{
		{"read", read, 0, true},
		{"read again", read, 0, false},
		{"the same in another zone", func(n *notify.Notification) error {
			n.ReadAt = new(n.ReadAt.In(time.FixedZone("", 3600)).Add(999 * time.Nanosecond))
			return nil
		}, 0, false},
		{"forget", forget, 1, true},
		{"archive", archive, 0, true},
		{"unarchive", unarchive, 1, true},
		{"put off", putOff, 0, true},
		{"put off to another day", func(n *notify.Notification) error { n.SnoozedUntil = new(day); return nil }, 0, true},
		{"read while put off", read, 0, true},
		{"all at once", func(n *notify.Notification) error { return errors.Join(archive(n), forget(n)) }, 0, true},
		{"what may not be changed", func(n *notify.Notification) error {
			n.ID, n.User, n.Seq, n.Title, n.Body, n.Link, n.Category = newID(), newID(), 77, "x", "x", "x", "x"
			n.Data, n.CreatedAt = jsontext.Value(`1`), time.Time{}
			return nil
		}, 0, false},
	} {
		want := n
		must(t, step.change(&want))
		want.ID, want.User, want.Seq, want.Title, want.Body, want.Link, want.Category = n.ID, n.User, n.Seq, n.Title, n.Body, n.Link, n.Category
		want.Data, want.CreatedAt = n.Data, n.CreatedAt
		want.Normalize()
		p := position(t, s, user)
		got, err := s.Update(t.Context(), user, n.ID, step.change)
		must(t, err)
		same(t, got, want)
		var added []notify.Entry
		if step.entry {
			seq++
			added = append(added, entry(t, seq, "notification", want, step.unread))
		}
		same(t, entries(t, s, user, p), added)
		same(t, inbox(t, s, user).Unread, step.unread)
		if n = got; t.Failed() {
			t.Fatal(step.name)
		}
	}

	p := position(t, s, user)
	sorry := errors.New("sorry")
	_, err := s.Update(t.Context(), user, n.ID, func(n *notify.Notification) error { _ = bringBack(n); return sorry })
	wantError(t, err, sorry)
	for _, nobodys := range [][2]uuid.UUID{{user, newID()}, {newID(), n.ID}} {
		_, err = s.Update(t.Context(), nobodys[0], nobodys[1], func(*notify.Notification) error { t.Error("called"); return nil })
		wantError(t, err, notify.ErrNotFound)
	}
	same(t, position(t, s, user), p)
}

// Those who change one notification at once each see what the others did.
func updateAtOnce(t *testing.T, db Database) {
	a, b := db.Open(t), db.Open(t)
	n := publish(t, a, newID(), func(n *notify.Notification) { n.ReadAt = &day })
	const workers, times = 6, 10
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for range times {
				_, err := []notify.Store{a, b}[worker%2].Update(t.Context(), n.User, n.ID, func(n *notify.Notification) error {
					n.ReadAt = new(n.ReadAt.Add(time.Second))
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, err := a.Notification(t.Context(), n.User, n.ID)
	must(t, err)
	n.ReadAt = new(day.Add(workers * times * time.Second))
	same(t, got, n)
	same(t, len(entries(t, b, n.User, notify.Position{})), workers*times+1)

	// It goes while somebody changes it.
	_, err = a.Update(t.Context(), n.User, n.ID, func(n *notify.Notification) error {
		must(t, b.Delete(t.Context(), n.User, n.ID))
		return archive(n)
	})
	wantError(t, err, notify.ErrNotFound)
	same(t, position(t, a, n.User).Seq, workers*times+2)
}

// What was put off is in no list but its own, and then comes as if new.
func snooze(t *testing.T, db Database) {
	s := db.Open(t)
	user := newID()
	n, later := publish(t, s, user), publish(t, s, user)
	n, err := s.Update(t.Context(), user, n.ID, putOff)
	must(t, err)
	for _, status := range []notify.Status{notify.All, notify.Unread, notify.Archived, notify.Snoozed} {
		got := list(t, s, user, notify.Query{Status: status, Limit: 5})
		switch status {
		case notify.Archived:
			same(t, got.Notifications, nil)
		case notify.Snoozed:
			same(t, got.Notifications, []notify.Notification{n})
		default:
			same(t, got.Notifications, []notify.Notification{later})
		}
		same(t, got.Unread, 1)
	}
	n, err = s.Update(t.Context(), user, n.ID, bringBack)
	must(t, err)
	same(t, n.Seq, 4)
	want := inbox(t, s, user)
	same(t, want.Notifications, []notify.Notification{n, later})
	same(t, want.Unread, 2)
	same(t, entries(t, s, user, notify.Position{Epoch: want.Position.Epoch, Seq: 3}), []notify.Entry{entry(t, 4, "notification", n, 2)})
}

func readAll(t *testing.T, db Database) {
	s := db.Open(t)
	user := newID()
	var all []notify.Notification
	for i := range 8 {
		all = append(all, publish(t, s, user, func(n *notify.Notification) {
			n.Category = []notify.Category{notify.Sharing, notify.Reminder}[i%2]
		}))
	}
	for i, change := range []func(*notify.Notification) error{read, archive, putOff} {
		_, err := s.Update(t.Context(), user, all[i].ID, change)
		must(t, err)
	}
	other := publish(t, s, newID())
	seq := int64(11)
	when := day.Add(time.Hour + 999*time.Nanosecond).In(time.FixedZone("", 7200))
	for _, step := range []struct {
		upTo         int64
		category     notify.Category
		read, unread int
	}{
		{3, "", 0, 5},
		{0, "", 0, 5},
		{-1, "", 0, 5},
		{5, "", 2, 3}, // 4 and 5
		{5, "", 0, 3},
		{7, notify.Reminder, 1, 2}, // 6
		{100, "none", 0, 2},
		{1 << 60, notify.Sharing, 1, 1}, // 7
		{1 << 62, "", 1, 0},             // 8
		{1 << 62, "", 0, 0},
	} {
		read, unread, err := s.ReadAll(t.Context(), user, step.upTo, step.category, when)
		must(t, err)
		if read != step.read || unread != step.unread {
			t.Errorf("%+v: %d were read, %d are unread", step, read, unread)
		}
		same(t, inbox(t, s, user).Unread, step.unread)
		p := position(t, s, user)
		if step.read == 0 {
			same(t, p.Seq, seq)
			continue
		}
		seq++
		p.Seq--
		same(t, entries(t, s, user, p), []notify.Entry{entry(t, seq, "notifications.read",
			map[string]any{"up_to_seq": min(step.upTo, seq), "category": step.category, "read_at": day.Add(time.Hour)}, step.unread)})
	}
	for i, n := range all {
		got, err := s.Notification(t.Context(), user, n.ID)
		must(t, err)
		if wasRead := got.ReadAt != nil && *got.ReadAt == day.Add(time.Hour); wasRead != (i == 0 || i >= 3) {
			t.Errorf("number %d was read at %v", i+1, got.ReadAt)
		}
	}
	same(t, inbox(t, s, other.User).Unread, 1)
	nobody := newID()
	_, _, err := s.ReadAll(t.Context(), nobody, 100, "", day)
	must(t, err)
	same(t, position(t, s, nobody), notify.Position{})
}

// What arrives while all is being read stays unread.
func readAllMeanwhile(t *testing.T, db Database) {
	a, b := db.Open(t), db.Open(t)
	user := newID()
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 40 {
			publish(t, a, user)
		}
	})
	wg.Go(func() {
		for range 20 {
			seen := inbox(t, b, user)
			_, _, err := b.ReadAll(t.Context(), user, seen.Position.Seq, "", day)
			must(t, err)
			for _, n := range inbox(t, b, user).Notifications {
				if wasRead := n.ReadAt != nil; wasRead != (n.Seq <= seen.Position.Seq) {
					t.Errorf("of what was seen up to %d, number %d was read: %t", seen.Position.Seq, n.Seq, wasRead)
				}
			}
		}
	})
	wg.Wait()
}

func deletion(t *testing.T, db Database) {
	s := db.Open(t)
	user := newID()
	var all []notify.Notification
	for i := range 4 {
		n := publish(t, s, user)
		if i > 0 {
			var err error
			n, err = s.Update(t.Context(), user, n.ID, []func(*notify.Notification) error{read, archive, putOff}[i-1])
			must(t, err)
		}
		all = append(all, n)
	}
	wantError(t, s.Delete(t.Context(), newID(), all[0].ID), notify.ErrNotFound)
	wantError(t, s.Delete(t.Context(), user, newID()), notify.ErrNotFound)
	for _, n := range all {
		p := position(t, s, user)
		must(t, s.Delete(t.Context(), user, n.ID))
		same(t, entries(t, s, user, p), []notify.Entry{entry(t, p.Seq+1, "notification.deleted", map[string]any{"id": n.ID}, 0)})
		wantError(t, s.Delete(t.Context(), user, n.ID), notify.ErrNotFound)
	}
	same(t, inbox(t, s, user), notify.Inbox{Position: position(t, s, user)})
	same(t, position(t, s, user).Seq, 11)
}
