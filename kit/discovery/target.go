package discovery

import (
	"context"
	"errors"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/sony/gobreaker"
)

const (
	// memory is after how long a third of a latency is left in the mean.
	memory = 5 * time.Second

	// warmUp is how long a new instance takes to get its whole share, and
	// coldShare is what it begins with.
	warmUp    = 10 * time.Second
	coldShare = .1

	// aside is for how long an instance that could not be connected to is left alone.
	aside = time.Second

	// A breaker opens after brokenAfter requests in a row to which there was
	// no answer at all, and lets one try after brokenFor.
	brokenAfter = 5
	brokenFor   = time.Second
)

// target is one instance, as requests are sent to it.
type target struct {
	Instance
	via     http.RoundTripper
	logger  log.Logger
	breaker *gobreaker.TwoStepCircuitBreaker

	inFlight atomic.Int64
	requests atomic.Uint64
	failures atomic.Uint64
	outUntil atomic.Int64 // in Unix nanoseconds; 0 while it is sent requests
	plain    atomic.Bool  // it is neither out nor broken, and warm
	probing  atomic.Bool
	tripped  atomic.Bool // the breaker has opened, and may have half-opened since

	mu        sync.Mutex
	why       State // it is out
	warmFrom  time.Time
	waiting   map[*try]struct{} // for an answer
	answered  time.Time         // the last time
	latency   float64           // mean seconds until an answer begins, decaying
	measured  time.Time
	failing   float64 // share of failures, decaying with each request
	judged    int     // requests since it came back, or began
	ejected   int     // how many times lately
	ejectedAt time.Time
}

func newTarget(i Instance, via http.RoundTripper, logger log.Logger, warm bool) *target {
	t := &target{Instance: i, via: via, waiting: map[*try]struct{}{}}
	t.logger = log.With(logger, "service", i.Service, "instance", i.Addr)
	if !warm {
		t.warmFrom = time.Now()
	}
	t.breaker = gobreaker.NewTwoStepCircuitBreaker(gobreaker.Settings{
		Timeout:     brokenFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= brokenAfter },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			t.tripped.Store(to != gobreaker.StateClosed)
			t.plain.Store(false)
			level.Warn(t.logger).Log("msg", "breaker", "from", from, "to", to)
		},
	})
	return t
}

// usable tells whether the instance is to be sent requests.
func (t *target) usable(now time.Time) bool {
	if until := t.outUntil.Load(); until != 0 {
		if now.UnixNano() < until {
			return false
		}
		t.comeBack(until)
	}
	return !t.tripped.Load() || t.breaker.State() != gobreaker.StateOpen
}

// putOut keeps requests away until a time. Reachable or not is no matter of
// warmth: whoever could not be connected to comes back as it was.
func (t *target) putOut(why State, until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.why != why {
		level.Warn(t.logger).Log("msg", "instance is out", "why", why, "until", until)
	}
	t.why = why
	t.plain.Store(false)
	t.outUntil.Store(until.UnixNano())
}

func (t *target) comeBack(until int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.outUntil.CompareAndSwap(until, 0) {
		return
	}
	level.Info(t.logger).Log("msg", "instance is back", "was", t.why)
	if t.why != Unreachable {
		t.warmFrom = time.Now()
	}
	t.why, t.failing, t.judged = "", 0, 0
}

// weight is the share beside others' of an instance that is usable, as far as
// it is warm.
func (t *target) weight(now time.Time) float64 {
	warmth := t.warmth(now)
	if warmth == 1 && !t.tripped.Load() && !t.plain.Load() {
		t.mu.Lock()
		t.plain.Store(t.outUntil.Load() == 0 && !t.tripped.Load())
		t.mu.Unlock()
	}
	return float64(t.Weight) * warmth
}

