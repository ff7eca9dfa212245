package storetest

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
)

// sessionNeedsPassword: who was found by a hash that is no longer the user's
// gets no session, nor does a disabled user.
func sessionNeedsPassword(t *testing.T, s auth.Store) {
	ctx := t.Context()
	u := user("", "")
	u.Password = "first"
	ok(t, s.CreateUser(ctx, u))
	disabled := user("", "")
	disabled.Password, disabled.Disabled = "first", true
	ok(t, s.CreateUser(ctx, disabled))
	ok(t, s.CreateSession(ctx, session(u.ID), "first"))
	is(t, s.CreateSession(ctx, session(u.ID), "second"), auth.ErrNoUser)
	is(t, s.CreateSession(ctx, session(disabled.ID), "first"), auth.ErrNoUser)
	is(t, s.CreateSession(ctx, session(id()), "first"), auth.ErrNoUser)
	list, err := s.Sessions(ctx, u.ID, noon)
	ok(t, err)
	equal(t, len(list), 1)
}

// maxSessions: the ones seen longest ago end.
func maxSessions(t *testing.T, s auth.Store) {
	owner := addUser(t, s)
	other := addSession(t, s, addUser(t, s), nil)
	var want []uuid.UUID
	for i := range auth.MaxSessions + 3 {
		one := addSession(t, s, owner, func(one *auth.Session) {
			one.LastSeenAt = noon.Add(time.Duration(i) * time.Second)
			one.CreatedAt = one.LastSeenAt
		})
		want = append([]uuid.UUID{one.ID}, want...)
	}
	list, err := s.Sessions(t.Context(), owner, noon)
	ok(t, err)
	equal(t, ids(list), want[:auth.MaxSessions])
	got, err := s.Session(t.Context(), other.ID)
	ok(t, err)
	equal(t, got, other)
}

// changePassword: the hash and the other sessions, or neither.
func changePassword(t *testing.T, s auth.Store) {
	ctx := t.Context()
	u := user("", "")
	u.Password = "first"
	ok(t, s.CreateUser(ctx, u))
	keep, end := addSession(t, s, u.ID, nil), addSession(t, s, u.ID, nil)
	for _, step := range []struct {
		old, hash string
		replaced  bool
		password  string
		ended     bool
	}{{"wrong", "second", false, "first", false}, {"first", "second", true, "second", true}, {"first", "third", false, "second", true}} {
		replaced, err := s.ChangePassword(ctx, u.ID, step.old, step.hash, keep.ID, noon)
		ok(t, err)
		equal(t, replaced, step.replaced)
		equal(t, hashOf(t, s, u.ID), step.password)
		got, err := s.Session(ctx, end.ID)
		ok(t, err)
		equal(t, got.EndedAt != nil, step.ended)
		got, err = s.Session(ctx, keep.ID)
		ok(t, err)
		equal(t, got, keep)
	}
}
