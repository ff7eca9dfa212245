package auth_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

func (s served) makeLink(t *testing.T, user uuid.UUID, p auth.Purpose) auth.Link {
	t.Helper()
	link, err := s.MakeLink(t.Context(), user, p)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func TestVerifyEmail(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		ann := signup(t, c.Client, "Ann@example.com")
		link := c.makeLink(t, ann.User.ID, auth.VerifyEmail)
		if link.Email != "Ann@example.com" || link.Name != "Ann" || len(link.Token) < 43 {
			t.Errorf("the link: %+v", link)
		}
		if left := time.Until(link.ExpiresAt); left < 23*time.Hour || left > 24*time.Hour {
			t.Errorf("it expires in %v", left)
		}
		spare := c.makeLink(t, ann.User.ID, auth.VerifyEmail)
		reset := c.makeLink(t, ann.User.ID, auth.ResetPassword)
		for what, text := range map[string]string{
			"another purpose": reset.Token, "never issued": link.Token[:len(link.Token)-4] + "AAAA",
			"cut": link.Token[:20], "no token": "x", "long": strings.Repeat("x", 4000), "odd": "trk_\u2028", "padded": link.Token + "=",
		} {
			err := c.VerifyEmail(t.Context(), text)
			f := wantCode(t, what, err, fault.Gone, "link_expired")
			if f.Message != auth.ErrLinkExpired.Message {
				t.Errorf("%s: %s", what, f.Message)
			}
		}
		if me, err := c.Me(as(t, ann)); err != nil || me.EmailVerified {
			t.Errorf("before: %+v, %v", me, err)
		}
		if err := c.VerifyEmail(t.Context(), link.Token); err != nil {
			t.Fatal(err)
		}
		if me, err := c.Me(as(t, ann)); err != nil || !me.EmailVerified {
			t.Errorf("after: %+v, %v", me, err)
		}
		wantCode(t, "again", c.VerifyEmail(t.Context(), link.Token), fault.Gone, "link_expired")
		if err := c.VerifyEmail(t.Context(), spare.Token); err != nil {
			t.Errorf("another link: %v", err)
		}
		_, err := c.MakeLink(t.Context(), ann.User.ID, auth.VerifyEmail)
		wantCode(t, "a link of no use", err, fault.Conflict, "email_verified")
		wantCode(t, "neither", c.VerifyEmail(t.Context(), ""), fault.Invalid, "invalid")
	})
}

func TestResend(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		ann := signup(t, c.Client, "ann@example.com")
		told(t, store)
		resend := func(token string) *http.Response {
			t.Helper()
			headers := []string{"Authorization", "Bearer " + token}
			if token == "" {
				headers = nil
			}
			return c.post(t, "192.0.2.1", "/v1/auth/email/verify", `{"resend":true}`, headers...)
		}
		for _, token := range []string{"", "x", ann.AccessToken[:len(ann.AccessToken)-3]} {
			if res := resend(token); res.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("with the token %.5q: %s %q", token, res.Status, res.Header)
			}
		}
		wantTold(t, "refused", store, ann.User.ID)
		for range 3 {
			if res := resend(ann.AccessToken); res.StatusCode != http.StatusAccepted || res.ContentLength > 0 {
				t.Errorf("resend: %s", res.Status)
			}
			list := wantTold(t, "resend", store, ann.User.ID, auth.LinkWanted)
			if p := payload(t, list, auth.LinkWanted); p.Purpose != auth.VerifyEmail {
				t.Errorf("wanted: %+v", p)
			}
		}
		if res := resend(ann.AccessToken); res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
			t.Errorf("too often: %s", res.Status)
		}
		wantTold(t, "too often", store, ann.User.ID)
		if res := c.post(t, "192.0.2.1", "/v1/auth/email/verify", `{"resend":true,"token":"x"}`); res.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("both: %s", res.Status)
		}

		bob := signup(t, c.Client, "bob@example.com")
		link := c.makeLink(t, bob.User.ID, auth.VerifyEmail)
		res := c.post(t, "192.0.2.1", "/v1/auth/email/verify", `{"token":"`+link.Token+`"}`, "Authorization", "Bearer "+ann.AccessToken)
		if res.StatusCode != http.StatusNoContent {
			t.Errorf("another's token beside a link: %s", res.Status)
		}
		if res := resend(bob.AccessToken); res.StatusCode != http.StatusConflict {
			t.Errorf("resend when verified: %s", res.Status)
		}
		if err := c.Logout(as(t, ann), auth.LogoutRequest{}); err != nil {
			t.Fatal(err)
		}
		if res := resend(ann.AccessToken); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("resend after logout: %s", res.Status)
		}
	})
}

