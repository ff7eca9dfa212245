package event

import (
	"context"
	"time"
)

const (
	firstPause   = 50 * time.Millisecond
	longestPause = 5 * time.Second
)

// backoff is a pause that doubles.
type backoff struct{ next time.Duration }

func (b *backoff) first() bool { return b.next == 0 }
func (b *backoff) reset()      { b.next = 0 }

func (b *backoff) wait(ctx context.Context) {
	b.next = min(max(firstPause, 2*b.next), longestPause)
	pauseFor(ctx, b.next)
}

// pauseFor waits. It returns false when ctx ends first.
func pauseFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// lasting returns a context that ends some time after ctx.
func lasting(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { pauseFor(longer, after); cancel() })
	return longer, func() { stop(); cancel() }
}
