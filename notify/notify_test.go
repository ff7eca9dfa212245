package notify_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notify"
)

func TestInbox(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		for i := range 5 {
			category := notify.System
			if i%2 == 1 {
				category = notify.Account
			}
			w.notify(t, notify.NotifyRequest{Category: category, Title: fmt.Sprint("n", i), Data: jsontext.Value(`{"i":1}`), Link: "/notes"})
		}
		w.notify(t, notify.NotifyRequest{Users: []uuid.UUID{w.bob}, Category: notify.System, Title: "bob's"})
		ann, bob := w.as(t, w.ann), w.as(t, w.bob)

		var titles []string
		r := notify.ListRequest{Limit: new(2)}
		for {
			page, err := w.client.List(ann, r)
			if err != nil || page.Unread != 5 || page.Stream.Epoch == "" || page.Stream.Seq != 5 {
				t.Fatalf("%+v, %v", page, err)
			}
			for _, n := range page.Data {
				titles = append(titles, n.Title)
			}
			if !page.Page.Page.HasMore {
				break
			}
			r.Cursor = *page.Page.Page.NextCursor
		}
		if got := strings.Join(titles, " "); got != "n4 n3 n2 n1 n0" {
			t.Errorf("listed %s", got)
		}
		_, err := w.client.List(bob, r)
		wantCode(t, "another's cursor", err, fault.Malformed, "cursor_invalid")
		page, err := w.client.List(ann, notify.ListRequest{Category: notify.Account})
		if err != nil || len(page.Data) != 2 || string(page.Data[0].Data) != `{"i":1}` || page.Data[0].Link != "/notes" {
			t.Errorf("by category: %+v, %v", page, err)
		}

		first := page.Data[0]
		read, err := w.client.Change(ann, notify.ChangeRequest{ID: first.ID, Read: transport.Some(true)})
		if err != nil || read.ReadAt == nil || w.inbox(t, notify.Unread).Unread != 4 {
			t.Errorf("read: %+v, %v", read, err)
		}
		again, err := w.client.Change(ann, notify.ChangeRequest{ID: first.ID, Read: transport.Some(true)})
		if err != nil || !again.ReadAt.Equal(*read.ReadAt) {
			t.Errorf("read again: %+v, %v", again, err)
		}
		if n, err := w.client.Change(ann, notify.ChangeRequest{ID: first.ID, Read: transport.Some(false)}); err != nil || n.ReadAt != nil {
			t.Errorf("unread: %+v, %v", n, err)
		}
		if n, err := w.client.Change(ann, notify.ChangeRequest{ID: first.ID, Archived: transport.Some(true)}); err != nil || n.ArchivedAt == nil {
			t.Errorf("archived: %+v, %v", n, err)
		}
		if got := w.only(t, notify.Archived); got.ID != first.ID {
			t.Errorf("the archive has %+v", got)
		}
		_, err = w.client.Change(bob, notify.ChangeRequest{ID: first.ID, Read: transport.Some(true)})
		wantCode(t, "another's", err, fault.NotFound, "notification_not_found")

		all := w.inbox(t, notify.All)
		up := all.Data[1].Seq
		answer, err := w.client.ReadAll(ann, notify.ReadAllRequest{UpTo: &up})
		if err != nil || answer != (notify.ReadAllAnswer{Read: 3, Unread: 1}) {
			t.Errorf("read all up to the last but one: %+v, %v", answer, err)
		}
		if err := w.client.Delete(ann, notify.NotificationRequest{ID: first.ID}); err != nil {
			t.Error(err)
		}
		wantCode(t, "deleted twice", w.client.Delete(ann, notify.NotificationRequest{ID: first.ID}), fault.NotFound, "notification_not_found")
		wantCode(t, "another's", w.client.Delete(bob, notify.NotificationRequest{ID: all.Data[0].ID}), fault.NotFound, "notification_not_found")
		_, err = w.client.ListDeliveries(bob, notify.NotificationRequest{ID: all.Data[0].ID})
		wantCode(t, "another's deliveries", err, fault.NotFound, "notification_not_found")
	})
}

