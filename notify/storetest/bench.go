package storetest

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
)

// Bench measures a store on the database that create makes, an empty one: for
// a user who has all that is kept for one, beside a thousand others.
func Bench(b *testing.B, create func(t testing.TB) Database) {
	s := create(b).Open(b)
	for range 1000 {
		publish(b, s, newID())
	}
	user := newID()
	for i := range notify.MaxInbox {
		publish(b, s, user, func(n *notify.Notification) {
			n.Category = notify.Sharing
			if i%50 == 0 {
				n.Category = notify.Reminder
			}
		})
	}
	b.Run("Publish", func(b *testing.B) {
		for b.Loop() {
			publish(b, s, user)
		}
	})
	b.Run("PublishToNew", func(b *testing.B) {
		for b.Loop() {
			publish(b, s, newID())
		}
	})
	b.Run("PublishWith", func(b *testing.B) {
		for b.Loop() {
			keys := notify.Keys{Dedupe: newID().String(), Collapse: "key"}
			publishAs(b, s, note(user), keys, delivery(user, uuid.Nil), delivery(user, uuid.Nil))
		}
	})
	b.Run("PublishParallel", func(b *testing.B) {
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			user := newID()
			for pb.Next() {
				publish(b, s, user)
			}
		})
	})
	b.Run("PublishLive", func(b *testing.B) { // until it was heard
		user := newID()
		heard := make(chan struct{}, 1)
		l, _ := listen(b, s)
		l.mu.Lock()
		l.hear = func() { heard <- struct{}{} }
		l.mu.Unlock()
		for b.Loop() {
			publish(b, s, user)
			<-heard
		}
	})
	b.Run("Signal", func(b *testing.B) {
		for b.Loop() {
			must(b, s.Signal(b.Context(), user, "note.changed", []byte(`{"id":"7"}`), ""))
		}
	})
	end := position(b, s, user)
	for _, behind := range []int64{0, 1, 20, 1000} {
		b.Run(fmt.Sprint("Since", behind), func(b *testing.B) {
			p := notify.Position{Epoch: end.Epoch, Seq: end.Seq - behind}
			for b.Loop() {
				list, _, err := s.Since(b.Context(), user, p, notify.MaxStream)
				must(b, err)
				if int64(len(list)) != behind {
					b.Fatal(len(list))
				}
			}
		})
	}
	for name, q := range map[string]notify.Query{
		"Inbox20":           {Status: notify.All},
		"Inbox20Unread":     {Status: notify.Unread},
		"Inbox20OfCategory": {Status: notify.All, Category: notify.Reminder}, // one in fifty
		"Inbox20Archived":   {Status: notify.Archived},
	} {
		q.Limit = 20
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				list(b, s, user, q)
			}
		})
	}
	b.Run("Inbox20Parallel", func(b *testing.B) {
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				list(b, s, user, notify.Query{Limit: 20})
			}
		})
	})
	b.Run("Update", func(b *testing.B) {
		n := inbox(b, s, user).Notifications[10]
		for i := 0; b.Loop(); i++ {
			_, err := s.Update(b.Context(), user, n.ID, []func(*notify.Notification) error{read, forget}[i%2])
			must(b, err)
		}
	})
	b.Run("TakeIdle", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Take(b.Context(), notify.Email, day.AddDate(-1, 0, 0), lease, 10)
			must(b, err)
		}
	})
}
