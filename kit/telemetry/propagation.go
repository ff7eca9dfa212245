package telemetry

import (
	"net/http"
	"strings"

	"github.com/openzipkin/zipkin-go/model"
)

// Extract reads the trace that a request belongs to: W3C Trace Context's
// traceparent, or B3 in one header or several. What is malformed is as if it
// were absent. (zipkin-go's own B3 package links gRPC into the binary.)
func Extract(h http.Header) model.SpanContext {
	if v := h["Traceparent"]; len(v) == 1 {
		if sc, ok := parseTraceparent(v[0]); ok {
			return sc
		}
	}
	if v := h["B3"]; len(v) == 1 {
		if sc, ok := parseB3(v[0]); ok {
			return sc
		}
	}
	return extractB3(h)
}

// Inject writes the trace into a request to another service, in W3C's form
// and in B3's single header; B3 headers that were there go.
func Inject(h http.Header, sc model.SpanContext) {
	if sc.TraceID.Empty() {
		return
	}
	text := formatTraceparent(sc)
	h["Traceparent"] = []string{text}
	h["B3"] = []string{text[3:53] + text[54:]} // <trace>-<span>-<0|1> is a part of traceparent
	for _, name := range b3Headers {
		delete(h, name)
	}
}

var b3Headers = [...]string{"X-B3-Traceid", "X-B3-Spanid", "X-B3-Parentspanid", "X-B3-Sampled", "X-B3-Flags"}

func sampled(sc model.SpanContext) bool { return sc.Debug || sc.Sampled != nil && *sc.Sampled }

// Traceparent is a trace as W3C's header says it; "" for none.
func Traceparent(sc model.SpanContext) string {
	if sc.TraceID.Empty() {
		return ""
	}
	return formatTraceparent(sc)
}

// ParseTraceparent reads what Traceparent wrote; anything else is no trace.
func ParseTraceparent(s string) model.SpanContext {
	sc, _ := parseTraceparent(s)
	return sc
}

// formatTraceparent is "00-<trace>-<span>-<flags>".
func formatTraceparent(sc model.SpanContext) string {
	b := make([]byte, 0, 55)
	b = append(b, "00-"...)
	b = AppendTraceID(b, sc.TraceID)
	b = append(b, '-')
	b = appendHex(b, uint64(sc.ID))
	if sampled(sc) {
		return string(append(b, "-01"...))
	}
	return string(append(b, "-00"...))
}

// AppendTraceID appends a trace id as 32 hexadecimal digits.
func AppendTraceID(b []byte, id model.TraceID) []byte {
	return appendHex(appendHex(b, id.High), id.Low)
}

func appendHex(b []byte, v uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, digits[v>>shift&15])
	}
	return b
}

// parseTraceparent reads "00-<32 hex>-<16 hex>-<2 hex>", in lower case as the
// standard demands; later versions may have more behind a further dash.
func parseTraceparent(s string) (sc model.SpanContext, ok bool) {
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' || s[:2] == "ff" || len(s) > 55 && (s[:2] == "00" || s[55] != '-') {
		return sc, false
	}
	_, ok1 := parseHex(s[:2])
	flags, ok2 := parseHex(s[53:55])
	sc.TraceID, sc.ID, ok = parseIDs(s[3:35], s[36:52])
	if !ok || !ok1 || !ok2 {
		return model.SpanContext{}, false
	}
	sc.Sampled = &no
	if flags&1 != 0 {
		sc.Sampled = &yes
	}
	return sc, true
}

// parseB3 reads "<trace>-<span>[-<sampled>[-<parent>]]" or a sampling decision
// alone. See https://github.com/openzipkin/b3-propagation.
func parseB3(s string) (sc model.SpanContext, ok bool) {
	trace, rest, more := strings.Cut(s, "-")
	if !more {
		ok = s != "" && decide(&sc, s)
		return sc, ok
	}
	span, rest, _ := strings.Cut(rest, "-")
	decision, _, _ := strings.Cut(rest, "-") // the parent of the caller's span is the caller's affair
	if sc.TraceID, sc.ID, ok = parseIDs(trace, span); !ok || !decide(&sc, decision) {
		return model.SpanContext{}, false
	}
	return sc, true
}

func extractB3(h http.Header) (sc model.SpanContext) {
	get := func(name string) string { // h.Get would look at each letter of the name
		if v := h[name]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	trace, span, decision := get("X-B3-Traceid"), get("X-B3-Spanid"), get("X-B3-Sampled")
	if get("X-B3-Flags") == "1" {
		decision = "d"
	}
	if trace != "" {
		var ok bool
		if sc.TraceID, sc.ID, ok = parseIDs(trace, span); !ok {
			return model.SpanContext{}
		}
	}
	if !decide(&sc, decision) {
		return model.SpanContext{}
	}
	return sc
}

func decide(sc *model.SpanContext, decision string) bool {
	switch decision {
	case "":
	case "0", "false":
		sc.Sampled = &no
	case "1", "true":
		sc.Sampled = &yes
	case "d":
		sc.Debug, sc.Sampled = true, &yes
	default:
		return false
	}
	return true
}

// parseIDs reads a trace id of 32 or 16 digits and a span id of 16, neither zero.
func parseIDs(trace, span string) (id model.TraceID, spanID model.ID, ok bool) {
	if len(trace) != 32 && len(trace) != 16 || len(span) != 16 {
		return id, 0, false
	}
	high, ok1 := parseHex(trace[:len(trace)-16])
	low, ok2 := parseHex(trace[len(trace)-16:])
	s, ok3 := parseHex(span)
	id = model.TraceID{High: high, Low: low}
	return id, model.ID(s), ok1 && ok2 && ok3 && !id.Empty() && s != 0
}

func parseHex(s string) (v uint64, ok bool) {
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			v = v<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}
