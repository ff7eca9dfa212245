// Package storetest is the suite that every auth.Store passes.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/transport"
)

// Run tests a kind of store. open returns a new, empty one, which it closes
// when the test ends.
func Run(t *testing.T, open func(t *testing.T) auth.Store) {
	for name, test := range map[string]func(*testing.T, auth.Store){
		"CreateUser":            createUser,
		"UserIsKeptWhole":       userIsKeptWhole,
		"NamesAreOnePerson's":   namesAreOnePersons,
		"SignUpAtOnce":          signUpAtOnce,
		"NameAgainstEmail":      nameAgainstEmail,
		"FindUser":              findUser,
		"ImportUsers":           importUsers,
		"ImportOddUsers":        importOddUsers,
		"ImportAndSignUp":       importAndSignUp,
		"SetPassword":           setPassword,
		"SessionIsKeptWhole":    sessionIsKeptWhole,
		"UpdateSession":         updateSession,
		"SessionNeedsPassword":  sessionNeedsPassword,
		"MaxSessions":           maxSessions,
		"ChangePassword":        changePassword,
		"UpdateSessionAtOnce":   updateSessionAtOnce,
		"Sessions":              sessions,
		"EndSessions":           endSessions,
		"EndSessionsAtOnce":     endSessionsAtOnce,
		"Ended":                 ended,
		"KnowsDevice":           knowsDevice,
		"HadSession":            hadSession,
		"AllSessions":           allSessions,
		"Events":                eventsOfChanges,
		"EventsOfClosing":       eventsOfClosing,
		"Links":                 links,
		"MaxLinks":              maxLinks,
		"UseLink":               useLink,
		"ResetPasswordAtOnce":   resetPasswordAtOnce,
		"WantLink":              wantLink,
		"CloseUser":             closeUser,
		"CloseUserAtOnce":       closeUserAtOnce,
		"EraseUser":             eraseUser,
		"UpdateKeys":            updateKeys,
		"UpdateKeysAtOnce":      updateKeysAtOnce,
		"Attempts":              attempts,
		"AttemptsAtOnce":        attemptsAtOnce,
		"Purge":                 purge,
		"PurgeMany":             purgeMany,
		"CanceledContext":       canceledContext,
		"KeeperAndPing":         keeperAndPing,
		"ChangeGetsACopyOfKeys": changeGetsACopyOfKeys,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// moments are times that a store has to keep: now, before 1970, to the
// microsecond, in another zone, and none.
var moments = []time.Time{
	time.Date(2024, 2, 29, 23, 59, 59, 999_999_000, time.UTC),
	time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
	time.Date(1815, 12, 10, 1, 2, 3, 4_000, time.UTC),
	time.Date(2024, 7, 1, 12, 0, 0, 123_456_789, time.FixedZone("", 5*3600+1800)),
	time.Date(1901, 7, 1, 12, 0, 0, 999_999_999, time.FixedZone("", -8*3600)),
	{},
}

// kept is a time as it comes back.
func kept(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }

var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

func id() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// user returns a user with an email and a username; "" is none.
func user(email, username string) auth.User {
	u := auth.User{ID: id(), Name: "Ada", Roles: []string{"user"}, CreatedAt: noon, Password: "hash"}
	if email != "" {
		u.Email = &email
	}
	if username != "" {
		u.Username = &username
	}
	return u
}

// addUser adds a user of no name and returns the id.
func addUser(t testing.TB, s auth.Store) uuid.UUID {
	t.Helper()
	u := user("", "")
	ok(t, s.CreateUser(t.Context(), u))
	return u.ID
}

// session returns a session of a user that lives for a day from noon.
func session(user uuid.UUID) auth.Session {
	return auth.Session{ID: id(), User: user, CreatedAt: noon, LastSeenAt: noon, ExpiresAt: noon.AddDate(0, 0, 1),
		Chain: []byte("chain"), Current: []byte("current"), Salt: []byte("salt"), RotatedAt: noon}
}

// addSession adds a session that with has changed.
func addSession(t testing.TB, s auth.Store, user uuid.UUID, with func(*auth.Session)) auth.Session {
	t.Helper()
	one := session(user)
	if with != nil {
		with(&one)
	}
	ok(t, s.CreateSession(t.Context(), one, hashOf(t, s, user)))
	return one
}

// hashOf is a user's password hash.
func hashOf(t testing.TB, s auth.Store, user uuid.UUID) string {
	t.Helper()
	u, err := s.User(t.Context(), user)
	ok(t, err)
	return u.Password
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is checks an error; want nil is none.
func is(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got error %v, want %v", got, want)
	}
}

func equal(t testing.TB, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// atOnce runs f in n goroutines, which start together, and returns their errors.
func atOnce(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	all.Wait()
	return errs
}

// oneWins checks that one of the goroutines got no error and the others lost.
func oneWins(t *testing.T, errs []error, lost ...error) {
	t.Helper()
	won := 0
next:
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		for _, l := range lost {
			if errors.Is(err, l) {
				continue next
			}
		}
		t.Error(err)
	}
	if won != 1 {
		t.Errorf("%d won, want 1", won)
	}
}

func canceledContext(t *testing.T, s auth.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	one := session(addUser(t, s))
	newcomer := user("new@example.com", "new")
	called := func() { t.Error("change was called") }
	for name, call := range map[string]func() error{
		"CreateUser":    func() error { return s.CreateUser(ctx, newcomer) },
		"ImportUsers":   func() error { _, err := s.ImportUsers(ctx, []auth.User{newcomer}); return err },
		"User":          func() error { _, err := s.User(ctx, one.User); return err },
		"FindUser":      func() error { _, err := s.FindUser(ctx, "a", "b"); return err },
		"SetPassword":   func() error { _, err := s.SetPassword(ctx, one.User, "hash", "new"); return err },
		"CreateSession": func() error { return s.CreateSession(ctx, one, "") },
		"Session":       func() error { _, err := s.Session(ctx, one.ID); return err },
		"UpdateSession": func() error {
			return s.UpdateSession(ctx, one.ID, silent(func(*auth.Session) error { called(); return nil }))
		},
		"Sessions": func() error { _, err := s.Sessions(ctx, one.User, noon); return err },
		"EndSessions": func() error {
			_, err := s.EndSessions(ctx, one.User, noon, func(auth.Session) bool { called(); return true })
			return err
		},
		"Ended":         func() error { _, err := s.Ended(ctx, noon); return err },
		"HadSession":    func() error { _, err := s.HadSession(ctx, one.User); return err },
		"AllSessions":   func() error { _, err := s.AllSessions(ctx, one.User); return err },
		"AddLink":       func() error { return s.AddLink(ctx, link(1, newcomer, auth.VerifyEmail)) },
		"LinkUser":      func() error { _, err := s.LinkUser(ctx, auth.Hash{1}, auth.VerifyEmail, noon); return err },
		"VerifyEmail":   func() error { return s.VerifyEmail(ctx, auth.Hash{1}, noon) },
		"ResetPassword": func() error { return s.ResetPassword(ctx, auth.Hash{1}, "hash", noon) },
		"WantLink": func() error {
			return s.WantLink(ctx, one.User, auth.VerifyEmail, func(*auth.Attempts) error { called(); return nil })
		},
		"CloseUser":   func() error { return s.CloseUser(ctx, one.User, noon) },
		"EraseUser":   func() error { _, err := s.EraseUser(ctx, one.User, noon); return err },
		"KnowsDevice": func() error { _, err := s.KnowsDevice(ctx, one.User, []byte("device")); return err },
		"ChangePassword": func() error {
			_, err := s.ChangePassword(ctx, one.User, "hash", "new", one.ID, noon)
			return err
		},
		"UpdateKeys": func() error {
			_, err := s.UpdateKeys(ctx, func(k []auth.Key) []auth.Key { called(); return k })
			return err
		},
		"Attempts": func() error {
			return s.Attempts(ctx, []auth.Hash{{1}}, func([]auth.Attempts) error { called(); return nil })
		},
		"Purge": func() error { return s.Purge(ctx, noon, noon) },
		"Ping":  func() error { return s.Ping(ctx) },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want that the context is canceled", name, err)
		}
	}
	_, err := s.User(t.Context(), newcomer.ID)
	is(t, err, auth.ErrNoUser)
	_, err = s.Session(t.Context(), one.ID)
	is(t, err, auth.ErrNoSession)
}

func keeperAndPing(t *testing.T, s auth.Store) {
	ok(t, s.Ping(t.Context()))
	for _, want := range []transport.KeyState{transport.Claimed, transport.Running} {
		got, err := s.Keeper().Begin(t.Context(), transport.Hash{1}, id(), transport.Hash{2})
		ok(t, err)
		equal(t, got.State, want)
	}
}

// number names the i-th of many.
func number(what string, i int) string { return fmt.Sprintf("%s%04d", what, i) }