func TestNotifyRefuses(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		many := make([]uuid.UUID, 101)
		ok := notify.NotifyRequest{Users: []uuid.UUID{w.ann}, Category: notify.System, Title: "t"}
		for name, tt := range map[string]struct {
			pointer string
			change  func(*notify.NotifyRequest)
		}{
			"nobody":           {"/user_ids", func(r *notify.NotifyRequest) { r.Users = []uuid.UUID{} }},
			"too many":         {"/user_ids", func(r *notify.NotifyRequest) { r.Users = many }},
			"category":         {"/category", func(r *notify.NotifyRequest) { r.Category = "gossip" }},
			"no title":         {"/title", func(r *notify.NotifyRequest) { r.Title = "" }},
			"long title":       {"/title", func(r *notify.NotifyRequest) { r.Title = strings.Repeat("é", 201) }},
			"data is a list":   {"/data", func(r *notify.NotifyRequest) { r.Data = jsontext.Value(`[]`) }},
			"data is big":      {"/data", func(r *notify.NotifyRequest) { r.Data = jsontext.Value(`{"a":"` + strings.Repeat("x", 5000) + `"}`) }},
			"another site":     {"/link", func(r *notify.NotifyRequest) { r.Link = "https://example.org/" }},
			"another host":     {"/link", func(r *notify.NotifyRequest) { r.Link = "//example.org/" }},
			"a backslash":      {"/link", func(r *notify.NotifyRequest) { r.Link = `/\example.org/` }},
			"a newline":        {"/link", func(r *notify.NotifyRequest) { r.Link = "/\n/example.org/" }},
			"far ahead":        {"/deliver_at", func(r *notify.NotifyRequest) { r.DeliverAt = new(time.Now().AddDate(1, 1, 0)) }},
			"long dedupe keys": {"/dedupe_key", func(r *notify.NotifyRequest) { r.DedupeKey = strings.Repeat("x", 201) }},
		} {
			r := ok
			tt.change(&r)
			f := wantCode(t, name, w.client.Notify(t.Context(), r), fault.Invalid, "invalid")
			if len(f.Fields) != 1 || f.Fields[0].Pointer != tt.pointer {
				t.Errorf("%s: names %+v, want %s", name, f.Fields, tt.pointer)
			}
		}
		outside := notify.NewClient(plain{w.server.Over})
		wantCode(t, "a user calls what services may", outside.Notify(w.as(t, w.ann), ok), fault.Unauthenticated, "token_missing")
	})
}

func TestKeys(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		both := []uuid.UUID{w.ann, w.bob}
		for range 3 {
			w.notify(t, notify.NotifyRequest{Users: both, Category: notify.System, Title: "once", DedupeKey: "k"})
		}
		once := w.only(t, notify.All)
		w.notify(t, notify.NotifyRequest{Category: notify.Reminder, Title: "first", CollapseKey: "c"})
		first := w.inbox(t, notify.All).Data[0]
		w.notify(t, notify.NotifyRequest{Category: notify.Reminder, Title: "second", CollapseKey: "c"})
		page := w.inbox(t, notify.All)
		if len(page.Data) != 2 || page.Data[0].Title != "second" || page.Data[0].ID != first.ID || page.Data[1].ID != once.ID {
			t.Errorf("collapsed: %+v", page.Data)
		}
		// Of the two pushes the first is not needed any more.
		w.subscribe(t, "phone")
		if _, err := w.sender.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.pusher.took(); !slices.Equal(got, []string{"phone"}) || w.pusher.last.Title != "second" {
			t.Errorf("pushed %v, %+v", got, w.pusher.last)
		}
	})
}

func TestSnooze(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		w.subscribe(t, "phone")
		w.notify(t, notify.NotifyRequest{Category: notify.Reminder, Title: "water the beans"})
		n := w.only(t, notify.All)
		w.step(t, n.ID)
		w.pusher.took()
		ann := w.as(t, w.ann)
		for name, r := range map[string]notify.ChangeRequest{
			"past":                 {SnoozedUntil: transport.Some(new(w.clock.Now().Add(-time.Second)))},
			"far ahead":            {SnoozedUntil: transport.Some(new(w.clock.Now().AddDate(1, 1, 0)))},
			"archived at the time": {SnoozedUntil: transport.Some(new(w.clock.Now().Add(time.Hour))), Archived: transport.Some(true)},
		} {
			r.ID = n.ID
			_, err := w.client.Change(ann, r)
			wantCode(t, name, err, fault.Invalid, "invalid")
		}
		until := w.clock.Now().Add(time.Hour)
		_, err := w.client.Change(ann, notify.ChangeRequest{ID: uuid.New(), SnoozedUntil: transport.Some(&until)})
		wantCode(t, "what is not there", err, fault.NotFound, "notification_not_found")

		snooze := func(until *time.Time) notify.Notification {
			t.Helper()
			n, err := w.client.Change(ann, notify.ChangeRequest{ID: n.ID, Read: transport.Some(true), SnoozedUntil: transport.Some(until)})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if got := snooze(&until); got.SnoozedUntil == nil || len(w.inbox(t, notify.All).Data) != 0 || w.inbox(t, notify.All).Unread != 0 {
			t.Errorf("snoozed: %+v", got)
		}
		if got := snooze(nil); got.SnoozedUntil != nil || w.only(t, notify.All).Seq <= n.Seq {
			t.Errorf("taken back: %+v", got)
		}
		later := until.Add(time.Hour)
		snooze(&until)
		snooze(&later)
		w.clock.pass(time.Hour + time.Second)
		w.ring(t, 0)
		if len(w.inbox(t, notify.All).Data) != 0 {
			t.Error("came back though it was put off further")
		}
		w.clock.pass(time.Hour)
		w.ring(t, 1)
		w.ring(t, 0)
		if back := w.only(t, notify.Unread); back.ID != n.ID || back.SnoozedUntil != nil {
			t.Errorf("came back as %+v", back)
		}
		w.clock.pass(3 * time.Second)
		w.step(t, n.ID)
		if got := w.pusher.took(); len(got) != 1 {
			t.Errorf("pushed to %v when it came back", got)
		}
	})
}

