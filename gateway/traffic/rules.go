// Package traffic says which version of a service gets a request, what is
// copied to whom, how long a route may take and how many requests it may get,
// all of it as an operator's file has it.
package traffic

import (
	"iter"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/trellis-go/trellis/kit/endpoint"
)

// Rules are what a file says. They don't change, and all their methods may be
// called at the same time. The zero Rules say nothing.
type Rules struct {
	services map[string]*split
	routes   map[operation]Route
	order    []operation
	address  endpoint.Rate
	user     endpoint.Rate
}

type operation struct{ method, path string }

// Route is what holds for one route instead of what its row says. Where a
// value is zero, the row stands.
type Route struct {
	Timeout time.Duration // in which the answer must begin
	Limit   endpoint.Rate // of each caller
	Total   endpoint.Rate // of all callers together; no row has one
}

// split is how the requests of one service are divided.
type split struct {
	versions []version
	drawn    bool     // whether one of them has a percentage
	except   []string // the versions that get no other requests
	shadow   Shadow
	copied   int // of 10000 requests
}

// version is one of a service's that gets some requests.
type version struct {
	name          string
	header, value string // that brings a request here; "" when none does, and no request has
	percent       int    // in hundredths
	seed          uint64
	below         float64 // of the 1<<53 that a user can draw, those that come here
}

// Pick returns the version whose instances are to get a request, or "", and
// the versions whose instances are not, should that one have none. That slice
// must not be changed.
//
// A header decides before a percentage does. By percentage, a user draws the
// same lot for a version each time and at every gateway, and so does an address
// (or an IPv6 network) when user is "". A larger percentage keeps those it had;
// the first to get one version are not the first to get the next.
func (r *Rules) Pick(service, user string, client netip.Addr, h http.Header) (version string, except []string) {
	s := r.services[service]
	if s == nil {
		return "", nil
	}
	for i := range s.versions {
		v := &s.versions[i]
		if slices.Contains(h[v.header], v.value) {
			return v.name, s.except
		}
	}
	if !s.drawn {
		return "", s.except
	}
	who := identity(user, client)
	for i := range s.versions {
		if v := &s.versions[i]; v.draws(who) {
			return v.name, s.except
		}
	}
	return "", s.except
}

// identity is the same number for the same user, always and everywhere.
func identity(user string, client netip.Addr) uint64 {
	if user != "" {
		return xxhash.Sum64String(user)
	}
	block := endpoint.Block(client).As16()
	return xxhash.Sum64(block[:])
}

// draws tells whether a user is among those that the version gets.
func (v *version) draws(who uint64) bool {
	x := who ^ v.seed // and from here on what splitmix64 ends with
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return float64(x>>11) < v.below
}

// compile makes what Pick goes by. Each version gets its part of what those
// before it left over: a user whom one gains is lost only by those after it.
func (s *split) compile(service string) {
	left := whole
	for i := range s.versions {
		v := &s.versions[i]
		v.seed = xxhash.Sum64String(service + "\x00" + v.name)
		if v.percent > 0 {
			v.below = float64(v.percent) / float64(left) * (1 << 53)
		}
		left -= v.percent
		s.drawn = s.drawn || v.percent > 0
		s.except = append(s.except, v.name)
	}
	if s.shadow.Service == service && !slices.Contains(s.except, s.shadow.Version) {
		s.except = append(s.except, s.shadow.Version)
	}
}

// whole is 100 percent, in hundredths.
const whole = 10000

// Shadow is who gets copies of requests: another service, or another version
// of the same, which gets no other requests than these unless it has a share.
type Shadow struct {
	Service string
	Version string // "" is any
}

// Shadow tells whether a request is one of those that are copied, and to whom.
// Each request draws a new lot, whoever sends it. version is what Pick
// returned. To another version of the service only reads are copied: it may
// write to the same store, where a copied write would be a second one.
func (r *Rules) Shadow(service, version, method string) (Shadow, bool) {
	s := r.services[service]
	if s == nil || s.copied == 0 {
		return Shadow{}, false
	}
	if s.shadow.Service == service {
		if version == s.shadow.Version || method != http.MethodGet && method != http.MethodHead {
			return Shadow{}, false
		}
	}
	return s.shadow, rand.IntN(whole) < s.copied
}

// Route returns what is said of a route, named as in the service's OpenAPI document.
func (r *Rules) Route(method, path string) (Route, bool) {
	route, ok := r.routes[operation{method, path}]
	return route, ok
}

// Routes yields the method and path of each route that something is said of,
// in the file's order. Whether they exist is for the gateway to tell.
func (r *Rules) Routes() iter.Seq2[string, string] {
	return func(yield func(method, path string) bool) {
		for _, o := range r.order {
			if !yield(o.method, o.path) {
				return
			}
		}
	}
}

// Services returns the services that something is said of, and those that get
// copies. Whether they exist is for the gateway to tell.
func (r *Rules) Services() []string {
	names := map[string]bool{}
	for name, s := range r.services {
		names[name] = true
		if s.copied > 0 {
			names[s.shadow.Service] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Address is how many requests an address may send to all routes together.
// Zero is no bound.
func (r *Rules) Address() endpoint.Rate { return r.address }

// User is the same for a user.
func (r *Rules) User() endpoint.Rate { return r.user }
