package event

import (
	"context"
	"errors"
	"time"

	"github.com/go-kit/log"
)

// Relay publishes a service's outbox on the bus: at least once, in order.
type Relay struct {
	Source string // the service
	Outbox Outbox
	Bus    Bus
	Logger log.Logger
}

const (
	batchSize = 500
	retainFor = 24 * time.Hour // a bus that lost what it had gets so much again
	tidyEvery = 5 * time.Second
	relayTime = 15 * time.Second // that one batch may take
	flushTime = 3 * time.Second  // that what is left may take
)

// Run publishes until ctx ends, and then what is left.
func (r Relay) Run(ctx context.Context) {
	work, cancel := lasting(ctx, flushTime)
	defer cancel()
	var pause backoff
	tidied := time.Now()
	for {
		last := ctx.Err() != nil
		n, err := r.pass(work, batchSize)
		if err == nil && n < batchSize && time.Since(tidied) >= tidyEvery {
			tidied = time.Now()
			n, err = r.tidy(work)
		}
		if err != nil && (pause.first() || last) {
			_ = r.Logger.Log("level", "warn", "msg", "events wait to be published", "err", err)
		}
		switch {
		case err == nil && n == batchSize:
			pause.reset()
		case last:
			return
		case err != nil:
			pause.wait(ctx)
		default:
			pause.reset()
			r.await(ctx)
		}
	}
}

// await waits for events, and not for longer than until it is time to tidy.
func (r Relay) await(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, tidyEvery)
	defer cancel()
	r.Outbox.Await(ctx)
}

// pass publishes one batch. When the bus turns out to have lost events they
// count as unpublished again.
func (r Relay) pass(ctx context.Context, max int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, relayTime)
	defer cancel()
	n, err := r.Outbox.Pass(ctx, max, func(b Batch) error {
		for i := range b.Messages {
			b.Messages[i].Source = r.Source
		}
		return r.Bus.Publish(ctx, r.Source, b)
	})
	if lost, ok := errors.AsType[*Lost](err); ok {
		_ = r.Logger.Log("level", "warn", "msg", "the bus has lost events; they are published again", "after", lost.Has)
		return batchSize, r.Outbox.Rewind(ctx, lost.Has)
	}
	return n, err
}

// tidy forgets what is published long ago or handled. An empty batch asks the
// bus whether it still knows what it was given, also while nothing happens.
func (r Relay) tidy(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, relayTime)
	defer cancel()
	n, err := r.pass(ctx, 0)
	if err != nil {
		return 0, err
	}
	if err := r.Outbox.Sweep(ctx, time.Now().Add(-retainFor)); err != nil {
		return 0, err
	}
	return n, r.Bus.Trim(ctx, r.Source)
}
