package notify

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

// Service is what a user may do with what they are told, and what other
// services may tell them.
type Service struct {
	store    Store
	people   People
	settings *settings
	pushKey  string
	cursors  transport.Cursors
	pending  map[Channel]chan struct{} // each has one when there may be deliveries to take
	now      func() time.Time
}

// NewService returns a service on the store. Browsers subscribe to pushes with
// pushKey, a Pusher's PublicKey.
func NewService(ctx context.Context, store Store, people People, profiles Profiles, pushKey string) (*Service, error) {
	key, err := store.Secret(ctx, "cursor")
	if err != nil {
		return nil, fmt.Errorf("cursor key: %w", err)
	}
	s := &Service{
		store: store, people: people, pushKey: pushKey,
		cursors: transport.NewCursors(key), pending: map[Channel]chan struct{}{Email: make(chan struct{}, 1), Push: make(chan struct{}, 1)}, now: time.Now,
	}
	s.settings, err = newSettings(profiles, func() time.Time { return s.now() })
	return s, err
}

const (
	defaultLimit = 20
	ticketLife   = 30 * time.Second
	maxAhead     = 366 * 24 * time.Hour // of what is put off
)

// callerID is the user who calls; the stack lets nobody in without a token.
func callerID(ctx context.Context) (uuid.UUID, error) {
	id, err := uuid.Parse(endpoint.Caller(ctx).ID)
	if err != nil {
		return id, fmt.Errorf("the token's subject is no user: %w", err)
	}
	return id, nil
}

// micros is a time as it can be kept.
func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// List returns a page of the caller's inbox.
func (s *Service) List(ctx context.Context, r ListRequest) (page InboxPage, err error) {
	user, err := callerID(ctx)
	if err != nil {
		return page, err
	}
	q := Query{Status: r.Status, Category: r.Category, Limit: defaultLimit}
	if q.Status == "" {
		q.Status = All
	}
	if r.Limit != nil {
		q.Limit = *r.Limit
	}
	list := fmt.Sprintf("%s %s %s", user, q.Status, q.Category)
	if r.Cursor != "" {
		if err := s.cursors.Open(list, r.Cursor, &q.Before); err != nil {
			return page, err
		}
	}
	inbox, err := s.store.Inbox(ctx, user, q)
	if err != nil {
		return page, err
	}
	next := ""
	if inbox.More {
		last := inbox.Notifications[len(inbox.Notifications)-1]
		if next, err = s.cursors.Seal(list, last.Seq); err != nil {
			return page, err
		}
	}
	return InboxPage{transport.NewPage(inbox.Notifications, next), inbox.Unread, inbox.Position}, nil
}

// Change marks a notification as read or unread, moves it to the archive or
// out of it, and puts it off or takes that back.
func (s *Service) Change(ctx context.Context, r ChangeRequest) (Notification, error) {
	user, err := callerID(ctx)
	if err != nil {
		return Notification{}, err
	}
	now := micros(s.now())
	if until := r.SnoozedUntil.Value; until != nil {
		if err := checkSnooze(r, now); err != nil {
			return Notification{}, err
		}
		if err := s.snooze(ctx, user, r.ID, micros(*until)); err != nil {
			return Notification{}, err
		}
	}
	n, err := s.store.Update(ctx, user, r.ID, func(n *Notification) error { r.apply(n, now); return nil })
	if err == nil && r.SnoozedUntil.Value != nil && !n.SnoozedUntil.After(s.now()) { // the timer may have rung too early
		err = s.setSnooze(ctx, user, r.ID, *n.SnoozedUntil)
	}
	return n, err
}

func checkSnooze(r ChangeRequest, now time.Time) error {
	f := fault.Field{Pointer: "/snoozed_until"}
	switch until := *r.SnoozedUntil.Value; {
	case !until.After(now):
		f.Code, f.Detail = "past", "is not in the future"
	case until.After(now.Add(maxAhead)):
		f.Code, f.Detail = "too_far", "is more than a year ahead"
	case r.Archived.Value:
		f.Code, f.Detail = "contradiction", "makes no sense for what is archived"
	default:
		return nil
	}
	return fault.Breaks(f)
}

