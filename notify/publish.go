package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
)

// KindNotification is the Kind of a Delivery of something in the inbox; the
// others are mails with a Link.
const (
	KindNotification = "notification"
	VerifyMail       = "verify"
	ResetMail        = "reset"
)

const (
	maxData   = 4 << 10 // bytes
	turnedOff = "You turned this off."
)

// Notify tells users something, now or at a time.
func (s *Service) Notify(ctx context.Context, r NotifyRequest) error {
	now := micros(s.now())
	if err := r.check(now); err != nil {
		return err
	}
	request, err := endpoint.NewID(ctx) // the same when the request is repeated
	if err != nil {
		return err
	}
	keys := Keys{Dedupe: r.DedupeKey, Collapse: r.CollapseKey}
	if keys.Dedupe == "" {
		keys.Dedupe = "request " + request.String()
	}
	n := Notification{Category: r.Category, Title: r.Title, Body: r.Body, Data: r.Data, Link: r.Link}
	for _, user := range r.Users {
		n.User = user
		if r.DeliverAt != nil && r.DeliverAt.After(now) {
			err = s.publishAt(ctx, micros(*r.DeliverAt), n, keys)
		} else {
			err = s.publish(ctx, n, keys)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// check refuses what would not fit, or lead out of the webapp.
func (r *NotifyRequest) check(now time.Time) error {
	if r.Data == nil {
		r.Data = jsontext.Value("{}")
	}
	var f fault.Field
	switch {
	case r.Data.Kind() != '{':
		f = fault.Field{Pointer: "/data", Code: "wrong_type", Detail: "is not an object"}
	case len(r.Data) > maxData:
		f = fault.Field{Pointer: "/data", Code: "too_long", Detail: fmt.Sprintf("may have at most %d bytes", maxData)}
	case r.Link != "" && !inWebapp(r.Link):
		f = fault.Field{Pointer: "/link", Code: "malformed", Detail: "is no path of the webapp"}
	case r.DeliverAt != nil && r.DeliverAt.After(now.Add(maxAhead)):
		f = fault.Field{Pointer: "/deliver_at", Code: "too_far", Detail: "is more than a year ahead"}
	default:
		return nil
	}
	return fault.Breaks(f)
}

// inWebapp tells whether a link is a path of the webapp: a browser takes
// "//host" and "/\host" to another.
func inWebapp(link string) bool {
	return strings.HasPrefix(link, "/") && !strings.HasPrefix(link, "//") && !strings.ContainsFunc(link, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f })
}

// publish tells a user now: in the inbox, and over the channels that they
// want. What they do not want in the inbox goes to its archive, where the
// other channels find it. A user who was erased is told nothing.
func (s *Service) publish(ctx context.Context, n Notification, keys Keys) (err error) {
	if n.ID == uuid.Nil {
		if n.ID, err = uuid.NewV7(); err != nil {
			return err
		}
	}
	n.CreatedAt = micros(s.now())
	settings, away := s.settings.get(ctx, n.User)
	wants := settings.For(n.Category)
	if wants.InApp = wants.InApp || n.Category == Security; !wants.InApp {
		n.ArchivedAt = &n.CreatedAt
	}
	var deliveries []Delivery
	for _, c := range []struct {
		channel Channel
		wanted  bool
		state   State
	}{
		{InApp, wants.InApp, Sent},
		{Email, wants.Email || away != nil, Pending}, // decided again when it is sent
		{Push, wants.Push || away != nil, Pending},
	} {
		d := Delivery{User: n.User, Notification: n.ID, Channel: c.channel, Kind: KindNotification, State: c.state, NextAt: n.CreatedAt, UpdatedAt: n.CreatedAt}
		if d.ID, err = uuid.NewV7(); err != nil {
			return err
		}
		if !c.wanted {
			d.State, d.Reason = Skipped, turnedOff
		}
		deliveries = append(deliveries, d)
	}
	_, _, err = s.store.Publish(ctx, n, keys, deliveries...)
	s.wake()
	return known(err)
}

// signal adds what is no notification to a user's stream.
func (s *Service) signal(ctx context.Context, user uuid.UUID, kind string, data any, dedupe string) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return known(s.store.Signal(ctx, user, kind, text, dedupe+" "+kind))
}

// enqueue sends a mail that is not in the inbox.
func (s *Service) enqueue(ctx context.Context, d Delivery) error {
	d.State, d.NextAt, d.UpdatedAt = Pending, micros(s.now()), micros(s.now())
	err := s.store.Enqueue(ctx, d)
	s.wake()
	return known(err)
}

// known lets pass that a user was erased meanwhile.
func known(err error) error {
	if errors.Is(err, ErrForgotten) {
		return nil
	}
	return err
}

// wake tells the Sender of this process that there may be something to send.
func (s *Service) wake() {
	for over := range s.pending {
		s.wakeFor(over)
	}
}

func (s *Service) wakeFor(over Channel) {
	select {
	case s.pending[over] <- struct{}{}:
	default:
	}
}
