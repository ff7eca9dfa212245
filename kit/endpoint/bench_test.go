package endpoint_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
)

// sink is an http.ResponseWriter that costs nothing, as the one of a server
// that is used again for each request.
type sink struct {
	header http.Header
	status int
	bytes  int
}

func (s *sink) Header() http.Header    { return s.header }
func (s *sink) WriteHeader(status int) { s.status = status }
func (s *sink) Write(b []byte) (int, error) {
	s.bytes += len(b)
	return len(b), nil
}

func (s *sink) serve(h http.Handler, r *http.Request) {
	clear(s.header)
	s.status, s.bytes = 0, 0
	h.ServeHTTP(s, r)
}

// text is a request's body that can be read again.
type text struct{ strings.Reader }

func (*text) Close() error { return nil }

// exchanger serves one request again and again.
type exchanger struct {
	handler http.Handler
	request *http.Request
	body    string
	reader  text
	to      sink
}

func newExchanger(h http.Handler, r *http.Request, body string) *exchanger {
	x := &exchanger{handler: h, request: r, body: body, to: sink{header: http.Header{}}}
	r.ContentLength = int64(len(body))
	return x
}

func (x *exchanger) once() {
	if x.body != "" {
		x.reader.Reset(x.body)
		x.request.Body = &x.reader
	}
	x.to.serve(x.handler, x.request)
}

var benchNote = answer{
	ID: "0197c2a1-7d60-7c3e-8f57-0a1b2c3d4e5f", Title: "Shopping", Body: "Milk, bread, and a dozen eggs.",
	Pinned: true, Version: 3, Created: time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC),
}

const benchBody = `{"title":"Shopping","tags":["home","week 12"]}`

// pairs returns the same exchange behind the stack and bare: net/http's mux
// and encoding/json, as one would write it by hand.
func pairs(tb testing.TB, verb string) (stack, bare *exchanger) {
	w := newWorld(tb)
	w.Stack = endpoint.NewStack(telemetry.NewLogger(io.Discard, "service", "bench"), telemetry.NewMetrics(), &telemetry.Tracer{},
		token.NewVerifier(w, w.signer.Issuer, w.signer.Audience))
	never := endpoint.Rate{PerSecond: 1e9, Burst: 1e9}
	get := endpoint.New(func(_ context.Context, r noteID) (answer, error) {
		a := benchNote
		a.ID = r.ID
		return a, nil
	}, "").Named("Get")
	post := endpoint.New(func(_ context.Context, n note) (answer, error) {
		a := benchNote
		a.ID, a.Title = n.ID, n.Title
		return a, nil
	}, "").Named("Post")
	get.Rate, post.Rate = never, never
	h := w.handler(tb, transport.Get("/v1/notes/{id}", get), transport.Post("/v1/notes/{id}", post))

	mux := http.NewServeMux()
	reply := func(w http.ResponseWriter, a answer) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		if err := json.NewEncoder(w).Encode(a); err != nil {
			tb.Error(err)
		}
	}
	mux.HandleFunc("GET /v1/notes/{id}", func(w http.ResponseWriter, r *http.Request) {
		a := benchNote
		a.ID = r.PathValue("id")
		reply(w, a)
	})
	mux.HandleFunc("POST /v1/notes/{id}", func(w http.ResponseWriter, r *http.Request) {
		n := note{ID: r.PathValue("id")}
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
		dec.DisallowUnknownFields()
		err := dec.Decode(&n)
		if err == nil && (n.Title == "" || len(n.Title) > 100 || len(n.Tags) > 10) {
			err = errors.New("breaks a rule")
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		a := benchNote
		a.ID, a.Title = n.ID, n.Title
		reply(w, a)
	})

	body := ""
	if verb == http.MethodPost {
		body = benchBody
	}
	exchange := func(h http.Handler) *exchanger {
		x := newExchanger(h, request(verb, "/v1/notes/"+benchNote.ID, "",
			"Authorization", "Bearer "+w.token(tb, "0197c2a1-0000-7000-8000-000000000001"),
			"Content-Type", "application/json",
			"X-Request-Id", "9f86d081884c7d659a2feaa0c55ad015",
			"Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"), body)
		for range 3 { // the first puts the token in the cache
			if x.once(); x.to.status > 200 || x.to.bytes < 100 {
				tb.Fatalf("%s answers %d with %d bytes", verb, x.to.status, x.to.bytes)
			}
		}
		return x
	}
	return exchange(h), exchange(mux)
}

// What the whole stack costs: a cached token, a trace that is not sampled, a
// log line, metrics, a limiter and a breaker, beside a bare handler that
// answers the same.
func BenchmarkStack(b *testing.B) {
	benchmarkPair(b, func(stack, _ *exchanger) *exchanger { return stack })
}
func BenchmarkBare(b *testing.B) {
	benchmarkPair(b, func(_, bare *exchanger) *exchanger { return bare })
}

func benchmarkPair(b *testing.B, which func(stack, bare *exchanger) *exchanger) {
	for _, verb := range []string{http.MethodGet, http.MethodPost} {
		b.Run(verb, func(b *testing.B) {
			x := which(pairs(b, verb))
			b.ReportAllocs()
			for b.Loop() {
				x.once()
			}
		})
	}
}

// The difference is a promise of the README's; time is not tested, for it
// depends on the machine.
func TestStackAllocates(t *testing.T) {
	if race {
		t.Skip("the race detector allocates")
	}
	for verb, most := range map[string]float64{http.MethodGet: 15, http.MethodPost: 20} {
		stack, bare := pairs(t, verb)
		with, without := testing.AllocsPerRun(1000, stack.once), testing.AllocsPerRun(1000, bare.once)
		t.Logf("%s: %g allocations behind the stack, %g bare", verb, with, without)
		if with-without > most {
			t.Errorf("%s: the stack costs %g allocations, more than %g", verb, with-without, most)
		}
	}
}

// Many callers at once, each with a token of their own.
func BenchmarkStackParallel(b *testing.B) {
	b.ReportAllocs()
	stack, _ := pairs(b, http.MethodGet)
	b.RunParallel(func(pb *testing.PB) {
		x := newExchanger(stack.handler, stack.request.Clone(context.Background()), "")
		for pb.Next() {
			x.once()
		}
	})
}

// What the gate costs a request that need not wait: the first less the second.
// The third is a channel of as many places, which neither adapts nor measures.
func BenchmarkGate(b *testing.B) {
	places := make(chan struct{}, 128)
	for _, way := range []struct {
		name string
		e    endpoint.Endpoint
	}{
		{"gate", method("Gate", nothing)},
		{"none", method("None", nothing).Essential()},
		{"channel", method("Channel", func(context.Context) error {
			places <- struct{}{}
			<-places
			return nil
		}).Essential()},
	} {
		way.e.Anonymous, way.e.Rate = true, endpoint.Rate{}
		e := quietWorld(b).Wrap(way.e)
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			c := from("192.0.2.1", "")
			for b.Loop() {
				_ = invoke(e, c)
			}
		})
		b.Run(way.name+" parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				c := from("192.0.2.1", "")
				for pb.Next() {
					_ = invoke(e, c)
				}
			})
		})
	}
}
