package telemetry_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/openzipkin/zipkin-go/model"
	"github.com/trellis-go/trellis/kit/telemetry"
)

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID  = "00f067aa0ba902b7"
)

// show is a trace as text: ids and what was decided, "-" for nothing.
func show(sc model.SpanContext) string {
	decision := "undecided"
	switch {
	case sc.Debug:
		decision = "debug"
	case sc.Sampled != nil && *sc.Sampled:
		decision = "sampled"
	case sc.Sampled != nil:
		decision = "unsampled"
	}
	if sc.TraceID.Empty() {
		return "- " + decision
	}
	return fmt.Sprintf("%016x%016x %016x %s", sc.TraceID.High, sc.TraceID.Low, uint64(sc.ID), decision)
}

func TestExtract(t *testing.T) {
	t.Parallel()
	const (
		w3c     = "Traceparent"
		b3      = "B3"
		absent  = "- undecided"
		both    = traceID + " " + spanID + " "
		short   = "a3ce929d0e0e4736"
		other   = "11111111111111112222222222222222-3333333333333333-1"
		trace   = "X-B3-TraceId"
		span    = "X-B3-SpanId"
		sampled = "X-B3-Sampled"
		flags   = "X-B3-Flags"
	)
	for name, tt := range map[string]struct {
		header []string
		want   string
	}{
		"nothing": {nil, absent},

		"W3C, sampled":               {[]string{w3c, "00-" + traceID + "-" + spanID + "-01"}, both + "sampled"},
		"W3C, not sampled":           {[]string{w3c, "00-" + traceID + "-" + spanID + "-00"}, both + "unsampled"},
		"W3C, other flags":           {[]string{w3c, "00-" + traceID + "-" + spanID + "-fe"}, both + "unsampled"},
		"W3C, all flags":             {[]string{w3c, "00-" + traceID + "-" + spanID + "-ff"}, both + "sampled"},
		"W3C, a later version":       {[]string{w3c, "cc-" + traceID + "-" + spanID + "-01"}, both + "sampled"},
		"W3C, a later one with more": {[]string{w3c, "01-" + traceID + "-" + spanID + "-01-what"}, both + "sampled"},
		"W3C, a later one run on":    {[]string{w3c, "01-" + traceID + "-" + spanID + "-01what"}, absent},
		"W3C, version ff":            {[]string{w3c, "ff-" + traceID + "-" + spanID + "-01"}, absent},
		"W3C, version 0 with more":   {[]string{w3c, "00-" + traceID + "-" + spanID + "-01-what"}, absent},
		"W3C, version no number":     {[]string{w3c, "0x-" + traceID + "-" + spanID + "-01"}, absent},
		"W3C, capitals":              {[]string{w3c, "00-" + strings.ToUpper(traceID) + "-" + spanID + "-01"}, absent},
		"W3C, trace of zeros":        {[]string{w3c, "00-" + strings.Repeat("0", 32) + "-" + spanID + "-01"}, absent},
		"W3C, span of zeros":         {[]string{w3c, "00-" + traceID + "-" + strings.Repeat("0", 16) + "-01"}, absent},
		"W3C, short trace":           {[]string{w3c, "00-" + short + "-" + spanID + "-01"}, absent},
		"W3C, flags no number":       {[]string{w3c, "00-" + traceID + "-" + spanID + "-0g"}, absent},
		"W3C, cut":                   {[]string{w3c, "00-" + traceID + "-" + spanID}, absent},
		"W3C, empty":                 {[]string{w3c, ""}, absent},
		"W3C, underscores":           {[]string{w3c, "00_" + traceID + "_" + spanID + "_01"}, absent},
		"W3C, blanks":                {[]string{w3c, " 00-" + traceID + "-" + spanID + "-01"}, absent},
		"W3C, twice":                 {[]string{w3c, "00-" + traceID + "-" + spanID + "-01", w3c, "00-" + traceID + "-" + spanID + "-01"}, absent},

		"B3, sampled":                 {[]string{b3, traceID + "-" + spanID + "-1"}, both + "sampled"},
		"B3, not sampled":             {[]string{b3, traceID + "-" + spanID + "-0"}, both + "unsampled"},
		"B3, debug":                   {[]string{b3, traceID + "-" + spanID + "-d"}, both + "debug"},
		"B3, undecided":               {[]string{b3, traceID + "-" + spanID}, both + "undecided"},
		"B3, with parent":             {[]string{b3, traceID + "-" + spanID + "-1-05e3ac9a4f6e3b90"}, both + "sampled"},
		"B3, 64 bits":                 {[]string{b3, short + "-" + spanID + "-1"}, "0000000000000000" + short + " " + spanID + " sampled"},
		"B3, only no":                 {[]string{b3, "0"}, "- unsampled"},
		"B3, only yes":                {[]string{b3, "1"}, "- sampled"},
		"B3, only debug":              {[]string{b3, "d"}, "- debug"},
		"B3, empty":                   {[]string{b3, ""}, absent},
		"B3, a word":                  {[]string{b3, "x"}, absent},
		"B3, a decision that is none": {[]string{b3, traceID + "-" + spanID + "-2"}, absent},
		"B3, no span":                 {[]string{b3, traceID + "-"}, absent},
		"B3, span of zeros":           {[]string{b3, traceID + "-0000000000000000-1"}, absent},
		"B3, trace of 20":             {[]string{b3, traceID[:20] + "-" + spanID + "-1"}, absent},
		"B3, not hexadecimal":         {[]string{b3, strings.Repeat("z", 32) + "-" + spanID + "-1"}, absent},

		"B3 in several":                {[]string{trace, traceID, span, spanID, sampled, "1"}, both + "sampled"},
		"B3 in several, not sampled":   {[]string{trace, traceID, span, spanID, sampled, "0"}, both + "unsampled"},
		"B3 in several, as words":      {[]string{trace, traceID, span, spanID, sampled, "true"}, both + "sampled"},
		"B3 in several, debug":         {[]string{trace, traceID, span, spanID, flags, "1"}, both + "debug"},
		"B3 in several, flags 0":       {[]string{trace, traceID, span, spanID, flags, "0", sampled, "0"}, both + "unsampled"},
		"B3 in several, undecided":     {[]string{trace, traceID, span, spanID, "X-B3-ParentSpanId", "05e3ac9a4f6e3b90"}, both + "undecided"},
		"B3 in several, only decided":  {[]string{sampled, "0"}, "- unsampled"},
		"B3 in several, no span":       {[]string{trace, traceID, sampled, "1"}, absent},
		"B3 in several, no trace":      {[]string{span, spanID}, absent},
		"B3 in several, bad span":      {[]string{trace, traceID, span, "xyz", sampled, "1"}, absent},
		"B3 in several, decides maybe": {[]string{trace, traceID, span, spanID, sampled, "maybe"}, absent},

		"W3C before B3":                     {[]string{w3c, "00-" + traceID + "-" + spanID + "-00", b3, other}, both + "unsampled"},
		"B3 if W3C is malformed":            {[]string{w3c, "00-x", b3, traceID + "-" + spanID + "-1"}, both + "sampled"},
		"B3 in several if one is malformed": {[]string{b3, "x-y-z", trace, traceID, span, spanID, sampled, "1"}, both + "sampled"},
		"B3 in several if one is empty":     {[]string{b3, "", trace, traceID, span, spanID, sampled, "1"}, both + "sampled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			for i := 0; i < len(tt.header); i += 2 {
				h.Add(tt.header[i], tt.header[i+1])
			}
			if got := show(telemetry.Extract(h)); got != tt.want {
				t.Errorf("Extract = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestInject(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	id := model.TraceID{High: 0x4bf92f3577b34da6, Low: 0xa3ce929d0e0e4736}
	for name, tt := range map[string]struct {
		sc    model.SpanContext
		flags string
	}{
		"sampled":   {model.SpanContext{TraceID: id, ID: 0xf067aa0ba902b7, Sampled: &yes}, "1"},
		"unsampled": {model.SpanContext{TraceID: id, ID: 0xf067aa0ba902b7, Sampled: &no}, "0"},
		"undecided": {model.SpanContext{TraceID: id, ID: 0xf067aa0ba902b7}, "0"},
		"debug":     {model.SpanContext{TraceID: id, ID: 0xf067aa0ba902b7, Debug: true}, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			for _, name := range []string{"Traceparent", "B3", "X-B3-TraceId", "X-B3-SpanId", "X-B3-ParentSpanId", "X-B3-Sampled", "X-B3-Flags"} {
				h.Set(name, "old")
			}
			telemetry.Inject(h, tt.sc)
			if got, want := h.Get("Traceparent"), "00-"+traceID+"-"+spanID+"-0"+tt.flags; got != want {
				t.Errorf("traceparent = %s, want %s", got, want)
			}
			if got, want := h.Get("b3"), traceID+"-"+spanID+"-"+tt.flags; got != want {
				t.Errorf("b3 = %s, want %s", got, want)
			}
			if len(h) != 2 {
				t.Errorf("headers left: %v", h)
			}
		})
	}
	h := http.Header{}
	if telemetry.Inject(h, model.SpanContext{Sampled: &yes}); len(h) != 0 {
		t.Errorf("no trace is written as %v", h)
	}
}

// What is taken is well-formed, and goes on to the next service as it came.
func FuzzExtract(f *testing.F) {
	f.Add("00-"+traceID+"-"+spanID+"-01", "", "", "", "")
	f.Add("cc-"+traceID+"-"+spanID+"-01-more", traceID+"-"+spanID+"-d-"+spanID, "", "", "")
	f.Add("", "0", traceID, spanID, "1")
	f.Add("ff-", "d", traceID[:16], spanID, "true")
	f.Fuzz(func(t *testing.T, traceparent, b3, trace, span, sampled string) {
		h := http.Header{"Traceparent": {traceparent}, "B3": {b3}, "X-B3-Traceid": {trace}, "X-B3-Spanid": {span}, "X-B3-Sampled": {sampled}}
		got := telemetry.Extract(h)
		if got.TraceID.Empty() != (got.ID == 0) {
			t.Fatalf("half a trace: %s", show(got))
		}
		if got.TraceID.Empty() {
			return
		}
		next := http.Header{}
		telemetry.Inject(next, got)
		for _, only := range []string{"Traceparent", "B3"} {
			again := telemetry.Extract(http.Header{only: next[only]})
			if again.TraceID != got.TraceID || again.ID != got.ID || again.Sampled == nil ||
				*again.Sampled != (got.Debug || got.Sampled != nil && *got.Sampled) {
				t.Errorf("%s went on as %q", show(got), next[only])
			}
		}
	})
}