func TestDeliverAt(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		at := w.clock.Now().Add(time.Hour)
		w.notify(t, notify.NotifyRequest{Category: notify.System, Title: "moved", DeliverAt: &at, DedupeKey: "k"})
		later := at.Add(time.Hour)
		w.notify(t, notify.NotifyRequest{Category: notify.System, Title: "later", DeliverAt: &later, DedupeKey: "k", Data: jsontext.Value(`{"a":1}`)})
		w.notify(t, notify.NotifyRequest{Users: []uuid.UUID{w.ann, w.bob}, Category: notify.System, Title: "both", DeliverAt: &at})
		w.notify(t, notify.NotifyRequest{Category: notify.System, Title: "at once", DeliverAt: new(w.clock.Now().Add(-time.Hour))})
		w.clock.pass(59 * time.Minute)
		w.ring(t, 0)
		if got := w.only(t, notify.All); got.Title != "at once" {
			t.Errorf("told %+v", got)
		}
		w.clock.pass(24 * time.Hour) // while nobody was there
		w.ring(t, 3)
		var titles []string
		for _, n := range w.inbox(t, notify.All).Data {
			titles = append(titles, n.Title)
		}
		if slices.Sort(titles); !slices.Equal(titles, []string{"at once", "both", "later"}) {
			t.Errorf("told %v", titles)
		}
		w.notify(t, notify.NotifyRequest{Category: notify.System, Title: "again", DeliverAt: new(w.clock.Now().Add(time.Hour)), DedupeKey: "k"})
		w.clock.pass(2 * time.Hour)
		w.ring(t, 1)
		if got := len(w.inbox(t, notify.All).Data); got != 3 {
			t.Errorf("%d notifications: one was told twice", got)
		}
	})
}

func TestTicket(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		answer, err := w.client.IssueTicket(w.as(t, w.ann))
		if err != nil || answer.ExpiresIn != 30 || len(answer.Ticket) < 22 {
			t.Fatalf("%+v, %v", answer, err)
		}
		ticket, err := store.TakeTicket(t.Context(), sha256.Sum256([]byte(answer.Ticket)))
		if err != nil || ticket.User != w.ann || ticket.Session == "" {
			t.Errorf("%+v, %v", ticket, err)
		}
	})
}

func TestSubscribe(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		ann := w.as(t, w.ann)
		if config, err := w.client.PushConfig(ann); err != nil || config.PublicKey != "the public key" {
			t.Errorf("%+v, %v", config, err)
		}
		good := browser("phone")
		for name, tt := range map[string]struct {
			names  string
			change func(*notify.SubscribeRequest)
		}{
			"http":            {"/endpoint", func(r *notify.SubscribeRequest) { r.Endpoint = "http://push.example.org/a" }},
			"no URL":          {"/endpoint", func(r *notify.SubscribeRequest) { r.Endpoint = "https://%" }},
			"no host":         {"/endpoint", func(r *notify.SubscribeRequest) { r.Endpoint = "https:///a" }},
			"with a password": {"/endpoint", func(r *notify.SubscribeRequest) { r.Endpoint = "https://a:b@push.example.org/a" }},
			"long":            {"/endpoint", func(r *notify.SubscribeRequest) { r.Endpoint = "https://push.example.org/" + strings.Repeat("a", 2048) }},
			"short key":       {"/keys/p256dh", func(r *notify.SubscribeRequest) { r.Keys.P256DH = "BA" }},
			"no point":        {"/keys/p256dh", func(r *notify.SubscribeRequest) { r.Keys.P256DH = "B" + strings.Repeat("A", 86) }},
			"no base64":       {"/keys/auth", func(r *notify.SubscribeRequest) { r.Keys.Auth = "!" }},
			"short secret":    {"/keys/auth", func(r *notify.SubscribeRequest) { r.Keys.Auth = "AAAA" }},
			"id":              {"id", func(r *notify.SubscribeRequest) { r.ID = "a.b" }},
		} {
			r := good
			tt.change(&r)
			f := wantCode(t, name, w.client.Subscribe(ann, r), fault.Invalid, "invalid")
			if len(f.Fields) != 1 || f.Fields[0].Pointer+f.Fields[0].Parameter != tt.names {
				t.Errorf("%s: names %+v, want %s", name, f.Fields, tt.names)
			}
		}
		for range 2 {
			if err := w.client.Subscribe(ann, good); err != nil {
				t.Fatal(err)
			}
		}
		if list, err := store.Subscriptions(t.Context(), w.ann); err != nil || len(list) != 1 || list[0].Endpoint != good.Endpoint {
			t.Errorf("%+v, %v", list, err)
		}
		for range 2 {
			if err := w.client.Unsubscribe(ann, notify.SubscriptionRequest{ID: "phone"}); err != nil {
				t.Fatal(err)
			}
		}
		if list, err := store.Subscriptions(t.Context(), w.ann); err != nil || len(list) != 0 {
			t.Errorf("%+v, %v", list, err)
		}
	})
}
