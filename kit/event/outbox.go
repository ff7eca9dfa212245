package event

import (
	"context"
	"time"
)

// Outbox is a service's events as its store keeps them. Published ones stay
// for a while, because a bus may lose what it was given.
type Outbox interface {
	// Pass hands the oldest unpublished events, up to max, to publish, and
	// when that returns nil marks them published at the positions that follow
	// batch.After. Over all instances one Pass runs at a time; another returns
	// 0 at once. It returns how many were published. With a max of 0 publish
	// is handed an empty batch.
	Pass(ctx context.Context, max int, publish func(Batch) error) (int, error)
	// Rewind makes the events published behind a position unpublished.
	Rewind(ctx context.Context, to int64) error
	// Await returns when there may be unpublished events: at once when this
	// process wrote some, within a second when another did, or when ctx ends.
	Await(ctx context.Context)
	// Sweep forgets the events published before a time.
	Sweep(ctx context.Context, before time.Time) error
}

// Batch is a run of events at the positions After+1, After+2, …
type Batch struct {
	After    int64
	Messages []Message
}
