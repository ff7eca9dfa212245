package notify_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notify"
)

// dying is a store on which nothing can be finished.
type dying struct{ notify.Store }

var errDied = errors.New("the process died here")

func (dying) Settle(context.Context, notify.Delivery) error { return errDied }
func (dying) Rung(context.Context, notify.Timer) error      { return errDied }

// dies runs what a process does that dies before it can say that it did it.
func (w *world) dies(t *testing.T) {
	t.Helper()
	s, err := notify.NewService(t.Context(), dying{w.store}, w.people, w.profiles, "")
	if err != nil {
		t.Fatal(err)
	}
	s.SetNow(w.clock.Now)
	sender, err := notify.NewSender(s, w.mailer, w.pusher, telemetry.NewLogger(t.Output()), telemetry.NewMetrics())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.RingOnce(t.Context()); err != nil && !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	if _, err := sender.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// What a process had in hand when it died is done by another, when its lease
// is over: a mail a second time, under the same id, and a timer's work once.
func TestCrash(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		w.profiles.set(w.ann, everywhere())
		w.subscribe(t, "phone")
		w.notify(t, notify.NotifyRequest{Category: notify.Security, Title: "snoozed"})
		n := w.only(t, notify.All)
		w.step(t, n.ID)
		w.pusher.took()
		w.change(t, notify.ChangeRequest{ID: n.ID, SnoozedUntil: transport.Some(new(w.clock.Now().Add(time.Minute)))})
		at := w.clock.Now().Add(time.Minute)
		w.notify(t, notify.NotifyRequest{Category: notify.Security, Title: "at a time", DeliverAt: &at})
		w.clock.pass(2 * time.Minute)
		w.dies(t)
		if n, err := w.sender.Step(t.Context()); n != 0 || err != nil {
			t.Fatalf("%d deliveries are taken from who has them; %v", n, err)
		}
		w.clock.pass(5 * time.Minute)
		w.ring(t, 2)
		w.ring(t, 0)
		if _, err := w.sender.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if page := w.inbox(t, notify.Unread); len(page.Data) != 2 {
			t.Errorf("the inbox has %+v", page.Data)
		}
		mails := w.mailer.sent()
		if len(mails) != 3 || mails[1].ID != mails[2].ID || mails[1].Subject != "at a time" {
			t.Errorf("mails %+v", mails)
		}
		if got := w.pusher.took(); len(got) != 3 { // one of them for the second time
			t.Errorf("pushed to %v", got)
		}
	})
}
