package redis

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/redis/go-redis/v9"
	"github.com/trellis-go/trellis/kit/endpoint"
)

// pause is how long Redis is not asked after it failed.
const pause = time.Second

// outage knows whether Redis is away, and looks from time to time whether it
// is back; no request waits for that.
type outage struct {
	client *redis.Client
	logger log.Logger
	began  time.Time
	until  atomic.Int64 // when to look again, in nanoseconds since began; 0 while Redis is there
}

// over tells whether Redis may be asked. The first to call it after a pause
// has somebody look whether Redis answers with patience.
func (o *outage) over(patience time.Duration) bool {
	until := o.until.Load()
	if until == 0 {
		return true
	}
	if now := time.Since(o.began); int64(now) >= until && o.until.CompareAndSwap(until, int64(now+pause)) {
		go o.look(patience)
	}
	return false
}

// begin notes that Redis failed.
func (o *outage) begin(err error) {
	if o.until.CompareAndSwap(0, int64(time.Since(o.began)+pause)) {
		_ = o.logger.Log("level", "warn", "msg", "rate limits are this instance's alone: Redis is away", "err", err)
	}
}

// look ends the outage if Redis decides, in time, what it would be asked. To
// connect it may take longer.
func (o *outage) look(patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), pause/2)
	defer cancel()
	if o.client.Ping(ctx).Err() != nil || script.Load(ctx, o.client).Err() != nil {
		return
	}
	ctx, cancel = context.WithTimeout(ctx, patience)
	defer cancel()
	probe := []endpoint.Take{{Bucket: endpoint.Bucket{Endpoint: "probe"}, Rate: endpoint.Rate{PerSecond: 1e6, Burst: 1}}}
	if o.client.Do(ctx, command(probe)...).Err() != nil {
		return
	}
	o.until.Store(0)
	_ = o.logger.Log("level", "info", "msg", "rate limits are shared again: Redis is back")
}
