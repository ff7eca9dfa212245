package discovery

import (
	"math"
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
	hedgeLeast  = 2 * time.Millisecond // below that, a second request costs more than it gains
)

// observe takes in how long an answer took.
func (h *Hedge) observe(took time.Duration) {
	x := took.Seconds()
	for {
		old := h.late.Load()
		was := math.Float64frombits(old)
		is := was * (1 - hedgeStep)
		switch {
		case old == 0:
			is = x
		case x > was:
			is = was * (1 + 19*hedgeStep)
		}
		if h.late.CompareAndSwap(old, math.Float64bits(is)) {
			break
		}
	}
	h.seen.Add(1)
}

// after is how long to wait for an answer before asking elsewhere too.
func (h *Hedge) after() (_ time.Duration, ok bool) {
	if h == nil || h.seen.Load() < hedgeLearns {
		return 0, false
	}
	return max(time.Duration(math.Float64frombits(h.late.Load())*float64(time.Second)), hedgeLeast), true
}
