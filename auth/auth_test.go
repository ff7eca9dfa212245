package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/auth/password"
	"github.com/trellis-go/trellis/auth/postgres"
	"github.com/trellis-go/trellis/auth/sqlite"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/server/servertest"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
)

// onStores runs a test on every store.
func onStores(t *testing.T, test func(*testing.T, auth.Store)) {
	testenv.OnStores(t, test, map[string]func(testing.TB) auth.Store{
		"sqlite": func(t testing.TB) auth.Store {
			return testenv.Open(t, sqlite.Open, filepath.Join(t.TempDir(), "auth.db"))
		},
		"postgres": func(t testing.TB) auth.Store { return testenv.Open(t, postgres.Open, testenv.Postgres(t)) },
	})
}

// served is the auth service behind real HTTP.
type served struct {
	auth.Client
	url   string
	over  http.RoundTripper
	ended *token.Revocations // as the service itself knows them
	drain func()
}

func serve(t *testing.T, store auth.Store, edits ...func(*transport.Route)) served {
	t.Helper()
	return serveFailing(t, store, func(err error) { t.Error(err) }, edits...)
}

// serveFailing is serve on a store that may fail to say which sessions have ended.
func serveFailing(t *testing.T, store auth.Store, failed func(error), edits ...func(*transport.Route)) served {
	t.Helper()
	keys, err := auth.OpenKeyring(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	draining, drain := context.WithCancel(context.Background())
	feed, err := auth.OpenFeed(t.Context(), store, draining.Done())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { feed.Run(ctx, failed) })
	t.Cleanup(func() { stop(); running.Wait() })
	service := auth.NewService(store, password.New(2), servertest.Signer, keys, feed)
	routes := auth.Routes(service)
	for i := range routes {
		for _, edit := range edits {
			edit(&routes[i])
		}
	}
	s := servertest.Serve(t, routes, store.Keeper(), keys)
	t.Cleanup(drain) // before the server closes: it waits for who follows
	return served{auth.NewClient(s.Over), s.URL, s.Over, feed.Revocations(), drain}
}

// from is the service as a program at an address sees it, with a User-Agent.
func (s served) from(addr, agent string) auth.Client {
	return auth.NewClient(disguise{s.over, addr, agent})
}

type disguise struct {
	over        http.RoundTripper
	addr, agent string
}

func (d disguise) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", d.addr)
	r.Header.Set("User-Agent", d.agent)
	return d.over.RoundTrip(r)
}

const goodPassword = "kupfer-dach-77"

func signup(t *testing.T, c auth.Client, email string) auth.Tokens {
	t.Helper()
	tokens, err := c.Signup(t.Context(), auth.SignupRequest{Email: email, Password: goodPassword, Name: "Ann"})
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func as(t *testing.T, tokens auth.Tokens) context.Context {
	t.Helper()
	return endpoint.WithToken(t.Context(), tokens.AccessToken)
}

func wantCode(t *testing.T, what string, err error, kind fault.Kind, code string) *fault.Error {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != kind || f.Code != code {
		t.Errorf("%s: got %v, want %d %s", what, err, kind, code)
		return &fault.Error{}
	}
	return f
}

func TestSignupAndLogin(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		tokens, err := c.Signup(t.Context(), auth.SignupRequest{Email: "Ann@Example.com", Password: goodPassword, Name: "Ann", Username: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		me, err := c.Me(as(t, tokens))
		if err != nil || *me.Email != "Ann@Example.com" || *me.Username != "ann" || me.Name != "Ann" || me.ID != tokens.User.ID {
			t.Errorf("me: %+v, %v", me, err)
		}
		if tokens.TokenType != "Bearer" || tokens.ExpiresIn != 600 {
			t.Errorf("tokens: %s for %d s", tokens.TokenType, tokens.ExpiresIn)
		}
		for _, login := range []string{"ann", "ann@example.com", "ANN@EXAMPLE.COM"} {
			if _, err := c.Login(t.Context(), auth.LoginRequest{Login: login, Password: goodPassword}); err != nil {
				t.Errorf("login as %q: %v", login, err)
			}
		}
		for _, login := range []string{"Ann", "ann@example.org", "nobody"} {
			_, err := c.Login(t.Context(), auth.LoginRequest{Login: login, Password: goodPassword})
			wantCode(t, login, err, fault.Unauthenticated, "invalid_credentials")
		}
		_, err = c.Login(t.Context(), auth.LoginRequest{Login: "ann", Password: goodPassword + "x"})
		wantCode(t, "wrong password", err, fault.Unauthenticated, "invalid_credentials")
		_, err = c.Me(t.Context())
		wantCode(t, "no token", err, fault.Unauthenticated, "token_missing")
	})
}

func TestSignupRefuses(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		signup(t, c.Client, "ann@example.com")
		_, err := c.Signup(t.Context(), auth.SignupRequest{Email: "ANN@example.com", Password: goodPassword})
		wantCode(t, "same email", err, fault.Conflict, "email_taken")
		for _, tt := range []struct {
			name          string
			r             auth.SignupRequest
			pointer, code string
		}{
			{"no email", auth.SignupRequest{Password: goodPassword}, "/email", "required"},
			{"not an email", auth.SignupRequest{Email: "ann", Password: goodPassword}, "/email", "not_an_email"},
			{"short", auth.SignupRequest{Email: "b@example.com", Password: "kupfer-77"}, "/password", "too_short"},
			{"long", auth.SignupRequest{Email: "b@example.com", Password: strings.Repeat("kupfer-77", 15)}, "/password", "too_long"},
			{"common", auth.SignupRequest{Email: "b@example.com", Password: "password123"}, "/password", "too_common"},
			{"email as username", auth.SignupRequest{Email: "b@example.com", Password: goodPassword, Username: "c@example.com"}, "/username", "not_allowed"},
			{"invisible username", auth.SignupRequest{Email: "b@example.com", Password: goodPassword, Username: "a\u200bb"}, "/username", "not_allowed"},
		} {
			_, err := c.Signup(t.Context(), tt.r)
			f := wantCode(t, tt.name, err, fault.Invalid, "invalid")
			if len(f.Fields) != 1 || f.Fields[0].Pointer != tt.pointer || f.Fields[0].Code != tt.code {
				t.Errorf("%s: names %+v, want %s %s", tt.name, f.Fields, tt.pointer, tt.code)
			}
		}
	})
}