// apply makes the changes that were asked for. What is archived does not come
// back by itself, and what is to come back is not archived.
func (r ChangeRequest) apply(n *Notification, now time.Time) {
	set := func(at **time.Time, o transport.Optional[bool]) {
		switch {
		case o.Set && !o.Value:
			*at = nil
		case o.Set && *at == nil:
			*at = &now
		}
	}
	set(&n.ReadAt, r.Read)
	set(&n.ArchivedAt, r.Archived)
	switch {
	case r.SnoozedUntil.Value != nil:
		n.SnoozedUntil, n.ArchivedAt = new(micros(*r.SnoozedUntil.Value)), nil
	case r.SnoozedUntil.Set, r.Archived.Value:
		n.SnoozedUntil = nil
	}
}

// Delete removes a notification.
func (s *Service) Delete(ctx context.Context, r NotificationRequest) error {
	user, err := callerID(ctx)
	if err != nil {
		return err
	}
	n, err := s.store.Notification(ctx, user, r.ID)
	if err != nil {
		return err
	}
	if n.Category == Security { // or an intruder might take back the mail that tells of them
		switch deliveries, err := s.store.Deliveries(ctx, user, r.ID); {
		case err != nil:
			return err
		case underWay(deliveries):
			return errUnderWay
		}
	}
	return s.store.Delete(ctx, user, r.ID)
}

var errUnderWay = fault.New(fault.Conflict, "delivery_pending", "This is on its way to you by other means. Delete it when it has arrived.")

func underWay(deliveries []Delivery) bool {
	for _, d := range deliveries {
		if d.State == Pending {
			return true
		}
	}
	return false
}

// ReadAll marks as read what the caller has seen.
func (s *Service) ReadAll(ctx context.Context, r ReadAllRequest) (ReadAllAnswer, error) {
	user, err := callerID(ctx)
	if err != nil {
		return ReadAllAnswer{}, err
	}
	read, unread, err := s.store.ReadAll(ctx, user, *r.UpTo, r.Category, micros(s.now()))
	return ReadAllAnswer{read, unread}, err
}

// ListDeliveries tells over which channels a notification went, and why not over others.
func (s *Service) ListDeliveries(ctx context.Context, r NotificationRequest) (page transport.Page[Delivery], err error) {
	user, err := callerID(ctx)
	if err != nil {
		return page, err
	}
	if _, err := s.store.Notification(ctx, user, r.ID); err != nil {
		return page, err
	}
	deliveries, err := s.store.Deliveries(ctx, user, r.ID)
	if deliveries == nil {
		deliveries = []Delivery{}
	}
	return transport.NewPage(deliveries, ""), err
}

// IssueTicket lets the caller open a stream from where they cannot show a token.
func (s *Service) IssueTicket(ctx context.Context, _ endpoint.None) (TicketAnswer, error) {
	user, err := callerID(ctx)
	if err != nil {
		return TicketAnswer{}, err
	}
	text := rand.Text()
	ticket := Ticket{User: user, Session: endpoint.Caller(ctx).Session}
	err = s.store.PutTicket(ctx, sha256.Sum256([]byte(text)), ticket, ticketLife)
	return TicketAnswer{text, int(ticketLife.Seconds())}, err
}

// PushConfig tells with which key a browser subscribes.
func (s *Service) PushConfig(context.Context, endpoint.None) (PushConfig, error) {
	return PushConfig{s.pushKey}, nil
}

// Subscribe sends pushes to one more of the caller's browsers.
func (s *Service) Subscribe(ctx context.Context, r SubscribeRequest) error {
	user, err := callerID(ctx)
	if err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return err
	}
	return s.store.PutSubscription(ctx, user, Subscription{
		ID: r.ID, Endpoint: r.Endpoint, P256DH: r.Keys.P256DH, Auth: r.Keys.Auth, CreatedAt: micros(s.now()),
	})
}

// Unsubscribe sends a browser no more pushes.
func (s *Service) Unsubscribe(ctx context.Context, r SubscriptionRequest) error {
	user, err := callerID(ctx)
	if err != nil {
		return err
	}
	return s.store.DeleteSubscription(ctx, user, r.ID)
}
