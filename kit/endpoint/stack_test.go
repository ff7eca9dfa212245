package endpoint_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

// The order of the middleware, seen from outside: what each kind of request
// meets first decides its answer, and what lies further out saw it all the same.
func TestOrder(t *testing.T) {
	t.Parallel()
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	bad := []string{"Authorization", "Bearer a.b.c", "X-Request-Id", "req-1", "Content-Type", "application/json",
		"Traceparent", "00-" + trace + "-00f067aa0ba902b7-00"}
	for _, tt := range []struct {
		name   string
		before func(*testing.T, *world, http.Handler)
		header []string
		body   string
		status int
		code   string
		asked  int64 // how many keys were looked up for the request
	}{
		{name: "a refused token", header: bad, body: `{"title":"x"}`, status: 401, code: "token_invalid"},
		{name: "a refused token and a body that cannot be read", header: bad, body: `{`, status: 401, code: "token_invalid"},
		{name: "nobody, and a body that cannot be read", header: bad[2:], body: `{"titel":1}`, status: 401, code: "token_missing"},
		{name: "one who called too often", header: bad, body: `{"title":"x"}`, status: 429, code: "rate_limited",
			before: func(_ *testing.T, _ *world, h http.Handler) {
				for range 40 {
					serve(h, request("POST", "/v1/notes/1", ""))
				}
			}},
		{name: "nobody, while the breaker is open", header: bad[2:], status: 401, code: "token_missing",
			before: func(t *testing.T, w *world, h http.Handler) {
				for range 20 {
					serve(h, request("POST", "/v1/notes/fail", `{"title":"x"}`, "Content-Type", "application/json",
						"X-Forwarded-For", "198.51.100.7", "Authorization", "Bearer "+w.token(t, "u1")))
				}
			}},
		{name: "somebody, and a key store that breaks", header: append([]string{"Authorization", "Bearer " + tokenOf("panic")}, bad[2:]...),
			status: 500, code: "internal", asked: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			called := 0
			write := endpoint.New(func(_ context.Context, n note) (answer, error) {
				called++
				if n.ID == "fail" {
					return answer{}, fault.New(fault.Internal, "broken", "")
				}
				return answer{}, nil
			}, "Write a note.").Named("Write")
			write.Rate = endpoint.Rate{PerSecond: 0.001, Burst: 20} // nobody gets another while this runs
			h := w.handler(t, transport.Post("/v1/notes/{id}", write))
			if tt.before != nil {
				tt.before(t, w, h)
			}
			called = 0
			asked, lines := w.asked.Load(), len(w.log.lines(t))

			rec := serve(h, request("POST", "/v1/notes/1", tt.body, tt.header...))

			if p := problem(t, rec); rec.Code != tt.status || p.Code != tt.code || p.RequestID != "req-1" {
				t.Errorf("answer is %d %+v, want %d %s", rec.Code, p, tt.status, tt.code)
			}
			if called != 0 {
				t.Error("the method was called")
			}
			if got := w.asked.Load() - asked; got != tt.asked {
				t.Errorf("%d keys were looked up, want %d", got, tt.asked)
			}
			if got := rec.Header()["X-Request-Id"]; len(got) != 1 || got[0] != "req-1" {
				t.Errorf("X-Request-Id = %q", got)
			}
			if rec.Header().Get("Ratelimit") == "" {
				t.Error("no RateLimit header")
			}
			line := w.log.last(t)
			if len(w.log.lines(t)) != lines+1 || line["status"] != float64(tt.status) || line["code"] != tt.code ||
				line["request_id"] != "req-1" || line["trace_id"] != trace || line["endpoint"] != "Write" {
				t.Errorf("logged: %v", line)
			}
			series := `trellis_request_seconds_count{endpoint="Write",status="` + rec.Result().Status[:1] + `xx"}`
			if w.metric(series) == "" {
				t.Errorf("no metric %s", series)
			}
			if got := w.metric("trellis_requests_in_flight"); got != "0" {
				t.Errorf("%s requests are in flight", got)
			}
		})
	}
}

// tokenOf is a token in form, with a key id and no good signature.
func tokenOf(kid string) string {
	return forge(`{"alg":"EdDSA","typ":"at+jwt","kid":"`+kid+`"}`, `{}`, "sig")
}

func TestUnknownPathsPassTheStack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method, path string
		status       int
		endpoint     string
	}{
		{"GET", "/nowhere", 404, "unmatched"},
		{"GET", "/v1//notes", 404, "unmatched"},
		{"PATCH", "/v1/notes/1", 405, "method_not_allowed"},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			h := w.handler(t, transport.Get("/v1/notes/{id}", endpoint.New(getNote, "").Public()))
			rec := serve(h, request(tt.method, tt.path, ""))
			if rec.Code != tt.status || problem(t, rec).RequestID != rec.Header().Get("X-Request-Id") {
				t.Errorf("answer is %d: %s", rec.Code, rec.Body)
			}
			if line := w.log.last(t); line["endpoint"] != tt.endpoint || line["level"] != "info" {
				t.Errorf("logged: %v", line)
			}
		})
	}
}

func getNote(_ context.Context, r noteID) (answer, error) { return answer{ID: r.ID}, nil }

func TestRequestID(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		given []string
		keeps bool
	}{
		{"none", nil, false},
		{"plain", []string{"abc-123_X.y:z/~"}, true},
		{"the longest", []string{strings.Repeat("x", 128)}, true},
		{"too long", []string{strings.Repeat("x", 129)}, false},
		{"empty", []string{""}, false},
		{"blank", []string{"a b"}, false},
		{"quote", []string{`a"b`}, false},
		{"backslash", []string{`a\b`}, false},
		{"line break", []string{"a\nlevel=info"}, false},
		{"escape", []string{"a\x1b[31m"}, false},
		{"not ASCII", []string{"ä"}, false},
		{"not UTF-8", []string{"\xff"}, false},
		{"two", []string{"a", "b"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var seen string
			h := w.handler(t, transport.Get("/v1/notes/{id}", endpoint.New(func(ctx context.Context, _ noteID) (answer, error) {
				seen = endpoint.From(ctx).RequestID
				return answer{}, nil
			}, "").Public()))
			r := request("GET", "/v1/notes/1", "")
			if tt.given != nil {
				r.Header["X-Request-Id"] = tt.given
			}
			got := serve(h, r).Header()["X-Request-Id"]
			if len(got) != 1 {
				t.Fatalf("X-Request-Id = %q", got)
			}
			if tt.keeps && got[0] != tt.given[0] {
				t.Errorf("%q became %q", tt.given[0], got[0])
			}
			if !tt.keeps && (len(got[0]) != 32 || strings.Trim(got[0], "0123456789abcdef") != "") {
				t.Errorf("%q became %q, want 32 hexadecimal digits", tt.given, got[0])
			}
			if line := w.log.last(t); seen != got[0] || line["request_id"] != got[0] {
				t.Errorf("the answer says %q, the method saw %q, the log has %q", got[0], seen, line["request_id"])
			}
		})
	}
}

func TestRequestIDsDiffer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.handler(t)
	seen := map[string]bool{}
	for range 1000 {
		seen[serve(h, request("GET", "/", "")).Header().Get("X-Request-Id")] = true
	}
	if len(seen) != 1000 {
		t.Errorf("1000 requests had %d ids", len(seen))
	}
}