func TestRefresh(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		refresh := func(c auth.Client, old auth.Tokens) (auth.Tokens, error) {
			return c.Refresh(t.Context(), auth.RefreshRequest{RefreshToken: old.RefreshToken})
		}
		must := func(c auth.Client, old auth.Tokens) auth.Tokens {
			t.Helper()
			next, err := refresh(c, old)
			if err != nil {
				t.Fatal(err)
			}
			if next.RefreshToken == old.RefreshToken {
				t.Error("a refresh token was not replaced")
			}
			return next
		}
		browser, thief := c.from("192.0.2.1", "browser"), c.from("198.51.100.9", "curl")

		t.Run("two tabs both go on", func(t *testing.T) {
			first := signup(t, browser, "tabs@example.com")
			var wg sync.WaitGroup
			next := make([]auth.Tokens, 8)
			for i := range next {
				wg.Go(func() {
					var err error
					if next[i], err = refresh(browser, first); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			for _, n := range next {
				if n.RefreshToken != next[0].RefreshToken {
					t.Error("two tabs have different tokens, and one of them is dead")
				}
			}
			must(browser, next[0])
		})
		t.Run("a lost answer is forgiven", func(t *testing.T) {
			first := signup(t, browser, "lost@example.com")
			lost := must(thief, first) // by a client that is not known, as long after
			again := must(browser, first)
			if lost.RefreshToken == again.RefreshToken {
				t.Error("the lost token still lives")
			}
			must(browser, again)
		})
		t.Run("an old token ends the session", func(t *testing.T) {
			first := signup(t, browser, "old@example.com")
			second := must(browser, first)
			third := must(browser, second)
			_, err := refresh(browser, first)
			wantCode(t, "reuse", err, fault.Unauthenticated, "refresh_reused")
			_, err = refresh(browser, third)
			wantCode(t, "after reuse", err, fault.Unauthenticated, "refresh_invalid")
		})
		t.Run("a thief and the owner cannot both go on", func(t *testing.T) {
			first := signup(t, browser, "thief@example.com")
			owners := must(browser, first)
			stolen := must(thief, first)
			_, err := refresh(browser, owners)
			wantCode(t, "the owner after the thief", err, fault.Unauthenticated, "refresh_reused")
			_, err = refresh(thief, stolen)
			wantCode(t, "the thief after that", err, fault.Unauthenticated, "refresh_invalid")
		})
		t.Run("what was never issued ends nothing", func(t *testing.T) {
			first := signup(t, browser, "forged@example.com")
			forged := first
			forged.RefreshToken = first.RefreshToken[:len(first.RefreshToken)-30] + strings.Repeat("A", 30)
			for _, text := range []string{forged.RefreshToken, "trr_", "x", first.AccessToken[:200]} {
				_, err := c.Refresh(t.Context(), auth.RefreshRequest{RefreshToken: text})
				wantCode(t, text, err, fault.Unauthenticated, "refresh_invalid")
			}
			must(browser, first)
		})
	})
}

func TestSessions(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		phone := signup(t, c.from("192.0.2.1", "phone"), "ann@example.com")
		login := func(agent string) auth.Tokens {
			t.Helper()
			tokens, err := c.from("192.0.2.2", agent).Login(t.Context(), auth.LoginRequest{Login: "ann@example.com", Password: goodPassword})
			if err != nil {
				t.Fatal(err)
			}
			return tokens
		}
		laptop, tablet := login("laptop"), login("tablet")
		devices := func() string {
			t.Helper()
			page, err := c.ListSessions(as(t, laptop))
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, s := range page.Data {
				name := s.Device
				if s.Current {
					name = "[" + name + "]"
				}
				names = append(names, name)
			}
			return strings.Join(names, " ")
		}
		if got := devices(); got != "tablet [laptop] phone" {
			t.Errorf("sessions: %s", got)
		}
		page, err := c.ListSessions(as(t, phone))
		if err != nil || page.Data[2].IP != "192.0.2.1" {
			t.Fatalf("sessions: %+v, %v", page, err)
		}
		bob := signup(t, c.Client, "bob@example.com")
		err = c.EndSession(as(t, bob), auth.SessionRequest{ID: page.Data[2].ID})
		wantCode(t, "another's session", err, fault.NotFound, "session_not_found")
		err = c.EndSession(as(t, laptop), auth.SessionRequest{ID: uuid.New()})
		wantCode(t, "no session", err, fault.NotFound, "session_not_found")
		if err := c.EndSession(as(t, laptop), auth.SessionRequest{ID: page.Data[2].ID}); err != nil {
			t.Fatal(err)
		}
		_, err = c.Refresh(t.Context(), auth.RefreshRequest{RefreshToken: phone.RefreshToken})
		wantCode(t, "an ended session", err, fault.Unauthenticated, "refresh_invalid")
		if got := devices(); got != "tablet [laptop]" {
			t.Errorf("sessions: %s", got)
		}
		if err := c.ChangePassword(as(t, laptop), auth.PasswordRequest{Current: goodPassword, New: "silber-first-88"}); err != nil {
			t.Fatal(err)
		}
		if got := devices(); got != "[laptop]" {
			t.Errorf("sessions after the password changed: %s", got)
		}
		_, err = c.Login(t.Context(), auth.LoginRequest{Login: "ann@example.com", Password: goodPassword})
		wantCode(t, "the old password", err, fault.Unauthenticated, "invalid_credentials")
		err = c.ChangePassword(as(t, laptop), auth.PasswordRequest{Current: goodPassword, New: "silber-first-99"})
		if f := wantCode(t, "a wrong current password", err, fault.Invalid, "invalid"); len(f.Fields) != 1 || f.Fields[0].Pointer != "/current_password" {
			t.Errorf("names %+v", f.Fields)
		}
		if err := c.Logout(as(t, laptop), auth.LogoutRequest{}); err != nil {
			t.Fatal(err)
		}
		_, err = c.Me(as(t, laptop))
		wantCode(t, "after logout", err, fault.Unauthenticated, "session_ended")
		_, err = c.Me(as(t, tablet))
		wantCode(t, "a session that the new password ended", err, fault.Unauthenticated, "session_ended")
	})
}

