package profile

import (
	"context"
	"net/http"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/transport"
)

// Client is the profile service, seen from another.
type Client struct{ c transport.Client }

// NewClient returns a client over a round tripper that finds the service by its
// name; for ReadSettings it is one that shows who calls, a transport.Peer.
func NewClient(over http.RoundTripper) Client {
	return Client{transport.NewClient("profile", Routes(nil), over)}
}

func (c Client) ReadProfile(ctx context.Context) (Profile, error) {
	return transport.Call[Profile](ctx, c.c, "ReadProfile", endpoint.None{})
}

func (c Client) ChangeProfile(ctx context.Context, r ChangeRequest) (Profile, error) {
	return transport.Call[Profile](ctx, c.c, "ChangeProfile", r)
}

func (c Client) DeleteAvatar(ctx context.Context, r DeleteAvatarRequest) error {
	_, err := transport.Call[endpoint.None](ctx, c.c, "DeleteAvatar", r)
	return err
}

func (c Client) ReadPreferences(ctx context.Context, r PreferencesRequest) (Preferences, error) {
	return transport.Call[Preferences](ctx, c.c, "ReadPreferences", r)
}

func (c Client) ChangePreferences(ctx context.Context, r PatchPreferencesRequest) (Preferences, error) {
	return transport.Call[Preferences](ctx, c.c, "ChangePreferences", r)
}

func (c Client) StartExport(ctx context.Context) (AccountJob, error) {
	j, err := transport.Call[AcceptedJob](ctx, c.c, "StartExport", endpoint.None{})
	return j.AccountJob, err
}

func (c Client) CloseAccount(ctx context.Context, r CloseRequest) (AcceptedErasure, error) {
	return transport.Call[AcceptedErasure](ctx, c.c, "CloseAccount", r)
}

func (c Client) RestoreAccount(ctx context.Context) (AccountJob, error) {
	return transport.Call[AccountJob](ctx, c.c, "RestoreAccount", endpoint.None{})
}

func (c Client) ListJobs(ctx context.Context) (transport.Page[AccountJob], error) {
	return transport.Call[transport.Page[AccountJob]](ctx, c.c, "ListJobs", endpoint.None{})
}

func (c Client) ReadJob(ctx context.Context, r JobRequest) (AccountJob, error) {
	return transport.Call[AccountJob](ctx, c.c, "ReadJob", r)
}

func (c Client) ReadReceipts(ctx context.Context, r ReceiptRequest) (AccountJob, error) {
	return transport.Call[AccountJob](ctx, c.c, "ReadReceipts", r)
}

// ReadSettings returns how a user wants to be turned to. Of one who never said,
// and of one nobody knows, these are the defaults; of one who was erased there
// are none, but ErrErased.
func (c Client) ReadSettings(ctx context.Context, user uuid.UUID) (Settings, error) {
	return transport.Call[Settings](ctx, c.c, "ReadSettings", UserRequest{user})
}
