package discovery

import (
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

	// stale is after how long without an answer an idle instance is tried again,
	// however slow it was.
	stale = 2 * time.Second

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

// target is one instance, as requests are sent to it. What is known of it
// stays while its address and version do.
type target struct {
	addr, version string
	via           http.RoundTripper
	logger        log.Logger
	breaker       *gobreaker.TwoStepCircuitBreaker
	listed        atomic.Pointer[Instance] // as the registry has it: weight, zone and tags may change

	inFlight atomic.Int64
	requests atomic.Uint64
	failures atomic.Uint64
	outUntil atomic.Int64  // in Unix nanoseconds; 0 while it is sent requests
	warmFrom atomic.Int64  // in Unix nanoseconds; 0 when it is warm
	latency  atomic.Uint64 // mean seconds until an answer begins, decaying; the bits of a float64
	measured atomic.Int64  // when, in Unix nanoseconds; 0 for never
	tripped  atomic.Bool   // the breaker has opened, and may have half-opened since
	probing  atomic.Bool

	mu        sync.Mutex
	why       State             // it is out
	waiting   map[*try]struct{} // for an answer
	quiet     time.Time         // since when there has been no answer to anybody; zero when nobody asked
	failing   float64           // share of failures, decaying with each request
	judged    int               // requests since it came back, or began
	ejected   int               // how many times lately
	ejectedAt time.Time
	since     time.Time // it came back: what began before says nothing of its latency
}

func newTarget(i Instance, via http.RoundTripper, logger log.Logger, warm bool) *target {
	t := &target{addr: i.Addr, version: i.Version, via: via, waiting: map[*try]struct{}{}}
	t.list(i)
	t.logger = log.With(logger, "service", i.Service, "instance", i.Addr)
	if !warm {
		t.cool(time.Now())
	}
	t.breaker = gobreaker.NewTwoStepCircuitBreaker(gobreaker.Settings{
		Timeout:     brokenFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= brokenAfter },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			t.tripped.Store(to != gobreaker.StateClosed)
			level.Warn(t.logger).Log("msg", "breaker", "from", from, "to", to)
		},
	})
	return t
}

// is tells whether the instance is the one that the target stands for.
func (t *target) is(i Instance) bool { return t.addr == i.Addr && t.version == i.Version }

func (t *target) list(i Instance) {
	i.Weight = max(i.Weight, 1)
	t.listed.Store(&i)
}

func (t *target) cool(now time.Time) { t.warmFrom.Store(now.UnixNano()) }

// usable tells whether the instance is to be sent requests.
func (t *target) usable(now time.Time) bool {
	if until := t.outUntil.Load(); until != 0 {
		if now.UnixNano() < until {
			return false
		}
		t.comeBack(until)
	}
	return !t.open()
}

// open tells whether the breaker takes no requests.
func (t *target) open() bool { return t.tripped.Load() && t.breaker.State() == gobreaker.StateOpen }

// putOut keeps requests away until a time, unless they are longer already.
func (t *target) putOut(why State, until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if until.UnixNano() <= t.outUntil.Load() {
		return
	}
	if t.why != why {
		level.Warn(t.logger).Log("msg", "instance is out", "why", why, "until", until)
	}
	t.why = why
	t.outUntil.Store(until.UnixNano())
}

// comeBack lets requests in again. Reachable or not is no matter of warmth:
// whoever could not be connected to comes back as it was.
func (t *target) comeBack(until int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.outUntil.CompareAndSwap(until, 0) {
		return
	}
	level.Info(t.logger).Log("msg", "instance is back", "was", t.why)
	if t.why != Unreachable {
		t.since = time.Now()
		t.cool(t.since)
		t.latency.Store(0)
		t.measured.Store(0)
	}
	t.why, t.failing, t.judged = "", 0, 0
}

// weight is the share beside others' of an instance that is usable, as far as
// it is warm.
func (t *target) weight(now time.Time) float64 {
	return float64(t.listed.Load().Weight) * t.warmth(now)
}

func (t *target) warmth(now time.Time) float64 {
	from := t.warmFrom.Load()
	if from == 0 {
		return 1
	}
	share := max(coldShare, float64(now.UnixNano()-from)/float64(warmUp))
	if share >= 1 {
		t.warmFrom.CompareAndSwap(from, 0)
		return 1
	}
	return share
}

