package notify_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/notify/email"
	"github.com/trellis-go/trellis/notify/email/emailtest"
)

var everything = notify.Channels{InApp: true, Email: true, Push: true}

func everywhere() notify.Settings {
	return notify.Settings{Channels: map[notify.Category]notify.Channels{
		notify.Security: everything, notify.Account: everything, notify.Sharing: everything, notify.Reminder: everything, notify.System: everything,
	}}
}

// What is sent, and what is not, and why.
func TestDecisions(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		sent, reached := notify.Delivery{State: notify.Sent}, notify.Delivery{State: notify.Sent, Reason: "It reached 1 of 1 browsers."}
		skip := func(reason string) notify.Delivery { return notify.Delivery{State: notify.Skipped, Reason: reason} }
		wait := func(reason string) notify.Delivery { return notify.Delivery{State: notify.Pending, Reason: reason} }
		night := moment(t, "2031-05-01T23:30:00Z")
		for _, tt := range []struct {
			name     string
			category notify.Category
			set      func(w *world, n notify.Notification) // after it was told
			before   func(w *world)
			inApp    notify.Delivery
			email    notify.Delivery
			push     notify.Delivery
		}{
			{name: "all is well", category: notify.Sharing, inApp: sent, email: sent, push: reached},
			{name: "off in the inbox", category: notify.Sharing, inApp: skip("You turned this off."), email: sent, push: reached,
				before: func(w *world) { w.choose(notify.Sharing, notify.Channels{Email: true, Push: true}) }},
			{name: "security is always in the inbox", category: notify.Security, inApp: sent, email: skip("You turned this off."), push: skip("You turned this off."),
				before: func(w *world) { w.choose(notify.Security, notify.Channels{}) }},
			{name: "off by email and push", category: notify.Sharing, inApp: sent, email: skip("You turned this off."), push: skip("You turned this off."),
				before: func(w *world) { w.choose(notify.Sharing, notify.Channels{InApp: true}) }},
			{name: "turned off since", category: notify.Sharing, inApp: sent, email: skip("You turned this off."), push: skip("You turned this off."),
				set: func(w *world, _ notify.Notification) {
					w.choose(notify.Sharing, notify.Channels{InApp: true})
					w.clock.pass(31 * time.Second)
				}},
			{name: "quiet hours", category: notify.Sharing, inApp: sent, email: wait("It waits until your quiet hours end."), push: wait("It waits until your quiet hours end."),
				before: func(w *world) { w.quiet(night) }},
			{name: "security in quiet hours", category: notify.Security, inApp: sent, email: sent, push: reached,
				before: func(w *world) { w.quiet(night) }},
			{name: "online", category: notify.Sharing, inApp: sent, email: wait("You are online: it is sent unless you read it meanwhile."), push: wait("You are online: it is sent unless you read it meanwhile."),
				before: func(w *world) { w.online(t) }},
			{name: "online for a minute and a half", category: notify.Sharing, inApp: sent, email: wait("You are online: it is sent unless you read it meanwhile."), push: reached,
				before: func(w *world) { w.online(t) }, set: func(w *world, _ notify.Notification) { w.clock.pass(90 * time.Second) }},
			{name: "online for long", category: notify.Sharing, inApp: sent, email: sent, push: reached,
				before: func(w *world) { w.online(t) }, set: func(w *world, _ notify.Notification) { w.clock.pass(11 * time.Minute) }},
			{name: "security while online", category: notify.Security, inApp: sent, email: sent, push: reached,
				before: func(w *world) { w.online(t) }},
			{name: "read", category: notify.Sharing, inApp: sent, email: skip("You have read it."), push: skip("You have read it."),
				set: func(w *world, n notify.Notification) {
					w.change(t, notify.ChangeRequest{ID: n.ID, Read: transport.Some(true)})
				}},
			{name: "security that was read", category: notify.Security, inApp: sent, email: sent, push: reached,
				set: func(w *world, n notify.Notification) {
					w.change(t, notify.ChangeRequest{ID: n.ID, Read: transport.Some(true), Archived: transport.Some(true)})
				}},
			{name: "archived", category: notify.Sharing, inApp: sent, email: skip("You archived it."), push: skip("You archived it."),
				set: func(w *world, n notify.Notification) {
					w.change(t, notify.ChangeRequest{ID: n.ID, Archived: transport.Some(true)})
				}},
			{name: "put off", category: notify.Sharing, inApp: sent, email: skip("You put it off."), push: skip("You put it off."),
				set: func(w *world, n notify.Notification) {
					w.change(t, notify.ChangeRequest{ID: n.ID, SnoozedUntil: transport.Some(new(w.clock.Now().Add(time.Hour)))})
				}},
			{name: "not verified", category: notify.Sharing, inApp: sent, email: skip("Your email address is not verified."), push: reached,
				set: func(w *world, _ notify.Notification) { w.people.set(w.ann, notify.Person{Email: "ann@example.org"}) }},
			{name: "no email", category: notify.Sharing, inApp: sent, email: skip("You have no email address."), push: reached,
				set: func(w *world, _ notify.Notification) { w.people.set(w.ann, notify.Person{}) }},
			{name: "disabled", category: notify.Security, inApp: sent, email: skip("The account is disabled."), push: skip("The account is disabled."),
				set: func(w *world, _ notify.Notification) {
					w.people.set(w.ann, notify.Person{Email: "ann@example.org", Verified: true, Disabled: true})
				}},
			{name: "no browser", category: notify.Sharing, inApp: sent, email: sent, push: skip("No browser of yours takes pushes."),
				set: func(w *world, _ notify.Notification) {
					if err := w.client.Unsubscribe(w.as(t, w.ann), notify.SubscriptionRequest{ID: "phone"}); err != nil {
						t.Error(err)
					}
				}},
			{name: "profile is away", category: notify.Security, inApp: sent, email: wait("It waits for another part of Trellis."), push: wait("It waits for another part of Trellis."),
				before: func(w *world) { w.profiles.fail(errAway) }},
			{name: "auth is away", category: notify.Security, inApp: sent, email: wait("It waits for another part of Trellis."), push: wait("It waits for another part of Trellis."),
				before: func(w *world) { w.people.away = errAway }},
		} {
			t.Run(tt.name, func(t *testing.T) {
				w := newWorld(t, store)
				w.profiles.set(w.ann, everywhere())
				w.subscribe(t, "phone")
				if tt.before != nil {
					tt.before(w)
				}
				w.notify(t, notify.NotifyRequest{Category: tt.category, Title: "t", Body: "b", Link: "/x"})
				status := notify.All
				if tt.inApp.State == notify.Skipped {
					status = notify.Archived
				}
				n := w.only(t, status)
				if tt.set != nil {
					tt.set(w, n)
				}
				by := w.step(t, n.ID)
				for channel, want := range map[notify.Channel]notify.Delivery{notify.InApp: tt.inApp, notify.Email: tt.email, notify.Push: tt.push} {
					if got := by[channel]; got.State != want.State || got.Reason != want.Reason {
						t.Errorf("%s is %s: %q, want %s: %q", channel, got.State, got.Reason, want.State, want.Reason)
					}
					if got := by[channel]; got.State == notify.Pending && got.Attempts != 0 {
						t.Errorf("%s: waiting counts as %d attempts", channel, got.Attempts)
					}
				}
				if mails := w.mailer.sent(); (len(mails) == 1) != (tt.email.State == notify.Sent) {
					t.Errorf("mails %+v", mails)
				}
				if pushed := w.pusher.took(); (len(pushed) == 1) != (tt.push.State == notify.Sent) {
					t.Errorf("pushed to %v", pushed)
				}
			})
		}
	})
}

