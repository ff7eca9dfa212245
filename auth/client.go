package auth

import (
	"context"
	"net/http"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/transport"
)

// Client is the auth service, seen from another.
type Client struct{ c transport.Client }

// NewClient returns a client over a round tripper that finds the service by its name.
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
