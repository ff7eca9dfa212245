package endpoint

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// How a gate behaves. Waiting is judged as CoDel judges it (RFC 8289), in the
// form that Maurer gives it for servers ("Fail at Scale", ACM Queue 2015): a
// burst may wait for waitMost; when the queue has not been clear for that
// long, it stands, and waitTarget is all that anybody may wait.
const (
	waitMost   = 100 * time.Millisecond
	waitTarget = 5 * time.Millisecond
	queueMost  = 4096
)

// gate bounds how many requests a service works on at once. The others wait,
// the first come first. In overload the last come first, for whoever has
// waited long will have gone before the answer is there; those that cost
// little go before those that cost much.
//
// A gate has no goroutine of its own. Times are since its epoch.
type gate struct {
	epoch time.Time
	procs int

	mu      sync.Mutex
	pace    pace
	running int
	cheap   queue // endpoints that cost at most half of what is usual here
	dear    queue
	mean    float64       // what those cost that came to the queue
	clear   time.Duration // when nobody had to wait last, or not for long
	seen    time.Duration // when anything happened here last
	resumed time.Duration // when the process last went on after it had stood still
	waited  time.Duration // how long the last to be let in waited
	shed    uint64
	refused time.Duration // when that was last
	yields  uint          // how many might have stepped back
	crowded bool          // the last that stepped back waited for a processor
	gauges  gateGauges
}

func newGate(gauges gateGauges) *gate {
	procs := runtime.GOMAXPROCS(0)
	g := &gate{epoch: time.Now(), procs: procs, gauges: gauges, pace: newPace(procs), refused: -waitMost}
	gauges.limit.Set(float64(g.pace.limit))
	return g
}

func (g *gate) now() time.Duration { return time.Since(g.epoch) }

// place is one request's at a gate; the gate's lock guards it.
type place struct {
	gate  *gate
	cost  *cost
	state placeState
	quiet bool          // few others had a place when this one was taken
	came  time.Duration // when it was taken
	since time.Duration // and when it was last taken again
	held  time.Duration // how long it was held before that
	delay time.Duration // until the request had a processor
}

type placeState uint8

const (
	outside placeState = iota
	inside
	aside // and may come back
)

// enter takes a place, after waiting for one if need be. It fails when there
// was none in time, or when ctx ended first.
func (g *gate) enter(ctx context.Context, p *place) error {
	now := g.now()
	g.mu.Lock()
	g.observe(now)
	if g.cheap.len+g.dear.len > 0 || g.running >= g.pace.limit {
		return g.wait(ctx, p, now)
	}
	g.waited = 0
	g.clears(now)
	g.admit(p, now)
	back := g.stepsBack()
	g.mu.Unlock()
	if back {
		g.stepBack(p)
	}
	return nil
}

func (g *gate) admit(p *place, now time.Duration) {
	p.quiet = g.running < g.pace.floor
	p.state, p.came, p.since = inside, now, now
	g.count(+1)
}

func (g *gate) count(n int) {
	g.running += n
	g.gauges.running.Set(float64(g.running))
	g.pace.peak = max(g.pace.peak, g.running)
}

// stepsBack tells whether the next request let in should step back: whenever
// that showed a wait for a processor last time, else now and then, if all
// processors may be taken.
func (g *gate) stepsBack() bool {
	if g.running < g.procs {
		return false
	}
	g.yields++
	return g.crowded || g.yields%8 == 0
}

// stepBack lets whatever else is ready to run go first: requests that would
// wait unseen for a processor come to the gate, and wait there. How long it
// takes is how long one waits for a processor, which nothing else tells of
// work that never pauses: there, no more requests are running than there are
// processors, whatever the load.
func (g *gate) stepBack(p *place) {
	runtime.Gosched()
	now := g.now()
	g.mu.Lock()
	p.delay = now - p.came
	g.crowded = p.delay > time.Millisecond
	g.mu.Unlock()
}

// leave gives a place up, if the request has it.
func (g *gate) leave(p *place, to placeState) {
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.state == outside {
		return
	}
	if p.state == inside {
		p.held += now - p.since
		g.count(-1)
	}
	p.state = to
	if to == outside {
		g.pace.note(p)
	}
	g.observe(now)
	g.advance(now)
}

// comeBack takes a place again, without waiting for one.
func (g *gate) comeBack(p *place) {
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.state == aside {
		p.state, p.since = inside, now
		g.count(+1)
	}
}

// observe notes that the process is awake. Those who wait wake up within
// waitMost; when nothing happened for twice that, the process stood still
// (stopped, or starved), and neither the time nor what piled up meanwhile says
// anything about the load.
func (g *gate) observe(now time.Duration) {
	if now-g.seen > 2*waitMost {
		g.resumed, g.clear = now, now
		g.pace.restart(now)
	}
	g.seen = max(g.seen, now)
}