// choose has Ann choose the channels of a category.
func (w *world) choose(c notify.Category, channels notify.Channels) {
	s := everywhere()
	s.Channels[c] = channels
	w.profiles.set(w.ann, s)
}

func (w *world) quiet(now time.Time) {
	s := everywhere()
	s.Quiet = notify.QuietHours{Enabled: true, From: "22:00", To: "07:00"}
	w.profiles.set(w.ann, s)
	w.clock.set(now)
}

func (w *world) online(t *testing.T) {
	if err := w.store.Present(t.Context(), []uuid.UUID{w.ann}, time.Hour); err != nil {
		t.Error(err)
	}
}

func (w *world) change(t *testing.T, r notify.ChangeRequest) {
	if _, err := w.client.Change(w.as(t, w.ann), r); err != nil {
		t.Error(err)
	}
}

func TestMailOfNotification(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		s := everywhere()
		s.Language = "pl"
		w.profiles.set(w.ann, s)
		w.notify(t, notify.NotifyRequest{Category: notify.System, Title: "Tytuł", Body: "Treść", Link: "/notes"})
		by := w.step(t, w.only(t, notify.All).ID)
		want := notify.Mail{ID: by[notify.Email].ID, To: "ann@example.org", Name: "Ann", Language: "pl", Subject: "Tytuł", Link: "/notes", Action: "Otwórz w Trellis",
			Footer: "W ustawieniach Trellis możesz wybrać, o czym piszemy do Ciebie e-maile."}
		mails := w.mailer.sent()
		if len(mails) != 1 || !slices.Equal(mails[0].Body, []string{"Treść"}) {
			t.Fatalf("%+v", mails)
		}
		if mails[0].Body = nil; !equalMail(mails[0], want) {
			t.Errorf("%+v", mails[0])
		}
	})
}

