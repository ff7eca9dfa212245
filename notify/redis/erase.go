package redis

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
)

func (s *Store) Erase(ctx context.Context, user uuid.UUID) (map[string]int, error) {
	answer, err := s.run(ctx, erase, user.String(), mark(user), notify.ForgottenFor.Milliseconds()).Slice()
	if err != nil {
		return nil, err
	}
	kinds := []string{"notifications", "entries", "deliveries", "timers", "subscriptions"}
	if len(answer) != len(kinds) {
		return nil, errForm
	}
	counts := map[string]int{}
	for i, kind := range kinds {
		counts[kind] = int(num(answer, i))
	}
	return counts, nil
}

// Purge leaves to Redis what expires.
func (s *Store) Purge(ctx context.Context, now time.Time) error {
	const some = 500
	for {
		n, err := s.run(ctx, purge, micros(now.Add(-notify.SettledFor)), some).Int()
		if err != nil || n < some {
			return err
		}
	}
}
