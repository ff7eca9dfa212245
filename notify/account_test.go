package notify_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/account"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notify"
)

func TestExportAndErase(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		w.subscribe(t, "phone")
		const many = 105 // more than a page
		for range many {
			w.notify(t, notify.NotifyRequest{Users: []uuid.UUID{w.ann, w.bob}, Category: notify.System, Title: "t"})
		}
		archived := w.inbox(t, notify.All).Data[0]
		w.change(t, notify.ChangeRequest{ID: archived.ID, Archived: transport.Some(true)})
		w.happens(t, "auth", 1, about(t, auth.LinkWanted, w.ann, auth.LinkRequest{Purpose: auth.VerifyEmail}))

		at := w.clock.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
		w.notify(t, notify.NotifyRequest{Category: notify.Reminder, Title: "later", Body: "b", Data: jsontext.Value(`{"a":1}`), Link: "/x", DeliverAt: &at})
		w.change(t, notify.ChangeRequest{ID: archived.ID, SnoozedUntil: transport.Some(&at)})
		w.change(t, notify.ChangeRequest{ID: archived.ID, Archived: transport.Some(true)})

		holder := account.NewClient(w.server.Over)
		got := export(t, holder, w.ann)
		if s := got.Scheduled; len(s) != 1 || !s[0].At.Equal(at) || s[0].Category != notify.Reminder || s[0].Title != "later" || s[0].Body != "b" || s[0].Data["a"] != 1 || s[0].Link != "/x" {
			t.Errorf("scheduled: %+v", s)
		}
		if len(got.Notifications) != many || len(got.Notifications[0].Deliveries) != 3 || len(got.Mails) != 1 || len(got.Browsers) != 1 || got.Browsers[0].ID != "phone" {
			t.Errorf("exported %d notifications, mails %+v, browsers %+v", len(got.Notifications), got.Mails, got.Browsers)
		}
		if last := got.Notifications[many-1]; last.ID != archived.ID || last.ArchivedAt == nil {
			t.Errorf("the last is %+v", last)
		}
		receipt, err := holder.Erase(t.Context(), "notify", w.ann)
		if err != nil || receipt.Service != "notify" || receipt.Erased["notifications"] != many || receipt.ErasedAt.IsZero() {
			t.Errorf("%+v, %v", receipt, err)
		}
		again, err := holder.Erase(t.Context(), "notify", w.ann)
		if err != nil || again.Erased["notifications"] != 0 {
			t.Errorf("again: %+v, %v", again, err)
		}
		if got := export(t, holder, w.ann); len(got.Notifications)+len(got.Mails)+len(got.Browsers)+len(got.Scheduled) != 0 {
			t.Errorf("left: %+v", got)
		}
		if got := export(t, holder, w.bob); len(got.Notifications) != many {
			t.Errorf("of Bob %d notifications are left", len(got.Notifications))
		}
	})
}

type exported struct {
	Notifications []struct {
		notify.Notification
		Deliveries []notify.Delivery `json:"deliveries"`
	} `json:"notifications"`
	Mails     []notify.Delivery     `json:"mails"`
	Browsers  []notify.Subscription `json:"push_subscriptions"`
	Scheduled []struct {
		At                time.Time `json:"deliver_at"`
		Category          notify.Category
		Title, Body, Link string
		Data              map[string]int
	} `json:"scheduled"`
}

func export(t *testing.T, holder account.Client, user uuid.UUID) (got exported) {
	t.Helper()
	var b bytes.Buffer
	if err := holder.Export(t.Context(), "notify", user, &b); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil || len(z.File) != 1 || z.File[0].Name != "notifications.json" {
		t.Fatalf("%+v, %v", z, err)
	}
	f, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &got); err != nil || strings.Contains(string(text), "null,\n  \"mails\"") {
		t.Fatalf("%v: %s", err, text)
	}
	return got
}

// A request that is repeated under its key tells nobody twice.
func TestIdempotencyKey(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		for turn := range 2 {
			body := `{"user_ids":["` + w.ann.String() + `"],"category":"system","title":"t"}`
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://notify/internal/v1/notifications", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Idempotency-Key", w.ann.String())
			res, err := w.server.Over.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if replayed := res.Header.Get("Idempotency-Replayed"); res.StatusCode != http.StatusAccepted || (replayed == "true") != (turn == 1) {
				t.Errorf("%d, replayed %q", res.StatusCode, replayed)
			}
		}
		w.only(t, notify.All)
	})
}
