package notify

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/account"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/transport"
)

// maxRequest bounds a request in bytes.
const maxRequest = 64 << 10

// Routes is the notify API. Each line reads outside in: the path, the endpoint
// behind it, the service method behind that.
func Routes(s *Service, streams Streams) []transport.Route {
	if streams == nil { // a row needs a method to name, also where nobody serves it
		streams = nobody{}
	}
	routes := []transport.Route{
		transport.Get("/v1/notifications", endpoint.New(s.List, "List what you were told.")),
		transport.Patch("/v1/notifications/{id}", endpoint.New(s.Change, "Mark a notification as read, archive it, or put it off.")),
		transport.Delete("/v1/notifications/{id}", endpoint.Do(s.Delete, "Remove a notification.")),
		transport.Post("/v1/notifications/read-all", endpoint.New(s.ReadAll, "Mark what you have seen as read.").Repeatable()),
		transport.Get("/v1/notifications/{id}/deliveries", endpoint.New(s.ListDeliveries, "Read how a notification reached you, or why it did not.")),
		transport.Post("/v1/realtime/ticket", endpoint.New(s.IssueTicket, "Get a ticket with which to open a stream, once, within 30 seconds.").Limit(10)).Created(),
		transport.Get("/v1/realtime/ws", transport.Raw("WebSocket", "Follow your stream over a WebSocket, with a ticket.", streams.WebSocket).Public()),
		transport.Get("/v1/realtime/events", transport.Raw("StreamEvents", "Follow your stream as server-sent events.", streams.Events)),
		transport.Get("/v1/push/config", endpoint.New(s.PushConfig, "Read the key with which a browser subscribes to pushes.")),
		transport.Put("/v1/push/subscriptions/{id}", endpoint.Do(s.Subscribe, "Send pushes to this browser.").Limit(10)),
		transport.Delete("/v1/push/subscriptions/{id}", endpoint.Do(s.Unsubscribe, "Send this browser no more pushes.")),
		transport.Post("/internal/v1/notifications", endpoint.Do(s.Notify, "Tell users something.").Internal()).Accepted(),
	}
	for i := range routes {
		routes[i] = routes[i].MaxBody(maxRequest)
	}
	return append(routes, account.Routes(s)...)
}

type nobody struct{}

func (nobody) WebSocket(http.ResponseWriter, *http.Request) error { return nil }
func (nobody) Events(http.ResponseWriter, *http.Request) error    { return nil }

// ListRequest names a part of the inbox; without a status it is all but the archive.
type ListRequest struct {
	Status   Status   `query:"status" json:"-" validate:"omitempty,oneof=unread all archived snoozed"`
	Category Category `query:"category" json:"-" validate:"omitempty,oneof=security account sharing reminder system"`
	Limit    *int     `query:"limit" json:"-" validate:"omitempty,min=1,max=100"`
	Cursor   string   `query:"cursor" json:"-"`
}

// InboxPage is a page of the inbox, how much of all of it is unread, and where
// the stream was when it was read: what comes later is behind that.
type InboxPage struct {
	transport.Page[Notification]
	Unread int      `json:"unread"`
	Stream Position `json:"stream"`
}

// NotificationRequest names one notification.
type NotificationRequest struct {
	ID uuid.UUID `path:"id" json:"-"`
}

// ChangeRequest changes the parts of a notification that it has. With
// snoozed_until it leaves the inbox until then; null brings it back.
type ChangeRequest struct {
	ID           uuid.UUID                      `path:"id" json:"-"`
	Read         transport.Optional[bool]       `json:"read,omitzero"`
	Archived     transport.Optional[bool]       `json:"archived,omitzero"`
	SnoozedUntil transport.Optional[*time.Time] `json:"snoozed_until,omitzero"`
}

// ReadAllRequest says up to which entry of the stream, and of which category,
// everything was seen.
type ReadAllRequest struct {
	UpTo     *int64   `json:"up_to_seq" validate:"required,min=0"`
	Category Category `json:"category,omitempty" validate:"omitempty,oneof=security account sharing reminder system"`
}

// ReadAllAnswer says how many notifications that were, and how many are left.
type ReadAllAnswer struct {
	Read   int `json:"read"`
	Unread int `json:"unread"`
}

// TicketAnswer is a ticket; it is for one use.
type TicketAnswer struct {
	Ticket    string `json:"ticket"`
	ExpiresIn int    `json:"expires_in" description:"Seconds."`
}

// PushConfig is what a browser needs to subscribe.
type PushConfig struct {
	PublicKey string `json:"public_key" description:"The applicationServerKey, as base64url."`
}

// SubscribeRequest is a browser's PushSubscription, under an id that the
// client chooses and keeps.
type SubscribeRequest struct {
	ID       string   `path:"id" json:"-" validate:"max=64"`
	Endpoint string   `json:"endpoint" validate:"required,maxbytes=2048"`
	Keys     PushKeys `json:"keys" validate:"required"`
}

// PushKeys are a PushSubscription's keys, as base64url.
type PushKeys struct {
	P256DH string `json:"p256dh" validate:"required,maxbytes=100"`
	Auth   string `json:"auth" validate:"required,maxbytes=30"`
}

// SubscriptionRequest names one of the caller's browsers.
type SubscriptionRequest struct {
	ID string `path:"id" json:"-" validate:"max=64"`
}

// NotifyRequest is what to tell, and whom.
type NotifyRequest struct {
	Users       []uuid.UUID    `json:"user_ids" validate:"required,min=1,max=100"`
	Category    Category       `json:"category" validate:"required,oneof=security account sharing reminder system"`
	Title       string         `json:"title" validate:"required,max=200"`
	Body        string         `json:"body,omitempty" validate:"max=2000"`
	Data        jsontext.Value `json:"data,omitzero" description:"An object of up to 4 KiB."`
	Link        string         `json:"link,omitempty" validate:"max=500" description:"A path of the webapp, such as /notes/ID."`
	DedupeKey   string         `json:"dedupe_key,omitempty" validate:"max=200" description:"Another with the same key within 30 days changes nothing; with deliver_at it takes the place of one that still waits."`
	CollapseKey string         `json:"collapse_key,omitempty" validate:"max=200" description:"This takes the place of one with the same key that is still unread."`
	DeliverAt   *time.Time     `json:"deliver_at,omitempty" description:"When to tell it, up to a year ahead; without it, at once."`
}