// Neither the answer to a forgotten password nor its time tells whether there
// is such a user, and nobody's mailbox is flooded.
func TestForgotPassword(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		ann := signup(t, c.Client, "ann@example.com")
		told(t, store)
		forgot := func(addr, email string) (int, time.Duration) {
			began := time.Now()
			res := c.post(t, addr, "/v1/auth/password/forgot", `{"email":"`+email+`"}`)
			return res.StatusCode, time.Since(began)
		}
		for i, email := range []string{"ANN@example.com", "nobody@example.com", "ann@example.com", "nobody@example.com", "ann@example.com", "ann@example.com", "nobody@example.com", "ann@example.com"} {
			addr := "192.0.2." + string(rune('1'+i)) // the mailbox is the same, from wherever
			if status, took := forgot(addr, email); status != http.StatusAccepted || took < 500*time.Millisecond {
				t.Errorf("%d: %s: %d after %v", i, email, status, took)
			}
		}
		list := wantTold(t, "forgot", store, ann.User.ID, auth.LinkWanted, auth.LinkWanted, auth.LinkWanted)
		if p := payload(t, list, auth.LinkWanted); p.Purpose != auth.ResetPassword {
			t.Errorf("wanted: %+v", p)
		}
		if status, _ := forgot("192.0.2.1", "not an email"); status != http.StatusUnprocessableEntity {
			t.Errorf("not an email: %d", status)
		}

		if err := c.CloseUser(t.Context(), ann.User.ID); err != nil {
			t.Fatal(err)
		}
		told(t, store)
		if status, _ := forgot("192.0.2.9", "ann@example.com"); status != http.StatusAccepted {
			t.Errorf("a closed account: %d", status)
		}
		wantTold(t, "closed", store, ann.User.ID)
	})
}

// Nobody has many people sent mails, from wherever in one place they ask; the
// route's own bound is out of the way.
func TestForgotPasswordOfMany(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store, func(r *transport.Route) { r.Rate.PerSecond = 0 })
		const asked = 40
		began, answers := time.Now(), make(chan error)
		for i := range asked {
			go func() {
				addr := fmt.Sprintf("2001:db8::%x", i%6)
				answers <- c.from(addr, "browser").ForgotPassword(t.Context(), auth.ForgotRequest{Email: fmt.Sprintf("user%d@example.com", i)})
			}()
		}
		accepted := 0
		for range asked {
			if err := <-answers; err == nil {
				accepted++
			} else if f := wantCode(t, "one of many", err, fault.TooMany, "too_many_requests"); f.RetryAfter <= 0 {
				t.Error("it is not said for how long")
			}
		}
		most := 20 + 1 // 20 are free, and the next begins a pause
		for pause, took := 2*time.Second, time.Since(began); took >= pause; pause *= 2 {
			took -= pause
			most++
		}
		if accepted < 20 || accepted > most {
			t.Errorf("%d of %d were accepted, want %d", accepted, asked, most)
		}
	})
}

