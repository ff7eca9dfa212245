package auth_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/account"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/token"
)

func TestOtherServicesReadUsers(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		tokens, err := c.Signup(t.Context(), auth.SignupRequest{Email: "Ann@Example.com", Username: "ann", Name: "Ann", Password: goodPassword})
		if err != nil {
			t.Fatal(err)
		}
		check := func(what string, u auth.User, err error, disabled bool) {
			t.Helper()
			if err != nil || u.ID != tokens.User.ID || *u.Email != "Ann@Example.com" || u.Name != "Ann" || u.Disabled != disabled || u.Password != "" {
				t.Errorf("%s: %+v, %v", what, u, err)
			}
		}
		for _, disabled := range []bool{false, true} {
			u, err := c.ReadUser(t.Context(), tokens.User.ID)
			check("by id", u, err, disabled)
			for _, login := range []string{"ann", "ann@example.com"} {
				u, err := c.FindUser(t.Context(), login)
				check(login, u, err, disabled)
			}
			if err := c.CloseUser(t.Context(), tokens.User.ID); err != nil {
				t.Fatal(err)
			}
		}
		for _, login := range []string{"Ann", "nobody@example.com", "%", strings.Repeat("x", 300)} {
			if _, err := c.FindUser(t.Context(), login); !errors.Is(err, auth.ErrNoUser) {
				t.Errorf("%q: %v", login, err)
			}
		}
		if _, err := c.ReadUser(t.Context(), uuid.New()); !errors.Is(err, auth.ErrNoUser) {
			t.Errorf("nobody: %v", err)
		}
	})
}

// What is internal is for services alone: neither for nobody nor for users.
func TestInternalNeedsAService(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		ann := signup(t, c.Client, "ann@example.com")
		id := ann.User.ID.String()
		for _, call := range []string{
			"GET /internal/v1/auth/users/" + id, "GET /internal/v1/auth/users?login=ann@example.com", "POST /internal/v1/auth/links",
			"POST /internal/v1/auth/users/" + id + "/confirm", "POST /internal/v1/auth/users/" + id + "/close",
			"GET /internal/v1/account/" + id + "/export", "DELETE /internal/v1/account/" + id,
		} {
			for _, bearer := range []string{"", "Bearer " + ann.AccessToken} {
				method, path, _ := strings.Cut(call, " ")
				r, err := http.NewRequestWithContext(t.Context(), method, c.url+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", bearer)
				res, err := testenv.Client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				if res.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s with %.7q: %s", call, bearer, res.Status)
				}
			}
		}
		if _, err := c.Me(as(t, ann)); err != nil {
			t.Errorf("the user is no longer there: %v", err)
		}
	})
}

func TestConfirmPassword(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		ann := signup(t, c.Client, "ann@example.com")
		confirm := func(password string) error { return c.ConfirmPassword(t.Context(), ann.User.ID, password) }
		if err := confirm(goodPassword); err != nil {
			t.Fatal(err)
		}
		throttled := 0
		for range 8 {
			if err := confirm("wrong-guess-12"); fault.Of(err).Code == "too_many_attempts" {
				throttled++
			} else if !errors.Is(err, auth.ErrCredentials) {
				t.Error(err)
			}
		}
		wantCode(t, "after eight guesses", confirm(goodPassword), fault.TooMany, "too_many_attempts")
		if throttled == 0 {
			t.Error("eight guesses were not throttled")
		}
		if _, err := c.Login(t.Context(), auth.LoginRequest{Login: "ann@example.com", Password: goodPassword}); err != nil {
			t.Errorf("the owner's login: %v", err)
		}
		wantCode(t, "nobody", c.ConfirmPassword(t.Context(), uuid.New(), goodPassword), fault.NotFound, "user_not_found")
		bob := signup(t, c.Client, "bob@example.com")
		if err := c.CloseUser(t.Context(), bob.User.ID); err != nil {
			t.Fatal(err)
		}
		wantCode(t, "closed", c.ConfirmPassword(t.Context(), bob.User.ID, goodPassword), fault.Unauthenticated, "invalid_credentials")
	})
}

func TestCloseUser(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		other := c.other(t)
		ann, bob := signup(t, c.Client, "ann@example.com"), signup(t, c.Client, "bob@example.com")
		lives(t, other, ann, bob)
		told(t, store)
		if err := c.CloseUser(t.Context(), ann.User.ID); err != nil {
			t.Fatal(err)
		}
		wantTold(t, "closed", store, ann.User.ID, auth.UserDisabled, auth.SessionEnded)
		dies(t, other, ann)
		lives(t, other, bob)
		for range 2 {
			if err := c.CloseUser(t.Context(), ann.User.ID); err != nil {
				t.Error(err)
			}
		}
		wantTold(t, "closed again", store, ann.User.ID)
		if err := c.CloseUser(t.Context(), uuid.New()); err != nil {
			t.Errorf("nobody: %v", err)
		}
		_, err := c.Login(t.Context(), auth.LoginRequest{Login: "ann@example.com", Password: goodPassword})
		wantCode(t, "login", err, fault.Unauthenticated, "invalid_credentials")
		_, err = c.Refresh(t.Context(), auth.RefreshRequest{RefreshToken: ann.RefreshToken})
		wantCode(t, "refresh", err, fault.Unauthenticated, "refresh_invalid")
		_, err = c.Signup(t.Context(), auth.SignupRequest{Email: "ann@example.com", Password: goodPassword})
		wantCode(t, "signup", err, fault.Conflict, "email_taken")
	})
}

