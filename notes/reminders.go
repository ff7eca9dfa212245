package notes

import (
	"context"
	"time"

	"github.com/trellis-go/trellis/kit/event"
)

const (
	remindEvery = 500 * time.Millisecond // any instance may have set a reminder meanwhile
	remindTime  = 15 * time.Second       // that one batch may take
	remindBatch = 200
)

// Remind tells of reminders when their times come, and of those whose times
// came while nobody did, until ctx ends. It may run in all instances. failed
// hears when reminders begin to wait, and why.
func (s *Service) Remind(ctx context.Context, failed func(error)) {
	poll := time.NewTicker(remindEvery)
	defer poll.Stop()
	failing := false
	for {
		n, err := s.remind(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			failed(err)
		}
		failing = err != nil
		if n == remindBatch {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
	}
}

func (s *Service) remind(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, remindTime)
	defer cancel()
	return s.store.Remind(ctx, micros(s.now()), remindBatch, func(n Note) (event.Message, error) {
		return ReminderDue.About(ctx, n.Owner, Reminder{Note: n.ID, Title: n.Title})
	})
}
