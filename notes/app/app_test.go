package app

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/server/servertest"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notes"
)

// Somebody is found by what is known to be theirs.
func TestPeople(t *testing.T) {
	t.Parallel()
	away := errors.New("disk on fire")
	var found auth.Account
	var answer error
	find := func(context.Context, auth.FindRequest) (auth.Account, error) { return found, answer }
	s := servertest.Serve(t, []transport.Route{
		transport.Get("/internal/v1/auth/users", endpoint.New(find, "Find a user.").Named("FindUser").Internal()),
	}, nil, nil)
	p := people{auth.NewClient(s.Over)}
	user := func(edits ...func(*auth.Account)) auth.Account {
		a := auth.Account{User: auth.User{ID: uuid.New(), Name: "Ann", Email: new("ann@example.com"), Username: new("Ann"), Roles: []string{}}}
		for _, edit := range edits {
			edit(&a)
		}
		return a
	}
	verified := func(a *auth.Account) { a.User.EmailVerified = true }
	closed := func(a *auth.Account) { a.Closed = true }
	nameless := func(a *auth.Account) { a.User.Username = nil }
	for name, tt := range map[string]struct {
		login string
		user  auth.Account
		is    bool
	}{
		"verified email":            {"ANN@example.com", user(verified), true},
		"verified, no username":     {"ann@example.com", user(verified, nameless), true},
		"unverified email":          {"ann@example.com", user(), false},
		"unverified, no username":   {"ann@example.com", user(nameless), false},
		"username, unverified":      {"Ann", user(), true},
		"username, of another form": {"Ａnn", user(), true},
		"verified, closed":          {"ann@example.com", user(verified, closed), false},
		"username, closed":          {"Ann", user(closed), false},
	} {
		found, answer = tt.user, nil
		got, err := p.FindUser(t.Context(), tt.login)
		if want := (notes.Person{ID: tt.user.User.ID, Name: "Ann"}); tt.is && (err != nil || got != want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if !tt.is && (!errors.Is(err, notes.ErrNoPerson) || got != notes.Person{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	answer = auth.ErrNoUser
	if _, err := p.FindUser(t.Context(), "nobody"); !errors.Is(err, notes.ErrNoPerson) {
		t.Errorf("nobody: %v", err)
	}
	answer = away
	if _, err := p.FindUser(t.Context(), "ann"); err == nil || errors.Is(err, notes.ErrNoPerson) {
		t.Errorf("when that cannot be known: %v", err)
	}
}
