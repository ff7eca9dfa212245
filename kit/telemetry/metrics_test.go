package telemetry_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-kit/kit/metrics"
	"github.com/trellis-go/trellis/kit/telemetry"
)

func scrape(m *telemetry.Metrics) map[string]string {
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	series := map[string]string{}
	for line := range strings.Lines(rec.Body.String()) {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			series[line[:i]] = strings.TrimSpace(line[i:])
		}
	}
	return series
}

// Two services in one process have the same metrics, each its own.
func TestMetrics(t *testing.T) {
	t.Parallel()
	var sets [2]*telemetry.Metrics
	for i := range sets {
		m := telemetry.NewMetrics()
		sets[i] = m
		var plain, labelled metrics.Counter = m.Counter("plain_total", "Plain."), m.Counter("sent_total", "Sent.", "kind", "status")
		plain.Add(1)
		labelled.With("kind", "mail", "status", "ok").Add(2)
		labelled.With("status", "ok", "kind", "push").Add(3) // in whatever order
		series := labelled.With("kind", "mail", "status", "ok")
		series.Add(0.5)

		var level, levels metrics.Gauge = m.Gauge("level", "Level."), m.Gauge("levels", "Levels.", "tank")
		level.Set(5)
		level.Add(-2)
		levels.With("tank", "a").Set(1)

		var took, tooks metrics.Histogram = m.Histogram("took", "Took.", []float64{1, 2}), m.Histogram("tooks", "Tooks.", telemetry.Seconds, "way")
		for _, v := range []float64{0.5, 1, 1.5, 9} {
			took.Observe(v)
		}
		tooks.With("way", "up").Observe(0.0004)
	}
	sets[1].Gauge("only_here", "")
	for i, m := range sets {
		got := scrape(m)
		for series, want := range map[string]string{
			`plain_total`:                         "1",
			`sent_total{kind="mail",status="ok"}`: "2.5",
			`sent_total{kind="push",status="ok"}`: "3",
			`level`:                               "3",
			`levels{tank="a"}`:                    "1",
			`took_bucket{le="1"}`:                 "2",
			`took_bucket{le="2"}`:                 "3",
			`took_bucket{le="+Inf"}`:              "4",
			`took_sum`:                            "12",
			`tooks_bucket{way="up",le="0.0005"}`:  "1",
			`tooks_count{way="up"}`:               "1",
		} {
			if got[series] != want {
				t.Errorf("service %d: %s is %q, want %s", i, series, got[series], want)
			}
		}
		if _, ok := got["only_here"]; ok != (i == 1) {
			t.Errorf("service %d has the other's metrics", i)
		}
		if got["go_goroutines"] == "" || got["process_start_time_seconds"] == "" {
			t.Errorf("service %d tells nothing of Go and the process", i)
		}
	}
}
