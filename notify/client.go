package notify

import (
	"context"
	"net/http"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/transport"
)

// Client is the notify service, seen from another.
type Client struct{ c transport.Client }

// NewClient returns a client over a round tripper that finds the service by
// its name: for Notify a transport.Peer.
func NewClient(over http.RoundTripper) Client {
	return Client{transport.NewClient("notify", Routes(nil, nil), over)}
}

// Notify tells users something.
func (c Client) Notify(ctx context.Context, r NotifyRequest) error {
	_, err := transport.Call[endpoint.None](ctx, c.c, "Notify", r)
	return err
}

func (c Client) List(ctx context.Context, r ListRequest) (InboxPage, error) {
	return transport.Call[InboxPage](ctx, c.c, "List", r)
}

func (c Client) Change(ctx context.Context, r ChangeRequest) (Notification, error) {
	return transport.Call[Notification](ctx, c.c, "Change", r)
}

func (c Client) Delete(ctx context.Context, r NotificationRequest) error {
	_, err := transport.Call[endpoint.None](ctx, c.c, "Delete", r)
	return err
}

func (c Client) ReadAll(ctx context.Context, r ReadAllRequest) (ReadAllAnswer, error) {
	return transport.Call[ReadAllAnswer](ctx, c.c, "ReadAll", r)
}

func (c Client) ListDeliveries(ctx context.Context, r NotificationRequest) (transport.Page[Delivery], error) {
	return transport.Call[transport.Page[Delivery]](ctx, c.c, "ListDeliveries", r)
}

func (c Client) IssueTicket(ctx context.Context) (TicketAnswer, error) {
	return transport.Call[TicketAnswer](ctx, c.c, "IssueTicket", endpoint.None{})
}

func (c Client) PushConfig(ctx context.Context) (PushConfig, error) {
	return transport.Call[PushConfig](ctx, c.c, "PushConfig", endpoint.None{})
}

func (c Client) Subscribe(ctx context.Context, r SubscribeRequest) error {
	_, err := transport.Call[endpoint.None](ctx, c.c, "Subscribe", r)
	return err
}

func (c Client) Unsubscribe(ctx context.Context, r SubscriptionRequest) error {
	_, err := transport.Call[endpoint.None](ctx, c.c, "Unsubscribe", r)
	return err
}
