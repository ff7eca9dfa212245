// Package cache answers many requests with one answer of a service: those that
// come at the same time wait for it together, and those that come later get it
// as long as its Cache-Control allows. It is for routes whose answer is the
// same for all callers, whom somebody authenticated and authorised before.
//
// It is a shared cache after RFC 9111, and a strict one: it keeps what says
// for how long, and no other thing.
package cache

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trellis-go/trellis/kit/fault"
)

const (
	// largest is how much of the memory one answer may take. A larger one is
	// streamed to the request that led to it, and the others ask for themselves.
	largest = 256 << 10

	// patience is how long a request waits for the answer to another's before
	// it asks for itself.
	patience = 5 * time.Second

	// flightsAwaited is how many such answers may turn out not to be for a
	// request before it asks for itself.
	flightsAwaited = 2

	// abreast is how many of those that waited in vain ask for themselves at a time.
	abreast = 8

	// passing is how long after an answer that cannot be kept nobody waits for
	// another's at the same URL.
	passing = 10 * time.Second

	// refreshing is how long a refresh may take that nobody waits for.
	refreshing = 30 * time.Second
)

// Cache is an http.RoundTripper that sends what it cannot answer through
// another. The host of a request's URL is the name of a service.
//
// A GET that finds no fresh answer leads: it is sent upstream without what is
// the client's own (Cookie, X-User-*, Forwarded, X-Forwarded-Host), and without
// its conditions, which the Cache answers itself. Authorization and
// X-Forwarded-For pass, because the service may refuse and limit by them. GETs
// of the same URL, and of the same values of the headers that Vary is known to
// name, wait for its answer and share it if it is kept; one that came after
// the leader was sent shares it as it would share one that lay there. What
// must be validated, by its own no-cache or by the client's, takes no answer
// that was asked for before it came: it waits for the next, and so a client
// that forces validation causes one request at a time.
//
// A request upstream ends when nobody waits any more, not when its leader
// goes. If its answer cannot be shared, one of those who waited leads once
// more; if that does not help either, each asks for itself, a few at a time.
// Nobody waits longer than 5 s for others.
//
// What the next round tripper gets has the values of the leader's context but
// may outlive the leader, so it must not write to what they point to.
//
// Ranges, If-Match, If-Unmodified-Since and bodies go past the Cache, and so
// does a HEAD to which no fresh GET is the answer. So does another method;
// where that succeeds, what was kept of its URL is dropped.
type Cache struct {
	next http.RoundTripper
	now  func() time.Time

	hits, misses, coalesced atomic.Int64

	mu      sync.Mutex
	store   *store
	flights map[flightKey]*flight
	begun   int64 // flights so far
}

// New returns a Cache before next that keeps at most size bytes, headers and
// keys included. Freshness goes by now.
func New(next http.RoundTripper, size int64, now func() time.Time) *Cache {
	return &Cache{next: next, now: now, store: newStore(size), flights: map[flightKey]*flight{}}
}

// Stats is what a Cache has done and holds. Every answered request is one of
// Hits, Misses and Coalesced.
type Stats struct {
	Hits      int64 // answered from memory
	Misses    int64 // sent upstream
	Coalesced int64 // answered with what another asked for
	Bytes     int64 // held now
	URLs      int64 // held now
}

// Stats returns the counts so far.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	bytes, urls := c.store.bytes, int64(c.store.urls.Len())
	c.mu.Unlock()
	return Stats{Hits: c.hits.Load(), Misses: c.misses.Load(), Coalesced: c.coalesced.Load(), Bytes: bytes, URLs: urls}
}

var errNotKept = fault.New(fault.Timeout, "not_cached", "There is no fresh answer, and Cache-Control asked for no other.")

// RoundTrip implements http.RoundTripper.
func (c *Cache) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return c.change(r)
	}
	if bypasses(r) {
		return c.pass(r, "fwd=bypass")
	}
	q := ask(r)
	var last *flight
	var timeout <-chan time.Time
	for range flightsAwaited {
		found := c.find(q)
		switch {
		case found.entry != nil:
			return c.hit(q, found), nil
		case found.flight == nil && q.onlyIfCached:
			return nil, errNotKept
		case found.flight == nil:
			return c.alone(q, last, timeout, found.why)
		case found.leads:
			return c.lead(q, found.flight, found.why)
		}
		if timeout == nil {
			timer := time.NewTimer(patience)
			defer timer.Stop()
			timeout = timer.C
		}
		last = found.flight
		if res, err := c.follow(q, last, timeout, found.why); res != nil || err != nil {
			return res, err
		}
	}
	return c.alone(q, last, timeout, "fwd=miss; collapsed=?0")
}

// alone sends a request for itself, after waiting for its turn among those
// who waited for last.
func (c *Cache) alone(q *asked, last *flight, timeout <-chan time.Time, why string) (*http.Response, error) {
	if last != nil && last.gate != nil {
		select {
		case last.gate <- struct{}{}:
			defer func() { <-last.gate }()
		case <-timeout:
		case <-q.Context().Done():
			return nil, q.Context().Err()
		}
	}
	return c.pass(q.Request, why)
}

// pass sends a request as it came.
func (c *Cache) pass(r *http.Request, why string) (*http.Response, error) {
	c.misses.Add(1)
	res, err := c.next.RoundTrip(r)
	if err == nil {
		mark(res.Header, why)
	}
	return res, err
}

// change sends a request that is no read. What it may have changed is
// forgotten (RFC 9111, section 4.4).
func (c *Cache) change(r *http.Request) (*http.Response, error) {
	k := keyOf(r.URL)
	res, err := c.pass(r, "fwd=method")
	if err == nil && r.Method != http.MethodOptions && r.Method != http.MethodTrace && res.StatusCode < 400 {
		c.mu.Lock()
		c.forget(k)
		c.mu.Unlock()
	}
	return res, err
}

// mark adds this cache to those that handled an answer (RFC 9211).
func mark(h http.Header, how string) {
	h["Cache-Status"] = append(h["Cache-Status"], "trellis; "+how)
}
