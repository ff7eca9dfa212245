package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/trellis-go/trellis/auth"
)

// link returns the n-th link for a user, which lives for an hour from noon.
func link(n int, u auth.User, p auth.Purpose) auth.KeptLink {
	return auth.KeptLink{Hash: auth.Hash{byte(n)}, User: u.ID, Purpose: p, EmailKey: auth.EmailKey(*u.Email), CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}
}

func links(t *testing.T, s auth.Store) {
	ctx := t.Context()
	u, other := user("Ada@example.com", "ada"), user("bob@example.com", "")
	nameless, disabled := user("", "nameless"), user("off@example.com", "")
	disabled.Disabled = true
	for _, one := range []auth.User{u, other, nameless, disabled} {
		ok(t, s.CreateUser(ctx, one))
	}
	ok(t, s.AddLink(ctx, link(1, u, auth.ResetPassword)))
	ok(t, s.AddLink(ctx, link(2, u, auth.VerifyEmail)))
	ok(t, s.AddLink(ctx, link(3, other, auth.ResetPassword)))
	late := link(4, u, auth.ResetPassword)
	late.ExpiresAt = time.Date(2024, 5, 1, 14, 0, 0, 1_999, time.FixedZone("", 3600))
	ok(t, s.AddLink(ctx, late))

	foreign := link(9, u, auth.ResetPassword)
	foreign.User = other.ID
	absent := link(9, u, auth.ResetPassword)
	absent.User = id()
	unnamed := link(9, u, auth.ResetPassword)
	unnamed.User, unnamed.EmailKey = nameless.ID, ""
	for name, l := range map[string]auth.KeptLink{"another's email": foreign, "no user": absent, "no email": unnamed, "disabled": link(9, disabled, auth.ResetPassword)} {
		if err := s.AddLink(ctx, l); !errors.Is(err, auth.ErrNoUser) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, test := range []struct {
		n       byte
		purpose auth.Purpose
		now     time.Duration
		want    auth.User
	}{
		{1, auth.ResetPassword, 0, u},
		{1, auth.ResetPassword, time.Hour - time.Microsecond, u},
		{1, auth.ResetPassword, time.Hour, auth.User{}},
		{1, auth.VerifyEmail, 0, auth.User{}},
		{2, auth.VerifyEmail, 0, u},
		{3, auth.ResetPassword, 0, other},
		{4, auth.ResetPassword, time.Hour, u},
		{4, auth.ResetPassword, time.Hour + time.Microsecond, auth.User{}},
		{9, auth.ResetPassword, 0, auth.User{}},
	} {
		got, err := s.LinkUser(ctx, auth.Hash{test.n}, test.purpose, noon.Add(test.now))
		if test.want.ID != u.ID && test.want.ID != other.ID {
			is(t, err, auth.ErrLinkExpired)
			continue
		}
		ok(t, err)
		equal(t, got, test.want)
	}
	ok(t, s.CloseUser(ctx, u.ID, noon))
	_, err := s.LinkUser(ctx, auth.Hash{1}, auth.ResetPassword, noon)
	is(t, err, auth.ErrLinkExpired)
	is(t, s.ResetPassword(ctx, auth.Hash{1}, "new", noon), auth.ErrLinkExpired)
	is(t, s.VerifyEmail(ctx, auth.Hash{2}, noon), auth.ErrLinkExpired)
}

// maxLinks: the oldest are void.
func maxLinks(t *testing.T, s auth.Store) {
	ctx := t.Context()
	u, other := user("a@example.com", ""), user("b@example.com", "")
	ok(t, s.CreateUser(ctx, u))
	ok(t, s.CreateUser(ctx, other))
	ok(t, s.AddLink(ctx, link(201, other, auth.ResetPassword)))
	ok(t, s.AddLink(ctx, link(202, u, auth.VerifyEmail)))
	const more = 3
	for n := range auth.MaxLinks + more {
		l := link(n, u, auth.ResetPassword)
		l.CreatedAt = noon.Add(time.Duration(n) * time.Microsecond)
		ok(t, s.AddLink(ctx, l))
	}
	good := func(n int, p auth.Purpose) bool {
		_, err := s.LinkUser(ctx, auth.Hash{byte(n)}, p, noon)
		if !errors.Is(err, auth.ErrLinkExpired) {
			ok(t, err)
		}
		return err == nil
	}
	for n := range auth.MaxLinks + more {
		equal(t, good(n, auth.ResetPassword), n >= more)
	}
	equal(t, good(201, auth.ResetPassword), true)
	equal(t, good(202, auth.VerifyEmail), true)
}

func useLink(t *testing.T, s auth.Store) {
	ctx := t.Context()
	u := user("a@example.com", "")
	ok(t, s.CreateUser(ctx, u))
	bystander := addSession(t, s, addUser(t, s), nil)
	check := func(verified bool, password string) {
		t.Helper()
		want := u
		want.EmailVerified, want.Password = verified, password
		got, err := s.User(ctx, u.ID)
		ok(t, err)
		equal(t, got, want)
	}
	for n, p := range []auth.Purpose{auth.VerifyEmail, auth.VerifyEmail, auth.ResetPassword, auth.ResetPassword, auth.ResetPassword} {
		ok(t, s.AddLink(ctx, link(n, u, p)))
	}
	one, two := addSession(t, s, u.ID, nil), addSession(t, s, u.ID, nil)
	gone := auth.ErrLinkExpired
	is(t, s.VerifyEmail(ctx, auth.Hash{2}, noon), gone)
	is(t, s.VerifyEmail(ctx, auth.Hash{0}, noon.Add(time.Hour)), gone)
	is(t, s.ResetPassword(ctx, auth.Hash{0}, "new", noon), gone)
	is(t, s.ResetPassword(ctx, auth.Hash{2}, "new", noon.Add(time.Hour)), gone)
	check(false, "hash")
	ok(t, s.ResetPassword(ctx, auth.Hash{2}, "new", noon))
	check(true, "new")
	for _, ended := range []auth.Session{one, two} {
		got, err := s.Session(ctx, ended.ID)
		ok(t, err)
		ended.EndedAt = new(noon)
		equal(t, got, ended)
	}
	got, err := s.Session(ctx, bystander.ID)
	ok(t, err)
	equal(t, got, bystander)
	for n := range 3 {
		is(t, s.ResetPassword(ctx, auth.Hash{byte(2 + n)}, "newer", noon), gone)
	}
	ok(t, s.VerifyEmail(ctx, auth.Hash{0}, noon))
	is(t, s.VerifyEmail(ctx, auth.Hash{0}, noon), gone)
	ok(t, s.VerifyEmail(ctx, auth.Hash{1}, noon))
	check(true, "new")

	ok(t, s.AddLink(ctx, link(5, u, auth.ResetPassword)))
	ok(t, s.AddLink(ctx, link(6, u, auth.VerifyEmail)))
	_, err = s.ChangePassword(ctx, u.ID, "new", "newest", one.ID, noon)
	ok(t, err)
	is(t, s.ResetPassword(ctx, auth.Hash{5}, "newer", noon), gone)
	ok(t, s.VerifyEmail(ctx, auth.Hash{6}, noon))
	check(true, "newest")
}

// resetPasswordAtOnce: a link serves once, and so do all of a user's.
func resetPasswordAtOnce(t *testing.T, s auth.Store) {
	ctx := t.Context()
	u := user("a@example.com", "")
	ok(t, s.CreateUser(ctx, u))
	for n := range 4 {
		ok(t, s.AddLink(ctx, link(n, u, auth.ResetPassword)))
	}
	oneWins(t, atOnce(16, func(i int) error {
		return s.ResetPassword(ctx, auth.Hash{byte(i % 4)}, number("hash", i), noon)
	}), auth.ErrLinkExpired)
}

func wantLink(t *testing.T, s auth.Store) {
	ctx := t.Context()
	u, other, disabled := user("a@example.com", ""), user("b@example.com", ""), user("", "")
	disabled.Disabled = true
	for _, one := range []auth.User{u, other, disabled} {
		ok(t, s.CreateUser(ctx, one))
	}
	refused := errors.New("refused")
	have := func(u auth.User, p auth.Purpose, want, now auth.Attempts, returns error) {
		t.Helper()
		is(t, s.WantLink(ctx, u.ID, p, func(a *auth.Attempts) error {
			equal(t, *a, want)
			*a = now
			return returns
		}), returns)
	}
	zero := auth.Attempts{}
	one := auth.Attempts{Failures: 1, Last: noon, Until: noon.Add(time.Second)}
	two := auth.Attempts{Failures: 2, Last: noon.Add(time.Hour)}
	have(u, auth.VerifyEmail, zero, one, refused)
	have(u, auth.VerifyEmail, zero, one, nil)
	have(u, auth.VerifyEmail, one, two, nil)
	have(u, auth.VerifyEmail, two, zero, refused)
	have(u, auth.VerifyEmail, two, zero, nil)
	have(u, auth.ResetPassword, zero, one, nil)
	have(other, auth.VerifyEmail, zero, zero, nil)
	for _, user := range []auth.User{disabled, user("", "")} {
		is(t, s.WantLink(ctx, user.ID, auth.VerifyEmail, func(*auth.Attempts) error { t.Error("change was called"); return nil }), auth.ErrNoUser)
	}
	const goroutines, times = 8, 5
	ok(t, errors.Join(atOnce(goroutines, func(int) error {
		for range times {
			if err := s.WantLink(ctx, other.ID, auth.ResetPassword, func(a *auth.Attempts) error { a.Failures++; return nil }); err != nil {
				return err
			}
		}
		return nil
	})...))
	have(other, auth.ResetPassword, auth.Attempts{Failures: goroutines * times}, zero, nil)
}
