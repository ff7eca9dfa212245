package auth

import (
	"context"
	"net/http"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/transport"
)

// Client is the auth service, seen from another.
type Client struct{ c transport.Client }

// NewClient returns a client over a round tripper that finds the service by
// its name; what is internal needs a transport.Peer.
func NewClient(over http.RoundTripper) Client {
	return Client{transport.NewClient("auth", Routes(nil), over)}
}

func (c Client) Signup(ctx context.Context, r SignupRequest) (Tokens, error) {
	return transport.Call[Tokens](ctx, c.c, "Signup", r)
}

func (c Client) Login(ctx context.Context, r LoginRequest) (Tokens, error) {
	return transport.Call[Tokens](ctx, c.c, "Login", r)
}

func (c Client) Refresh(ctx context.Context, r RefreshRequest) (Tokens, error) {
	return transport.Call[Tokens](ctx, c.c, "Refresh", r)
}

func (c Client) Logout(ctx context.Context, r LogoutRequest) error {
	_, err := transport.Call[Farewell](ctx, c.c, "Logout", r)
	return err
}

func (c Client) ChangePassword(ctx context.Context, r PasswordRequest) error {
	_, err := transport.Call[endpoint.None](ctx, c.c, "ChangePassword", r)
	return err
}

func (c Client) Me(ctx context.Context) (User, error) {
	return transport.Call[User](ctx, c.c, "Me", endpoint.None{})
}

func (c Client) ListSessions(ctx context.Context) (transport.Page[SessionInfo], error) {
	return transport.Call[transport.Page[SessionInfo]](ctx, c.c, "ListSessions", endpoint.None{})
}

func (c Client) EndSession(ctx context.Context, r SessionRequest) error {
	_, err := transport.Call[endpoint.None](ctx, c.c, "EndSession", r)
	return err
}

func (c Client) JWKS(ctx context.Context) (JWKS, error) {
	return transport.Call[JWKS](ctx, c.c, "JWKS", endpoint.None{})
}

// VerifyEmail verifies the email that the token was sent to. Another link only
// a browser can ask for: no access token is sent to a public endpoint.
func (c Client) VerifyEmail(ctx context.Context, token string) error {
	_, err := transport.Call[Verification](ctx, c.c, "VerifyEmail", VerifyRequest{Token: token})
	return err
}

func (c Client) ForgotPassword(ctx context.Context, r ForgotRequest) error {
	_, err := transport.Call[endpoint.None](ctx, c.c, "ForgotPassword", r)
	return err
}

func (c Client) ResetPassword(ctx context.Context, r ResetRequest) error {
	_, err := transport.Call[endpoint.None](ctx, c.c, "ResetPassword", r)
	return err
}

// MakeLink makes a link, whose token goes into a mail and nowhere else. It
// answers ErrNoUser, ErrNoEmail or ErrVerified when there is no use for one.
func (c Client) MakeLink(ctx context.Context, user uuid.UUID, p Purpose) (Link, error) {
	return transport.Call[Link](ctx, c.c, "MakeLink", LinkFor{user, p})
}

// ReadUser returns a user, disabled or not, or ErrNoUser.
func (c Client) ReadUser(ctx context.Context, id uuid.UUID) (User, error) {
	a, err := transport.Call[Account](ctx, c.c, "ReadUser", UserRequest{id})
	return a.user(), err
}

// FindUser returns the user with the email or username, disabled or not, or ErrNoUser.
func (c Client) FindUser(ctx context.Context, login string) (User, error) {
	a, err := transport.Call[Account](ctx, c.c, "FindUser", FindRequest{login})
	return a.user(), err
}

func (a Account) user() User { a.User.Disabled = a.Closed; return a.User }

// ConfirmPassword checks a user's password: ErrCredentials if it is another.
func (c Client) ConfirmPassword(ctx context.Context, user uuid.UUID, password string) error {
	_, err := transport.Call[endpoint.None](ctx, c.c, "ConfirmPassword", ConfirmRequest{user, password})
	return err
}

// CloseUser disables a user and ends their sessions. Again changes nothing.
func (c Client) CloseUser(ctx context.Context, user uuid.UUID) error {
	_, err := transport.Call[endpoint.None](ctx, c.c, "CloseUser", UserRequest{user})
	return err
}
