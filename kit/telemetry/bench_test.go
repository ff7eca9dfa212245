package telemetry_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/kit/telemetry"
)

// One line as a request has it, beside go-kit's own JSON logger.
func BenchmarkLogger(b *testing.B) {
	kit := log.With(log.NewJSONLogger(log.NewSyncWriter(io.Discard)), "ts", log.DefaultTimestampUTC, "service", "notes")
	for _, bb := range []struct {
		name   string
		logger log.Logger
	}{
		{"trellis", telemetry.NewLogger(io.Discard, "service", "notes")},
		{"go-kit", kit},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := bb.logger.Log("level", "info", "endpoint", "Create", "status", 201, "took", 1234*time.Microsecond,
					"request_id", "9f86d081884c7d659a2feaa0c55ad015", "trace_id", traceID, "user", "0197c2a1-7d60-7c3e-8f57-0a1b2c3d4e5f"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkExtract(b *testing.B) {
	for name, h := range map[string]http.Header{
		"none":       {"Accept": {"*/*"}, "User-Agent": {"bench"}},
		"W3C":        {"Traceparent": {"00-" + traceID + "-" + spanID + "-01"}},
		"B3":         {"B3": {traceID + "-" + spanID + "-1"}},
		"B3 several": {"X-B3-Traceid": {traceID}, "X-B3-Spanid": {spanID}, "X-B3-Sampled": {"1"}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				telemetry.Extract(h)
			}
		})
	}
}

func BenchmarkInject(b *testing.B) {
	sc := telemetry.Extract(http.Header{"Traceparent": {"00-" + traceID + "-" + spanID + "-01"}})
	h := http.Header{}
	b.ReportAllocs()
	for b.Loop() {
		telemetry.Inject(h, sc)
	}
}
