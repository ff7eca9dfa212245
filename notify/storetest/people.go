package storetest

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
)

func tickets(t *testing.T, db Database) {
	s, other := db.Open(t), db.Open(t)
	hash := func(text string) [32]byte { return sha256.Sum256([]byte(text)) }
	a, b := notify.Ticket{User: newID(), Session: "a session\n\x00\""}, notify.Ticket{User: newID()}
	must(t, s.PutTicket(t.Context(), hash("a"), a, time.Minute))
	must(t, s.PutTicket(t.Context(), hash("b"), b, time.Minute))
	must(t, s.PutTicket(t.Context(), hash("c"), b, 2*time.Minute))
	got, err := other.TakeTicket(t.Context(), hash("a"))
	must(t, err)
	same(t, got, a)
	for _, text := range []string{"a", "never put", ""} {
		got, err = s.TakeTicket(t.Context(), hash(text))
		wantError(t, err, notify.ErrNoTicket)
		same(t, got, notify.Ticket{})
	}
	db.Age(t, time.Minute)
	_, err = s.TakeTicket(t.Context(), hash("b"))
	wantError(t, err, notify.ErrNoTicket)

	// Of those who take it at once, one gets it.
	var taken atomic.Int64
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			if _, err := []notify.Store{s, other}[worker%2].TakeTicket(t.Context(), hash("c")); err == nil {
				taken.Add(1)
			}
		})
	}
	wg.Wait()
	same(t, taken.Load(), 1)
}

func presence(t *testing.T, db Database) {
	s, other := db.Open(t), db.Open(t)
	users := make([]uuid.UUID, 1100)
	for i := range users {
		users[i] = newID()
	}
	is := func(user uuid.UUID, want bool) {
		t.Helper()
		got, err := other.IsPresent(t.Context(), user)
		must(t, err)
		same(t, got, want)
	}
	must(t, s.Present(t.Context(), nil, time.Minute))
	is(users[0], false)
	must(t, s.Present(t.Context(), users, time.Minute))
	must(t, other.Present(t.Context(), users[:2], 10*time.Second)) // takes nobody's word back
	must(t, other.Present(t.Context(), users[1:2], 2*time.Minute))
	for _, i := range []int{0, 1, 2, 999, 1000, 1099} {
		is(users[i], true)
	}
	db.Age(t, 50*time.Second)
	is(users[0], true)
	db.Age(t, 10*time.Second)
	is(users[0], false)
	is(users[1], true)
	db.Age(t, time.Minute)
	is(users[1], false)
}

func subscription(id string, edits ...func(*notify.Subscription)) notify.Subscription {
	s := notify.Subscription{ID: id, Endpoint: "https://push.example/" + uuid.NewString(), P256DH: "key", Auth: "secret", CreatedAt: day}
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

func subscriptions(t *testing.T, db Database) {
	s := db.Open(t)
	user, other := newID(), newID()
	of := func(user uuid.UUID, want ...notify.Subscription) {
		t.Helper()
		got, err := s.Subscriptions(t.Context(), user)
		must(t, err)
		same(t, got, want)
	}
	put := func(user uuid.UUID, s1 notify.Subscription) {
		t.Helper()
		must(t, s.PutSubscription(t.Context(), user, s1))
	}
	a, b := subscription("a\n\" ", func(s *notify.Subscription) { s.CreatedAt = day.Add(time.Second) }), subscription("b")
	put(user, a)
	put(user, b)
	of(user, b, a)
	of(other)
	put(other, b) // the same browser
	of(other, b)
	of(user, a)
	b.Endpoint, b.P256DH, b.CreatedAt = "https://push.example/new", "", day.Add(time.Minute)
	put(other, b)
	of(other, b)
	again := subscription("c", func(s *notify.Subscription) { s.Endpoint = b.Endpoint })
	put(other, again)
	of(other, again)
	must(t, s.DeleteSubscription(t.Context(), user, "c"))
	must(t, s.DeleteSubscription(t.Context(), other, "a"))
	of(other, again)
	must(t, s.DeleteSubscription(t.Context(), other, "c"))
	of(other)
	put(user, again)
	of(user, again, a)

	// The oldest go.
	var all []notify.Subscription
	for i := range notify.MaxSubscriptions + 3 {
		one := subscription(fmt.Sprintf("%02d", i), func(s *notify.Subscription) { s.CreatedAt = day.Add(time.Hour + time.Duration(i)*time.Microsecond) })
		put(user, one)
		all = append(all, one)
	}
	of(user, all[3:]...)
	put(other, all[0])
	of(other, all[0])
	of(user, all[3:]...)
	put(user, all[10])
	of(user, all[3:]...)
	put(user, all[3])
	of(user, all[3:]...)
}
