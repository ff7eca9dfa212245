package keepertest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
)

// service sends parcels, as a test wants it to.
type service struct {
	*httptest.Server
	t    *testing.T
	runs atomic.Int64
	do   func(context.Context, Request) error // what a run does beside counting
}

// Request is for one parcel.
type Request struct {
	Urgent bool   `query:"urgent" json:"-"`
	What   string `json:"what" validate:"required"`
}

// Parcel is what was made of a request.
type Parcel struct {
	ID   uuid.UUID `json:"id"`
	What string    `json:"what"`
	Run  int64     `json:"run"`
}

func (Parcel) ETag() string       { return `"1"` }
func (p Parcel) Location() string { return "/v1/parcels/" + p.ID.String() }

func (s *service) Create(ctx context.Context, r Request) (p Parcel, err error) {
	p = Parcel{What: r.What, Run: s.runs.Add(1)}
	if p.ID, err = endpoint.NewID(ctx); err == nil && s.do != nil {
		err = s.do(ctx, r)
	}
	return p, err
}

func (s *service) Send(ctx context.Context, r Request) error {
	_, err := s.Create(ctx, r)
	return err
}

func (s *service) routes() []transport.Route {
	create := func(name string) endpoint.Endpoint { return endpoint.New(s.Create, "").Named(name) }
	return []transport.Route{
		transport.Post("/v1/parcels", create("Create")).Created(),
		transport.Post("/v1/letters", create("CreateLetter")).Created().MaxBody(100),
		transport.Post("/v1/leaflets", create("CreateLeaflet").Public()).Created(),
		transport.Post("/v1/sendings", endpoint.Do(s.Send, "")).Accepted(),
		transport.Post("/v1/quotes", create("Quote")),
		transport.Put("/v1/parcels", create("Replace")),
		transport.Get("/v1/parcels", endpoint.New(func(context.Context, endpoint.None) (Parcel, error) { return Parcel{}, nil }, "").Named("Get")),
	}
}

type keys struct{ ed25519.PublicKey }

func (k keys) Key(context.Context, string) (ed25519.PublicKey, error) { return k.PublicKey, nil }

var signing = token.Key{ID: "test", Private: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}

func serve(t *testing.T, keeper transport.Keeper, do func(context.Context, Request) error) *service {
	t.Helper()
	s := &service{t: t, do: do}
	tracer, err := telemetry.NewTracer("parcels", "", "", 0)
	must(t, err)
	verifier := token.NewVerifier(keys{signing.Private.Public().(ed25519.PublicKey)}, "test", "test")
	h, err := transport.Handler(s.routes(), transport.Options{
		Stack:  endpoint.NewStack(log.NewNopLogger(), telemetry.NewMetrics(), tracer, verifier),
		Keeper: keeper,
	})
	must(t, err)
	s.Server = httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// answer is what a request was answered.
type answer struct {
	*http.Response
	body string
}

// post sends a request of alice's.
func (s *service) post(path, key, body string) answer {
	s.t.Helper()
	return s.send(s.request(s.t.Context(), "alice", "POST", path, key, body))
}

func (s *service) request(ctx context.Context, caller, method, path, key, body string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, s.URL+path, bytes.NewBufferString(body))
	must(s.t, err)
	text, err := token.Signer{Issuer: "test", Audience: "test"}.Sign(signing, token.Caller{ID: caller, Expires: time.Now().Add(time.Hour)}, time.Now())
	must(s.t, err)
	r.Header.Set("Authorization", "Bearer "+text)
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	return r
}

func (s *service) send(r *http.Request) answer {
	s.t.Helper()
	res, err := s.Client().Do(r)
	must(s.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(s.t, err)
	return answer{res, string(body)}
}

// first checks the status of an answer that was made for its request.
func (a answer) first(t *testing.T, status int) answer {
	t.Helper()
	if a.StatusCode != status || a.Header["Idempotency-Replayed"] != nil {
		t.Errorf("%s %v, want a first %d: %s", a.Status, a.Header["Idempotency-Replayed"], status, a.body)
	}
	return a
}

// repeats checks that an answer is another's, given again.
func (a answer) repeats(t *testing.T, first answer) {
	t.Helper()
	if a.StatusCode != first.StatusCode || a.body != first.body || a.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s %v: %s\nrepeats %s: %s", a.Status, a.Header["Idempotency-Replayed"], a.body, first.Status, first.body)
	}
	for _, name := range []string{"Location", "ETag", "Content-Type", "Cache-Control", "Content-Length", "Retry-After"} {
		if a.Header.Get(name) != first.Header.Get(name) {
			t.Errorf("%s is %q at first and then %q", name, first.Header.Get(name), a.Header.Get(name))
		}
	}
	if a.Header.Get("X-Request-Id") == first.Header.Get("X-Request-Id") {
		t.Error("two requests have one id")
	}
}

// refused checks that an answer is a problem.
func (a answer) refused(t *testing.T, status int, code string) answer {
	t.Helper()
	var p transport.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.StatusCode != status || p.Code != code {
		t.Errorf("%s: %s, want %d %s", a.Status, a.body, status, code)
	}
	return a
}

func (a answer) parcel(t *testing.T) (p Parcel) {
	t.Helper()
	must(t, json.Unmarshal([]byte(a.body), &p))
	return p
}

// ran checks how often the service was called.
func (s *service) ran(times int64) {
	s.t.Helper()
	if got := s.runs.Load(); got != times {
		s.t.Errorf("the service ran %d times, want %d", got, times)
	}
}
