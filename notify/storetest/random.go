package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
)

// model is what an inbox must be, said simply.
type model struct {
	user     uuid.UUID
	all      []notify.Notification
	dedupe   map[string]bool
	collapse map[string]uuid.UUID
	seq      int64
}

func (m *model) find(id uuid.UUID) *notify.Notification {
	if i := slices.IndexFunc(m.all, func(n notify.Notification) bool { return n.ID == id }); i >= 0 {
		return &m.all[i]
	}
	return nil
}

func (m *model) remove(id uuid.UUID) {
	m.all = slices.DeleteFunc(m.all, func(n notify.Notification) bool { return n.ID == id })
}

func (m *model) unread() (n int) {
	for _, one := range m.all {
		if one.Unread() {
			n++
		}
	}
	return n
}

func (m *model) list(q notify.Query) (list []notify.Notification) {
	for _, n := range m.all {
		if in(n, q) {
			list = append(list, n)
		}
	}
	slices.SortFunc(list, func(a, b notify.Notification) int { return int(b.Seq - a.Seq) })
	return list
}

// apply does what a client does that has an entry.
func (m *model) apply(t *testing.T, e notify.Entry) {
	t.Helper()
	m.seq++
	same(t, e.Seq, m.seq)
	switch e.Type {
	case notify.EntryNotification:
		n := notify.Notification{User: m.user}
		must(t, json.Unmarshal(e.Data, &n))
		m.remove(n.ID)
		m.all = append(m.all, n)
	case notify.EntryDeleted:
		var deleted struct{ ID uuid.UUID }
		must(t, json.Unmarshal(e.Data, &deleted, json.MatchCaseInsensitiveNames(true)))
		m.remove(deleted.ID)
	case notify.EntryRead:
		var read struct {
			UpTo     int64           `json:"up_to_seq"`
			Category notify.Category `json:"category"`
			At       time.Time       `json:"read_at"`
		}
		must(t, json.Unmarshal(e.Data, &read))
		m.read(read.UpTo, read.Category, read.At)
	}
	same(t, e.Unread, m.unread())
}

func (m *model) read(upTo int64, category notify.Category, at time.Time) (count int) {
	for i := range m.all {
		if n := &m.all[i]; n.Unread() && n.Seq <= upTo && (category == "" || category == n.Category) {
			n.ReadAt = &at
			count++
		}
	}
	return count
}

// random does many things to an inbox, and compares it after each with the
// model, and with what a client makes of the stream.
func random(t *testing.T, db Database) {
	stores := []notify.Store{db.Open(t), db.Open(t)}
	for range 2 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomly(t, stores, rand.New(rand.NewPCG(seed, 0))) })
	}
}

