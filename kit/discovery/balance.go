package discovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/kit/sd/lb"
	"github.com/trellis-go/trellis/kit/fault"
)

const (
	// dialTimeout is how long an instance may take to accept a connection.
	dialTimeout = time.Second

	// answerTimeout is how long an instance may take to begin its answer.
	answerTimeout = 30 * time.Second

	// firstNews is how long the first call to a service waits to learn where it is.
	firstNews = time.Second

	// retryAfter is when a service without instances is worth another call.
	retryAfter = time.Second
)

// Balancer is a round tripper that sends a request to an instance of the
// service named by its URL's host: http://notes/v1/notes goes to one of notes.
//
// Of two instances picked at random the one with fewer requests in flight
// gets it. One that cannot be connected to is set aside for a second, and the
// request, of which nothing was sent, goes to another. Nothing else is sent
// twice. A service without an instance that can be reached is a fault
// Unavailable, "no_instance", at once; only when a service is called for the
// first time may it take a second to learn that.
//
// A request is in flight until its response's body is closed.
type Balancer struct {
	registry Registry
	next     http.RoundTripper
	closed   chan struct{}

	mu    sync.Mutex // guards writing pools
	pools atomic.Pointer[map[string]*pool]
}

// Option changes how a Balancer works.
type Option func(*Balancer)

// Via makes the Balancer send requests through rt, with an instance's address
// in the URL, instead of through a Transport of its own.
func Via(rt http.RoundTripper) Option { return func(b *Balancer) { b.next = rt } }

// Balance returns a Balancer over the instances that r knows.
func Balance(r Registry, options ...Option) *Balancer {
	b := &Balancer{registry: r, closed: make(chan struct{})}
	b.pools.Store(&map[string]*pool{})
	for _, o := range options {
		o(b)
	}
	if b.next == nil {
		b.next = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 256,
			IdleConnTimeout:     90 * time.Second,
			DisableCompression:  true, // a body passes as it is

			ExpectContinueTimeout: time.Second,
			ResponseHeaderTimeout: answerTimeout,
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

// send tries one instance after another until one can be connected to.
func (p *pool) send(r *http.Request) (*http.Response, error) {
	begin := time.Now()
	cause := lb.ErrNoEndpoints
	for range p.size() {
		send, err := p.Endpoint()
		if err != nil {
			break
		}
		resp, err := send(r.Context(), r)
		if err == nil {
			return resp.(*http.Response), nil
		}
		if _, ok := errors.AsType[*unsentError](err); !ok {
			return nil, err
		}
		cause = err
		if time.Since(begin) > 3*dialTimeout {
			break
		}
	}
	closeBody(r)
	return nil, p.unavailable(cause)
}

func (p *pool) unavailable(cause error) error {
	return fault.New(fault.Unavailable, "no_instance", "The service %s is not available just now.", p.service).Because(cause).After(retryAfter)
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
	if p.instances.Load() == nil {
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
	p := newPool(service, b.registry.Instancer(service), b.next)
	pools = maps.Clone(pools)
	pools[service] = p
	b.pools.Store(&pools)
	return p, nil
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
