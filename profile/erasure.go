package profile

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
)

// authName is the service that knows who its users are: the last to forget.
const authName = "auth"

// erasureOrder is in which order services erase an account.
func (s *Service) erasureOrder() []string {
	others := slices.DeleteFunc(slices.Clone(s.config.Holders), func(name string) bool { return name == authName })
	order := append(others, ownName)
	if slices.Contains(s.config.Holders, authName) {
		order = append(order, authName)
	}
	return order
}

// erase goes on with an erasure from where the last run left it: nobody is let
// in, then the other services erase, then this one, then auth. Each step may be
// done twice. Of the user nothing stays but the job, in a record that does not
// say whose it was.
func (r run) erase(ctx context.Context, t *Task) error {
	if !t.Closed {
		if err := r.users.CloseUser(ctx, r.user); err != nil {
			return err
		}
		err := r.step(ctx, func(_ *Record, t *Task) ([]event.Message, error) { t.Closed = true; return nil, nil })
		if err != nil {
			return err
		}
	}
	var others []Part
	for _, p := range t.Parts {
		if !p.Done && p.Service != ownName && p.Service != authName {
			others = append(others, p)
		}
	}
	if err := r.each(ctx, others, func(_ int, p Part) error { return r.eraseAt(ctx, p.Service) }); err != nil {
		return err
	}
	if !t.part(ownName).Done {
		receipt, err := holder{r.Service}.Erase(ctx, r.user)
		if err != nil {
			return err
		}
		if err := r.note(ctx, ownName, func(p *Part) { p.receipt(receipt) }); err != nil {
			return err
		}
	}
	if p := t.part(authName); p.Service != "" && !p.Done {
		if err := r.each(ctx, []Part{*p}, func(int, Part) error { return r.eraseAt(ctx, authName) }); err != nil {
			return err
		}
	}
	if err := r.clean(ctx, r.user); err != nil {
		return err
	}
	return r.step(ctx, func(record *Record, t *Task) ([]event.Message, error) {
		if len(record.Waste) > 0 {
			return nil, errors.New("there is waste left")
		}
		record.User = uuid.Nil
		t.Status, t.Claim, t.DueAt = Done, uuid.Nil, nil
		return nil, nil
	})
}

// eraseAt has another service erase, and keeps its receipt.
func (r run) eraseAt(ctx context.Context, service string) error {
	receipt, err := r.holders.Erase(ctx, service, r.user)
	if err != nil {
		return err
	}
	return r.note(ctx, service, func(p *Part) { p.receipt(receipt) })
}
