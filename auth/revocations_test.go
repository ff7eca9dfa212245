package auth_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/server/servertest"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/token"
)

const (
	keysURL  = "http://auth/.well-known/jwks.json"
	endedURL = "http://auth/internal/v1/auth/revocations"
)

// other is a verifier as another service has it: it follows this one over HTTP.
func (s served) other(t *testing.T) *token.Verifier {
	t.Helper()
	ended := token.NewRevocations()
	ctx, cancel := context.WithCancel(context.Background())
	var following sync.WaitGroup
	following.Go(func() { ended.Follow(ctx, endedURL, s.over, func(error) {}) })
	t.Cleanup(func() { cancel(); following.Wait() })
	return s.verifier(ended)
}

func (s served) verifier(ended *token.Revocations) *token.Verifier {
	v := token.NewVerifier(token.NewRemote(keysURL, s.over), servertest.Issuer, servertest.Audience)
	v.Heed(ended)
	return v
}

func lives(t *testing.T, v *token.Verifier, tokens ...auth.Tokens) {
	t.Helper()
	for _, one := range tokens {
		if c, err := v.Verify(t.Context(), one.AccessToken); err != nil || c.ID != one.User.ID.String() {
			t.Errorf("a session that lives: %+v, %v", c, err)
		}
	}
}

// dies waits until a token is refused because its session has ended.
func dies(t *testing.T, v *token.Verifier, tokens ...auth.Tokens) {
	t.Helper()
	for _, one := range tokens {
		testenv.Eventually(t, "an ended session is refused", func() bool {
			_, err := v.Verify(t.Context(), one.AccessToken)
			if err != nil && !errors.Is(err, token.ErrRevoked) {
				t.Fatal(err)
			}
			return err != nil
		})
	}
}

// However a session ends, other services refuse it, and no other session; so
// do those that follow another instance, and those that come later.
func TestEndsAreTold(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		here, there := serve(t, store), serve(t, store)
		login := auth.LoginRequest{Login: "ann@example.com", Password: goodPassword}
		first := signup(t, here.Client, login.Login)
		bob := signup(t, here.Client, "bob@example.com")
		logIn := func() auth.Tokens {
			t.Helper()
			tokens, err := here.Login(t.Context(), login)
			if err != nil {
				t.Fatal(err)
			}
			return tokens
		}
		verifiers := []*token.Verifier{here.other(t), there.other(t), here.verifier(here.ended), there.verifier(there.ended)}
		for _, tt := range []struct {
			name string
			end  func(one, two auth.Tokens) error
			dies func(one, two auth.Tokens) (dead, alive []auth.Tokens)
		}{
			{"logout", func(one, _ auth.Tokens) error { return here.Logout(as(t, one), auth.LogoutRequest{}) }, onlyOne},
			{"logout of the others", func(_, two auth.Tokens) error {
				return here.Logout(as(t, two), auth.LogoutRequest{Scope: "others"})
			}, onlyOne},
			{"logout everywhere", func(one, _ auth.Tokens) error {
				return here.Logout(as(t, one), auth.LogoutRequest{Scope: "all"})
			}, both},
			{"ended from another", func(one, two auth.Tokens) error {
				page, err := here.ListSessions(as(t, one))
				if err != nil {
					return err
				}
				for _, s := range page.Data {
					if s.Current {
						return here.EndSession(as(t, two), auth.SessionRequest{ID: s.ID})
					}
				}
				return errors.New("no session is the current one")
			}, onlyOne},
			{"a refresh token is used twice", func(one, _ auth.Tokens) error {
				next := one
				for range 2 {
					var err error
					if next, err = here.Refresh(t.Context(), auth.RefreshRequest{RefreshToken: next.RefreshToken}); err != nil {
						return err
					}
				}
				if _, err := here.Refresh(t.Context(), auth.RefreshRequest{RefreshToken: one.RefreshToken}); !errors.Is(err, auth.ErrRefreshReused) {
					return fmt.Errorf("the reuse was not noticed: %w", err)
				}
				return nil
			}, onlyOne},
			{"the password changes", func(_, two auth.Tokens) error {
				login.Password += "-new"
				return here.ChangePassword(as(t, two), auth.PasswordRequest{Current: goodPassword, New: login.Password})
			}, onlyOne},
		} {
			t.Run(tt.name, func(t *testing.T) {
				one, two := logIn(), logIn()
				for _, v := range verifiers {
					lives(t, v, one, two)
				}
				if err := tt.end(one, two); err != nil {
					t.Fatal(err)
				}
				dead, alive := tt.dies(one, two)
				for _, v := range append(verifiers, here.other(t), there.other(t)) {
					dies(t, v, dead...)
					lives(t, v, alive...)
				}
			})
		}
		for _, v := range verifiers {
			dies(t, v, first)
			lives(t, v, bob)
		}
	})
}

