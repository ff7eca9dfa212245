package endpoint

import (
	"context"
	"time"

	"github.com/go-kit/kit/endpoint"
	"github.com/go-kit/kit/metrics"
	"github.com/trellis-go/trellis/kit/telemetry"
)

type requestMetrics struct {
	seconds  metrics.Histogram
	inFlight metrics.Gauge
}

func newRequestMetrics(m *telemetry.Metrics) requestMetrics {
	return requestMetrics{
		seconds:  m.Histogram("trellis_request_seconds", "How long requests took, by endpoint and status class.", telemetry.Seconds, "endpoint", "status"),
		inFlight: m.Gauge("trellis_requests_in_flight", "Requests being handled."),
	}
}

// measure observes how long requests take, by endpoint and class of status.
func (s *Stack) measure(e Endpoint) endpoint.Middleware {
	var seconds [6]metrics.Histogram
	for class, name := range []string{"", "1xx", "2xx", "3xx", "4xx", "5xx"} {
		if class > 0 {
			seconds[class] = s.requests.seconds.With("endpoint", e.Name, "status", name)
		}
	}
	return func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, req any) (any, error) {
			s.requests.inFlight.Add(1)
			resp, err := next(ctx, req)
			s.requests.inFlight.Add(-1)
			class := min(max(Status(resp, err)/100, 1), 5)
			seconds[class].Observe(time.Since(From(ctx).Began).Seconds())
			return resp, err
		}
	}
}
