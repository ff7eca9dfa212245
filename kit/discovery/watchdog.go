package discovery

import (
	"context"
	"net/http"
	"slices"
	"time"
)

const (
	// lookEvery is how often the watchdog looks.
	lookEvery = 200 * time.Millisecond

	// After stallAfter without any answer an instance that has requests is
	// asked whether it lives, and has probeWithin to say so.
	stallAfter  = 500 * time.Millisecond
	probeWithin = 700 * time.Millisecond

	// stalledFor is how long one that doesn't is left alone before it is asked again.
	stalledFor = time.Second

	// probePath is asked for; any answer will do.
	probePath = "/livez"

	// An instance is ejected for ejectFor, twice as long each time up to
	// ejectMost, when most of at least judgedBy requests failed while the
	// others' did not.
	ejectFor  = 5 * time.Second
	ejectMost = time.Minute
	judgedBy  = 5
)

// watch looks for instances that take requests and answer none: a process
// that is stopped, or a machine that has gone. The kernel still takes its
// connections, so that nothing but silence shows it. A slow answer is silence
// too; hence the probe.
func (p *pool) watch(now time.Time) {
	p.leaving = slices.DeleteFunc(p.leaving, func(t *target) bool { return t.inFlight.Load() == 0 })
	for _, t := range slices.Concat(p.all(), p.leaving) {
		out := t.isStalled(now)
		if (out || t.silence(now) > stallAfter) && t.probing.CompareAndSwap(false, true) {
			go p.probe(t)
		}
	}
}

// isStalled tells whether an instance was found to be so, and it is time to ask again.
func (t *target) isStalled(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.why == Stalled && t.outUntil.Load() != 0
}

func (p *pool) probe(t *target) {
	defer time.AfterFunc(stallAfter, func() { t.probing.Store(false) })
	ctx, cancel := context.WithTimeout(context.Background(), probeWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.Addr+probePath, nil)
	if err != nil {
		return
	}
	r.Host = p.service
	resp, err := p.via.RoundTrip(r)
	if err == nil {
		discard(resp)
		if until := t.outUntil.Load(); t.isStalled(time.Now()) {
			t.comeBack(until)
		}
		return
	}
	t.putOut(Stalled, time.Now().Add(stallAfter+probeWithin+stalledFor))
	p.moveAway(t)
}

// moveAway sends elsewhere what waits for an answer and may be repeated, as
// far as the budget allows.
func (p *pool) moveAway(t *target) {
	if _, good := p.another(new(Sending), []*target{t}); !good {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for x := range t.waiting {
		if x.moves && p.budget.withdraw() {
			x.stop(errStalled)
		}
	}
}

// eject puts out an instance that fails while others don't: never more than
// half of them (Envoy calls it outlier detection).
func (p *pool) eject(t *target) {
	all := p.all()
	now := time.Now()
	t.mu.Lock()
	failing, times := t.failing, t.ejected
	bad := t.judged >= judgedBy && t.failing > .5 && t.outUntil.Load() == 0
	t.mu.Unlock()
	if !bad || len(all) < 2 {
		return
	}
	out, others, share := 0, 0, 0.
	for _, o := range all {
		if o == t {
			continue
		}
		if !o.usable(now) {
			out++
			continue
		}
		o.mu.Lock()
		if o.judged >= judgedBy {
			others++
			share += o.failing
		}
		o.mu.Unlock()
	}
	if others == 0 || share/float64(others) > failing/2 || (out+1)*2 > len(all) {
		return
	}
	t.mu.Lock()
	if now.Sub(t.ejectedAt) > 2*ejectMost {
		times = 0
	}
	t.ejected, t.ejectedAt = times+1, now
	t.mu.Unlock()
	t.putOut(Ejected, now.Add(min(ejectFor<<times, ejectMost)))
}