// advance adapts the limit, and lets in those for whom there is a place.
func (g *gate) advance(now time.Duration) {
	waiting := g.cheap.len + g.dear.len
	if waiting > 0 {
		g.pace.pressed = now
	}
	if g.pace.adapt(now) {
		g.gauges.limit.Set(float64(g.pace.limit))
	}
	for ; waiting > 0 && g.running < g.pace.limit; waiting-- {
		stands := g.overloaded(now)
		w := g.next(stands)
		g.remove(w)
		g.waited = now - w.since
		if g.waited < waitTarget && (waiting == 1 || !stands) { // nobody has waited longer
			g.clears(now)
		}
		g.admit(w.place, now)
		close(w.admitted)
	}
}

// clears notes that one is let in at once and nobody waits. When others were
// refused a moment ago, that is why.
func (g *gate) clears(now time.Duration) {
	if now-g.refused > waitMost {
		g.clear = now
	}
}

// overloaded tells whether the queue stands.
func (g *gate) overloaded(now time.Duration) bool { return now-g.clear > waitMost }

// next is who is let in next.
func (g *gate) next(stands bool) *waiter {
	if stands {
		if g.cheap.len > 0 {
			return g.cheap.newest
		}
		return g.dear.newest
	}
	c, d := g.cheap.oldest, g.dear.oldest
	if d == nil || c != nil && c.since < d.since {
		return c
	}
	return d
}

// wait is the rest of enter for a request that finds no place free. It is
// called with the lock, and gives it up.
func (g *gate) wait(ctx context.Context, p *place, now time.Duration) error {
	usual := p.cost.usual
	if g.mean == 0 {
		g.mean = usual
	} else if usual > 0 {
		g.mean += (usual - g.mean) / 64
	}
	g.advance(now) // the limit may be an old one, or nobody leaving
	if g.cheap.len+g.dear.len == queueMost {
		return g.refuse(p, now)
	}
	w := &waiter{place: p, since: now, admitted: make(chan struct{}), in: &g.dear}
	if usual > 0 && usual <= g.mean/2 {
		w.in = &g.cheap
	}
	g.push(w)
	g.advance(now)
	patience := g.patience(p.cost, now)
	g.mu.Unlock()

	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		gone := false
		select {
		case <-w.admitted:
		case <-ctx.Done():
			gone = true
		case <-timer.C:
		}
		now = g.now()
		g.mu.Lock()
		g.observe(now)
		switch {
		case w.in == nil: // it has its place, if only just
			g.mu.Unlock()
			if err := ctx.Err(); err != nil {
				g.leave(p, outside)
				return err
			}
			p.delay = now - p.came
			return nil
		case gone:
			g.remove(w)
			g.mu.Unlock()
			return ctx.Err()
		}
		left := patience - (now - max(w.since, g.resumed))
		if left <= 0 {
			g.remove(w)
			return g.refuse(p, now)
		}
		g.mu.Unlock()
		timer.Reset(left)
	}
}

// patience is how long a request may wait: in overload the less, the more it costs.
func (g *gate) patience(c *cost, now time.Duration) time.Duration {
	if !g.overloaded(now) {
		return waitMost
	}
	if c.usual == 0 || g.mean == 0 {
		return waitTarget
	}
	return min(time.Duration(float64(waitTarget)*max(g.mean/c.usual, .25)), waitMost)
}

// refuse is called with the lock, and gives it up.
func (g *gate) refuse(p *place, now time.Duration) error {
	g.shed, g.refused = g.shed+1, now
	lasts := now - g.clear
	g.mu.Unlock()
	p.cost.shed.Add(1)
	return refusal(lasts)
}

// waiter is a request in a queue.
type waiter struct {
	place        *place
	since        time.Duration
	admitted     chan struct{} // closed when it was let in
	in           *queue        // nil once it is in none
	older, newer *waiter
}

// queue has its waiters by age.
type queue struct {
	len            int
	oldest, newest *waiter
}

func (g *gate) push(w *waiter) {
	q := w.in
	if w.older = q.newest; w.older != nil {
		w.older.newer = w
	} else {
		q.oldest = w
	}
	q.newest = w
	q.len++
	g.gauges.queued.Set(float64(g.cheap.len + g.dear.len))
}

func (g *gate) remove(w *waiter) {
	q := w.in
	if w.older != nil {
		w.older.newer = w.newer
	} else {
		q.oldest = w.newer
	}
	if w.newer != nil {
		w.newer.older = w.older
	} else {
		q.newest = w.older
	}
	w.in, w.older, w.newer = nil, nil, nil
	q.len--
	g.gauges.queued.Set(float64(g.cheap.len + g.dear.len))
}
