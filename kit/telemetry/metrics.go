package telemetry

import (
	"net/http"

	"github.com/go-kit/kit/metrics"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics makes go-kit's counters, gauges and histograms on a Prometheus
// registry of its own, so that several services fit in one process. go-kit's
// own adapter registers globally and allocates a label map at every
// observation; here With finds the series once, and what it returns is free
// to use.
type Metrics struct{ registry *prometheus.Registry }

// NewMetrics returns an empty set, beside Go's and the process's own figures.
func NewMetrics() *Metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &Metrics{r}
}

// Handler serves the metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Seconds are the histogram bounds for durations, 0.5 ms to 10 s.
var Seconds = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// Counter makes a counter with the given labels, all of which With must set.
func (m *Metrics) Counter(name, help string, labels ...string) metrics.Counter {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	c := counter{vec: v}
	if len(labels) == 0 {
		c.series = v.WithLabelValues()
	}
	return c
}

// Gauge makes a gauge with the given labels, all of which With must set.
func (m *Metrics) Gauge(name, help string, labels ...string) metrics.Gauge {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	g := gauge{vec: v}
	if len(labels) == 0 {
		g.series = v.WithLabelValues()
	}
	return g
}

// Histogram makes a histogram with the given labels, all of which With must set.
func (m *Metrics) Histogram(name, help string, bounds []float64, labels ...string) metrics.Histogram {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}, labels)
	m.registry.MustRegister(v)
	h := histogram{vec: v}
	if len(labels) == 0 {
		h.series = v.WithLabelValues()
	}
	return h
}

type counter struct {
	vec    *prometheus.CounterVec
	series prometheus.Counter
}

func (c counter) With(pairs ...string) metrics.Counter {
	return counter{c.vec, c.vec.With(labelsOf(pairs))}
}
func (c counter) Add(delta float64) { c.series.Add(delta) }

type gauge struct {
	vec    *prometheus.GaugeVec
	series prometheus.Gauge
}

func (g gauge) With(pairs ...string) metrics.Gauge { return gauge{g.vec, g.vec.With(labelsOf(pairs))} }
func (g gauge) Set(value float64)                  { g.series.Set(value) }
func (g gauge) Add(delta float64)                  { g.series.Add(delta) }

type histogram struct {
	vec    *prometheus.HistogramVec
	series prometheus.Observer
}

func (h histogram) With(pairs ...string) metrics.Histogram {
	return histogram{h.vec, h.vec.With(labelsOf(pairs))}
}
func (h histogram) Observe(value float64) { h.series.Observe(value) }

func labelsOf(pairs []string) prometheus.Labels {
	labels := make(prometheus.Labels, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		labels[pairs[i]] = pairs[i+1]
	}
	return labels
}
