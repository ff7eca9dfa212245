package endpoint

import (
	"sync/atomic"

	"github.com/go-kit/kit/endpoint"
	"github.com/go-kit/kit/metrics"
	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/token"
)

// Stack is the middleware around every endpoint of a service.
type Stack struct {
	Logger   log.Logger
	Tracer   *telemetry.Tracer
	Verifier *token.Verifier
	Services token.ServiceKey       // of those who may call internal endpoints; empty for nobody
	Limiter  Limiter                // at first one of this process alone
	Limits   atomic.Pointer[Limits] // beside the endpoints' own rates; may be stored while requests are served

	requests requestMetrics
	gate     *gate
	shed     metrics.Counter
}

// NewStack returns the stack of one service. Its metrics are registered once, here.
func NewStack(logger log.Logger, m *telemetry.Metrics, tracer *telemetry.Tracer, verifier *token.Verifier) *Stack {
	return &Stack{
		Logger: logger, Tracer: tracer, Verifier: verifier,
		requests: newRequestMetrics(m),
		gate:     newGate(newGateGauges(m)),
		shed:     newShedCounter(m),
		Limiter:  NewLocal(),
	}
}

// Wrap returns e behind the stack. This is the order, the outermost first.
func (s *Stack) Wrap(e Endpoint) endpoint.Endpoint {
	return endpoint.Chain(
		s.identify(e),
		s.trace(e),
		s.log(e),
		s.measure(e),
		s.recover(e),
		s.limit(e),
		s.deadline(e),
		s.shedding(e),
		s.authenticate(e),
		s.breaker(e),
	)(e.Invoke)
}
