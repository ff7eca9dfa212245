package notify_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notify"
)

// hooked is a store on which something happens around an update, once.
type hooked struct {
	notify.Store
	before func() error
	after  func()
}

func (s *hooked) Update(ctx context.Context, user, id uuid.UUID, change func(*notify.Notification) error) (n notify.Notification, err error) {
	before, after := s.before, s.after
	s.before, s.after = nil, nil
	if before != nil {
		err = before()
	}
	if err == nil {
		n, err = s.Store.Update(ctx, user, id, change)
	}
	if after != nil {
		after()
	}
	return n, err
}

var errBroken = errors.New("the store is broken")

// What is put off comes back, whatever goes wrong or on meanwhile.
func TestSnoozeEnds(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		for name, happens := range map[string]func(*testing.T, *world, *hooked, func(time.Duration) error){
			"a change of it is not kept": func(t *testing.T, w *world, s *hooked, snooze func(time.Duration) error) {
				if err := snooze(time.Hour); err != nil {
					t.Error(err)
				}
				s.before = func() error { return errBroken }
				if err := snooze(10 * time.Minute); err == nil {
					t.Error("kept")
				}
				w.clock.pass(10 * time.Minute)
				w.ring(t, 1)
				if page := w.inbox(t, notify.All); len(page.Data) != 0 {
					t.Errorf("%+v is back too early", page.Data)
				}
			},
			"it is put off while that is taken back": func(t *testing.T, w *world, s *hooked, snooze func(time.Duration) error) {
				if err := snooze(time.Hour); err != nil {
					t.Error(err)
				}
				s.after = func() {
					if err := snooze(30 * time.Minute); err != nil {
						t.Error(err)
					}
				}
				if err := snooze(0); err != nil {
					t.Error(err)
				}
			},
			"it is over before it is kept": func(t *testing.T, w *world, s *hooked, snooze func(time.Duration) error) {
				s.before = func() error {
					w.clock.pass(2 * time.Second)
					w.ring(t, 1)
					return nil
				}
				if err := snooze(time.Second); err != nil {
					t.Error(err)
				}
			},
		} {
			t.Run(name, func(t *testing.T) {
				s := &hooked{Store: store}
				w := newWorld(t, s)
				w.notify(t, notify.NotifyRequest{Category: notify.Reminder, Title: "water the beans"})
				n := w.only(t, notify.All)
				happens(t, w, s, func(d time.Duration) error { // 0 takes it back
					var until *time.Time
					if d > 0 {
						until = new(w.clock.Now().Add(d))
					}
					_, err := w.client.Change(w.as(t, w.ann), notify.ChangeRequest{ID: n.ID, SnoozedUntil: transport.Some(until)})
					return err
				})
				w.only(t, notify.Snoozed)
				w.clock.pass(time.Hour)
				w.ring(t, 1)
				w.ring(t, 0)
				if back := w.only(t, notify.Unread); back.ID != n.ID {
					t.Errorf("came back as %+v", back)
				}
			})
		}
	})
}

// A timer that was left from before is in nobody's way.
func TestSnoozeTakenBack(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		ann, until := w.as(t, w.ann), w.clock.Now().Add(time.Hour)
		for _, title := range []string{"kept", "deleted"} {
			w.notify(t, notify.NotifyRequest{Category: notify.Reminder, Title: title})
			n := w.only(t, notify.All)
			w.change(t, notify.ChangeRequest{ID: n.ID, SnoozedUntil: transport.Some(&until)})
			w.change(t, notify.ChangeRequest{ID: n.ID, SnoozedUntil: transport.Some[*time.Time](nil), Read: transport.Some(true)})
			if title == "deleted" {
				if err := w.client.Delete(ann, notify.NotificationRequest{ID: n.ID}); err != nil {
					t.Error(err)
				}
				continue
			}
			w.change(t, notify.ChangeRequest{ID: n.ID, Archived: transport.Some(true)})
		}
		before := w.only(t, notify.Archived)
		w.clock.pass(2 * time.Hour)
		w.ring(t, 2)
		w.ring(t, 0)
		if after := w.only(t, notify.Archived); after.Seq != before.Seq || len(w.inbox(t, notify.All).Data) != 0 {
			t.Errorf("was %+v, is %+v", before, after)
		}
	})
}

// The push of what comes back waits until it is back.
func TestPushOfWhatComesBack(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		s := &hooked{Store: store}
		w := newWorld(t, s)
		w.subscribe(t, "phone")
		w.notify(t, notify.NotifyRequest{Category: notify.Reminder, Title: "water the beans"})
		n := w.only(t, notify.All)
		w.step(t, n.ID)
		w.pusher.took()
		w.change(t, notify.ChangeRequest{ID: n.ID, SnoozedUntil: transport.Some(new(w.clock.Now().Add(time.Hour)))})
		w.clock.pass(time.Hour)
		s.before = func() error { return errBroken }
		if _, err := w.service.RingOnce(t.Context()); !errors.Is(err, errBroken) {
			t.Fatal(err)
		}
		for range 20 {
			w.clock.pass(3 * time.Second)
			w.step(t, n.ID)
		}
		if got := w.pusher.took(); len(got) != 0 {
			t.Errorf("pushed to %v before it is back", got)
		}
		w.ring(t, 1) // after the lease
		w.clock.pass(15 * time.Second)
		w.step(t, n.ID)
		if got := w.pusher.took(); len(got) != 1 {
			t.Errorf("pushed to %v when it is back", got)
		}
	})
}
