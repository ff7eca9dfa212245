package endpoint

import (
	"context"
	"math"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/go-kit/kit/endpoint"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/trellis-go/trellis/kit/fault"
	"golang.org/x/time/rate"
)

// maxBuckets bounds the memory of a limiter to some 20 MB. Beyond it the
// bucket that was idle longest goes, and its caller begins anew.
const maxBuckets = 64 << 10

// limiter has a token bucket for each endpoint and caller. go-kit's
// ratelimit.NewErroringLimiter is one bucket for all callers.
type limiter struct {
	mu      sync.Mutex
	buckets *simplelru.LRU[bucketKey, *rate.Limiter]
}

type bucketKey struct {
	endpoint string
	user     string
	addr     netip.Addr // set when there is no user
}

func newLimiter() *limiter {
	l, err := simplelru.NewLRU[bucketKey, *rate.Limiter](maxBuckets, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &limiter{buckets: l}
}

// take takes one request out of the caller's bucket, and returns how many are left.
func (l *limiter) take(key bucketKey, r Rate, now time.Time) (left float64, ok bool) {
	l.mu.Lock()
	bucket, found := l.buckets.Get(key)
	if !found {
		bucket = rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst)
		l.buckets.Add(key, bucket)
	}
	l.mu.Unlock()
	ok = bucket.AllowN(now, 1)
	return bucket.TokensAt(now), ok
}

// limit bounds how often each caller may call: a user whose token was seen
// and verified before, else an address. It stands before authentication, so
// that a flood of bad tokens is stopped before their signatures are checked.
func (s *Stack) limit(e Endpoint) endpoint.Middleware {
	r := e.Rate
	if r.PerSecond <= 0 {
		return func(next endpoint.Endpoint) endpoint.Endpoint { return next }
	}
	policy := []string{`"caller";q=` + strconv.Itoa(r.Burst) + `;w=` + strconv.Itoa(int(math.Ceil(float64(r.Burst)/r.PerSecond)))}
	return func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, req any) (any, error) {
			call := From(ctx)
			key := bucketKey{endpoint: e.Name}
			if call.Token != "" && !e.Anonymous { // where nobody needs an account, more accounts are not to help
				call.Caller = s.Verifier.Cached(call.Token)
			}
			if call.Caller != nil {
				key.user = call.Caller.ID
			} else {
				key.addr = Block(call.Client)
			}
			left, ok := s.limiter.take(key, r, call.Began)
			call.Answer["Ratelimit-Policy"] = policy
			call.Answer["Ratelimit"] = []string{remaining(left, r)}
			if !ok {
				wait := time.Duration((1 - left) / r.PerSecond * float64(time.Second))
				return nil, fault.New(fault.TooMany, "rate_limited", "Too many requests. Try again in a moment.").After(wait)
			}
			return next(ctx, req)
		}
	}
}

// remaining is the RateLimit header's value: how many requests are left, and
// in how many seconds the bucket is full again
// (draft-ietf-httpapi-ratelimit-headers).
func remaining(left float64, r Rate) string {
	b := make([]byte, 0, 40)
	b = append(b, `"caller";r=`...)
	b = strconv.AppendInt(b, int64(max(left, 0)), 10)
	b = append(b, `;t=`...)
	b = strconv.AppendInt(b, int64(math.Ceil((float64(r.Burst)-left)/r.PerSecond)), 10)
	return string(b)
}

// Block is the part of an address that one caller commands: all of an IPv4
// address, the first 64 bits of an IPv6 one.
func Block(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
