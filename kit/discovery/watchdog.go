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

	// stalledFor is how long one that doesn't stays out when it isn't asked any more.
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
		if (t.isStalled() || t.silence(now) > stallAfter) && t.probing.CompareAndSwap(false, true) {
			p.probes.Go(func() {
				defer t.probing.Store(false)
				p.probe(t)
			})
		}
	}
}

// isStalled tells whether an instance was found to be so, and has given no
// sign of life since.
func (t *target) isStalled() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.why == Stalled && t.outUntil.Load() != 0
}

func (p *pool) probe(t *target) {
	ctx, cancel := context.WithTimeout(p.life, probeWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.addr+probePath, nil)
	if err != nil {
		return
	}
	r.Host = p.service
	resp, err := p.via.RoundTrip(r)
	switch {
	case err == nil:
		discard(resp)
		until := t.outUntil.Load()
		if t.isStalled() {
			t.comeBack(until)
		}
	case p.life.Err() != nil:
		return
	case ctx.Err() != nil:
		t.putOut(Stalled, time.Now().Add(stallAfter+probeWithin+stalledFor))
		p.moveAway(t)
		return
	} // another error is a sign of life: who drains refuses connections, and still answers
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard(time.Now())
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
		if x.movable() && p.budget.withdraw() {
			x.abandon(moved)
		}
	}
}

// eject puts out an instance that fails while others don't: never more than
// half of them (Envoy calls it outlier detection).
func (p *pool) eject(t *target) {
	if _, most := t.isFailing(); !most {
		return
	}
	p.ejecting.Lock()
	defer p.ejecting.Unlock()
	failing, most := t.isFailing()
	if !most {
		return
	}
	now, all := time.Now(), p.all()
	out, others, share := 0, 0, 0.
	for _, o := range all {
		switch {
		case o == t:
		case !o.usable(now):
			out++
		default:
			o.mu.Lock()
			if o.judged >= judgedBy {
				others++
				share += o.failing
			}
			o.mu.Unlock()
		}
	}
	if others == 0 || share/float64(others) > failing/2 || (out+1)*2 > len(all) {
		return
	}
	t.putOut(Ejected, now.Add(t.sentence(now)))
}

// isFailing tells whether most of an instance's requests failed, and what share.
func (t *target) isFailing() (share float64, most bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failing, t.judged >= judgedBy && t.failing > .5 && t.outUntil.Load() == 0
}

// sentence is for how long an instance is ejected this time.
func (t *target) sentence(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.ejectedAt) > 2*ejectMost {
		t.ejected = 0
	}
	d := min(ejectFor<<t.ejected, ejectMost)
	t.ejected, t.ejectedAt = min(t.ejected+1, 10), now
	return d
}
