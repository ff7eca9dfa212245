package auth

import (
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/account"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/transport"
)

// maxRequest bounds a request in bytes; anyone may send some of them.
const maxRequest = 16 << 10

// Routes is the auth API. Each line reads outside in: the path, the endpoint
// behind it, the service method behind that.
func Routes(s *Service) []transport.Route {
	routes := []transport.Route{
		transport.Post("/v1/auth/signup", endpoint.New(s.Signup, "Open an account, and log in.").Public().Limit(20)).Created(),
		transport.Post("/v1/auth/login", endpoint.New(s.Login, "Log in.").Public().Limit(20)),
		transport.Post("/v1/auth/refresh", endpoint.New(s.Refresh, "Get a new access token for a refresh token, which is replaced.").Public().Limit(20).Essential()),
		transport.Post("/v1/auth/logout", endpoint.New(s.Logout, "End this session, the others, or all.").Essential()).NoContent(),
		transport.Put("/v1/auth/password", endpoint.Do(s.ChangePassword, "Change the password; other sessions end.").Limit(2)),
		transport.Post("/v1/auth/email/verify", endpoint.New(s.VerifyEmail, "Verify an email with the token of a link; or, with an access token, have a link sent again.").Public().Limit(10)).NoContent().Or(http.StatusAccepted),
		transport.Post("/v1/auth/password/forgot", endpoint.Do(s.ForgotPassword, "Have a link sent with which to set a new password.").Public().Limit(2)).Accepted(),
		transport.Post("/v1/auth/password/reset", endpoint.Do(s.ResetPassword, "Set a new password with the token of a link; all sessions end.").Public().Limit(5)),
		transport.Get("/v1/auth/me", endpoint.New(s.Me, "Read who you are.")),
		transport.Get("/v1/auth/sessions", endpoint.New(s.ListSessions, "List your sessions.")),
		transport.Delete("/v1/auth/sessions/{id}", endpoint.Do(s.EndSession, "End one of your sessions.").Essential()),
		transport.Get("/v1/auth/.well-known/jwks.json", endpoint.New(s.JWKS, "Read the keys that verify access tokens.").Public().Shared().Essential()),
		transport.Get("/.well-known/jwks.json", endpoint.New(s.JWKS, "Read the keys that verify access tokens.").Named("WellKnownJWKS").Public().Shared().Essential()),
		transport.Get("/internal/v1/auth/revocations", transport.Raw("Revocations", "Follow which sessions end.", s.Revocations).Public().Internal().Essential()),
		transport.Post("/internal/v1/auth/links", endpoint.New(s.MakeLink, "Make a link to be sent to a user.").Internal().Repeatable()),
		transport.Get("/internal/v1/auth/users", endpoint.New(s.FindUser, "Find a user by email or username.").Internal()),
		transport.Get("/internal/v1/auth/users/{id}", endpoint.New(s.ReadUser, "Read a user.").Internal()),
		transport.Post("/internal/v1/auth/users/{id}/confirm", endpoint.Do(s.ConfirmPassword, "Check a user's password.").Internal()),
		transport.Post("/internal/v1/auth/users/{id}/close", endpoint.Do(s.CloseUser, "Let a user in no more; all of their sessions end.").Internal().Repeatable()),
	}
	routes = append(routes, account.Routes(s)...)
	for i := range routes {
		routes[i] = routes[i].MaxBody(maxRequest)
	}
	return routes
}

// Client is what is known of the program that logs in.
type client struct {
	UserAgent string `header:"User-Agent" json:"-"`
	Device    string `cookie:"trellis_device" json:"-"`
}

// SignupRequest opens an account. With Session "cookie" the refresh token
// travels in a cookie.
type SignupRequest struct {
	client
	Email    string `json:"email" validate:"required,max=254,email"`
	Password string `json:"password" validate:"required" minLength:"10" maxLength:"128" description:"Neither common nor easily guessed."`
	Name     string `json:"name" validate:"max=200"`
	Username string `json:"username" validate:"max=150"`
	Session  string `json:"session" validate:"omitempty,oneof=token cookie" description:"Where the refresh token travels: in bodies, or in a cookie for browsers."`
}

// LoginRequest names a user by username or email.
type LoginRequest struct {
	client
	Login    string `json:"login" validate:"required,max=320" description:"An email or a username."`
	Password string `json:"password" validate:"required,maxbytes=4096"`
	Session  string `json:"session" validate:"omitempty,oneof=token cookie" description:"Where the refresh token travels: in bodies, or in a cookie for browsers."`
}

