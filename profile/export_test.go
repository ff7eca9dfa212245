package profile

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/token"
)

// Register handles that a user registered.
func Register(s *Service, ctx context.Context, user uuid.UUID, name string) error {
	return s.registered(ctx, event.Event[auth.Registered]{Subject: user, Data: auth.Registered{Name: name}})
}

// Advance makes a service's clock go ahead.
func Advance(s *Service, by time.Duration) {
	ahead.Lock()
	ahead.by[s] += by
	ahead.Unlock()
	s.due()
}

// ahead are the clocks of services in tests.
var ahead = struct {
	sync.Mutex
	by map[*Service]time.Duration
}{by: map[*Service]time.Duration{}}

// Wind gives a service a clock that Advance moves.
func Wind(s *Service) {
	s.now = func() time.Time {
		ahead.Lock()
		defer ahead.Unlock()
		return time.Now().Add(ahead.by[s])
	}
}

// Abandon begins an export of a user's and claims it, and then nothing.
func Abandon(s *Service, ctx context.Context, user uuid.UUID) error {
	ctx = endpoint.WithToken(ctx, "")
	endpoint.From(ctx).Caller = &token.Caller{ID: user.String()}
	j, err := s.StartExport(ctx, endpoint.None{})
	if err != nil {
		return err
	}
	_, err = run{s, user, j.ID, uuid.New()}.take(ctx)
	return err
}
