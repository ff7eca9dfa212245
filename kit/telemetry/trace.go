package telemetry

import (
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/openzipkin/zipkin-go"
	"github.com/openzipkin/zipkin-go/idgenerator"
	"github.com/openzipkin/zipkin-go/model"
	reporter "github.com/openzipkin/zipkin-go/reporter/http"
)

// Tracer continues the traces that come in and begins new ones. Spans of
// sampled traces are reported to Zipkin; a trace that is not sampled costs
// nothing but its ids, which still reach the logs and the next service.
// The zero value samples nothing.
type Tracer struct {
	zipkin *zipkin.Tracer
	rate   float64
	close  io.Closer
}

// NewTracer returns a tracer that reports to a Zipkin v2 endpoint such as
// http://127.0.0.1:9411/api/v2/spans, and samples the given share (0 to 1) of
// the traces that begin here. With no url nothing is sampled or reported.
func NewTracer(service, addr, url string, rate float64) (*Tracer, error) {
	if url == "" {
		return &Tracer{}, nil
	}
	local, err := zipkin.NewEndpoint(service, addr)
	if err != nil {
		return nil, fmt.Errorf("tracer: %w", err)
	}
	spans := reporter.NewReporter(url)
	z, err := zipkin.NewTracer(spans,
		zipkin.WithLocalEndpoint(local),
		zipkin.WithIDGenerator(idgenerator.NewRandom128()),
		zipkin.WithSharedSpans(false)) // as in W3C Trace Context: each side has its own span
	if err != nil {
		return nil, fmt.Errorf("tracer: %w", err)
	}
	return &Tracer{zipkin: z, rate: rate, close: spans}, nil
}

// Close reports what is still held.
func (t *Tracer) Close() error {
	if t.close == nil {
		return nil
	}
	return t.close.Close()
}

var yes, no = true, false

// Start begins a span under parent, which may be empty. The span is nil when
// the trace is not sampled; the context is what to hand on in either case.
func (t *Tracer) Start(name string, kind model.Kind, parent model.SpanContext) (zipkin.Span, model.SpanContext) {
	if parent.Sampled == nil {
		parent.Sampled = &no
		if t.rate > 0 && rand.Float64() < t.rate {
			parent.Sampled = &yes
		}
	}
	if t.zipkin == nil || !sampled(parent) {
		if parent.TraceID.Empty() {
			parent.TraceID = model.TraceID{High: rand.Uint64(), Low: rand.Uint64() | 1}
		}
		parent.ID = model.ID(rand.Uint64() | 1)
		return nil, parent
	}
	span := t.zipkin.StartSpan(name, zipkin.Kind(kind), zipkin.Parent(parent))
	return span, span.Context()
}