func (t *target) warmth(now time.Time) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.warmFrom.IsZero() {
		return 1
	}
	share := max(coldShare, now.Sub(t.warmFrom).Seconds()/warmUp.Seconds())
	if share >= 1 {
		t.warmFrom, share = time.Time{}, 1
	}
	return share
}

// recent is the mean latency in seconds. One that was measured long ago is
// believed less and less, so that nobody is slow for ever.
func (t *target) recent(now time.Time) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.latency*math.Exp(-now.Sub(t.measured).Seconds()/memory.Seconds()) + .0005
}

// try is one attempt at sending a request to an instance.
type try struct {
	ctx    context.Context
	stop   context.CancelCauseFunc
	moves  bool // it may be stopped and sent elsewhere
	target *target
	began  time.Time
	ended  atomic.Bool
}

func newTry(ctx context.Context, moves bool) *try {
	x := &try{moves: moves}
	x.ctx, x.stop = context.WithCancelCause(ctx)
	return x
}

func (t *target) begin(x *try) {
	x.target, x.began = t, time.Now()
	t.inFlight.Add(1)
	t.requests.Add(1)
	t.mu.Lock()
	t.waiting[x] = struct{}{}
	t.mu.Unlock()
}

// over is when the answer was read, or there won't be one.
func (x *try) over() {
	if x.ended.CompareAndSwap(false, true) {
		x.target.inFlight.Add(-1)
		x.stop(nil)
	}
}

// verdict is what came of a try.
type verdict int

const (
	fine     verdict = iota
	unsure           // nobody's fault: its caller has gone, or another was faster
	failed           // it was carried out, and failed
	declined         // the instance says that it can't, just now: 502, 503, 504
	broken           // no answer
	stalled          // no answer, and the watchdog sends it elsewhere
	unheard          // nothing was sent
)

// end takes in what came of a try, when its answer begins or will not come.
func (t *target) end(x *try, v verdict) {
	now := time.Now()
	took := now.Sub(x.began)
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.waiting, x)
	if v == unsure || v == unheard {
		return
	}
	bad := 0.
	if v != fine {
		bad = 1
		t.failures.Add(1)
	}
	t.judged++
	t.failing += (bad - t.failing) * max(.1, 1/float64(t.judged))
	if v == broken || v == stalled {
		return
	}
	t.answered = now
	t.measure(took, v == fine, now)
}

// measure adds to the mean latency. A failure is often quick, and is not to
// make an instance look better than it is. t.mu is held.
func (t *target) measure(took time.Duration, fine bool, now time.Time) {
	seconds := took.Seconds()
	if !fine {
		seconds = max(seconds, t.latency)
	}
	keep := 0.
	if !t.measured.IsZero() {
		keep = math.Exp(-max(now.Sub(t.measured).Seconds()/memory.Seconds(), .001))
	}
	t.latency = t.latency*keep + seconds*(1-keep)
	t.measured = now
}

// silence is how long requests have waited without any being answered.
func (t *target) silence(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	var longest time.Duration
	for x := range t.waiting {
		longest = max(longest, now.Sub(later(x.began, t.answered)))
	}
	return longest
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

var (
	errStalled = errors.New("discovery: the instance stopped answering")
	errLate    = errors.New("discovery: no answer in time")
	errBeaten  = errors.New("discovery: another instance was faster")
)

func (t *target) status(now time.Time) InstanceStatus {
	s := InstanceStatus{
		Instance: t.Instance, State: Up, Breaker: t.breaker.State().String(),
		InFlight: t.inFlight.Load(), Requests: t.requests.Load(), Failures: t.failures.Load(), Share: t.warmth(now),
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Latency = time.Duration(t.latency * float64(time.Second))
	switch until := t.outUntil.Load(); {
	case until > now.UnixNano():
		s.State, s.Until = t.why, time.Unix(0, until)
	case s.Breaker == gobreaker.StateOpen.String():
		s.State = Broken
	case s.Share < 1:
		s.State = Warming
	}
	return s
}
