package notify

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/account"
	"github.com/trellis-go/trellis/kit/pause"
)

var _ account.Holder = (*Service)(nil)

// holdings are all that is kept of a user.
type holdings struct {
	Notifications []told         `json:"notifications"`
	Mails         []Delivery     `json:"mails"` // that are in no inbox
	Browsers      []Subscription `json:"push_subscriptions"`
	Scheduled     []scheduled    `json:"scheduled"`
}

// scheduled is what is to be told later.
type scheduled struct {
	At       time.Time      `json:"deliver_at"`
	Category Category       `json:"category"`
	Title    string         `json:"title"`
	Body     string         `json:"body"`
	Data     jsontext.Value `json:"data"`
	Link     string         `json:"link"`
}

// told is a notification, and how it went.
type told struct {
	Notification
	Deliveries []Delivery `json:"deliveries"`
}

// Export writes notifications.json.
func (s *Service) Export(ctx context.Context, user uuid.UUID, add account.Add) error {
	var h holdings
	for _, status := range []Status{All, Archived, Snoozed} {
		if err := s.collect(ctx, user, status, &h); err != nil {
			return err
		}
	}
	var err error
	if h.Mails, err = s.store.Deliveries(ctx, user, uuid.Nil); err != nil {
		return err
	}
	if h.Browsers, err = s.store.Subscriptions(ctx, user); err != nil {
		return err
	}
	if h.Scheduled, err = s.scheduled(ctx, user); err != nil {
		return err
	}
	w, err := add("notifications.json", s.now())
	if err != nil {
		return err
	}
	return json.MarshalWrite(w, h, jsontext.WithIndent("  "))
}

// collect adds a part of the inbox; MaxInbox bounds it.
func (s *Service) collect(ctx context.Context, user uuid.UUID, status Status, h *holdings) error {
	for q := (Query{Status: status, Limit: 100}); ; {
		inbox, err := s.store.Inbox(ctx, user, q)
		if err != nil {
			return err
		}
		for _, n := range inbox.Notifications {
			deliveries, err := s.store.Deliveries(ctx, user, n.ID)
			if err != nil {
				return err
			}
			h.Notifications = append(h.Notifications, told{n, deliveries})
			q.Before = n.Seq
		}
		if !inbox.More {
			return nil
		}
	}
}

// scheduled leaves out when what is snoozed comes back: each says so itself.
func (s *Service) scheduled(ctx context.Context, user uuid.UUID) (list []scheduled, err error) {
	timers, err := s.store.Timers(ctx, user)
	for _, t := range timers {
		var data timer
		if err := json.Unmarshal(t.Data, &data); err != nil {
			return nil, err
		}
		if data.Publish != nil {
			n := data.Publish.Notification
			list = append(list, scheduled{t.At, n.Category, n.Title, n.Body, n.Data, n.Link})
		}
	}
	return list, err
}

// Erase removes all that is kept of a user, and lets nothing more of theirs in.
func (s *Service) Erase(ctx context.Context, user uuid.UUID) (account.Receipt, error) {
	erased, err := s.store.Erase(ctx, user)
	s.settings.forget(user)
	return account.Receipt{Service: "notify", ErasedAt: micros(s.now()), Erased: erased}, err
}

// Purge forgets once an hour what has been over for long, until ctx ends. It
// tells what it can't do.
func (s *Service) Purge(ctx context.Context, tell func(error)) {
	for pause.For(ctx, time.Hour) {
		if err := s.store.Purge(ctx, s.now()); err != nil && ctx.Err() == nil {
			tell(err)
		}
	}
}