func TestGuessing(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		signup(t, c.Client, "ann@example.com")
		guess := func(addr, login, text string) error {
			_, err := c.from(addr, "curl").Login(t.Context(), auth.LoginRequest{Login: login, Password: text})
			return err
		}
		for _, login := range []string{"ann@example.com", "nobody@example.com"} {
			throttled := 0
			for range 8 {
				err := guess("203.0.113.5", login, "wrong-guess-12")
				if f := fault.Of(err); f.Code == "too_many_attempts" {
					throttled++
					if f.Kind != fault.TooMany || f.RetryAfter <= 0 {
						t.Errorf("throttled with %d, Retry-After %v", f.Kind, f.RetryAfter)
					}
				} else {
					wantCode(t, login, err, fault.Unauthenticated, "invalid_credentials")
				}
			}
			if throttled == 0 {
				t.Errorf("%s: eight wrong guesses were not throttled", login)
			}
			if err := guess("203.0.113.5", login, goodPassword); fault.Of(err).Code != "too_many_attempts" {
				t.Errorf("the guesser's next guess: %v", err)
			}
		}
		if err := guess("192.0.2.1", "ann@example.com", goodPassword); err != nil {
			t.Errorf("the owner, from elsewhere: %v", err)
		}
	})
}

// Whether a login is slowed tells nothing about whether there is such a user.
func TestThrottleTellsNothing(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		if _, err := c.Signup(t.Context(), auth.SignupRequest{Email: "bob@example.com", Username: "bob", Password: goodPassword}); err != nil {
			t.Fatal(err)
		}
		outcomes := map[string]string{}
		for addr, name := range map[string]string{"203.0.113.7": "bob", "203.0.113.8": "rob"} {
			for i, login := range []string{name, name, name, name, name, name, strings.ToUpper(name), name + "@example.com"} {
				_, err := c.from(addr, "curl").Login(t.Context(), auth.LoginRequest{Login: login, Password: "wrong-guess-12"})
				outcomes[name] += fmt.Sprint(i, fault.Of(err).Code, " ")
			}
		}
		if outcomes["bob"] != outcomes["rob"] {
			t.Errorf("a user:    %s\nno user:   %s", outcomes["bob"], outcomes["rob"])
		}
	})
}

