package notes

import (
	"context"
	"time"
)

const (
	// goneFor is for how long the feed tells that a note has gone. Who was
	// away for longer begins anew.
	goneFor = 90 * 24 * time.Hour

	upkeepEvery = 5 * time.Second // an earlier version may write notes meanwhile
	upkeepTime  = 30 * time.Second
	upkeepBatch = 100
)

// Upkeep makes notes be found that earlier versions wrote, and forgets what
// went long ago, until ctx ends. It may run in all instances. failed hears
// when it begins to fail, and why.
func (s *Service) Upkeep(ctx context.Context, failed func(error)) {
	poll := time.NewTicker(upkeepEvery)
	defer poll.Stop()
	failing := false
	for {
		full, err := s.upkeep(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			failed(err)
		}
		failing = err != nil
		if full {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
	}
}

// upkeep takes a step, and tells whether there may be another to take at once.
func (s *Service) upkeep(ctx context.Context) (full bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, upkeepTime)
	defer cancel()
	indexed, err := s.store.Index(ctx, upkeepBatch)
	if err != nil {
		return false, err
	}
	pruned, err := s.store.Prune(ctx, micros(s.now()).Add(-goneFor), upkeepBatch)
	return err == nil && max(indexed, pruned) == upkeepBatch, err
}