// recent is the mean latency in seconds, and half a millisecond. One that was
// measured long ago is believed less and less; before that has taken effect, a
// request goes to see, lest one slow answer keep all others away.
func (t *target) recent(now time.Time) float64 {
	const least = .0005
	age := time.Duration(now.UnixNano() - t.measured.Load())
	if age > stale && t.inFlight.Load() == 0 {
		return least
	}
	return math.Float64frombits(t.latency.Load())*math.Exp(-age.Seconds()/memory.Seconds()) + least
}

// verdict is what came of a try.
type verdict int

const (
	fine     verdict = iota
	unsure           // nobody's fault: its caller has gone, or another was faster
	failed           // it was carried out, and failed
	declined         // the instance says that it can't, just now: 502, 503, 504
	broken           // no answer: the connection broke
	overdue          // no answer in time
	stalled          // no answer, and the watchdog sends it elsewhere
	unheard          // nothing was sent
)

// mute tells whether there was no answer to what was sent.
func (v verdict) mute() bool { return v == broken || v == overdue || v == stalled }

func (t *target) begin(x *try) {
	x.target, x.began = t, time.Now()
	t.inFlight.Add(1)
	t.requests.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting[x] = struct{}{}
	if t.quiet.IsZero() {
		t.quiet = x.began
	}
}

// end takes in what came of a try, when its answer begins or will not come.
// done tells the breaker.
func (t *target) end(x *try, v verdict, done func(bool)) {
	now := time.Now()
	t.mu.Lock()
	delete(t.waiting, x)
	if v == unheard || v == broken {
		if len(t.waiting) == 0 {
			t.quiet = time.Time{}
		}
	} else if v != unsure && !v.mute() {
		t.heard(now)
		if x.began.After(t.since) {
			t.measure(now.Sub(x.began), v == fine, now)
		}
	}
	if v != unsure && v != unheard {
		bad := 0.
		if v != fine {
			bad = 1
			t.failures.Add(1)
		}
		t.judged++
		t.failing += (bad - t.failing) * max(.1, 1/float64(t.judged))
	}
	t.mu.Unlock()
	if v == unsure || v == unheard {
		t.forgo(done)
		return
	}
	done(!v.mute())
}

// forgo is done for a request that tells nothing of the instance. It doesn't
// mend a breaker, nor does it occupy the one place in a half-open one.
func (t *target) forgo(done func(bool)) {
	if t.tripped.Load() {
		done(false)
	}
}

// heard is when the instance gave a sign of life. t.mu is held.
func (t *target) heard(now time.Time) {
	t.quiet = time.Time{}
	if len(t.waiting) > 0 {
		t.quiet = now
	}
}

// measure adds to the mean latency. A failure is often quick, and is not to
// make an instance look better than it is. t.mu is held.
func (t *target) measure(took time.Duration, fine bool, now time.Time) {
	was, at := math.Float64frombits(t.latency.Load()), t.measured.Load()
	seconds := took.Seconds()
	if !fine {
		seconds = max(seconds, was)
	}
	keep := 0.
	if at != 0 {
		keep = math.Exp(-max(float64(now.UnixNano()-at)/float64(memory), .001))
	}
	t.latency.Store(math.Float64bits(was*keep + seconds*(1-keep)))
	t.measured.Store(now.UnixNano())
}

// silence is for how long no request has been answered, if there were any;
// their callers may have given up since.
func (t *target) silence(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.quiet.IsZero() {
		return 0
	}
	return now.Sub(t.quiet)
}

func (t *target) status(now time.Time) InstanceStatus {
	s := InstanceStatus{
		Instance: *t.listed.Load(), State: Up, Breaker: t.breaker.State().String(),
		InFlight: t.inFlight.Load(), Requests: t.requests.Load(), Failures: t.failures.Load(), Share: t.warmth(now),
		Latency: time.Duration(math.Float64frombits(t.latency.Load()) * float64(time.Second)),
	}
	t.mu.Lock()
	defer t.mu.Unlock()
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
