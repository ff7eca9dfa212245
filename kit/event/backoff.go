package event

import (
	"context"
	"time"

	"github.com/trellis-go/trellis/kit/pause"
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
	pause.For(ctx, b.next)
}

// lasting returns a context that ends some time after ctx.
func lasting(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { pause.For(longer, after); cancel() })
	return longer, func() { stop(); cancel() }
}
