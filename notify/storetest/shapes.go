package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/trellis-go/trellis/notify"
)

type edit = func(*notify.Notification)

const awkward = "\x00\x01\x02\x07\x08\t\n\v\f\r\x1b\x1f\x7f\u0080\u009f\u00a0\u200d\u2028\u202e\ufeff\ufffd\uffff\U0010ffff"

var shapes = map[string]edit{
	"plain": func(*notify.Notification) {},
	"empty": func(n *notify.Notification) {
		n.Category, n.Title, n.Body, n.Data, n.Link = "", "", "", jsontext.Value("{}"), ""
	},
	"control": func(n *notify.Notification) { n.Title, n.Body, n.Link = awkward, awkward, awkward },
	"syntax": func(n *notify.Notification) {
		n.Title, n.Body = `'; drop table "x"; -- %s %d %1 \u0000 \\ <&> ]]`, `","title":"x","seq":7,"read_at":"` // what stores take apart
	},
	"category": func(n *notify.Notification) { n.Category = `a","title":"b\` },
	"data": func(n *notify.Notification) {
		n.Data = jsontext.Value(`{"a":[],"b":{},"c":[{}],"d":null,"e":1e400,"f":-0.10,"g":"","":"\ud83d\ude00","h":[1,[2,[3]]],"title":"x"}`)
	},
	"big number": func(n *notify.Notification) { n.Data = jsontext.Value(`{"n":123456789012345678901234567890}`) },
	"spaces":     func(n *notify.Notification) { n.Data = jsontext.Value(" {\n\t\"a\" : [ 1 , 2 ] }\n") },
	"long": func(n *notify.Notification) {
		n.Title, n.Body = strings.Repeat("😀", 500), strings.Repeat("é\n", 1<<15)
	},
	"no data":    func(n *notify.Notification) { n.Data = nil },
	"read":       func(n *notify.Notification) { _ = read(n) },
	"archived":   func(n *notify.Notification) { _ = archive(n) },
	"1900":       at("1900-01-01T00:00:00.000001Z"),
	"1969":       at("1969-12-31T23:59:59.999999Z"),
	"1970":       at("1970-01-01T00:00:00Z"),
	"2106":       at("2106-02-07T06:28:16.999999Z"),
	"9999":       at("9999-12-31T23:59:59.999999Z"),
	"zone":       at("2024-02-29T23:00:00.5+05:30"),
	"nanosecond": at("2024-02-29T23:00:00.123456999Z"),
}

func at(text string) edit {
	return func(n *notify.Notification) {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			panic(err)
		}
		n.CreatedAt, n.ReadAt = at, new(at.Add(time.Nanosecond))
	}
}

func roundTrip(t *testing.T, db Database) {
	s := db.Open(t)
	other := publish(t, s, newID())
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			user := newID()
			want := note(user, shape)
			got := publishAs(t, s, want, notify.Keys{})
			want.Normalize()
			want.Seq = 1
			same(t, got, want)
			one, err := s.Notification(t.Context(), user, want.ID)
			must(t, err)
			same(t, one, want)
			status, unread := notify.All, 0
			if want.ArchivedAt != nil {
				status = notify.Archived
			}
			if want.Unread() {
				unread = 1
			}
			p := position(t, s, user)
			same(t, list(t, s, user, notify.Query{Status: status, Category: want.Category, Limit: 1}),
				notify.Inbox{Notifications: []notify.Notification{want}, Unread: unread, Position: p})
			same(t, entries(t, s, user, notify.Position{}), []notify.Entry{entry(t, 1, "notification", want, unread)})
			if p.Seq != 1 || p.Epoch == "" {
				t.Errorf("the stream is at %+v", p)
			}

			_, err = s.Notification(t.Context(), other.User, want.ID)
			wantError(t, err, notify.ErrNotFound)
			changed, err := s.Update(t.Context(), user, want.ID, putOff) // which leaves all else
			must(t, err)
			_ = putOff(&want)
			same(t, changed, want)
			must(t, s.Delete(t.Context(), user, want.ID))
		})
	}
	same(t, inbox(t, s, other.User).Notifications, []notify.Notification{other})
	same(t, inbox(t, s, newID()), notify.Inbox{})
}

// What is no JSON leaves nothing behind.
func refused(t *testing.T, db Database) {
	s := db.Open(t)
	user := newID()
	for name, edit := range map[string]edit{
		"data":  func(n *notify.Notification) { n.Data = jsontext.Value(`{"a":`) },
		"title": func(n *notify.Notification) { n.Title = "\xff" },
		"year":  func(n *notify.Notification) { n.CreatedAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		if _, _, err := s.Publish(t.Context(), note(user, edit), notify.Keys{Dedupe: "key", Collapse: "key"}, delivery(user, newID())); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if s.Signal(t.Context(), user, "signal", jsontext.Value(`{`), "key") == nil {
		t.Error("signal: no error")
	}
	same(t, inbox(t, s, user), notify.Inbox{})
	publishAs(t, s, note(user), notify.Keys{Dedupe: "key"})
	must(t, s.Signal(t.Context(), user, "signal", jsontext.Value(`{}`), "key"))
	same(t, position(t, s, user).Seq, 2)
}