func onlyOne(one, two auth.Tokens) (dead, alive []auth.Tokens) {
	return []auth.Tokens{one}, []auth.Tokens{two}
}
func both(one, two auth.Tokens) (dead, alive []auth.Tokens) { return []auth.Tokens{one, two}, nil }

// An end that comes to the store late, or by a clock that is wrong, is told as
// well; one that is of no matter any more is not.
func TestEndsOfOtherClocks(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		v := c.other(t)
		owner := signup(t, c.Client, "ann@example.com")
		var all []auth.Tokens
		var told []string
		for _, late := range []time.Duration{-time.Hour, -time.Minute, 10 * time.Second, 5 * time.Minute, 12 * time.Minute} {
			tokens, err := c.Login(t.Context(), auth.LoginRequest{Login: "ann@example.com", Password: goodPassword})
			if err != nil {
				t.Fatal(err)
			}
			caller, err := v.Verify(t.Context(), tokens.AccessToken)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := store.EndSessions(t.Context(), owner.User.ID, time.Now().Add(-late), func(s auth.Session) bool { return s.ID.String() == caller.Session }); err != nil {
				t.Fatal(err)
			}
			all, told = append(all, tokens), append(told, caller.Session)
		}
		dies(t, v, all[:4]...)
		lives(t, v, all[4], owner)

		s, body := c.listen(t)
		defer body.Close()
		seconds := map[string]int64{}
		for one := s.next(t); !one.Complete; one = s.next(t) {
			seconds[one.Session] = one.Seconds
		}
		for i, within := range [][2]int64{{600, 661}, {600, 661}, {590, 651}, {300, 361}, {0, 0}} {
			if got := seconds[told[i]]; got < within[0] || got > within[1] {
				t.Errorf("the %d-th is told for %d s, want %d to %d", i, got, within[0], within[1])
			}
		}
		if len(seconds) != 4 {
			t.Errorf("told: %v", seconds)
		}
	})
}

// listen begins a stream.
func (s served) listen(t *testing.T) (stream, io.Closer) {
	t.Helper()
	res := s.ask(t, http.MethodGet)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("the stream is %s %s", res.Status, res.Header.Get("Content-Type"))
	}
	return stream{bufio.NewScanner(res.Body)}, res.Body
}

