// Package notify tells users what concerns them: in an inbox, live on what
// they have open, by email and by push.
//
// A user's inbox, what was read of it, and signals such as "this note has
// changed" are one sequence, the stream: each entry has a number, and who
// knows an entry's number gets what came after it. The stream is bounded and
// has an epoch; who comes with another epoch, or too late, is told to begin
// anew (ErrResync).
package notify

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

// Notification is something that a user was told.
type Notification struct {
	ID           uuid.UUID      `json:"id"`
	User         uuid.UUID      `json:"-"`
	Seq          int64          `json:"seq"` // of the entry with which it came into the inbox
	Category     Category       `json:"category"`
	Title        string         `json:"title"`
	Body         string         `json:"body"`
	Data         jsontext.Value `json:"data"` // an object
	Link         string         `json:"link"` // a path of the webapp, or ""
	ReadAt       *time.Time     `json:"read_at"`
	ArchivedAt   *time.Time     `json:"archived_at"`
	SnoozedUntil *time.Time     `json:"snoozed_until"`
	CreatedAt    time.Time      `json:"created_at"`
}

// Unread tells whether the notification counts as unread.
func (n Notification) Unread() bool {
	return n.ReadAt == nil && n.ArchivedAt == nil && n.SnoozedUntil == nil
}

// Normalize makes of a notification what a store keeps of it.
func (n *Notification) Normalize() {
	if len(n.Data) == 0 {
		n.Data = jsontext.Value("{}")
	}
	n.ReadAt, n.ArchivedAt, n.SnoozedUntil = normal(n.ReadAt), normal(n.ArchivedAt), normal(n.SnoozedUntil)
	n.CreatedAt = *normal(&n.CreatedAt)
}

// InState returns the notification as it is when it is as read, archived and
// snoozed as another, and whether it was not before.
func (n Notification) InState(of Notification) (Notification, bool) {
	was := n
	n.ReadAt, n.ArchivedAt, n.SnoozedUntil = normal(of.ReadAt), normal(of.ArchivedAt), normal(of.SnoozedUntil)
	same := equal(n.ReadAt, was.ReadAt) && equal(n.ArchivedAt, was.ArchivedAt) && equal(n.SnoozedUntil, was.SnoozedUntil)
	return n, !same
}

func equal(a, b *time.Time) bool {
	return a == b || a != nil && b != nil && a.Equal(*b)
}

func normal(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC().Truncate(time.Microsecond))
}

// Category is what a notification is about; users choose channels by it.
type Category string

const (
	Security Category = "security"
	Account  Category = "account"
	Sharing  Category = "sharing"
	Reminder Category = "reminder"
	System   Category = "system"
)

// Channel is a way to reach a user.
type Channel string

const (
	InApp Channel = "in_app"
	Email Channel = "email"
	Push  Channel = "push"
)

// Bounds of what is kept for a user. What is over them goes, the oldest first,
// and no entry tells of it.
const (
	MaxInbox         = 1000 // notifications
	MaxStream        = 1000 // entries
	MaxSubscriptions = 20
)

// How long things are remembered.
const (
	DedupeFor    = 30 * 24 * time.Hour // the keys of what was published
	SettledFor   = 30 * 24 * time.Hour // deliveries that are over
	ForgottenFor = 30 * 24 * time.Hour // that a user was erased
)

// Entry is one step of a user's stream.
type Entry struct {
	Seq    int64
	Type   string // "notification", "notification.deleted", "notifications.read", or a signal's
	Data   jsontext.Value
	Unread int // of the inbox, after it
}

// Types of the entries that change the inbox. Data of the first is a
// Notification, new or changed; of the second {"id"}; of the third
// {"up_to_seq","category","read_at"}. Who applies them in their order to what
// Inbox returned has what Inbox would return.
const (
	EntryNotification = "notification"
	EntryDeleted      = "notification.deleted"
	EntryRead         = "notifications.read"
)

// Position is a place in a user's stream: behind the entry Seq. The zero
// Position is where a stream is that has no entry yet; the first one gives it
// an epoch, and 1 is its Seq.
type Position struct {
	Epoch string `json:"epoch"`
	Seq   int64  `json:"seq"`
}

// Query names notifications of an inbox. Snoozed ones are in no list but their own.
type Query struct {
	Status   Status
	Category Category // "" for any
	Before   int64    // those with a smaller Seq; 0 for all
	Limit    int
}

