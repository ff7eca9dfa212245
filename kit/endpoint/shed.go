package endpoint

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/go-kit/kit/endpoint"
	"github.com/go-kit/kit/metrics"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/telemetry"
)

type gateGauges struct{ limit, running, queued metrics.Gauge }

func newGateGauges(m *telemetry.Metrics) gateGauges {
	return gateGauges{
		limit:   m.Gauge("trellis_gate_limit", "How many requests are worked on at once, at most."),
		running: m.Gauge("trellis_gate_running", "Requests being worked on. Streams that have begun are not among them."),
		queued:  m.Gauge("trellis_gate_queued", "Requests waiting to be worked on."),
	}
}

func newShedCounter(m *telemetry.Metrics) metrics.Counter {
	return m.Counter("trellis_requests_shed_total", "Requests refused because the service was overloaded, by endpoint.", "endpoint")
}

// shedding refuses what the service cannot do in time, before a signature is
// checked or a body read for it. Essential endpoints it lets through.
func (s *Stack) shedding(e Endpoint) endpoint.Middleware {
	if e.Vital {
		return func(next endpoint.Endpoint) endpoint.Endpoint { return next }
	}
	c := &cost{relays: e.New == nil, shed: s.shed.With("endpoint", e.Name)}
	return func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, req any) (any, error) {
			p := &From(ctx).place
			p.gate, p.cost = s.gate, c
			if err := s.gate.enter(ctx, p); err != nil {
				return nil, err
			}
			defer s.gate.leave(p, outside)
			return next(ctx, req)
		}
	}
}

// Leave tells that the rest of the call costs the service next to nothing,
// such as a stream that has begun: another may be worked on instead.
func (c *Call) Leave() {
	if c.place.gate != nil {
		c.place.gate.leave(&c.place, outside)
	}
}

// StepAside is Leave for as long as the call waits for its caller; ComeBack ends that.
func (c *Call) StepAside() {
	if c.place.gate != nil {
		c.place.gate.leave(&c.place, aside)
	}
}

// ComeBack ends StepAside.
func (c *Call) ComeBack() {
	if c.place.gate != nil {
		c.place.gate.comeBack(&c.place)
	}
}

// Load is how busy a service is.
type Load struct {
	Limit   int           // how many requests it works on at once, at most; it adapts
	Running int           // how many it works on
	Queued  int           // how many wait for that
	Wait    time.Duration // how long the last one waited that was let in
	Shed    uint64        // how many were refused since the service started
}

// Load tells how busy the service is.
func (s *Stack) Load() Load {
	g := s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	return Load{Limit: g.pace.limit, Running: g.running, Queued: g.cheap.len + g.dear.len, Wait: g.waited, Shed: g.shed}
}

// refusals are made once, because a service gives many when it has no time:
// one for each number of seconds after which to try again.
var refusals = func() (errs [10]error) {
	f := fault.New(fault.Unavailable, "overloaded", "The service is overloaded. Try again in a moment.")
	for i := range errs {
		errs[i] = f.After(time.Duration(i+1) * time.Second)
	}
	return errs
}()

// refusal is the answer to a request that is shed. What has lasted for some
// time will last about as long again; callers are spread over that time, so
// that they do not come back as one.
func refusal(lasts time.Duration) error {
	most := min(max(int(lasts/time.Second), 0)+2, len(refusals))
	return refusals[rand.IntN(most)]
}
