package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/event"
)

// something is an event for the suite.
var something = event.Define[happening]("something.happened", 1, "Something happened.")

type happening struct {
	N int `json:"n"`
}

func happened(t testing.TB, subject uuid.UUID, n int) event.Message {
	t.Helper()
	m, err := something.About(t.Context(), subject, happening{n})
	ok(t, err)
	return m
}

// silent makes of a function what UpdateSession takes.
func silent(change func(*auth.Session) error) func(*auth.Session) ([]event.Message, error) {
	return func(one *auth.Session) ([]event.Message, error) { return nil, change(one) }
}

// told returns the events that were written since it was last called: "1" for
// what happened with that number, "ended" and the session's id.
func told(t *testing.T, s auth.Store, subject uuid.UUID) (list []string) {
	t.Helper()
	_, err := s.Outbox().Pass(t.Context(), 1000, func(b event.Batch) error {
		for _, m := range b.Messages {
			var n happening
			var ending auth.Ending
			switch m.Type {
			case something.Type():
				ok(t, json.Unmarshal(m.Data, &n))
				list = append(list, fmt.Sprint(n.N))
			case auth.SessionEnded.Type():
				ok(t, json.Unmarshal(m.Data, &ending))
				list = append(list, "ended "+ending.Session.String())
			default:
				t.Errorf("told of %s", m.Type)
			}
			equal(t, m.Subject, subject)
		}
		return nil
	})
	ok(t, err)
	return list
}

// ends are the events of sessions that end, in the order of their ids.
func ends(sessions ...auth.Session) (list []string) {
	for _, one := range sessions {
		list = append(list, "ended "+one.ID.String())
	}
	return list
}

// eventsOfChanges: an event is there exactly when its change is, and so is
// that a session has ended.
func eventsOfChanges(t *testing.T, s auth.Store) {
	ctx := t.Context()
	u := user("a@example.com", "")
	refused := errors.New("refused")
	n := 0
	next := func() event.Message { n++; return happened(t, u.ID, n) }
	check := func(what string, err, want error, ends ...string) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", what, err, want)
		}
		got := told(t, s, u.ID)
		if want == nil && (len(got) == 0 || got[0] != fmt.Sprint(n)) || want != nil && len(got) > 0 {
			t.Errorf("%s, %v: told %q", what, want, got)
		}
		if want == nil {
			got = got[min(1, len(got)):]
			slices.Sort(got)
			if strings.Join(got, " ") != strings.Join(ends, " ") {
				t.Errorf("%s: told %q, want %q", what, got, ends)
			}
		}
	}
	check("CreateUser", s.CreateUser(ctx, u, next()), nil)
	check("CreateUser, there", s.CreateUser(ctx, u, next()), auth.ErrUserExists)
	check("CreateUser, email taken", s.CreateUser(ctx, user("a@example.com", ""), next()), auth.ErrEmailTaken)

	one, two, three := session(u.ID), session(u.ID), session(u.ID)
	for _, o := range []auth.Session{one, two, three} {
		check("CreateSession", s.CreateSession(ctx, o, "hash", next()), nil)
	}
	check("CreateSession, wrong hash", s.CreateSession(ctx, session(u.ID), "other", next()), auth.ErrNoUser)
	update := func(end bool, err error) error {
		return s.UpdateSession(ctx, one.ID, func(o *auth.Session) ([]event.Message, error) {
			o.Generation++
			if end {
				o.EndedAt = new(noon)
			}
			return []event.Message{next()}, err
		})
	}
	check("UpdateSession", update(false, nil), nil)
	check("UpdateSession, refused", update(true, refused), refused)
	check("UpdateSession, ends", update(true, nil), nil, ends(one)...)
	check("UpdateSession, ended before", update(true, nil), nil)
	changePassword := func(old string) error {
		replaced, err := s.ChangePassword(ctx, u.ID, old, "second", two.ID, noon, next())
		if err == nil && !replaced {
			return refused
		}
		return err
	}
	check("ChangePassword, of another", changePassword("other"), refused)
	check("ChangePassword", changePassword("hash"), nil, ends(three)...)
	want := func(err error) error {
		return s.WantLink(ctx, u.ID, auth.VerifyEmail, func(a *auth.Attempts) error { a.Failures++; return err }, next())
	}
	check("WantLink", want(nil), nil)
	check("WantLink, refused", want(refused), refused)
	ok(t, s.AddLink(ctx, link(1, u, auth.ResetPassword)))
	check("ResetPassword, unknown", s.ResetPassword(ctx, auth.Hash{2}, "third", noon, next()), auth.ErrLinkExpired)
	check("ResetPassword", s.ResetPassword(ctx, auth.Hash{1}, "third", noon, next()), nil, ends(two)...)
	check("ResetPassword, again", s.ResetPassword(ctx, auth.Hash{1}, "third", noon, next()), auth.ErrLinkExpired)

	// What comes without an event.
	_, err := s.SetPassword(ctx, u.ID, "third", "fourth")
	ok(t, err)
	ok(t, s.AddLink(ctx, link(1, u, auth.VerifyEmail)))
	ok(t, s.VerifyEmail(ctx, auth.Hash{1}, noon))
	_, err = s.ImportUsers(ctx, []auth.User{user("b@example.com", "")})
	ok(t, err)
	equal(t, told(t, s, u.ID), []string(nil))

	first := addSession(t, s, u.ID, func(o *auth.Session) { o.LastSeenAt = noon.Add(-time.Hour) })
	for range auth.MaxSessions {
		addSession(t, s, u.ID, nil)
	}
	equal(t, told(t, s, u.ID), ends(first))
	picked, err := s.EndSessions(ctx, u.ID, noon, func(o auth.Session) bool { return o.ID[15]%2 == 0 })
	ok(t, err)
	var all []string
	for _, id := range picked {
		all = append(all, "ended "+id.String())
	}
	equal(t, told(t, s, u.ID), all)
}

