package discovery

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/kit/fault"
)

const (
	// far is what is left of the weight of an instance in another zone, while
	// there are instances in this one.
	far = .05

	// alike is the ratio of two latencies above which they count as the same.
	alike = .7
)

// pool is the instances of one service.
//
// go-kit's sd.Endpointer and lb.Balancer are not used: the one fills in the
// background without telling when, and blocks every caller while it does; the
// other knows nothing of load, nor of where a request was sent before.
type pool struct {
	service string
	zone    string
	via     http.RoundTripper
	logger  log.Logger
	budget  budget
	unwatch func()
	updates chan Update
	done    chan struct{}
	known   chan struct{} // closed when targets is first set
	targets atomic.Pointer[[]*target]
	even    atomic.Bool // the instances are alike in weight and zone
	leaving []*target   // left the registry, and have requests in flight; follow's own
}

func newPool(service string, b *Balancer) *pool {
	p := &pool{
		service: service,
		zone:    b.zone,
		via:     b.next,
		logger:  b.logger,
		updates: make(chan Update),
		done:    make(chan struct{}),
		known:   make(chan struct{}),
	}
	p.budget.tenths.Store(budgetStart)
	go p.follow()
	p.unwatch = b.registry.Watch(service, p.updates)
	return p
}

func (p *pool) close() {
	p.unwatch()
	close(p.updates)
	<-p.done
}

// follow keeps up with the registry, and looks after the instances.
func (p *pool) follow() {
	defer close(p.done)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case u, ok := <-p.updates:
			if !ok {
				return
			}
			p.update(u)
		case now := <-look.C:
			p.watch(now)
		}
	}
}

func (p *pool) update(u Update) {
	was := p.targets.Load()
	if was != nil && u.Err != nil {
		return
	}
	var old []*target
	if was != nil {
		old = *was
	}
	next := make([]*target, 0, len(u.Instances))
	for _, i := range u.Instances {
		next = append(next, p.target(i, old))
	}
	for _, t := range old {
		if !slices.Contains(next, t) {
			p.leaving = append(p.leaving, t)
		}
	}
	p.even.Store(!slices.ContainsFunc(next, func(t *target) bool { return t.Weight != next[0].Weight || t.Zone != next[0].Zone }))
	if p.targets.Swap(&next); was == nil {
		close(p.known)
	}
}

// target keeps one that stays, for what is known of it. Another version at
// the same address is another instance.
func (p *pool) target(i Instance, old []*target) *target {
	for _, t := range old {
		if t.Instance.equal(i) {
			return t
		}
	}
	return newTarget(i, p.via, p.logger, len(old) == 0)
}

// all are the instances that the registry names.
func (p *pool) all() []*target {
	if all := p.targets.Load(); all != nil {
		return *all
	}
	return nil
}

// pick chooses an instance that was not tried before: of two that chance drew
// by their weights, the second only if it is clearly cheaper (Mitzenmacher,
// "The Power of Two Choices in Randomized Load Balancing", 2001). It comes with
// what is to be told once how it went. When every instance is out, the one
// that was put out first gets the request; nil means that there is none.
func (p *pool) pick(how *Sending, tried []*target) (*target, func(bool)) {
	all := p.all()
	if len(all) == 1 && len(tried) == 0 && !how.Copy { // whatever is known of it
		if done, err := all[0].breaker.Allow(); err == nil {
			return all[0], done
		}
		return nil, nil
	}
	if t := p.pickEven(all, how, tried); t != nil {
		if done, err := t.breaker.Allow(); err == nil {
			return t, done
		}
	}
	var space [16]candidate
	for c := p.candidates(space[:0], all, how, tried); len(c) > 0; {
		i := choose(c)
		t := c[i].target
		if done, err := t.breaker.Allow(); err == nil {
			return t, done
		}
		c = slices.Delete(c, i, i+1)
	}
	return nil, nil
}

// pickEven is pick for the common case, without a look at all instances: any
// would do, and the two that chance draws are in good order. Else it is nil.
func (p *pool) pickEven(all []*target, how *Sending, tried []*target) *target {
	if !p.even.Load() || len(all) < 2 || len(tried) > 0 || how.Version != "" || len(how.Except) > 0 {
		return nil
	}
	i, j := rand.IntN(len(all)), rand.IntN(len(all)-1)
	if j >= i {
		j++
	}
	a, b := all[i], all[j]
	if !a.plain.Load() || !b.plain.Load() {
		return nil
	}
	if (candidate{b, 1}).better(candidate{a, 1}, time.Now()) {
		return b
	}
	return a
}

// candidate is an instance that a request may be sent to, and its share.
type candidate struct {
	*target
	weight float64
}

func (p *pool) candidates(c []candidate, all []*target, how *Sending, tried []*target) []candidate {
	now := time.Now()
	var first *target // of those that are out
	near := false
	only := how.Version != "" && (how.Copy || slices.ContainsFunc(all, func(t *target) bool { return t.Version == how.Version }))
	most := !only && slices.ContainsFunc(all, func(t *target) bool { return !slices.Contains(how.Except, t.Version) })
	for _, t := range all {
		switch {
		case slices.Contains(tried, t), only && t.Version != how.Version, most && slices.Contains(how.Except, t.Version):
		case t.usable(now):
			near = near || t.Zone == p.zone
			c = append(c, candidate{t, t.weight(now)})
		case first == nil || t.outUntil.Load() < first.outUntil.Load():
			first = t
		}
	}
	if len(c) == 0 && first != nil {
		return append(c, candidate{first, 1})
	}
	if near && p.zone != "" {
		for i := range c {
			if c[i].Zone != p.zone {
				c[i].weight *= far
			}
		}
	}
	return c
}

// another tells whether there is an instance that was not tried yet, and
// whether it is in good order.
func (p *pool) another(how *Sending, tried []*target) (there, good bool) {
	var space [16]candidate
	c := p.candidates(space[:0], p.all(), how, tried)
	return len(c) > 0, len(c) > 0 && c[0].usable(time.Now())
}

func choose(c []candidate) int {
	if len(c) == 1 {
		return 0
	}
	i := draw(c, -1)
	j := draw(c, i)
	if now := time.Now(); c[j].better(c[i], now) {
		return j
	}
	return i
}

// better tells whether a request is clearly better off with c than with o:
// where latencies are alike, if c will still have no more to do than o has now.
func (c candidate) better(o candidate, now time.Time) bool {
	mine, others := c.recent(now), o.recent(now)
	load := float64(c.inFlight.Load()+1) / c.weight
	if mine > alike*others && others > alike*mine {
		return load <= float64(o.inFlight.Load())/o.weight
	}
	return mine*load < others*float64(o.inFlight.Load()+1)/o.weight
}

// draw draws one by weight, but for the one at besides.
func draw(c []candidate, besides int) int {
	total := 0.
	for i := range c {
		if i != besides {
			total += c[i].weight
		}
	}
	x := rand.Float64() * total
	last := 0
	for i := range c {
		if i == besides {
			continue
		}
		last = i
		if x -= c[i].weight; x < 0 {
			break
		}
	}
	return last
}

func (p *pool) unavailable(cause error) error {
	return fault.New(fault.Unavailable, "no_instance", "The service %s is not available just now.", p.service).Because(cause).After(retryAfter)
}

func (p *pool) status(now time.Time) ServiceStatus {
	s := ServiceStatus{Service: p.service, Known: p.targets.Load() != nil, Retries: p.budget.left(), Instances: []InstanceStatus{}}
	for _, t := range p.all() {
		s.Instances = append(s.Instances, t.status(now))
	}
	return s
}
