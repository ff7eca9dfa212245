package redis

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	maxBatch = 128 // questions in one round trip
	maxTrips = 2   // round trips at a time
)

// batch asks Redis in pipelines: what is asked while others are on their way
// shares the next round trip. (go-redis's AutoPipeline knows no deadlines.)
type batch struct {
	client *redis.Client

	mu      sync.Mutex
	waiting []*question
	trips   int
}

// question is one command, and its answer once that is there.
type question struct {
	command  []any
	deadline time.Time
	answered chan struct{}
	answer   any
	err      error
}

// ask has the question asked in one of the next round trips.
func (b *batch) ask(q *question) {
	b.mu.Lock()
	b.waiting = append(b.waiting, q)
	idle := b.trips < maxTrips
	if idle {
		b.trips++
	}
	b.mu.Unlock()
	if idle {
		go b.travel()
	}
}

// travel asks what waits, until nothing does.
func (b *batch) travel() {
	for {
		b.mu.Lock()
		n := min(len(b.waiting), maxBatch)
		if n == 0 {
			b.waiting = nil
			b.trips--
			b.mu.Unlock()
			return
		}
		questions := b.waiting[:n:n]
		b.waiting = b.waiting[n:]
		b.mu.Unlock()
		b.trip(questions)
		for _, q := range questions {
			close(q.answered)
		}
	}
}

// trip asks the questions at once, and a second time those for which Redis had
// forgotten the script. The first has waited longest; its deadline is all's.
func (b *batch) trip(questions []*question) {
	ctx, cancel := context.WithDeadline(context.Background(), questions[0].deadline)
	defer cancel()
	if again := b.pipeline(ctx, questions); len(again) > 0 && script.Load(ctx, b.client).Err() == nil {
		b.pipeline(ctx, again)
	}
}

func (b *batch) pipeline(ctx context.Context, questions []*question) (forgotten []*question) {
	pipe := b.client.Pipeline()
	answers := make([]*redis.Cmd, len(questions))
	for i, q := range questions {
		answers[i] = pipe.Do(ctx, q.command...)
	}
	_, err := pipe.Exec(ctx)
	for i, q := range questions {
		if q.answer, q.err = answers[i].Result(); q.err == nil && q.answer == nil {
			q.err = err // it was not asked
		}
		if redis.HasErrorPrefix(q.err, "NOSCRIPT") {
			forgotten = append(forgotten, q)
		}
	}
	return forgotten
}
