package event

import (
	"time"

	"github.com/go-kit/kit/metrics"
	"github.com/trellis-go/trellis/kit/telemetry"
)

// Metrics count what becomes of the events that a service handles. The zero
// value counts nothing.
type Metrics struct {
	events  metrics.Counter
	lag     metrics.Histogram
	waiting metrics.Gauge
}

// NewMetrics registers the metrics of one service.
func NewMetrics(m *telemetry.Metrics) Metrics {
	return Metrics{
		events:  m.Counter("trellis_events_total", "Events, by their type and what became of them: handled, failed (and tried again) or parked.", "type", "outcome"),
		lag:     m.Histogram("trellis_event_lag_seconds", "From when an event happened until it was handled.", telemetry.Seconds, "type"),
		waiting: m.Gauge("trellis_events_parked", "Events that could not be handled and wait for an operator."),
	}
}

func (m Metrics) count(d Delivery, outcome string) {
	if m.events != nil {
		m.events.With("type", d.Type, "outcome", outcome).Add(1)
	}
}

func (m Metrics) late(d Delivery) {
	if m.lag != nil {
		m.lag.With("type", d.Type).Observe(time.Since(d.Time).Seconds())
	}
}