// Status is a part of the inbox.
type Status string

const (
	All      Status = "all" // but archived ones
	Unread   Status = "unread"
	Archived Status = "archived"
	Snoozed  Status = "snoozed"
)

// Inbox is a part of a user's notifications, the newest first, and where the
// stream was when it was read.
type Inbox struct {
	Notifications []Notification
	More          bool
	Unread        int
	Position      Position
}

// Keys tell notifications that are about the same thing.
type Keys struct {
	Dedupe   string // another with this key within DedupeFor is the same one: nothing happens; "" for none
	Collapse string // takes the place, and the id, of the last one with this key if that is still unread; "" for none
}

// Delivery is a notification, or a mail of another kind, on its way to a user
// over a channel other than the inbox.
type Delivery struct {
	ID           uuid.UUID `json:"id"`
	User         uuid.UUID `json:"-"`
	Notification uuid.UUID `json:"notification_id"` // of the inbox; uuid.Nil for a mail that is not in it
	Channel      Channel   `json:"channel"`
	Kind         string    `json:"kind"` // "notification", or the mail: "verify", "reset"
	State        State     `json:"state"`
	Reason       string    `json:"reason"` // why it is in that state, fit to be seen
	Attempts     int       `json:"attempts"`
	NextAt       time.Time `json:"next_at"` // when a pending one is tried
	UpdatedAt    time.Time `json:"updated_at"`
}

// State is how far a delivery is.
type State string

const (
	Pending State = "pending"
	Sent    State = "sent"
	Failed  State = "failed"
	Skipped State = "skipped" // on purpose
)

// Timer is something to do at a time: deliver a notification, or bring a
// snoozed one back. Data is the service's.
type Timer struct {
	Key  string // the same key replaces what was there
	User uuid.UUID
	At   time.Time
	Data []byte
}

// Ticket lets somebody open a stream, once.
type Ticket struct {
	User    uuid.UUID `json:"user"`
	Session string    `json:"session"`
}

// Subscription is a browser that takes pushes (Push API, RFC 8030).
type Subscription struct {
	ID        string    `json:"id"` // the client's own
	Endpoint  string    `json:"endpoint"`
	P256DH    string    `json:"p256dh"` // RFC 8291: the browser's public key, base64url
	Auth      string    `json:"auth"`   // and its secret
	CreatedAt time.Time `json:"created_at"`
}

var (
	ErrNotFound  = fault.New(fault.NotFound, "notification_not_found", "You have no such notification.")
	ErrResync    = fault.New(fault.Gone, "resync", "The stream no longer has what came after this position. Read the inbox anew.")
	ErrNoTicket  = fault.New(fault.Unauthenticated, "ticket_invalid", "The ticket is unknown, used or older than 30 seconds.")
	ErrForgotten = fault.New(fault.Gone, "user_erased", "This user's account was erased.")
)

