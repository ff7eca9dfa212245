package realtime

import (
	"github.com/go-kit/kit/metrics"
	"github.com/trellis-go/trellis/kit/telemetry"
)

type hubMetrics struct {
	open     metrics.Gauge
	begun    metrics.Counter
	over     metrics.Counter
	messages metrics.Counter
}

func newMetrics(m *telemetry.Metrics) hubMetrics {
	return hubMetrics{
		open:     m.Gauge("trellis_streams", "Users' streams that are open here."),
		begun:    m.Counter("trellis_streams_opened_total", "Streams that were opened, over a websocket or as events.", "over"),
		over:     m.Counter("trellis_streams_ended_total", "Streams that ended, by why.", "reason"),
		messages: m.Counter("trellis_stream_messages_total", "Messages that were sent on streams."),
	}
}

func (m hubMetrics) opened(over string) { m.begun.With("over", over).Add(1) }
func (m hubMetrics) ended(e *ending)    { m.over.With("reason", e.label).Add(1) }
