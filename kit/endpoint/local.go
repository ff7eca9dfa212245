package endpoint

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// maxBuckets bounds the memory of a local limiter to some 20 MB. Beyond it the
// bucket that was idle longest goes, and its caller begins anew.
const maxBuckets = 64 << 10

// local has its token buckets in memory. go-kit's
// ratelimit.NewErroringLimiter is one bucket for all callers.
type local struct {
	mu      sync.Mutex
	buckets *simplelru.LRU[Bucket, *rate.Limiter]
}

// NewLocal returns a Limiter of this process alone.
func NewLocal() Limiter {
	buckets, err := simplelru.NewLRU[Bucket, *rate.Limiter](maxBuckets, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &local{buckets: buckets}
}

// Take implements Limiter.
func (l *local) Take(_ context.Context, now time.Time, takes []Take) (v Verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	buckets := make([]*rate.Limiter, 0, ByRoute+1)
	for i := range takes {
		t := &takes[i]
		bucket := l.bucket(t, now)
		buckets = append(buckets, bucket)
		left := bucket.TokensAt(now)
		if left >= 1 {
			continue
		}
		if retry := max(t.time(1-left), 1); retry > v.Retry {
			v = Verdict{Tightest: i, Full: t.time(float64(t.Burst) - left), Retry: retry}
		}
	}
	if v.Retry > 0 {
		return v
	}
	least := math.Inf(1)
	for i, bucket := range buckets {
		bucket.AllowN(now, 1)
		if left := max(bucket.TokensAt(now), 0); left < least {
			least = left
			v = Verdict{Tightest: i, Left: int(left), Full: takes[i].time(float64(takes[i].Burst) - left)}
		}
	}
	return v
}

// bucket returns the bucket, with the rate that holds now.
func (l *local) bucket(t *Take, now time.Time) *rate.Limiter {
	bucket, found := l.buckets.Get(t.Bucket)
	if !found {
		bucket = rate.NewLimiter(rate.Limit(t.PerSecond), t.Burst)
		l.buckets.Add(t.Bucket, bucket)
		return bucket
	}
	if bucket.Limit() != rate.Limit(t.PerSecond) {
		bucket.SetLimitAt(now, rate.Limit(t.PerSecond))
	}
	if bucket.Burst() != t.Burst {
		bucket.SetBurstAt(now, t.Burst)
	}
	return bucket
}

// time is how long it takes for so many requests to come back.
func (r Rate) time(requests float64) time.Duration {
	return time.Duration(min(requests/r.PerSecond*float64(time.Second), 1<<62))
}
