package redis

import (
	"context"
	"errors"
	"time"

	"github.com/go-kit/log"
	"github.com/redis/go-redis/v9"
	"github.com/trellis-go/trellis/kit/endpoint"
)

// defaultPatience is how long a request may wait for Redis.
const defaultPatience = 50 * time.Millisecond

// Limiter keeps rate limits in Redis, so that they hold across all instances
// that share it. Its clock is Redis's. While Redis is away, or late, a local
// limiter decides, with whose buckets each caller begins anew; no request
// fails for that, and none but the first ones waits.
//
// Rates are exact for a whole number of microseconds between requests, else
// rounded down to the next such.
type Limiter struct {
	patience time.Duration
	batch    batch
	local    endpoint.Limiter
	outage   outage
	refusals *refusals
}

// NewLimiter returns a Limiter on a client that it has for itself, as Open makes it.
func NewLimiter(client *redis.Client, local endpoint.Limiter, logger log.Logger) *Limiter {
	return &Limiter{
		patience: defaultPatience,
		batch:    batch{client: client}, local: local, refusals: newRefusals(),
		outage: outage{client: client, logger: logger, began: time.Now()},
	}
}

// Take implements endpoint.Limiter. Whom Redis refused is refused without
// asking it again until the time that it gave.
func (l *Limiter) Take(ctx context.Context, now time.Time, takes []endpoint.Take) endpoint.Verdict {
	if v, ok := l.refusals.find(takes, now); ok {
		return v
	}
	if !l.outage.over(l.patience) {
		return l.local.Take(ctx, now, takes)
	}
	v, err := l.ask(ctx, takes)
	if err != nil {
		if ctx.Err() == nil { // else it is the caller who is away
			l.outage.begin(err)
		}
		return l.local.Take(ctx, now, takes)
	}
	if v.Retry > 0 {
		l.refusals.add(takes[v.Tightest], v)
	}
	return v
}

var errLate = errors.New("redis: no answer in time")

func (l *Limiter) ask(ctx context.Context, takes []endpoint.Take) (v endpoint.Verdict, err error) {
	q := &question{command: command(takes), deadline: time.Now().Add(l.patience), answered: make(chan struct{})}
	late := time.NewTimer(l.patience)
	defer late.Stop()
	l.batch.ask(q)
	select {
	case <-q.answered:
		if q.err != nil {
			return v, q.err
		}
		return verdict(q.answer, len(takes))
	case <-late.C:
		return v, errLate
	case <-ctx.Done():
		return v, ctx.Err()
	}
}