// eventsOfClosing: a user is closed once and erased once. What was not told
// of them by then never is.
func eventsOfClosing(t *testing.T, s auth.Store) {
	ctx := t.Context()
	u, disabled, other := user("a@example.com", ""), user("", ""), user("", "")
	disabled.Disabled = true
	ok(t, s.CreateUser(ctx, u))
	ok(t, s.CreateUser(ctx, disabled))
	one, two := addSession(t, s, u.ID, nil), addSession(t, s, u.ID, func(o *auth.Session) { o.ExpiresAt = noon.Add(-time.Hour) })
	addSession(t, s, u.ID, func(o *auth.Session) { o.EndedAt = new(noon) })
	ok(t, s.CloseUser(ctx, u.ID, noon, happened(t, u.ID, 1)))
	got := told(t, s, u.ID)
	slices.Sort(got)
	equal(t, got, append([]string{"1"}, ends(one, two)...))
	ok(t, s.CloseUser(ctx, u.ID, noon, happened(t, u.ID, 2)))
	ok(t, s.CloseUser(ctx, disabled.ID, noon, happened(t, disabled.ID, 2)))
	is(t, s.CloseUser(ctx, id(), noon, happened(t, u.ID, 2)), auth.ErrNoUser)
	equal(t, told(t, s, u.ID), []string(nil))

	left := user("left@example.com", "")
	ok(t, s.CreateUser(ctx, left, happened(t, left.ID, 3)))
	addSession(t, s, left.ID, nil)
	erase := func(user uuid.UUID, n int) {
		t.Helper()
		_, err := s.EraseUser(ctx, user, noon, happened(t, user, n))
		ok(t, err)
	}
	erase(left.ID, 4)
	equal(t, told(t, s, left.ID), []string{"4"})
	erase(left.ID, 5)
	equal(t, told(t, s, left.ID), []string(nil))

	ok(t, s.CreateUser(ctx, other, happened(t, other.ID, 6)))
	erase(id(), 7)
	equal(t, told(t, s, other.ID), []string{"6"})
}