func equalMail(a, b notify.Mail) bool {
	a.Body, b.Body = nil, nil
	return a.ID == b.ID && a.To == b.To && a.Name == b.Name && a.Language == b.Language && a.Subject == b.Subject && a.Link == b.Link && a.Action == b.Action && a.Footer == b.Footer
}

// Quiet hours put off what then is sent, to the minute.
func TestQuietHoursPutOff(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		w.quiet(moment(t, "2031-05-01T23:30:00Z"))
		s := everywhere()
		s.Quiet, s.TimeZone = notify.QuietHours{Enabled: true, From: "22:00", To: "07:00"}, "Europe/Warsaw"
		w.profiles.set(w.ann, s)
		w.notify(t, notify.NotifyRequest{Category: notify.Reminder, Title: "t"})
		n := w.only(t, notify.All)
		if d := w.step(t, n.ID)[notify.Email]; !d.NextAt.Equal(moment(t, "2031-05-02T05:00:00Z")) {
			t.Errorf("%+v", d)
		}
		w.clock.set(moment(t, "2031-05-02T04:59:59Z"))
		w.step(t, n.ID)
		if len(w.mailer.sent()) != 0 {
			t.Error("sent in quiet hours")
		}
		w.clock.pass(time.Second)
		if d := w.step(t, n.ID)[notify.Email]; d.State != notify.Sent || len(w.mailer.sent()) != 1 || d.Attempts != 1 {
			t.Errorf("%+v", d)
		}
	})
}

// When another service is back, what waited is sent, and as its user then wants it.
func TestProfileComesBack(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		w.profiles.fail(errAway)
		w.notify(t, notify.NotifyRequest{Category: notify.Account, Title: "t"})
		n := w.only(t, notify.All)
		for range 50 {
			w.clock.pass(time.Minute)
			if d := w.step(t, n.ID)[notify.Email]; d.State != notify.Pending || d.Attempts != 0 {
				t.Fatalf("%+v", d)
			}
		}
		w.profiles.fail(nil)
		w.clock.pass(time.Minute)
		by := w.step(t, n.ID)
		if by[notify.Email].State != notify.Sent || by[notify.Push].State != notify.Skipped {
			t.Errorf("%+v", by)
		}
	})
}

func TestLinks(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		for purpose, want := range map[auth.Purpose]notify.Mail{
			auth.VerifyEmail:   {Subject: "Confirm your email address", Link: "/verify#token=trk_a-_Z09", Action: "Confirm address"},
			auth.ResetPassword: {Subject: "Set a new password", Link: "/reset#token=trk_a-_Z09", Action: "Set a new password"},
		} {
			w := newWorld(t, store)
			w.people.set(w.ann, notify.Person{Name: "Ann", Email: "ann@example.org"}) // not verified
			s := everywhere()
			s.Quiet = notify.QuietHours{Enabled: true, From: "00:00", To: "23:59"}
			w.profiles.set(w.ann, s)
			e := about(t, auth.LinkWanted, w.ann, auth.LinkRequest{Purpose: purpose})
			w.happens(t, "auth", 2, e)
			if n, err := w.sender.Step(t.Context()); n != 1 || err != nil {
				t.Fatalf("%d deliveries, %v", n, err)
			}
			mails := w.mailer.sent()
			if len(mails) != 1 || mails[0].ID != e.ID || mails[0].To != "ann@example.org" || mails[0].Subject != want.Subject || mails[0].Link != want.Link || mails[0].Action != want.Action {
				t.Fatalf("%+v", mails)
			}
			if body := strings.Join(mails[0].Body, "\n"); !strings.HasPrefix(body, "Hello Ann,\n") || !strings.Contains(body, "1 May 2031, 08:04 UTC") {
				t.Errorf("%q", body)
			}
			w.happens(t, "auth", 1, e)
			if n, err := w.sender.Step(t.Context()); n != 0 || err != nil {
				t.Errorf("%d deliveries, %v", n, err)
			}
			if page := w.inbox(t, notify.All); len(page.Data) != 0 {
				t.Errorf("the inbox has %+v", page.Data)
			}
		}
	})
}

