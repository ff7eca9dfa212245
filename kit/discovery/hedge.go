package discovery

import (
	"math"
	"net/http"
	"sync/atomic"
	"time"
)

// Hedge knows how long 95 of 100 of the reads that share it take: those of one
// endpoint. The zero Hedge is ready; it learns from some dozens of answers
// before it lets any read be sent twice.
//
// The estimate moves by a share of itself at each answer, up 19 times as far
// as down, so that it settles where one answer in 20 is slower (stochastic
// approximation: Robbins and Monro, 1951).
type Hedge struct {
	late atomic.Uint64 // the estimate in seconds, as float64 bits
	seen atomic.Int64
}

const (
	hedgeLearns = 64                   // answers before the estimate is believed
	hedgeStep   = .002                 // of the estimate that a faster answer takes off
	hedgeStride = .05                  // the same while it learns
	hedgeLeast  = 2 * time.Millisecond // below that, a second request costs more than it gains
)

// observe takes in how long an answer took.
func (h *Hedge) observe(took time.Duration) {
	x, step := took.Seconds(), hedgeStep
	if h.seen.Add(1) <= hedgeLearns {
		step = hedgeStride
	}
	for {
		old := h.late.Load()
		was := math.Float64frombits(old)
		is := was * (1 - step)
		switch {
		case old == 0:
			is = x
		case x > was:
			is = was * (1 + 19*step)
		}
		if h.late.CompareAndSwap(old, math.Float64bits(is)) {
			return
		}
	}
}

// after is how long to wait for an answer before asking elsewhere too.
func (h *Hedge) after() (_ time.Duration, ok bool) {
	if h.seen.Load() < hedgeLearns {
		return 0, false
	}
	return max(time.Duration(math.Float64frombits(h.late.Load())*float64(time.Second)), hedgeLeast), true
}

// outcome is what came of a rival.
type outcome struct {
	target *target // nil when there was none
	resp   *http.Response
	v      verdict
}

// hedged sends a read to a second instance too when the first takes long. The
// answer that begins first counts, if it is no failure; the other is given up.
func (s *sending) hedged(t *target, first *try, done func(bool)) (*http.Response, verdict, error) {
	wait, ok := s.Hedge.after()
	if !ok {
		resp, v, err := s.carry(t, first, done)
		s.Hedge.learn(first, v)
		return resp, v, err
	}
	var second atomic.Pointer[try]
	var other outcome
	over := make(chan struct{})
	timer := time.AfterFunc(wait, func() {
		defer close(over)
		other = s.rival(first, &second)
	})
	resp, v, err := s.carry(t, first, done)
	s.Hedge.learn(first, v)
	if timer.Stop() {
		return resp, v, err
	}
	if x := second.Load(); x != nil && v == fine {
		x.abandon(beaten)
	}
	<-over
	if other.target == nil {
		return resp, v, err
	}
	s.tried = append(s.tried, other.target)
	if other.v != unheard {
		s.carried++
	}
	if v == fine || other.v != fine {
		if other.resp != nil {
			other.resp.Body.Close()
		}
		return resp, v, err
	}
	if resp != nil {
		resp.Body.Close()
	}
	s.Instance = other.target.addr
	return other.resp, fine, nil
}

// rival carries out the second try, which it lets the first one know of.
func (s *sending) rival(first *try, second *atomic.Pointer[try]) (o outcome) {
	if s.carried+2 > mostTries {
		return o
	}
	if _, good := s.another(s.Sending, s.tried); !good || !s.budget.withdraw() {
		return o
	}
	t, done := s.pick(s.Sending, s.tried)
	if t == nil {
		return o
	}
	x := newTry(s.in.Context(), false, nil)
	second.Store(x)
	if first.fate.Load() != undecided {
		t.forgo(done)
		x.cancel()
		return o
	}
	o.target = t
	if o.resp, o.v, _ = s.carry(t, x, done); o.v == fine {
		first.abandon(beaten)
	}
	return o
}

// learn takes in how long the first try took; one that was beaten took longer
// than the estimate, whatever it would have been.
func (h *Hedge) learn(x *try, v verdict) {
	if v == fine || x.fate.Load() == beaten {
		h.observe(time.Since(x.began))
	}
}
