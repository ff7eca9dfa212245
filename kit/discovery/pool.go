package discovery

import (
	"cmp"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-kit/kit/endpoint"
	"github.com/go-kit/kit/sd"
	"github.com/go-kit/kit/sd/lb"
)

// pool is the instances of one service. It is an lb.Balancer whose endpoints
// take an *http.Request and return an *http.Response.
//
// go-kit's sd.Endpointer isn't used: it fills in the background without
// telling when, and blocks every caller while it does. Its lb.NewRandom
// races, and knows nothing of load.
type pool struct {
	service   string
	via       http.RoundTripper
	instancer sd.Instancer
	events    chan sd.Event
	done      chan struct{}
	known     chan struct{} // closed when instances is first set
	instances atomic.Pointer[[]*target]
}

var _ lb.Balancer = (*pool)(nil)

func newPool(service string, instancer sd.Instancer, via http.RoundTripper) *pool {
	p := &pool{
		service:   service,
		via:       via,
		instancer: instancer,
		events:    make(chan sd.Event),
		done:      make(chan struct{}),
		known:     make(chan struct{}),
	}
	go p.follow()
	instancer.Register(p.events)
	return p
}

func (p *pool) close() {
	p.instancer.Deregister(p.events)
	close(p.events)
	<-p.done
}

func (p *pool) follow() {
	defer close(p.done)
	for e := range p.events {
		var old []*target
		if was := p.instances.Load(); was != nil {
			old = *was
			if e.Err != nil {
				continue
			}
		}
		next := p.targets(e.Instances, old)
		if p.instances.Swap(&next) == nil {
			close(p.known)
		}
	}
}

// targets keeps those of old that stay, for what is known about their load.
func (p *pool) targets(addrs []string, old []*target) []*target {
	next := make([]*target, 0, len(addrs))
	for _, addr := range addrs {
		next = append(next, p.target(addr, old))
	}
	return next
}

func (p *pool) target(addr string, old []*target) *target {
	for _, t := range old {
		if t.addr == addr {
			return t
		}
	}
	return newTarget(addr, p.via)
}

func (p *pool) size() int { return len(*p.instances.Load()) }

// Endpoint implements lb.Balancer: the less loaded of two instances picked at
// random. Those set aside come last, the one longest so first.
func (p *pool) Endpoint() (endpoint.Endpoint, error) {
	switch all := *p.instances.Load(); len(all) {
	case 0:
		return nil, lb.ErrNoEndpoints
	case 1:
		return all[0].endpoint, nil
	default:
		return pick(all).endpoint, nil
	}
}

func pick(all []*target) *target {
	i, j := rand.IntN(len(all)), rand.IntN(len(all)-1)
	if j >= i {
		j++
	}
	if a, b := all[i], all[j]; a.aside.Load() == 0 && b.aside.Load() == 0 {
		return lessLoaded(a, b)
	}
	return pickCarefully(all)
}

func lessLoaded(a, b *target) *target {
	if b.inFlight.Load() < a.inFlight.Load() {
		return b
	}
	return a
}

// pickCarefully looks at all of them. Among the least loaded chance decides,
// lest the neighbour of one that is set aside get its share too.
func pickCarefully(all []*target) *target {
	var best, last *target
	var load, lastUntil int64
	ties := 0
	now := time.Now().UnixNano()
	for _, t := range all {
		until := t.aside.Load()
		if until > now {
			if last == nil || until < lastUntil {
				last, lastUntil = t, until
			}
			continue
		}
		if until != 0 {
			t.aside.CompareAndSwap(until, 0)
		}
		switch n := t.inFlight.Load(); {
		case best == nil || n < load:
			best, load, ties = t, n, 1
		case n == load:
			if ties++; rand.IntN(ties) == 0 {
				best = t
			}
		}
	}
	return cmp.Or(best, last)
}