func TestLinkOfNoUse(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		w.people.link = fault.New(fault.Conflict, "email_verified", "The email is verified already.")
		w.happens(t, "auth", 1, about(t, auth.LinkWanted, w.ann, auth.LinkRequest{Purpose: auth.VerifyEmail}))
		if _, err := w.sender.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, err := store.Deliveries(t.Context(), w.ann, uuid.Nil)
		if err != nil || len(list) != 1 || list[0].State != notify.Skipped || list[0].Reason != "The email is verified already." {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

// A mail server that is away is asked again, ever more slowly, and the same
// mail is sent in the end; one that says no for good is believed.
func TestMailServer(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		server := emailtest.Start(t, nil)
		var from email.Address
		if err := from.UnmarshalText([]byte("trellis@example.org")); err != nil {
			t.Fatal(err)
		}
		mailer, err := email.Open("smtp://"+server.Addr, email.Writer{From: from, Web: "http://localhost:3000"})
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, store)
		w.profiles.set(w.ann, everywhere())
		w.sender = w.newSender(t, w.service, mailer, w.pusher)
		tell := func() notify.Notification {
			w.notify(t, notify.NotifyRequest{Category: notify.Security, Title: "Seeds\u2028Bcc: x"})
			return w.inbox(t, notify.All).Data[0]
		}

		n := tell()
		server.Reply("RCPT", "451 4.7.1 greylisted <ann@example.org>", "421 4.3.2 busy")
		server.Reply(".", "hang up") // it has the mail, and we don't know
		for attempt := 1; attempt <= 3; attempt++ {
			d := w.step(t, n.ID)[notify.Email]
			wait := d.NextAt.Sub(w.clock.Now())
			if d.State != notify.Pending || d.Attempts != attempt || strings.Contains(d.Reason, "@") || wait < 4*time.Second || wait > time.Minute {
				t.Fatalf("%+v, in %s", d, wait)
			}
			if n, err := w.sender.Step(t.Context()); n != 0 || err != nil {
				t.Fatalf("tried again at once: %d, %v", n, err)
			}
			w.clock.pass(wait)
		}
		if d := w.step(t, n.ID)[notify.Email]; d.State != notify.Sent || d.Attempts != 4 || d.Reason != "" {
			t.Fatalf("%+v", d)
		} else if mails := server.Mails(); len(mails) != 2 || mails[0].Header("Message-Id") != "<"+d.ID.String()+"@example.org>" || mails[1].Header("Message-Id") != mails[0].Header("Message-Id") {
			t.Errorf("%+v", mails)
		} else if got := mails[1].Header("Subject"); strings.ContainsAny(got, "\r\n") {
			t.Errorf("subject %q", got)
		}

		server.Reply("RCPT", "550 5.1.1 <ann@example.org> is unknown")
		if d := w.step(t, tell().ID)[notify.Email]; d.State != notify.Failed || d.Attempts != 1 || d.Reason != "The mail server refused it (550 5.1.1)." {
			t.Errorf("%+v", d)
		}

		n = tell()
		for range notify.MaxAttempts {
			server.Reply("MAIL", "421 4.3.2 busy")
			w.step(t, n.ID)
			w.clock.pass(2 * time.Hour)
		}
		if d := w.step(t, n.ID)[notify.Email]; d.State != notify.Failed || d.Attempts != notify.MaxAttempts {
			t.Errorf("%+v", d)
		}
	})
}

func TestBackoff(t *testing.T) {
	for attempts, want := range map[int]time.Duration{1: 5 * time.Second, 2: 15 * time.Second, 3: 45 * time.Second, 6: 20*time.Minute + 15*time.Second, 7: time.Hour, 10: time.Hour} {
		least, most := time.Hour*24, time.Duration(0)
		for range 1000 {
			d := notify.Backoff(attempts)
			least, most = min(least, d), max(most, d)
		}
		if least < want*4/5 || most > want*6/5 || most-least < want/5 {
			t.Errorf("after %d attempts it is from %s to %s, want about %s", attempts, least, most, want)
		}
	}
}

