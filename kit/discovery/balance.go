package discovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
)

const (
	// dialTimeout is how long an instance may take to accept a connection.
	dialTimeout = time.Second

	// answerTimeout is how long an instance may take to begin its answer,
	// unless the request's Sending says otherwise.
	answerTimeout = 30 * time.Second

	// firstNews is how long the first call to a service waits to learn where it is.
	firstNews = time.Second

	// retryAfter is when a service without instances is worth another call.
	retryAfter = time.Second
)

// Balancer is a round tripper that sends a request to an instance of the
// service named by its URL's host: http://notes/v1/notes goes to one of notes.
// A request's context may carry a Sending, which says more.
//
// Of two instances that chance draws by their weights, the one gets it that
// has clearly less to do, by requests in flight and by its latency of late. An
// instance gets nothing for a while when it can't be connected to, when it
// stops answering, when it fails while others don't, or when its breaker is
// open; a new one gets its share little by little. Instances in the caller's
// own zone are preferred.
//
// What no instance has heard of goes to another. What may be repeated (a read,
// a request with an Idempotency-Key, or one whose Sending says so) does so too
// after 502, 503, 504 or no answer, never to the same instance, up to three
// times, and not before the time that a Retry-After names; retries are at most
// a tenth of the calls. A service without an
// instance that can be reached is a fault Unavailable, "no_instance", at once;
// only when a service is called for the first time may it take a second to
// learn that. An answer that doesn't begin in time is a fault Timeout,
// "service_timeout".
//
// A request is in flight until its response's body is closed.
type Balancer struct {
	registry Registry
	next     http.RoundTripper
	zone     string
	logger   log.Logger
	closed   chan struct{}

	mu    sync.Mutex // guards writing pools
	pools atomic.Pointer[map[string]*pool]
}

// Option changes how a Balancer works.
type Option func(*Balancer)

// Via makes the Balancer send requests through rt, with an instance's address
// in the URL, instead of through a Transport of its own.
func Via(rt http.RoundTripper) Option { return func(b *Balancer) { b.next = rt } }

// Near makes the Balancer prefer instances in a zone.
func Near(zone string) Option { return func(b *Balancer) { b.zone = zone } }

// Log makes the Balancer tell when an instance is put out and when it is back.
func Log(logger log.Logger) Option { return func(b *Balancer) { b.logger = logger } }

// Balance returns a Balancer over the instances that r knows.
func Balance(r Registry, options ...Option) *Balancer {
	b := &Balancer{registry: r, logger: log.NewNopLogger(), closed: make(chan struct{})}
	b.pools.Store(&map[string]*pool{})
	for _, o := range options {
		o(b)
	}
	if b.next == nil {
		b.next = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 256,
			IdleConnTimeout:     90 * time.Second, // less than servers keep a connection
			DisableCompression:  true,             // a body passes as it is
			WriteBufferSize:     4 << 10,
			ReadBufferSize:      4 << 10,

			ExpectContinueTimeout: time.Second,
		}
	}
	return b
}

// RoundTrip implements http.RoundTripper.
func (b *Balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	p, err := b.pool(r.Context(), r.URL.Host)
	if err != nil {
		closeBody(r)
		return nil, err
	}
	resp, err := p.send(r)
	if err != nil {
		return nil, err
	}
	resp.Request = r // a relative Location is relative to the service, not to the instance
	return resp, nil
}

// pool returns the instances of a service, known for the first time or not.
func (b *Balancer) pool(ctx context.Context, service string) (*pool, error) {
	p, ok := (*b.pools.Load())[service]
	if !ok {
		var err error
		if p, err = b.follow(service); err != nil {
			return nil, err
		}
	}
	if p.targets.Load() == nil {
		timeout := time.NewTimer(firstNews)
		defer timeout.Stop()
		select {
		case <-p.known:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-b.closed:
			return nil, errBalancerClosed
		case <-timeout.C:
			return nil, p.unavailable(context.DeadlineExceeded)
		}
	}
	return p, nil
}

var errBalancerClosed = errors.New("discovery: the balancer is closed")

func (b *Balancer) follow(service string) (*pool, error) {
	if !serviceName.MatchString(service) {
		return nil, fmt.Errorf("discovery: the URL's host is %q: takes the name of a service", service)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.closed:
		return nil, errBalancerClosed
	default:
	}
	pools := *b.pools.Load()
	if p, ok := pools[service]; ok {
		return p, nil
	}
	p := newPool(service, b)
	pools = maps.Clone(pools)
	pools[service] = p
	b.pools.Store(&pools)
	return p, nil
}

// Status is what the Balancer knows of the services that were called through
// it, by name.
func (b *Balancer) Status() []ServiceStatus {
	now := time.Now()
	pools := *b.pools.Load()
	all := make([]ServiceStatus, 0, len(pools))
	for _, service := range slices.Sorted(maps.Keys(pools)) {
		all = append(all, pools[service].status(now))
	}
	return all
}

// Close ends the Balancer's watches and closes idle connections. Requests in
// flight finish. Calling it again is harmless.
func (b *Balancer) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.closed:
		return nil
	default:
	}
	close(b.closed)
	for _, p := range *b.pools.Load() {
		p.close()
	}
	b.pools.Store(&map[string]*pool{})
	if idle, ok := b.next.(interface{ CloseIdleConnections() }); ok {
		idle.CloseIdleConnections()
	}
	return nil
}