func TestResetPassword(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		other := c.other(t)
		ann, bob := signup(t, c.Client, "ann@example.com"), signup(t, c.Client, "bob@example.com")
		again, err := c.Login(t.Context(), auth.LoginRequest{Login: "ann@example.com", Password: goodPassword})
		if err != nil {
			t.Fatal(err)
		}
		lives(t, other, ann, again, bob)
		link, spare := c.makeLink(t, ann.User.ID, auth.ResetPassword), c.makeLink(t, ann.User.ID, auth.ResetPassword)
		if left := time.Until(link.ExpiresAt); left < 59*time.Minute || left > time.Hour {
			t.Errorf("it expires in %v", left)
		}
		verify := c.makeLink(t, ann.User.ID, auth.VerifyEmail)
		told(t, store)
		reset := func(token, password string) error {
			return c.ResetPassword(t.Context(), auth.ResetRequest{Token: token, Password: password})
		}
		for password, code := range map[string]string{"short": "too_short", "password123": "too_common", "ann@example.com": "too_common"} {
			f := wantCode(t, password, reset(link.Token, password), fault.Invalid, "invalid")
			if len(f.Fields) != 1 || f.Fields[0].Pointer != "/password" || f.Fields[0].Code != code {
				t.Errorf("%s: %+v", password, f.Fields)
			}
		}
		for what, token := range map[string]string{"another purpose": verify.Token, "malformed": "x"} {
			wantCode(t, what, reset(token, "silber-first-88"), fault.Gone, "link_expired")
		}
		wantTold(t, "refused", store, ann.User.ID)
		if err := reset(link.Token, "silber-first-88"); err != nil {
			t.Fatal(err)
		}
		list := wantTold(t, "reset", store, ann.User.ID, auth.PasswordSet, auth.SessionEnded, auth.SessionEnded)
		if p := payload(t, list, auth.PasswordSet); !p.Reset {
			t.Errorf("password: %+v", p)
		}
		dies(t, other, ann, again)
		lives(t, other, bob)
		for what, token := range map[string]string{"again": link.Token, "another link": spare.Token} {
			wantCode(t, what, reset(token, "kupfer-second-99"), fault.Gone, "link_expired")
		}
		_, err = c.Refresh(t.Context(), auth.RefreshRequest{RefreshToken: again.RefreshToken})
		wantCode(t, "refresh", err, fault.Unauthenticated, "refresh_invalid")
		_, err = c.Login(t.Context(), auth.LoginRequest{Login: "ann@example.com", Password: goodPassword})
		wantCode(t, "the old password", err, fault.Unauthenticated, "invalid_credentials")
		tokens, err := c.Login(t.Context(), auth.LoginRequest{Login: "ann@example.com", Password: "silber-first-88"})
		if err != nil || !tokens.User.EmailVerified {
			t.Errorf("the new password: %+v, %v", tokens.User, err)
		}

		late := c.makeLink(t, ann.User.ID, auth.ResetPassword)
		if err := c.ChangePassword(as(t, tokens), auth.PasswordRequest{Current: "silber-first-88", New: "kupfer-second-99"}); err != nil {
			t.Fatal(err)
		}
		wantCode(t, "a link from before the password changed", reset(late.Token, "gold-third-77-x"), fault.Gone, "link_expired")
	})
}

func TestMakeLink(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		c := serve(t, store)
		nameless := auth.User{ID: uuid.New(), Username: new("bob"), CreatedAt: time.Now()}
		if err := store.CreateUser(t.Context(), nameless); err != nil {
			t.Fatal(err)
		}
		_, err := c.MakeLink(t.Context(), nameless.ID, auth.ResetPassword)
		wantCode(t, "no email", err, fault.Conflict, "no_email")
		_, err = c.MakeLink(t.Context(), uuid.New(), auth.ResetPassword)
		wantCode(t, "nobody", err, fault.NotFound, "user_not_found")
		_, err = c.MakeLink(t.Context(), nameless.ID, "party")
		wantCode(t, "another purpose", err, fault.Invalid, "invalid")
		ann := signup(t, c.Client, "ann@example.com")
		if err := c.CloseUser(t.Context(), ann.User.ID); err != nil {
			t.Fatal(err)
		}
		_, err = c.MakeLink(t.Context(), ann.User.ID, auth.ResetPassword)
		wantCode(t, "closed", err, fault.NotFound, "user_not_found")
	})
}