// A push goes once to each browser that takes it, also while another's push
// service is away; one that has ended its subscription is forgotten.
func TestPushes(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		w.subscribe(t, "desk", "gone", "phone")
		busy := &notify.Trouble{Reason: "busy", After: 10 * time.Minute}
		w.pusher.errs = map[string]error{"gone": notify.ErrUnsubscribed, "phone": busy}
		w.notify(t, notify.NotifyRequest{Category: notify.Reminder, Title: "t", Body: "b", Link: "/x"})
		n := w.only(t, notify.All)
		d := w.step(t, n.ID)[notify.Push]
		if wait := d.NextAt.Sub(w.clock.Now()); d.State != notify.Pending || d.Reason != "busy" || wait < 9*time.Minute || wait > 11*time.Minute {
			t.Errorf("%+v, in %s", d, wait)
		}
		if got := w.pusher.took(); !slices.Equal(got, []string{"desk", "gone", "phone"}) {
			t.Errorf("pushed to %v", got)
		}
		if want := (notify.Message{ID: n.ID, Title: "t", Body: "b", Link: "/x", Category: notify.Reminder}); w.pusher.last != want {
			t.Errorf("pushed %+v", w.pusher.last)
		}
		if list, err := store.Subscriptions(t.Context(), w.ann); err != nil || len(list) != 2 {
			t.Errorf("%+v, %v", list, err)
		}
		w.clock.pass(11 * time.Minute)
		w.pusher.errs = nil
		d = w.step(t, n.ID)[notify.Push]
		if got := w.pusher.took(); !slices.Equal(got, []string{"phone"}) || d.State != notify.Sent || d.Reason != "It reached 2 of 2 browsers." {
			t.Errorf("pushed to %v, %+v", got, d)
		}

		w.pusher.errs = map[string]error{"desk": &notify.Trouble{Reason: "no", Final: true}, "phone": &notify.Trouble{Reason: "no", Final: true}}
		w.notify(t, notify.NotifyRequest{Category: notify.Reminder, Title: "t"})
		if d := w.step(t, w.inbox(t, notify.All).Data[0].ID)[notify.Push]; d.State != notify.Failed || d.Reason != "no" {
			t.Errorf("%+v", d)
		}
	})
}

// An intruder who deletes the alert does not keep the mail from its way.
func TestSecurityIsNotTakenBack(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		w.notify(t, notify.NotifyRequest{Category: notify.Security, Title: "t"})
		n := w.only(t, notify.All)
		ann := w.as(t, w.ann)
		wantCode(t, "while the mail is under way", w.client.Delete(ann, notify.NotificationRequest{ID: n.ID}), fault.Conflict, "delivery_pending")
		w.step(t, n.ID)
		if err := w.client.Delete(ann, notify.NotificationRequest{ID: n.ID}); err != nil {
			t.Error(err)
		}
		w.notify(t, notify.NotifyRequest{Category: notify.Account, Title: "t"})
		n = w.only(t, notify.All)
		if err := w.client.Delete(ann, notify.NotificationRequest{ID: n.ID}); err != nil {
			t.Error(err)
		}
		if _, err := w.sender.Step(t.Context()); err != nil || len(w.mailer.sent()) != 1 {
			t.Errorf("%+v, %v", w.mailer.sent(), err)
		}
	})
}

// Several senders and ringers on one store do everything once.
func TestSeveralInstances(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		w.profiles.set(w.ann, everywhere())
		const times = 60
		at := w.clock.Now().Add(-time.Second)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for range 3 {
			s := w.instance(t)
			s.SetNow(time.Now)
			sender, err := notify.NewSender(s, w.mailer, w.pusher, telemetry.NewLogger(t.Output()), telemetry.NewMetrics())
			if err != nil {
				t.Fatal(err)
			}
			running.Go(func() { sender.Run(ctx) })
			running.Go(func() { s.Ring(ctx, func(err error) { t.Error(err) }) })
		}
		w.service.SetNow(func() time.Time { return at.Add(-time.Minute) }) // so that all of them are due, and late
		for range times {
			w.notify(t, notify.NotifyRequest{Category: notify.Security, Title: "t", DeliverAt: &at})
		}
		testenv.Eventually(t, "all mails are sent", func() bool { return len(w.mailer.sent()) >= times })
		testenv.Eventually(t, "none is pending", func() bool { return w.pending(t) == 0 })
		stop()
		running.Wait()
		seen := map[uuid.UUID]int{}
		for _, m := range w.mailer.sent() {
			seen[m.ID]++
		}
		if len(seen) != times || len(w.mailer.sent()) != times {
			t.Errorf("%d mails, %d of them differ, want %d", len(w.mailer.sent()), len(seen), times)
		}
		if page := w.inbox(t, notify.All); page.Unread != times {
			t.Errorf("%d notifications", page.Unread)
		}
	})
}