func TestExport(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		ann := signup(t, c.from("192.0.2.1", "phone"), "ann@example.com")
		if err := c.Logout(as(t, ann), auth.LogoutRequest{}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.from("192.0.2.2", "laptop").Login(t.Context(), auth.LoginRequest{Login: "ann@example.com", Password: goodPassword}); err != nil {
			t.Fatal(err)
		}
		signup(t, c.Client, "bob@example.com")
		files := export(t, c, ann.User.ID)
		var u map[string]any
		var sessions []auth.SessionRecord
		if err := errors.Join(json.Unmarshal(files["user.json"], &u), json.Unmarshal(files["sessions.json"], &sessions)); err != nil || len(files) != 2 {
			t.Fatalf("%d files, %v", len(files), err)
		}
		if u["email"] != "ann@example.com" || u["name"] != "Ann" || u["id"] != ann.User.ID.String() {
			t.Errorf("the user: %v", u)
		}
		if len(sessions) != 2 || sessions[0].Device != "laptop" || sessions[0].EndedAt != nil || sessions[1].IP != "192.0.2.1" || sessions[1].EndedAt == nil {
			t.Errorf("the sessions: %+v", sessions)
		}
		for name, text := range files {
			if bytes.Contains(text, []byte("argon2")) || bytes.Contains(text, []byte("bob")) {
				t.Errorf("%s has what it should not: %s", name, text)
			}
		}
		if files := export(t, c, uuid.New()); len(files) > 0 {
			t.Errorf("of nobody: %q", files)
		}
	})
}

func export(t *testing.T, c served, user uuid.UUID) map[string][]byte {
	t.Helper()
	var text bytes.Buffer
	if err := account.NewClient(c.over).Export(t.Context(), "auth", user, &text); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(text.Bytes()), int64(text.Len()))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// Who is erased is gone, but for that their tokens stay revoked.
func TestErase(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		here, there := serve(t, store), serve(t, store)
		ann, bob := signup(t, here.Client, "ann@example.com"), signup(t, here.Client, "bob@example.com")
		open, err := here.Login(t.Context(), auth.LoginRequest{Login: "ann@example.com", Password: goodPassword})
		if err != nil {
			t.Fatal(err)
		}
		if err := here.Logout(as(t, ann), auth.LogoutRequest{}); err != nil {
			t.Fatal(err)
		}
		link := here.makeLink(t, ann.User.ID, auth.ResetPassword)
		followers := []*token.Verifier{here.other(t), there.other(t)}
		dies(t, followers[0], ann)
		lives(t, followers[0], bob, open)
		told(t, store)
		if err := here.ConfirmPassword(t.Context(), ann.User.ID, "wrong-guess-12"); err == nil {
			t.Error("a wrong password is right")
		}
		erase := func() account.Receipt {
			t.Helper()
			receipt, err := account.NewClient(here.over).Erase(t.Context(), "auth", ann.User.ID)
			if err != nil || receipt.Service != "auth" || receipt.ErasedAt.IsZero() {
				t.Fatalf("%+v, %v", receipt, err)
			}
			return receipt
		}
		if r := erase(); len(r.Erased) != 3 || r.Erased["users"] != 1 || r.Erased["sessions"] != 2 || r.Erased["links"] != 1 {
			t.Errorf("erased: %v", r.Erased)
		}
		wantTold(t, "erased", store, ann.User.ID, auth.UserErased)
		if r := erase(); len(r.Erased) != 0 {
			t.Errorf("erased again: %v", r.Erased)
		}
		wantTold(t, "erased again", store, ann.User.ID)

		late := serve(t, store) // it never saw the sessions
		for _, v := range append(followers, here.other(t), late.other(t), late.verifier(late.ended)) {
			dies(t, v, ann, open)
			lives(t, v, bob)
		}
		_, err = here.ReadUser(t.Context(), ann.User.ID)
		wantCode(t, "the user", err, fault.NotFound, "user_not_found")
		_, err = here.Me(as(t, open))
		wantCode(t, "an erased user's token", err, fault.Unauthenticated, "token_invalid")
		_, err = here.Refresh(t.Context(), auth.RefreshRequest{RefreshToken: open.RefreshToken})
		wantCode(t, "refresh", err, fault.Unauthenticated, "refresh_invalid")
		err = here.ResetPassword(t.Context(), auth.ResetRequest{Token: link.Token, Password: "silber-first-88"})
		wantCode(t, "a link", err, fault.Gone, "link_expired")
		if files := export(t, here, ann.User.ID); len(files) > 0 {
			t.Errorf("of an erased user: %q", files)
		}
		if again := signup(t, here.Client, "ann@example.com"); again.User.ID == ann.User.ID {
			t.Error("the new user is the old one")
		}
	})
}