func randomly(t *testing.T, stores []notify.Store, r *rand.Rand) {
	user := newID()
	m := &model{user: user, dedupe: map[string]bool{}, collapse: map[string]uuid.UUID{}}
	client := &model{user: user}
	categories := []notify.Category{notify.Sharing, notify.Reminder, notify.Security}
	some := func(of ...string) string { return of[r.IntN(len(of))] }
	moment := func() *time.Time {
		if r.IntN(2) == 0 {
			return nil
		}
		return new(day.Add(time.Duration(r.IntN(3)) * time.Hour))
	}
	pick := func() uuid.UUID {
		if len(m.all) == 0 || r.IntN(20) == 0 {
			return newID()
		}
		return m.all[r.IntN(len(m.all))].ID
	}
	do := map[string]func(notify.Store){
		"publish": func(s notify.Store) {
			n := note(user, func(n *notify.Notification) { n.Category = categories[r.IntN(3)]; n.Title = fmt.Sprint(r.Int()) })
			if r.IntN(15) == 0 {
				n.ID = pick()
			}
			if r.IntN(10) == 0 {
				n.ReadAt, n.ArchivedAt, n.SnoozedUntil = moment(), moment(), moment()
			}
			keys := notify.Keys{Collapse: some("", "a", "b", "c")}
			if r.IntN(3) == 0 {
				keys.Dedupe = fmt.Sprint(r.IntN(40))
			}
			got, added, err := s.Publish(t.Context(), n, keys)
			must(t, err)
			same(t, added, !m.dedupe[keys.Dedupe])
			if !added {
				return
			}
			m.dedupe[keys.Dedupe] = keys.Dedupe != ""
			if last := m.find(m.collapse[keys.Collapse]); keys.Collapse != "" && last != nil && last.Unread() {
				n.ID = last.ID
			}
			for key, id := range m.collapse {
				if id == n.ID {
					delete(m.collapse, key)
				}
			}
			m.collapse[keys.Collapse] = n.ID
			m.seq++
			n.Seq = m.seq
			m.remove(n.ID)
			m.all = append(m.all, n)
			same(t, got, n)
		},
		"signal": func(s notify.Store) {
			must(t, s.Signal(t.Context(), user, "signal", jsontext.Value(`{}`), ""))
			m.seq++
		},
		"update": func(s notify.Store) {
			id, read, archived, snoozed := pick(), moment(), moment(), moment()
			got, err := s.Update(t.Context(), user, id, func(n *notify.Notification) error {
				n.ReadAt, n.ArchivedAt, n.SnoozedUntil = read, archived, snoozed
				return nil
			})
			n := m.find(id)
			if n == nil {
				wantError(t, err, notify.ErrNotFound)
				return
			}
			must(t, err)
			was := *n
			n.ReadAt, n.ArchivedAt, n.SnoozedUntil = read, archived, snoozed
			if !cmp.Equal(was, *n) {
				m.seq++
			}
			if was.SnoozedUntil != nil && snoozed == nil {
				n.Seq = m.seq
			}
			same(t, got, *n)
		},
		"read all": func(s notify.Store) {
			upTo, category := r.Int64N(m.seq+5), notify.Category("")
			if r.IntN(2) == 0 {
				category = categories[r.IntN(3)]
			}
			read, unread, err := s.ReadAll(t.Context(), user, upTo, category, day)
			must(t, err)
			want := m.read(upTo, category, day)
			if want > 0 {
				m.seq++
			}
			same(t, []int{read, unread}, []int{want, m.unread()})
		},
		"delete": func(s notify.Store) {
			id := pick()
			err := s.Delete(t.Context(), user, id)
			if m.find(id) == nil {
				wantError(t, err, notify.ErrNotFound)
				return
			}
			must(t, err)
			m.seq++
			m.remove(id)
			for key, of := range m.collapse {
				if of == id {
					delete(m.collapse, key)
				}
			}
		},
	}
	var log []string
	for range 120 {
		name := some("publish", "publish", "publish", "publish", "signal", "update", "update", "update", "read all", "delete")
		log = append(log, name)
		do[name](stores[r.IntN(2)])

		s := stores[r.IntN(2)]
		q := notify.Query{Status: notify.Status(some("all", "unread", "archived")), Limit: 1 + r.IntN(30)}
		if r.IntN(2) == 0 {
			q.Category = categories[r.IntN(3)]
		}
		if r.IntN(2) == 0 {
			q.Before = r.Int64N(m.seq + 2)
		}
		want := m.list(q)
		got := list(t, s, user, q)
		same(t, got.Notifications, want[:min(len(want), q.Limit)])
		same(t, got.More, len(want) > q.Limit)
		same(t, got.Unread, m.unread())
		same(t, got.Position.Seq, m.seq)
		if r.IntN(5) == 0 {
			for _, e := range entries(t, s, user, notify.Position{Epoch: got.Position.Epoch, Seq: client.seq}) {
				client.apply(t, e)
			}
			same(t, client.seq, m.seq)
			for _, status := range []notify.Status{notify.All, notify.Unread, notify.Archived} {
				same(t, client.list(notify.Query{Status: status}), m.list(notify.Query{Status: status}))
			}
		}
		if t.Failed() {
			t.Fatalf("after %q, with %+v", log, q)
		}
	}
}
