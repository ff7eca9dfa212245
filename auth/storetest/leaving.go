package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
)

func closeUser(t *testing.T, s auth.Store) {
	ctx := t.Context()
	u := user("a@example.com", "a")
	ok(t, s.CreateUser(ctx, u))
	live, bystander := addSession(t, s, u.ID, nil), addSession(t, s, addUser(t, s), nil)
	before := addSession(t, s, u.ID, func(o *auth.Session) { o.EndedAt = new(noon.Add(-time.Hour)) })
	for i := range 2 {
		ok(t, s.CloseUser(ctx, u.ID, noon.Add(time.Duration(i)*time.Minute)))
		got, err := s.User(ctx, u.ID)
		ok(t, err)
		want := u
		want.Disabled = true
		equal(t, got, want)
		live.EndedAt = new(noon)
		for _, want := range []auth.Session{live, bystander, before} {
			got, err := s.Session(ctx, want.ID)
			ok(t, err)
			equal(t, got, want)
		}
		is(t, s.CreateSession(ctx, session(u.ID), u.Password), auth.ErrNoUser)
	}
	is(t, s.CloseUser(ctx, id(), noon), auth.ErrNoUser)
}

// closeUserAtOnce: no session that begins meanwhile is left, nor a link.
func closeUserAtOnce(t *testing.T, s auth.Store) {
	ctx := t.Context()
	for range 4 {
		u := user(id().String()+"@example.com", "")
		ok(t, s.CreateUser(ctx, u))
		ok(t, errors.Join(atOnce(8, func(i int) error {
			var err error
			switch {
			case i == 0:
				return s.CloseUser(ctx, u.ID, noon)
			case i%2 == 0:
				err = s.AddLink(ctx, link(i, u, auth.ResetPassword))
			default:
				err = s.CreateSession(ctx, session(u.ID), u.Password)
			}
			if errors.Is(err, auth.ErrNoUser) {
				return nil
			}
			return err
		})...))
		list, err := s.Sessions(ctx, u.ID, noon)
		ok(t, err)
		equal(t, len(list), 0)
		_, err = s.EraseUser(ctx, u.ID, noon) // or else the next round's links have the same hashes
		ok(t, err)
	}
}

func eraseUser(t *testing.T, s auth.Store) {
	ctx := t.Context()
	u, bystander := user("a@example.com", "a"), user("b@example.com", "b")
	ok(t, s.CreateUser(ctx, u))
	ok(t, s.CreateUser(ctx, bystander))
	ended := addSession(t, s, u.ID, func(o *auth.Session) { o.EndedAt, o.KnownBy = new(noon.Add(-time.Hour)), []byte("device") })
	open := addSession(t, s, u.ID, nil)
	other := addSession(t, s, bystander.ID, nil)
	ok(t, s.AddLink(ctx, link(1, u, auth.ResetPassword)))
	ok(t, s.AddLink(ctx, link(2, bystander, auth.ResetPassword)))
	ok(t, s.WantLink(ctx, u.ID, auth.ResetPassword, func(*auth.Attempts) error { return nil }))
	for _, want := range []map[string]int{{"users": 1, "sessions": 2, "links": 1}, {}} {
		got, err := s.EraseUser(ctx, u.ID, noon)
		ok(t, err)
		equal(t, got, want)

		_, err = s.User(ctx, u.ID)
		is(t, err, auth.ErrNoUser)
		_, err = s.FindUser(ctx, "a", "a@example.com")
		is(t, err, auth.ErrNoUser)
		all, err := s.AllSessions(ctx, u.ID)
		ok(t, err)
		equal(t, len(all), 0)
		knows, err := s.KnowsDevice(ctx, u.ID, []byte("device"))
		ok(t, err)
		equal(t, knows, false)
		_, err = s.LinkUser(ctx, auth.Hash{1}, auth.ResetPassword, noon)
		is(t, err, auth.ErrLinkExpired)
		for _, one := range []uuid.UUID{ended.ID, open.ID} {
			_, err = s.Session(ctx, one)
			is(t, err, auth.ErrNoSession)
			is(t, s.UpdateSession(ctx, one, silent(func(*auth.Session) error { return nil })), auth.ErrNoSession)
		}
		is(t, s.CreateSession(ctx, session(u.ID), u.Password), auth.ErrNoUser)
		is(t, s.AddLink(ctx, link(3, u, auth.ResetPassword)), auth.ErrNoUser)

		told, err := s.Ended(ctx, noon.AddDate(0, 0, -1))
		ok(t, err)
		equal(t, told, []auth.Ended{{ID: ended.ID, At: *ended.EndedAt}, {ID: open.ID, At: noon}})
		told, err = s.Ended(ctx, *ended.EndedAt)
		ok(t, err)
		equal(t, told, []auth.Ended{{ID: open.ID, At: noon}})
	}
	got, err := s.Session(ctx, other.ID)
	ok(t, err)
	equal(t, got, other)
	_, err = s.LinkUser(ctx, auth.Hash{2}, auth.ResetPassword, noon)
	ok(t, err)

	again := user("a@example.com", "a")
	ok(t, s.CreateUser(ctx, again))
	one := addSession(t, s, again.ID, nil)
	_, err = s.EndSessions(ctx, again.ID, noon.Add(-time.Minute), func(auth.Session) bool { return true })
	ok(t, err)
	told, err := s.Ended(ctx, noon.AddDate(0, 0, -1))
	ok(t, err)
	var order []uuid.UUID
	for _, e := range told {
		order = append(order, e.ID)
	}
	equal(t, slices.Equal(order, []uuid.UUID{ended.ID, one.ID, open.ID}), true)
}
