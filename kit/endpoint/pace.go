package endpoint

import (
	"time"

	"github.com/go-kit/kit/metrics"
)

// How the limit of a gate adapts. Strain 1 is that requests take as long as
// they usually do, and waitTarget more.
const (
	strainLow  = 1.5 // below it, more requests at once do no harm
	strainHigh = 2.5 // above it, fewer at once are as fast
	enough     = 16  // requests, to tell that a service is strained
	calm       = time.Second
	limitMost  = 1 << 16
)

// pace finds out how many requests a service can work on at once. It needs
// evidence that more are too many: requests take longer than they do when few
// others are there, or wait long for a processor. Like TCP Vegas and Netflix's
// concurrency-limits it looks at time alone, and so finds the size of a pool
// of connections as well as the number of processors. While nobody waits at
// the gate the limit is none, and stays.
type pace struct {
	limit, floor, start int
	pressed             time.Duration // when somebody waited last
	changed             time.Duration // the limit; only requests let in since then count
	tally
}

// tally is what was seen in a window of time.
type tally struct {
	opened   time.Duration
	peak     int           // the most that ran at once
	left     int           // requests that left
	n        int           // those of them that count
	took     time.Duration // how long these took, of those that do their own work
	expected time.Duration // and would have, usually
	delay    time.Duration // until these had a processor
	longest  time.Duration // of all that do their own work
}

func newPace(procs int) pace {
	start := max(128, 64*procs)
	return pace{limit: start, start: start, floor: max(4, 2*procs), pressed: -calm}
}

// cost is what an endpoint is known to cost.
type cost struct {
	usual  float64 // seconds that it holds a place when few others do, from when it has a processor; a moving mean, 0 when not known
	relays bool    // others do the work, whose slowness says nothing about this service
	shed   metrics.Counter
}

// note takes account of a request that leaves for good.
func (t *pace) note(p *place) {
	c := p.cost
	if own := (p.held - p.delay).Seconds(); c.usual == 0 {
		c.usual = own
	} else if p.quiet {
		c.usual += (own - c.usual) / 16
	}
	t.left++
	if !c.relays {
		t.longest = max(t.longest, p.held)
	}
	if p.came < t.changed {
		return
	}
	t.n++
	t.delay += p.delay
	if !c.relays {
		t.took += p.held
		t.expected += time.Duration(c.usual*float64(time.Second)) + waitTarget
	}
}

// strain is how much longer than they should requests take, or wait for a
// processor, whichever is more.
func (t *tally) strain() float64 {
	if t.n == 0 {
		return 0
	}
	strain := float64(t.delay) / float64(time.Duration(t.n)*waitTarget)
	if t.expected > 0 {
		strain = max(strain, float64(t.took)/float64(t.expected))
	}
	return strain
}

// adapt closes the window when it has shown enough, and changes the limit by that.
func (t *pace) adapt(now time.Duration) (changed bool) {
	open, limit, over := now-t.opened, t.limit, now-t.pressed > calm
	if open < waitMost && !(over && limit < t.start) {
		return false
	}
	strain := t.strain()
	switch {
	case over: // what was learnt in the last rush is forgotten
		limit = max(t.start, min(limit, 2*t.peak))
	case t.pressed < t.opened:
	case t.n >= enough && strain > strainHigh:
		limit = max(t.floor, int(float64(limit)*max(.25, 2/strain)))
	case open < min(t.longest, 2*calm) || t.n < enough && open < calm: // the quick ones leave first
		return false
	case t.left == 0: // they wait for somebody else, and so need not all the others
		limit *= 2
	case t.n > 0 && strain < strainLow:
		limit += limit / 2
	}
	t.tally = tally{opened: now}
	if limit = min(limit, limitMost); limit == t.limit {
		return false
	}
	t.limit, t.changed = limit, now
	return true
}

// restart forgets the requests that are there.
func (t *pace) restart(now time.Duration) {
	t.changed = now
	t.tally = tally{opened: now}
}
