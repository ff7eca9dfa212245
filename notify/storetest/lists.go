package storetest

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
)

func lists(t *testing.T, db Database) {
	s := db.Open(t)
	user := newID()
	var all []notify.Notification // the newest first
	for i := range 60 {
		n := publish(t, s, user, func(n *notify.Notification) {
			n.Category = []notify.Category{notify.Sharing, notify.Reminder, "sharing2", notify.Security}[i%4]
			n.Title = fmt.Sprint("number ", i)
		})
		for bit, change := range []func(*notify.Notification) error{read, archive, putOff} {
			if (i/4)>>bit&1 == 1 {
				var err error
				n, err = s.Update(t.Context(), user, n.ID, change)
				must(t, err)
			}
		}
		all = append([]notify.Notification{n}, all...)
	}
	publish(t, s, newID())
	for _, status := range []notify.Status{notify.All, notify.Unread, notify.Archived, notify.Snoozed} {
		for _, category := range []notify.Category{"", notify.Sharing, notify.Reminder, "sharing2", "shar"} {
			q := notify.Query{Status: status, Category: category}
			var want []notify.Notification
			for _, n := range all {
				if in(n, q) {
					want = append(want, n)
				}
			}
			for _, q.Limit = range []int{1, 2, 7, 20, 21, 60, 61} {
				walk(t, s, user, q, want)
			}
		}
	}
}

// in tells whether a query names a notification.
func in(n notify.Notification, q notify.Query) bool {
	if (n.SnoozedUntil != nil) != (q.Status == notify.Snoozed) || q.Category != "" && n.Category != q.Category || q.Before > 0 && n.Seq >= q.Before {
		return false
	}
	switch q.Status {
	case notify.Unread:
		return n.Unread()
	case notify.Snoozed:
		return true
	case notify.Archived:
		return n.ArchivedAt != nil
	default:
		return n.ArchivedAt == nil
	}
}

// walk lists page after page and compares them with the whole.
func walk(t *testing.T, s notify.Store, user uuid.UUID, q notify.Query, want []notify.Notification) {
	t.Helper()
	for start := 0; ; start += q.Limit {
		end := min(start+q.Limit, len(want))
		got := list(t, s, user, q)
		same(t, got.Notifications, want[start:end])
		if got.More != (end < len(want)) {
			t.Errorf("%d to %d of %d: more is %v", start, end, len(want), got.More)
		}
		if t.Failed() {
			t.Fatalf("at %d of %+v", start, q)
		}
		if !got.More {
			return
		}
		q.Before = got.Notifications[q.Limit-1].Seq
	}
}