// A device that has logged in before is not in a guesser's hands, even when
// both sit behind one address.
func TestKnownDeviceGetsInBesideAGuesser(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		const neighbours = "203.0.113.9"
		body := `{"email":"ann@example.com","password":"` + goodPassword + `","session":"cookie"}`
		res := c.post(t, neighbours, "/v1/auth/signup", body)
		var cookies []string
		for _, cookie := range res.Cookies() {
			if cookie.Name == "trellis_refresh" && (!cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/v1/auth") {
				t.Errorf("the cookie of the refresh token: %v", cookie)
			}
			cookies = append(cookies, cookie.Name+"="+cookie.Value)
		}
		if len(cookies) != 2 {
			t.Fatalf("cookies: %q", cookies)
		}
		for range 8 {
			c.post(t, neighbours, "/v1/auth/login", `{"login":"ann@example.com","password":"wrong-guess-12"}`)
		}
		right := `{"login":"ann@example.com","password":"` + goodPassword + `","session":"cookie"}`
		if res := c.post(t, neighbours, "/v1/auth/login", right); res.StatusCode != http.StatusTooManyRequests {
			t.Errorf("the guesser's neighbour without a cookie: %s", res.Status)
		}
		if res := c.post(t, neighbours, "/v1/auth/login", right, "Cookie", strings.Join(cookies, "; ")); res.StatusCode != http.StatusOK {
			t.Errorf("the owner's device: %s", res.Status)
		}
		if res := c.post(t, neighbours, "/v1/auth/refresh", `{}`, "Cookie", strings.Join(cookies, "; ")); res.StatusCode != http.StatusOK || len(res.Cookies()) == 0 {
			t.Errorf("refresh by cookie: %s %v", res.Status, res.Cookies())
		}
	})
}

// post sends a body as it is.
func (s served) post(t *testing.T, addr, path, body string, headers ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://auth"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := disguise{s.over, addr, "browser"}.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res
}

// A forged refresh token changes nothing about the session that it names.
func TestForgedTokenChangesNothing(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		tokens := signup(t, c.Client, "ann@example.com")
		forged := tokens.RefreshToken[:len(tokens.RefreshToken)-30] + strings.Repeat("A", 30)
		_, err := c.Refresh(t.Context(), auth.RefreshRequest{RefreshToken: forged, Session: "cookie"})
		wantCode(t, "forged", err, fault.Unauthenticated, "refresh_invalid")
		if next, err := c.Refresh(t.Context(), auth.RefreshRequest{RefreshToken: tokens.RefreshToken}); err != nil || next.RefreshToken == "" {
			t.Errorf("the owner's next refresh: %q, %v", next.RefreshToken, err)
		}
	})
}

func TestRotatedKeysVerify(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		set, err := c.JWKS(t.Context())
		if err != nil || len(set.Keys) != 2 {
			t.Fatalf("published: %+v, %v; want the present key and the next", set, err)
		}
		for _, k := range set.Keys {
			if k.KeyType != "OKP" || k.Curve != "Ed25519" || k.Algorithm != "EdDSA" || k.ID == "" || k.X == "" {
				t.Errorf("published %+v", k)
			}
		}
		other := serve(t, store) // another instance on the same store
		again, err := other.JWKS(t.Context())
		if err != nil || len(again.Keys) != 2 || again.Keys[0] != set.Keys[0] {
			t.Errorf("another instance publishes %+v", again)
		}
		if _, err := other.Me(as(t, signup(t, c.Client, "ann@example.com"))); err != nil {
			t.Errorf("one instance's token at another: %v", err)
		}
	})
}