func (s served) ask(t *testing.T, method string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, endedURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.over.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

type stream struct{ lines *bufio.Scanner }

func (s stream) next(t *testing.T) (one token.Revocation) {
	t.Helper()
	if !s.lines.Scan() {
		t.Fatalf("the stream ended: %v", s.lines.Err())
	}
	if err := json.Unmarshal(s.lines.Bytes(), &one); err != nil {
		t.Errorf("%v in %q", err, s.lines.Bytes())
	}
	return one
}

// A stream goes on with signs of life, and ends when the service drains.
func TestStreamUntilDraining(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		if res := c.ask(t, http.MethodHead); res.StatusCode != http.StatusOK {
			t.Errorf("HEAD answers %s", res.Status)
		}
		s, body := c.listen(t)
		defer body.Close()
		if one := s.next(t); !one.Complete {
			t.Errorf("first told: %+v", one)
		}
		for range 3 {
			if one := s.next(t); one != (token.Revocation{}) {
				t.Errorf("told: %+v", one)
			}
		}
		c.drain()
		for s.lines.Scan() {
		}
		if err := s.lines.Err(); err != nil {
			t.Errorf("the stream broke off: %v", err)
		}
		s, body = c.listen(t) // whoever comes yet is told what there is
		defer body.Close()
		if one := s.next(t); !one.Complete || s.lines.Scan() || s.lines.Err() != nil {
			t.Errorf("told: %+v, and %q, %v", one, s.lines.Bytes(), s.lines.Err())
		}
	})
}

// An instance that cannot ask its store tells nothing, and then refuses to:
// it does not know what another has ended.
func TestStoreAway(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		failing := &failingStore{Store: store}
		var failures atomic.Int64
		c := serveFailing(t, failing, func(error) { failures.Add(1) })
		v := c.other(t)
		one, two := signup(t, c.Client, "one@example.com"), signup(t, c.Client, "two@example.com")
		lives(t, v, one, two)
		for round := range int64(2) {
			failing.away.Store(true)
			testenv.Eventually(t, "it refuses", func() bool {
				res := c.ask(t, http.MethodGet)
				defer res.Body.Close()
				return res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") != ""
			})
			if failures.Load() != round+1 {
				t.Errorf("told of %d failures, want %d", failures.Load(), round+1)
			}
			lives(t, v, two) // what is known stands
			failing.away.Store(false)
			if round == 0 {
				if err := c.Logout(as(t, one), auth.LogoutRequest{}); err != nil {
					t.Fatal(err)
				}
			}
			dies(t, v, one)
		}
	})
}

// failingStore cannot say which sessions have ended, now and then.
type failingStore struct {
	auth.Store
	away atomic.Bool
}

func (s *failingStore) Ended(ctx context.Context, after time.Time) ([]auth.Ended, error) {
	if s.away.Load() {
		return nil, errors.New("the store is away")
	}
	return s.Store.Ended(ctx, after)
}

// Many ends, many listeners: all hear all.
func TestManyListeners(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		owner := auth.User{ID: uuid.New(), Roles: []string{}, Password: "hash", CreatedAt: time.Now()}
		if err := store.CreateUser(t.Context(), owner); err != nil {
			t.Fatal(err)
		}
		const listeners, sessions = 8, 60
		var all sync.WaitGroup
		for range listeners {
			s, body := c.listen(t)
			all.Go(func() {
				defer body.Close()
				heard := map[string]bool{}
				for len(heard) < sessions && s.lines.Scan() {
					var one token.Revocation
					if err := json.Unmarshal(s.lines.Bytes(), &one); err != nil {
						t.Error(err)
					}
					if heard[one.Session] {
						t.Errorf("%s is told twice", one.Session)
					}
					if one.Session != "" {
						heard[one.Session] = true
					}
				}
				if len(heard) != sessions {
					t.Errorf("%d were told, want %d: %v", len(heard), sessions, s.lines.Err())
				}
			})
		}
		now := time.Now()
		for range sessions {
			one := auth.Session{ID: uuid.Must(uuid.NewV7()), User: owner.ID, CreatedAt: now, LastSeenAt: now, RotatedAt: now, ExpiresAt: now.Add(time.Hour), Chain: []byte{1}, Current: []byte{1}}
			if err := store.CreateSession(t.Context(), one, "hash"); err != nil {
				t.Fatal(err)
			}
			if _, err := store.EndSessions(t.Context(), owner.ID, time.Now(), func(auth.Session) bool { return true }); err != nil {
				t.Fatal(err)
			}
		}
		all.Wait()
	})
}
