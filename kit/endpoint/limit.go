package endpoint

import (
	"context"
	"math"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
)

// Limiter keeps the buckets that bound how often requests may come. It may be
// shared by instances.
type Limiter interface {
	// Take takes one request out of each bucket, or out of none if one of them
	// is empty. It is asked about at least one bucket, about none twice, and
	// does not keep takes.
	Take(ctx context.Context, now time.Time, takes []Take) Verdict
}

// Take is a request's claim on a bucket, which fills at the rate.
type Take struct {
	Bucket
	Rate
}

// Bucket names what is counted. Fields that do not matter to By are zero.
type Bucket struct {
	By       By
	Endpoint string
	User     string
	Addr     netip.Addr
}

// By says whose requests a bucket counts.
type By uint8

// The buckets of one request.
const (
	ByCaller  By = iota // one caller's at one endpoint: a user's whose token is known already, else an address's
	ByUser              // such a user's, over all endpoints
	ByAddress           // one address's, over all endpoints
	ByRoute             // one endpoint's, over all callers
)

// String is the bucket's name in the RateLimit headers.
func (b By) String() string { return [...]string{"caller", "user", "address", "route"}[b] }

// Verdict is what a Limiter decides on a request.
type Verdict struct {
	Tightest int           // which take has the fewest requests left, or makes the caller wait longest
	Left     int           // how many requests that bucket has left
	Full     time.Duration // until it is full
	Retry    time.Duration // 0 if the request may pass, else until it may
}

// Limits are what a stack bounds beside the rates of its endpoints.
type Limits struct {
	User      Rate                   // each user's requests, over all endpoints
	Address   Rate                   // each address's, over all endpoints
	Route     Rate                   // each endpoint's, over all callers
	Endpoints map[string]RouteLimits // what holds instead for the endpoints so named
}

// RouteLimits are the rates of one endpoint. A zero one changes nothing; to
// lift a bound, give a Burst and no PerSecond.
type RouteLimits struct {
	Caller Rate // instead of the endpoint's own
	Route  Rate // instead of Limits.Route
}

// limit bounds how often requests come: each caller's by the endpoint's rate,
// and what s.Limits says beside. It stands before authentication, so that a
// flood of bad tokens is stopped before their signatures are checked.
func (s *Stack) limit(e Endpoint) endpoint.Middleware {
	var current atomic.Pointer[bounds]
	return func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, req any) (any, error) {
			b := current.Load()
			if limits := s.Limits.Load(); b == nil || b.limits != limits {
				b = newBounds(e, limits)
				current.Store(b)
			}
			if !b.any {
				return next(ctx, req)
			}
			call := From(ctx)
			if call.Token != "" && !e.Anonymous { // where nobody needs an account, more accounts are not to help
				call.Caller = s.Verifier.Cached(call.Token)
			}
			policy := b.anonymous
			if call.Caller != nil {
				policy = b.known
			}
			takes := takesPool.Get().(*[]Take)
			*takes = b.takes((*takes)[:0], e.Name, call)
			if len(*takes) == 0 {
				takesPool.Put(takes)
				return next(ctx, req)
			}
			v := s.Limiter.Take(ctx, call.Began, *takes)
			tightest := (*takes)[v.Tightest].By
			takesPool.Put(takes)
			call.Answer["Ratelimit-Policy"] = policy
			call.Answer["Ratelimit"] = []string{remaining(tightest, v)}
			if v.Retry > 0 {
				return nil, fault.New(fault.TooMany, "rate_limited", "Too many requests. Try again in a moment.").After(v.Retry)
			}
			return next(ctx, req)
		}
	}
}

var takesPool = sync.Pool{New: func() any { return new([]Take) }}

// bounds are the rates that one endpoint has under some Limits.
type bounds struct {
	limits           *Limits
	rates            [ByRoute + 1]Rate
	any              bool
	anonymous, known []string // RateLimit-Policy, for a caller without and with a user
}

func newBounds(e Endpoint, limits *Limits) *bounds {
	b := &bounds{limits: limits}
	b.rates[ByCaller] = e.Rate
	if limits != nil {
		b.rates[ByUser], b.rates[ByAddress], b.rates[ByRoute] = limits.User, limits.Address, limits.Route
		own := limits.Endpoints[e.Name]
		if own.Caller != (Rate{}) {
			b.rates[ByCaller] = own.Caller
		}
		if own.Route != (Rate{}) {
			b.rates[ByRoute] = own.Route
		}
	}
	var anonymous, known []byte
	for by, r := range b.rates {
		if !r.bounds() {
			continue
		}
		b.any = true
		known = appendPolicy(known, By(by), r)
		if By(by) != ByUser {
			anonymous = appendPolicy(anonymous, By(by), r)
		}
	}
	b.anonymous, b.known = []string{string(anonymous)}, []string{string(known)}
	return b
}

// bounds tells whether the rate is a bound at all.
func (r Rate) bounds() bool { return r.PerSecond > 0 }

// takes appends the request's claims.
func (b *bounds) takes(takes []Take, name string, call *Call) []Take {
	for by, r := range b.rates {
		if !r.bounds() {
			continue
		}
		bucket := Bucket{By: By(by)}
		switch bucket.By {
		case ByCaller:
			if bucket.Endpoint = name; call.Caller != nil {
				bucket.User = call.Caller.ID
			} else {
				bucket.Addr = Block(call.Client)
			}
		case ByUser:
			if call.Caller == nil {
				continue
			}
			bucket.User = call.Caller.ID
		case ByAddress:
			bucket.Addr = Block(call.Client)
		case ByRoute:
			bucket.Endpoint = name
		}
		takes = append(takes, Take{bucket, r})
	}
	return takes
}

// appendPolicy appends an item of the RateLimit-Policy header: how many
// requests in how many seconds (draft-ietf-httpapi-ratelimit-headers).
func appendPolicy(b []byte, by By, r Rate) []byte {
	if len(b) > 0 {
		b = append(b, ", "...)
	}
	b = strconv.AppendQuote(b, by.String())
	b = append(b, ";q="...)
	b = strconv.AppendInt(b, int64(r.Burst), 10)
	b = append(b, ";w="...)
	return strconv.AppendInt(b, int64(math.Ceil(float64(r.Burst)/r.PerSecond)), 10)
}

// remaining is the RateLimit header's value: of the tightest bucket, how many
// requests are left, and in how many seconds it is full again.
func remaining(by By, v Verdict) string {
	b := make([]byte, 0, 40)
	b = append(b, '"')
	b = append(b, by.String()...)
	b = append(b, `";r=`...)
	b = strconv.AppendInt(b, int64(v.Left), 10)
	b = append(b, `;t=`...)
	b = strconv.AppendInt(b, int64(math.Ceil(v.Full.Seconds())), 10)
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
