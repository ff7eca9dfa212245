package discovery

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
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

	ejecting sync.Mutex     // one at a time, lest two together be more than half
	probes   sync.WaitGroup // follow's own
	life     context.Context
	end      context.CancelFunc
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
	p.life, p.end = context.WithCancel(context.Background())
	p.budget.tenths.Store(budgetStart)
	go p.follow()
	p.unwatch = b.registry.Watch(service, p.updates)
	return p
}

func (p *pool) close() {
	p.unwatch()
	close(p.updates)
	p.end()
	<-p.done
}

// follow keeps up with the registry, and looks after the instances.
func (p *pool) follow() {
	defer close(p.done)
	defer p.probes.Wait()
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
	p.even.Store(!slices.ContainsFunc(u.Instances, func(i Instance) bool {
		return i.Weight != u.Instances[0].Weight || i.Zone != u.Instances[0].Zone
	}))
	if p.targets.Swap(&next); was == nil {
		close(p.known)
	}
}

// target keeps one that stays, for what is known of it. One that is back
// before all its requests have ended takes those up, but may be a new process.
func (p *pool) target(i Instance, old []*target) *target {
	same := func(t *target) bool { return t.is(i) }
	if n := slices.IndexFunc(old, same); n >= 0 {
		old[n].list(i)
		return old[n]
	}
	if n := slices.IndexFunc(p.leaving, same); n >= 0 {
		t := p.leaving[n]
		p.leaving = slices.Delete(p.leaving, n, n+1)
		t.list(i)
		t.cool(time.Now())
		return t
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
// whose time is over first gets the request; nil means that there is none.
func (p *pool) pick(how *Sending, tried []*target) (*target, func(bool)) {
	if t := p.pickEasily(how, tried); t != nil {
		if done, err := t.breaker.Allow(); err == nil {
			return t, done
		}
	}
	var space [16]candidate
	for {
		c := p.candidates(space[:0], how, tried)
		if len(c) == 0 {
			return nil, nil
		}
		t := c[choose(c)].target
		if done, err := t.breaker.Allow(); err == nil {
			return t, done
		}
		tried = append(slices.Clip(tried), t)
	}
}

// pickEasily is pick for the common cases, without a look at all instances:
// there is one only, or all are alike. Else it is nil.
func (p *pool) pickEasily(how *Sending, tried []*target) *target {
	all := p.all()
	switch {
	case len(tried) > 0 || how.Copy:
		return nil
	case len(all) == 1: // whatever is known of it
		all[0].usable(time.Now())
		return all[0]
	case len(all) == 0 || !p.even.Load() || how.Version != "" || len(how.Except) > 0 || how.Avoid != "":
		return nil
	}
	now := time.Now()
	i, a := drawEven(all, len(all), now)
	if i < 0 {
		return nil
	}
	j, b := drawEven(all, i, now)
	if j < 0 {
		return nil
	}
	if b.better(a, now) {
		return b.target
	}
	return a.target
}

// drawEven draws one of instances of the same weight, but for the one at
// besides. It rejects what it drew unless that is in good order, and a cold
// one as often as its share is less. After a while it gives up: -1, or if it
// is about the second, for which chance matters less, a cold one.
func drawEven(all []*target, besides int, now time.Time) (int, candidate) {
	n, cold := len(all), -1
	if besides < n {
		n--
	}
	for range 4 {
		i := rand.IntN(n)
		if i >= besides {
			i++
		}
		if !all[i].usable(now) {
			continue
		}
		if warmth := all[i].warmth(now); warmth == 1 || rand.Float64() < warmth {
			return i, candidate{all[i], warmth}
		}
		cold = i
	}
	if cold < 0 || besides == len(all) {
		return -1, candidate{}
	}
	return cold, candidate{all[cold], all[cold].warmth(now)}
}

// candidate is an instance that a request may be sent to, and its share.
type candidate struct {
	*target
	weight float64
}

// candidates are those in good order among the instances that how allows and
// that were not tried, or if there is none the first to be back.
func (p *pool) candidates(c []candidate, how *Sending, tried []*target) []candidate {
	now, all := time.Now(), p.all()
	untried := func(t *target) bool { return !slices.Contains(tried, t) }
	only := how.Version != "" && (how.Copy || slices.ContainsFunc(all, func(t *target) bool {
		return t.version == how.Version && untried(t) && t.usable(now)
	}))
	most := !only && slices.ContainsFunc(all, func(t *target) bool { return !slices.Contains(how.Except, t.version) })
	var first *target // of those that are out
	near := 0
	for _, t := range all {
		switch {
		case !untried(t), only && t.version != how.Version, most && slices.Contains(how.Except, t.version):
		case t.usable(now) && t.addr != how.Avoid:
			if c = append(c, candidate{t, t.weight(now)}); t.listed.Load().Zone == p.zone {
				near++
			}
		case !t.open() && (first == nil || t.outUntil.Load() < first.outUntil.Load()):
			first = t
		}
	}
	if len(c) == 0 && first != nil {
		return append(c, candidate{first, 1})
	}
	if p.zone == "" || near == 0 || near == len(c) {
		return c
	}
	for i := range c {
		if c[i].listed.Load().Zone != p.zone {
			c[i].weight *= far
		}
	}
	return c
}

// another tells whether there is an instance that was not tried yet, and
// whether it is in good order.
func (p *pool) another(how *Sending, tried []*target) (there, good bool) {
	var space [16]candidate
	c := p.candidates(space[:0], how, tried)
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
