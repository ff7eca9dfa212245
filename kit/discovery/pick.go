package discovery

import (
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// far is what is left of the weight of an instance in another zone, while
	// there are instances in this one.
	far = .05

	// alike is the ratio of two latencies above which they count as the same.
	alike = .7
)

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
