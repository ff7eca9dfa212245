package auth_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/event"
)

// told returns what was written to the outbox since it was last called.
func told(t *testing.T, store auth.Store) (list []event.Message) {
	t.Helper()
	_, err := store.Outbox().Pass(t.Context(), 1000, func(b event.Batch) error {
		list = b.Messages
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// wantTold checks the types of what was told of a user, in any order.
func wantTold(t *testing.T, what string, store auth.Store, user uuid.UUID, kinds ...event.Kind) []event.Message {
	t.Helper()
	var got, want []string
	list := told(t, store)
	for _, m := range list {
		got = append(got, m.Type)
		if m.Subject != user {
			t.Errorf("%s: %s is about %s, want %s", what, m.Type, m.Subject, user)
		}
	}
	for _, k := range kinds {
		want = append(want, k.Type())
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: told %q, want %q", what, got, want)
	}
	return list
}

// payload is what the one event of a kind carries.
func payload[E any](t *testing.T, list []event.Message, kind event.Type[E]) (e E) {
	t.Helper()
	for _, m := range list {
		if m.Type == kind.Type() {
			if err := json.Unmarshal(m.Data, &e); err != nil {
				t.Error(err)
			}
			return e
		}
	}
	t.Errorf("%s was not told", kind.Type())
	return e
}

func TestEventsOfSessions(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		one := signup(t, c.Client, "ann@example.com")
		user := one.User.ID
		list := wantTold(t, "signup", store, user, auth.UserRegistered, auth.LinkWanted)
		if p := payload(t, list, auth.UserRegistered); p.Name != "Ann" {
			t.Errorf("registered: %+v", p)
		}
		if p := payload(t, list, auth.LinkWanted); p.Purpose != auth.VerifyEmail {
			t.Errorf("link wanted: %+v", p)
		}
		if _, err := c.Signup(t.Context(), auth.SignupRequest{Email: "ann@example.com", Password: goodPassword}); err == nil {
			t.Error("signed up twice")
		}
		wantTold(t, "refused signup", store, user)

		logIn := func() auth.Tokens {
			t.Helper()
			tokens, err := c.from("192.0.2.1", "laptop").Login(t.Context(), auth.LoginRequest{Login: "ann@example.com", Password: goodPassword})
			if err != nil {
				t.Fatal(err)
			}
			return tokens
		}
		two := logIn()
		list = wantTold(t, "login without a device", store, user, auth.NewDevice)
		if p := payload(t, list, auth.NewDevice); p.Session.String() != sessionOf(t, c, two) || p.Device != "laptop" || p.IP != "192.0.2.1" {
			t.Errorf("new device: %+v", p)
		}

		next := two
		for range 2 {
			var err error
			if next, err = c.Refresh(t.Context(), auth.RefreshRequest{RefreshToken: next.RefreshToken}); err != nil {
				t.Fatal(err)
			}
		}
		wantTold(t, "refresh", store, user)
		session := sessionOf(t, c, two)
		if _, err := c.Refresh(t.Context(), auth.RefreshRequest{RefreshToken: two.RefreshToken}); err == nil {
			t.Error("a refresh token was used twice")
		}
		list = wantTold(t, "reuse", store, user, auth.TokenReused, auth.SessionEnded)
		if p := payload(t, list, auth.TokenReused); p.Session.String() != session || p.Device != "laptop" || p.IP != "192.0.2.1" {
			t.Errorf("reused: %+v", p)
		}
		if p := payload(t, list, auth.SessionEnded); p.Session.String() != session {
			t.Errorf("ended: %+v", p)
		}
		if _, err := c.Refresh(t.Context(), auth.RefreshRequest{RefreshToken: next.RefreshToken}); err == nil {
			t.Error("the session goes on")
		}
		wantTold(t, "refresh of an ended session", store, user)

		three := logIn()
		told(t, store)
		if err := c.ChangePassword(as(t, one), auth.PasswordRequest{Current: goodPassword + "x", New: "silber-first-88"}); err == nil {
			t.Error("changed without the password")
		}
		wantTold(t, "refused change", store, user)
		if err := c.ChangePassword(as(t, one), auth.PasswordRequest{Current: goodPassword, New: "silber-first-88"}); err != nil {
			t.Fatal(err)
		}
		list = wantTold(t, "new password", store, user, auth.PasswordSet, auth.SessionEnded)
		if p := payload(t, list, auth.PasswordSet); p.Reset {
			t.Errorf("password: %+v", p)
		}
		if p := payload(t, list, auth.SessionEnded); p.Session.String() != sessionOf(t, c, three) {
			t.Errorf("ended: %+v", p)
		}
		if err := c.Logout(as(t, one), auth.LogoutRequest{}); err != nil {
			t.Fatal(err)
		}
		wantTold(t, "logout", store, user, auth.SessionEnded)
	})
}

// sessionOf is the session that an access token names.
func sessionOf(t *testing.T, c served, tokens auth.Tokens) string {
	t.Helper()
	caller, err := c.verifier(nil).Verify(t.Context(), tokens.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	return caller.Session
}

// A device is new once, whatever became of its sessions.
func TestNewDeviceIsToldOnce(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		login := func(path string, cookies ...string) (device string) {
			t.Helper()
			body := `{"email":"ann@example.com","password":"` + goodPassword + `","session":"cookie"}`
			if path == "/v1/auth/login" {
				body = strings.Replace(body, "email", "login", 1)
			}
			for _, cookie := range c.post(t, "192.0.2.1", path, body, cookies...).Cookies() {
				if cookie.Name == "trellis_device" {
					device = cookie.Name + "=" + cookie.Value
				}
			}
			if device == "" {
				t.Fatal("no device is known")
			}
			return device
		}
		laptop := login("/v1/auth/signup")
		u, err := store.FindUser(t.Context(), "", "ann@example.com")
		if err != nil {
			t.Fatal(err)
		}
		wantTold(t, "signup", store, u.ID, auth.UserRegistered, auth.LinkWanted)
		login("/v1/auth/login", "Cookie", laptop)
		wantTold(t, "login where they signed up", store, u.ID)
		phone := login("/v1/auth/login")
		wantTold(t, "login elsewhere", store, u.ID, auth.NewDevice)
		tokens, err := c.Login(t.Context(), auth.LoginRequest{Login: "ann@example.com", Password: goodPassword})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Logout(endpoint.WithToken(t.Context(), tokens.AccessToken), auth.LogoutRequest{Scope: "all"}); err != nil {
			t.Fatal(err)
		}
		told(t, store)
		login("/v1/auth/login", "Cookie", phone)
		wantTold(t, "login there again", store, u.ID)
		login("/v1/auth/login", "Cookie", "trellis_device="+uuid.NewString())
		wantTold(t, "login with a cookie that nobody gave", store, u.ID, auth.NewDevice)
	})
}

// Whose account is new has no device at first; whose is old may have had some
// that are forgotten.
func TestFirstLoginIsNoNewDevice(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		tokens := signup(t, c.Client, "ann@example.com")
		u, err := store.User(t.Context(), tokens.User.ID)
		if err != nil {
			t.Fatal(err)
		}
		const days = 24 * time.Hour
		for name, want := range map[string]struct {
			age   time.Duration
			first []event.Kind
		}{"bob": {0, nil}, "carla": {29 * days, nil}, "dormant": {31 * days, []event.Kind{auth.NewDevice}}} {
			user := auth.User{ID: uuid.New(), Username: &name, Password: u.Password, CreatedAt: u.CreatedAt.Add(-want.age)}
			if _, err := store.ImportUsers(t.Context(), []auth.User{user}); err != nil {
				t.Fatal(err)
			}
			told(t, store)
			for _, kinds := range [][]event.Kind{want.first, {auth.NewDevice}} {
				if _, err := c.Login(t.Context(), auth.LoginRequest{Login: name, Password: goodPassword}); err != nil {
					t.Fatal(err)
				}
				wantTold(t, "login of "+name, store, user.ID, kinds...)
			}
		}
	})
}