// pending is how many mails and pushes of Ann's notifications are under way.
func (w *world) pending(t *testing.T) (n int) {
	t.Helper()
	inbox, err := w.store.Inbox(t.Context(), w.ann, notify.Query{Status: notify.All, Limit: notify.MaxInbox})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range inbox.Notifications {
		deliveries, err := w.store.Deliveries(t.Context(), w.ann, one.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range deliveries {
			if d.State == notify.Pending {
				n++
			}
		}
	}
	return n
}

// A mail server that hangs does not hold up pushes, and a push service that
// does not hold up mails.
func TestChannelHangs(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		for _, hangs := range []notify.Channel{notify.Email, notify.Push} {
			w := newWorld(t, store)
			w.profiles.set(w.ann, everywhere())
			w.subscribe(t, "phone")
			ctx, stop := context.WithCancel(t.Context())
			mailer, pusher := notify.Mailer(w.mailer), notify.Pusher(w.pusher)
			arrived := func() int { return len(w.mailer.sent()) }
			if hangs == notify.Email {
				mailer = hanging{until: ctx}
				arrived = func() int { w.pusher.mu.Lock(); defer w.pusher.mu.Unlock(); return len(w.pusher.pushed) }
			} else {
				pusher = hanging{pusher, ctx}
			}
			const many = 30 // more than are sent at once
			for range many {
				w.notify(t, notify.NotifyRequest{Category: notify.Security, Title: "t"})
			}
			sender := w.newSender(t, w.service, mailer, pusher)
			var running sync.WaitGroup
			running.Go(func() { sender.Run(ctx) })
			testenv.Eventually(t, "all others arrive while "+string(hangs)+" hangs", func() bool { return arrived() == many })
			stop()
			running.Wait()
		}
	})
}

// hanging is a server that answers nobody until a context ends.
type hanging struct {
	notify.Pusher
	until context.Context
}

func (h hanging) Send(context.Context, notify.Mail) error { <-h.until.Done(); return errAway }

func (h hanging) Push(context.Context, notify.Subscription, notify.Message) error {
	<-h.until.Done()
	return errAway
}

// A sender that is stopped lets what it has in hand finish.
func TestStopping(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		slow := &slowMailer{began: make(chan struct{}), end: make(chan struct{})}
		sender := w.newSender(t, w.service, slow, w.pusher)
		w.notify(t, notify.NotifyRequest{Category: notify.Security, Title: "t"})
		n := w.only(t, notify.All)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { sender.Run(ctx); close(done) }()
		<-slow.began
		stop()
		close(slow.end)
		<-done
		if d := w.step(t, n.ID)[notify.Email]; d.State != notify.Sent {
			t.Errorf("%+v", d)
		}
	})
}

type slowMailer struct{ began, end chan struct{} }

func (m *slowMailer) Send(ctx context.Context, _ notify.Mail) error {
	close(m.began)
	<-m.end
	return ctx.Err()
}

// A channel that panics is one that fails.
func TestPanic(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		w.sender = w.newSender(t, w.service, nil, nil)
		w.subscribe(t, "phone")
		w.notify(t, notify.NotifyRequest{Category: notify.Security, Title: "t"})
		if d := w.step(t, w.only(t, notify.All).ID)[notify.Push]; d.State != notify.Pending || d.Attempts != 1 {
			t.Errorf("%+v", d)
		}
		if d := w.step(t, w.only(t, notify.All).ID)[notify.Email]; d.State != notify.Pending || d.Attempts != 1 || d.Reason != "Something went wrong on our side." {
			t.Errorf("%+v", d)
		}
		w.sender = w.newSender(t, w.service, w.mailer, w.pusher)
		w.mailer.fail(errors.New("what nobody thought of"))
		w.clock.pass(time.Minute)
		if d := w.step(t, w.only(t, notify.All).ID)[notify.Email]; d.State != notify.Pending || d.Attempts != 2 || d.Reason != "Something went wrong on our side." {
			t.Errorf("%+v", d)
		}
	})
}
