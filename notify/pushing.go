package notify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"sync"
)

// push sends a message to all of a user's browsers that it has not reached
// yet. Those that are no longer subscribed are forgotten.
func (s *Sender) push(ctx context.Context, d Delivery, n Notification) outcome {
	browsers, err := s.service.store.Subscriptions(ctx, d.User)
	if err != nil {
		return after(err)
	}
	before, _ := s.reached.Get(d.ID)
	reached := map[string]bool{}
	maps.Copy(reached, before)
	m := Message{ID: n.ID, Title: n.Title, Body: n.Body, Link: n.Link, Category: n.Category}
	var again, never error
	for id, err := range s.pushTo(ctx, browsers, reached, m) {
		t, troubled := errors.AsType[*Trouble](err)
		switch {
		case err == nil:
			reached[id] = true
		case errors.Is(err, ErrUnsubscribed):
			if err := s.service.store.DeleteSubscription(ctx, d.User, id); err != nil {
				again = err
			}
		case troubled && t.Final:
			never = err
		default:
			again = err
		}
	}
	switch {
	case again != nil && d.Attempts+1 < MaxAttempts:
		s.reached.Add(d.ID, reached)
		return after(again)
	case len(reached) > 0:
		return outcome{state: Sent, tried: true, reason: fmt.Sprintf("It reached %d of %d browsers.", len(reached), len(browsers))}
	case again != nil:
		return after(again)
	case never != nil:
		return after(never)
	}
	return skipped("No browser of yours takes pushes.")
}

// pushTo sends a message to the browsers that it has not reached, side by
// side, and returns what they answered by their ids.
func (s *Sender) pushTo(ctx context.Context, browsers []Subscription, reached map[string]bool, m Message) map[string]error {
	answers := map[string]error{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, b := range browsers {
		if reached[b.ID] {
			continue
		}
		all.Go(func() {
			err := s.pushOne(ctx, b, m)
			mu.Lock()
			defer mu.Unlock()
			answers[b.ID] = err
		})
	}
	all.Wait()
	return answers
}

func (s *Sender) pushOne(ctx context.Context, b Subscription, m Message) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return s.pusher.Push(ctx, b, m)
}
