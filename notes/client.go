package notes

import (
	"context"
	"net/http"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/transport"
)

// Client is the notes service, seen from another.
type Client struct{ c transport.Client }

// NewClient returns a client over a round tripper that finds the service by its name.
func NewClient(over http.RoundTripper) Client {
	return Client{transport.NewClient("notes", Routes(nil), over)}
}

func (c Client) List(ctx context.Context, r ListRequest) (transport.Page[Note], error) {
	return transport.Call[transport.Page[Note]](ctx, c.c, "List", r)
}

func (c Client) Create(ctx context.Context, r CreateRequest) (Note, error) {
	return transport.Call[Note](ctx, c.c, "Create", r)
}

func (c Client) Get(ctx context.Context, r NoteRequest) (Note, error) {
	return transport.Call[Note](ctx, c.c, "Get", r)
}

func (c Client) Change(ctx context.Context, r ChangeRequest) (Note, error) {
	return transport.Call[Note](ctx, c.c, "Change", r)
}

func (c Client) Delete(ctx context.Context, r DeleteRequest) error {
	_, err := transport.Call[endpoint.None](ctx, c.c, "Delete", r)
	return err
}

func (c Client) Restore(ctx context.Context, r RestoreRequest) (Note, error) {
	return transport.Call[Note](ctx, c.c, "Restore", r)
}

func (c Client) Changes(ctx context.Context, r ChangesRequest) (Changes, error) {
	return transport.Call[Changes](ctx, c.c, "Changes", r)
}

func (c Client) ListRevisions(ctx context.Context, r NoteRequest) (transport.Page[Revision], error) {
	return transport.Call[transport.Page[Revision]](ctx, c.c, "ListRevisions", r)
}

func (c Client) Revision(ctx context.Context, r RevisionRequest) (Revision, error) {
	return transport.Call[Revision](ctx, c.c, "Revision", r)
}

func (c Client) RestoreRevision(ctx context.Context, r RestoreRevisionRequest) (Note, error) {
	return transport.Call[Note](ctx, c.c, "RestoreRevision", r)
}

func (c Client) Share(ctx context.Context, r ShareRequest) (Share, error) {
	return transport.Call[Share](ctx, c.c, "Share", r)
}

func (c Client) ListShares(ctx context.Context, r NoteRequest) (transport.Page[Share], error) {
	return transport.Call[transport.Page[Share]](ctx, c.c, "ListShares", r)
}

func (c Client) Unshare(ctx context.Context, r UnshareRequest) error {
	_, err := transport.Call[endpoint.None](ctx, c.c, "Unshare", r)
	return err
}
