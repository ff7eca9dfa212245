package telemetry_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/openzipkin/zipkin-go/model"
	"github.com/trellis-go/trellis/kit/telemetry"
)

// collector stands for Zipkin.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	spans []object
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var spans []object
		if err == nil {
			err = json.Unmarshal(body, &spans)
		}
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/api/v2/spans" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %v: %v: %s", r.Method, r.URL, r.Header, err, body)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.spans = append(c.spans, spans...)
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) tracer(t *testing.T, service, addr string, rate float64) *telemetry.Tracer {
	t.Helper()
	tracer, err := telemetry.NewTracer(service, addr, c.URL+"/api/v2/spans", rate)
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

// reported closes the tracers and returns the spans by name.
func (c *collector) reported(t *testing.T, tracers ...*telemetry.Tracer) map[string]object {
	t.Helper()
	for _, tracer := range tracers {
		if err := tracer.Close(); err != nil {
			t.Error(err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	spans := map[string]object{}
	for _, s := range c.spans {
		spans[s["name"].(string)] = s
	}
	if len(spans) != len(c.spans) {
		t.Errorf("a span is reported twice: %v", c.spans)
	}
	return spans
}

// A request to the gateway, which calls notes: three spans of one trace.
func TestTraceAcrossServices(t *testing.T) {
	t.Parallel()
	zipkin := newCollector(t)
	gateway := zipkin.tracer(t, "gateway", "127.0.0.1:8000", 1)
	notes := zipkin.tracer(t, "notes", "[::1]:8002", 0) // follows what the gateway decided

	in, inside := gateway.Start("proxy", model.Server, telemetry.Extract(http.Header{}))
	out, outside := gateway.Start("notes get", model.Client, inside)
	h := http.Header{}
	telemetry.Inject(h, outside)
	served, _ := notes.Start("get", model.Server, telemetry.Extract(h))
	if in == nil || out == nil || served == nil {
		t.Fatal("a sampled trace has no spans")
	}
	served.Tag("request_id", "req-1")
	served.Finish()
	out.Finish()
	in.Finish()

	spans := zipkin.reported(t, gateway, notes)
	for _, tt := range []struct {
		name, kind, parent, service string
	}{
		{"proxy", "SERVER", "", "gateway"},
		{"notes get", "CLIENT", "proxy", "gateway"},
		{"get", "SERVER", "notes get", "notes"},
	} {
		s := spans[tt.name]
		if s == nil {
			t.Errorf("%s is not reported", tt.name)
			continue
		}
		var parent any
		if tt.parent != "" {
			parent = spans[tt.parent]["id"]
		}
		id, _ := s["traceId"].(string)
		if s["kind"] != tt.kind || s["parentId"] != parent || len(id) != 32 || id != spans["proxy"]["traceId"] || s["shared"] != nil {
			t.Errorf("%s is reported as %v, want a %s with parent %v in %v", tt.name, s, tt.kind, parent, spans["proxy"]["traceId"])
		}
		if local, _ := s["localEndpoint"].(object); local["serviceName"] != tt.service {
			t.Errorf("%s is reported of %v", tt.name, local)
		}
		if s["timestamp"] == nil || s["duration"] == nil {
			t.Errorf("%s has no time: %v", tt.name, s)
		}
	}
	if len(spans) != 3 {
		t.Errorf("%d spans are reported", len(spans))
	}
	if got := spans["get"]["tags"]; got == nil || got.(object)["request_id"] != "req-1" {
		t.Errorf("tags are %v", got)
	}
	if got := spans["get"]["localEndpoint"].(object); got["ipv6"] != "::1" || got["port"] != 8002. {
		t.Errorf("local endpoint is %v", got)
	}
}

// Who decides: the caller if it did, else the rate.
func TestSampling(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		traceparent, b3 string
		rate            float64
		trace           string // of the span, "" if a new one
		sampled         bool
	}{
		"new, all":                   {rate: 1, sampled: true},
		"new, none":                  {rate: 0},
		"the caller samples":         {traceparent: "00-" + traceID + "-" + spanID + "-01", trace: traceID, sampled: true},
		"the caller does not":        {traceparent: "00-" + traceID + "-" + spanID + "-00", rate: 1, trace: traceID},
		"the caller left it, all":    {b3: traceID + "-" + spanID, rate: 1, trace: traceID, sampled: true},
		"the caller left it, none":   {b3: traceID + "-" + spanID, trace: traceID},
		"the caller debugs":          {b3: traceID + "-" + spanID + "-d", trace: traceID, sampled: true},
		"only a decision for it":     {b3: "1", sampled: true},
		"only a decision against it": {b3: "0", rate: 1},
		"a trace of 64 bits":         {b3: traceID[16:] + "-" + spanID + "-1", trace: "0000000000000000" + traceID[16:], sampled: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zipkin := newCollector(t)
			tracer := zipkin.tracer(t, "notes", "127.0.0.1:8002", tt.rate)
			h := http.Header{}
			if tt.traceparent != "" {
				h.Set("Traceparent", tt.traceparent)
			}
			if tt.b3 != "" {
				h.Set("B3", tt.b3)
			}
			span, sc := tracer.Start("get", model.Server, telemetry.Extract(h))
			next := http.Header{}
			telemetry.Inject(next, sc)
			part := strings.Split(next.Get("Traceparent"), "-")
			if len(part) != 4 || tt.trace != "" && part[1] != tt.trace || part[1] == strings.Repeat("0", 32) || part[2] == spanID ||
				(part[3] == "01") != tt.sampled {
				t.Errorf("the trace goes on as %s", part)
			}
			if (span != nil) != tt.sampled {
				t.Errorf("span is %v", span)
			}
			if span != nil {
				span.Finish()
			}
			spans := zipkin.reported(t, tracer)
			if got := spans["get"]; (got != nil) != tt.sampled {
				t.Errorf("reported: %v", spans)
			} else if got != nil && (got["id"] != part[2] || strings.TrimLeft(got["traceId"].(string), "0") != strings.TrimLeft(part[1], "0")) {
				t.Errorf("reported: %v, handed on: %s", got, part)
			}
		})
	}
}

// Without Zipkin traces still have ids that reach the logs and the next service.
func TestNoTracer(t *testing.T) {
	t.Parallel()
	none, err := telemetry.NewTracer("notes", "", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, tracer := range []*telemetry.Tracer{none, {}} {
		span, first := tracer.Start("get", model.Server, model.SpanContext{})
		_, second := tracer.Start("get", model.Client, first)
		if span != nil || first.TraceID.Empty() || first.ID == 0 || first.TraceID != second.TraceID || first.ID == second.ID {
			t.Errorf("span %v, traces %s and %s", span, show(first), show(second))
		}
		sampled := telemetry.Extract(http.Header{"Traceparent": {"00-" + traceID + "-" + spanID + "-01"}})
		span, on := tracer.Start("get", model.Server, sampled)
		if got := show(on); span != nil || !strings.HasPrefix(got, traceID) || !strings.HasSuffix(got, " sampled") {
			t.Errorf("a sampled trace goes on as %s", got)
		}
		if err := tracer.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTracerThatCannotBe(t *testing.T) {
	t.Parallel()
	if _, err := telemetry.NewTracer("notes", "127.0.0.1:x", "http://127.0.0.1:1/", 1); err == nil {
		t.Error("an address that is none is taken")
	}
}