// RefreshRequest has a refresh token in its body or its cookie.
type RefreshRequest struct {
	client
	RefreshToken string `json:"refresh_token" validate:"max=512"`
	Session      string `json:"session" validate:"omitempty,oneof=token cookie" description:"Where the refresh token travels: in bodies, or in a cookie for browsers."`
	Cookie       string `cookie:"trellis_refresh" json:"-"`
}

// LogoutRequest names the sessions to end; without a scope it is this one.
type LogoutRequest struct {
	Scope string `query:"scope" json:"-" validate:"omitempty,oneof=current others all"`
}

// PasswordRequest changes the caller's password.
type PasswordRequest struct {
	Current string `json:"current_password" validate:"required,maxbytes=4096"`
	New     string `json:"password" validate:"required" minLength:"10" maxLength:"128" description:"Neither common nor easily guessed."`
}

// VerifyRequest has the token of a link, or wants another link.
type VerifyRequest struct {
	Token  string `json:"token" description:"Of the link."`
	Resend bool   `json:"resend" description:"Instead of a token: send another link to the caller, who is known by an access token."`
}

// ForgotRequest names a user who has forgotten their password.
type ForgotRequest struct {
	Email string `json:"email" validate:"required,max=254,email"`
}

// ResetRequest has the token of a link.
type ResetRequest struct {
	Token    string `json:"token" validate:"required" description:"Of the link."`
	Password string `json:"password" validate:"required" minLength:"10" maxLength:"128" description:"Neither common nor easily guessed."`
}

// LinkFor says for whom and what a link is made.
type LinkFor struct {
	User    uuid.UUID `json:"user"`
	Purpose Purpose   `json:"purpose" validate:"required,oneof=verify reset"`
}

// Link is what a link's mail is written with.
type Link struct {
	Email     string    `json:"email"`
	Name      string    `json:"name"`
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
}

// UserRequest names a user.
type UserRequest struct {
	ID uuid.UUID `path:"id" json:"-"`
}

// FindRequest names a user as they log in.
type FindRequest struct {
	Login string `query:"login" json:"-" validate:"required,max=320"`
}

// ConfirmRequest has a user's password, perhaps.
type ConfirmRequest struct {
	ID       uuid.UUID `path:"id" json:"-"`
	Password string    `json:"password" validate:"required,maxbytes=4096"`
}

// Account is a user as other services see them.
type Account struct {
	User
	Closed bool `json:"disabled"`
}

// SessionRequest names a session.
type SessionRequest struct {
	ID uuid.UUID `path:"id" json:"-"`
}

// Tokens is a session as its client holds it.
type Tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in" description:"Seconds."`
	RefreshToken string `json:"refresh_token,omitempty"`
	User         User   `json:"user"`

	cookies []*http.Cookie
}

// Headers sets the cookies of a session that has them.
func (t Tokens) Headers() http.Header { return cookieHeader(t.cookies) }

// Location is where the account is.
func (Tokens) Location() string { return "/v1/auth/me" }

// Farewell is the answer to a logout: nothing, and the cookie is taken back.
type Farewell struct{ cookies []*http.Cookie }

// Headers takes back the session's cookie.
func (f Farewell) Headers() http.Header { return cookieHeader(f.cookies) }

func cookieHeader(cookies []*http.Cookie) http.Header {
	if len(cookies) == 0 {
		return nil
	}
	h := http.Header{}
	for _, c := range cookies {
		h.Add("Set-Cookie", c.String())
	}
	return h
}

// SessionInfo is a session as its owner sees it.
type SessionInfo struct {
	ID         uuid.UUID `json:"id"`
	Device     string    `json:"device"`
	IP         string    `json:"ip"`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at"`
	Current    bool      `json:"current"`
}

// JWKS is a JSON Web Key Set (RFC 7517) of Ed25519 keys (RFC 8037).
type JWKS struct {
	Keys []JWK `json:"keys"`
}

// JWK is one public key.
type JWK struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	ID        string `json:"kid"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
}

// Headers lets the set be kept for a while; the next key is published long before it signs.
func (JWKS) Headers() http.Header {
	return http.Header{"Cache-Control": {"public, max-age=300"}}
}
