package discovery

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/kit/fault"
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
