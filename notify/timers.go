package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/pause"
)

// timer is a Timer's data: one of the two.
type timer struct {
	Snoozed *uuid.UUID `json:"snoozed,omitempty"` // a notification that comes back
	Publish *delayed   `json:"publish,omitempty"`
}

type delayed struct {
	Notification Notification `json:"notification"`
	Keys         Keys         `json:"keys"`
}

func (s *Service) setTimer(ctx context.Context, key string, user uuid.UUID, at time.Time, data timer) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return s.store.SetTimer(ctx, Timer{Key: key, User: user, At: at, Data: text})
}

// publishAt tells a user something at a time. The same dedupe key with another
// time puts it off.
func (s *Service) publishAt(ctx context.Context, at time.Time, n Notification, keys Keys) error {
	key := fmt.Sprintf("publish %s %s", n.User, keys.Dedupe)
	return known(s.setTimer(ctx, key, n.User, at, timer{Publish: &delayed{n, keys}}))
}

// snooze sets the timer of a notification before that is put off: the other
// way round it might never come back. Who takes a snooze back leaves the timer,
// which then does nothing: to stop it might stop that of the next snooze.
func (s *Service) snooze(ctx context.Context, user, id uuid.UUID, until time.Time) error {
	if _, err := s.store.Notification(ctx, user, id); err != nil {
		return err
	}
	return s.setSnooze(ctx, user, id, until)
}

func (s *Service) setSnooze(ctx context.Context, user, id uuid.UUID, until time.Time) error {
	return s.setTimer(ctx, fmt.Sprintf("snooze %s", id), user, until, timer{Snoozed: &id})
}

const (
	ringEvery = time.Second
	ringLease = time.Minute
	ringMax   = 100

	backDelay = 2 * time.Second  // until the push of what has come back, which comes back meanwhile
	backRetry = 10 * time.Second // until it is tried again, if that has not
)

// Ring does what timers ask for when their time has come, until ctx ends. What
// should have been done while no instance ran is done at once. It tells what
// it can't do.
func (s *Service) Ring(ctx context.Context, tell func(error)) {
	for ctx.Err() == nil {
		n, err := s.ring(ctx)
		if err != nil && ctx.Err() == nil {
			tell(fmt.Errorf("timers: %w", err))
		}
		if n < ringMax || err != nil {
			pause.For(ctx, ringEvery)
		}
	}
}

// ring returns how many timers rang. One that cannot be done rings again after
// its lease.
func (s *Service) ring(ctx context.Context) (int, error) {
	timers, err := s.store.Ring(ctx, s.now(), ringLease, ringMax)
	var errs []error
	for _, t := range timers {
		if err := s.rang(ctx, t); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", t.Key, err))
		} else if err := s.store.Rung(ctx, t); err != nil {
			errs = append(errs, err)
		}
	}
	return len(timers), errors.Join(append(errs, err)...)
}

func (s *Service) rang(ctx context.Context, t Timer) error {
	var data timer
	if err := json.Unmarshal(t.Data, &data); err != nil {
		return err
	}
	switch {
	case data.Publish != nil:
		n := data.Publish.Notification
		n.User = t.User
		return s.publish(ctx, n, data.Publish.Keys)
	case data.Snoozed != nil:
		return s.comeBack(ctx, t, *data.Snoozed)
	}
	return errors.New("it asks for nothing")
}

// comeBack ends a snooze: the notification is unread again. It is pushed too,
// as who asked for that may be elsewhere by now. A snooze that is to last longer
// gets its timer anew, for this may be the only one: of several changes at once,
// or of one that was not kept.
func (s *Service) comeBack(ctx context.Context, t Timer, id uuid.UUID) error {
	now := micros(s.now())
	due := func(n Notification) bool { return n.SnoozedUntil != nil && !n.SnoozedUntil.After(now) }
	n, err := s.store.Notification(ctx, t.User, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	case n.SnoozedUntil == nil:
		return nil
	case !due(n):
		return known(s.setSnooze(ctx, t.User, id, *n.SnoozedUntil))
	}
	push := Delivery{
		ID:   uuid.NewSHA1(id, []byte(t.At.Format(time.RFC3339Nano))), // the same when this rings again
		User: t.User, Notification: id, Channel: Push, Kind: KindNotification,
		State: Pending, NextAt: now.Add(backDelay), UpdatedAt: now,
	}
	if err := known(s.store.Enqueue(ctx, push)); err != nil {
		return err
	}
	_, err = s.store.Update(ctx, t.User, id, func(n *Notification) error {
		if due(*n) {
			n.SnoozedUntil, n.ReadAt = nil, nil
		}
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return known(err)
}