// Store keeps inboxes, streams and what is to be sent. Times are kept to the
// microsecond, in UTC. Each method that changes an inbox adds its entry to the
// stream in the same step, so that nobody sees one without the other.
type Store interface {
	// Publish puts a notification into its user's inbox, with the deliveries
	// that are to follow from it, and returns it as it is there: with its Seq,
	// and another's id when Keys say so. It returns false when Keys.Dedupe was
	// known, and then changes nothing. The deliveries' User and Notification are
	// what the notification says. One whose ID is in the inbox takes its place.
	// A user who was erased: ErrForgotten.
	Publish(ctx context.Context, n Notification, keys Keys, deliveries ...Delivery) (Notification, bool, error)
	// Signal adds an entry that is no notification. With a dedupe key that another
	// signal of the user's had within DedupeFor it adds nothing.
	Signal(ctx context.Context, user uuid.UUID, kind string, data jsontext.Value, dedupe string) error
	// Inbox returns a part of the inbox.
	Inbox(ctx context.Context, user uuid.UUID, q Query) (Inbox, error)
	// Notification returns one of the inbox, or ErrNotFound.
	Notification(ctx context.Context, user, id uuid.UUID) (Notification, error)
	// Update lets change have the notification and keeps what it makes of its
	// ReadAt, ArchivedAt and SnoozedUntil, unless it leaves them as they are,
	// which adds no entry. A change from snoozed to not gives it a new Seq. Change
	// may be called again, when others were faster.
	Update(ctx context.Context, user, id uuid.UUID, change func(*Notification) error) (Notification, error)
	// ReadAll marks as read, at now, what is unread up to a Seq, of a category
	// or of any (""), and returns how many that were and how many are unread. None
	// adds no entry.
	ReadAll(ctx context.Context, user uuid.UUID, upTo int64, category Category, now time.Time) (read, unread int, err error)
	// Delete removes a notification, or returns ErrNotFound.
	Delete(ctx context.Context, user, id uuid.UUID) error

	// Since returns up to max entries behind a position, and where the stream
	// is, which may be further; with ErrResync, when it no longer has them all or
	// never was there, too. A user who was erased: ErrForgotten.
	Since(ctx context.Context, user uuid.UUID, p Position, max int) ([]Entry, Position, error)
	// Position is where a user's stream is. A user who was erased: ErrForgotten.
	Position(ctx context.Context, user uuid.UUID) (Position, error)
	// Live calls entry with each entry that any instance adds, as they come and
	// a user's in their order, until ctx ends; and gap when some may have been
	// missed: when it begins to listen, at first and after the connection to the
	// store was lost. Neither may block.
	Live(ctx context.Context, entry func(user uuid.UUID, epoch string, e Entry), gap func())

	// Enqueue adds deliveries that belong to no Publish. Those whose ID is
	// known are left as they are. If one is for a user who was erased it adds
	// none: ErrForgotten.
	Enqueue(ctx context.Context, deliveries ...Delivery) error
	// Take returns up to max of a channel's pending deliveries whose NextAt has
	// come, and puts their NextAt off by lease, so that nobody else takes them
	// meanwhile.
	Take(ctx context.Context, over Channel, now time.Time, lease time.Duration, max int) ([]Delivery, error)
	// Settle keeps what became of a delivery: State, Reason, Attempts, NextAt,
	// UpdatedAt. One that is no longer pending, or no longer there, stays so.
	Settle(ctx context.Context, d Delivery) error
	// Deliveries returns those of a notification of a user's, by their ids.
	Deliveries(ctx context.Context, user, notification uuid.UUID) ([]Delivery, error)

	// SetTimer keeps a timer, unless its user was erased: ErrForgotten.
	SetTimer(ctx context.Context, t Timer) error
	// Timers returns a user's, by their time.
	Timers(ctx context.Context, user uuid.UUID) ([]Timer, error)
	// Ring returns up to max timers whose time has come, and puts them off by
	// lease. What they ask for is done more than once if the process dies, so it
	// must have a dedupe key. Rung forgets a timer, unless it was set anew since Ring.
	Ring(ctx context.Context, now time.Time, lease time.Duration, max int) ([]Timer, error)
	Rung(ctx context.Context, t Timer) error

	// PutTicket keeps a ticket, by its hash, for a while; TakeTicket returns it
	// once, else ErrNoTicket. A user who was erased gets none: ErrForgotten.
	PutTicket(ctx context.Context, hash [32]byte, t Ticket, life time.Duration) error
	TakeTicket(ctx context.Context, hash [32]byte) (Ticket, error)
	// Present says that users have a stream open, until the time is over;
	// IsPresent tells whether anybody said so. Of users who were erased nothing
	// is kept.
	Present(ctx context.Context, users []uuid.UUID, life time.Duration) error
	IsPresent(ctx context.Context, user uuid.UUID) (bool, error)

	// PutSubscription keeps a browser's subscription, or returns ErrForgotten. An
	// endpoint is one browser's: another subscription with it, whosever, is gone.
	PutSubscription(ctx context.Context, user uuid.UUID, s Subscription) error
	DeleteSubscription(ctx context.Context, user uuid.UUID, id string) error   // none is fine
	Subscriptions(ctx context.Context, user uuid.UUID) ([]Subscription, error) // the oldest first

	// Erase removes all that is kept of a user, and for ForgottenFor keeps more
	// from coming. It returns how many of what there were.
	Erase(ctx context.Context, user uuid.UUID) (map[string]int, error)
	// Purge forgets what is over at now: deliveries settled before SettledFor,
	// dedupe keys, tickets, the marks of erased users.
	Purge(ctx context.Context, now time.Time) error

	// Secret returns 32 random bytes that all instances on this store share.
	Secret(ctx context.Context, name string) ([]byte, error)
	// Keeper keeps answers for Idempotency-Key.
	Keeper() transport.Keeper
	Ping(ctx context.Context) error
	Close() error
}
