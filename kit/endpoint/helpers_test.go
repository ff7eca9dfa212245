package endpoint_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	kit "github.com/go-kit/kit/endpoint"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
)

// world is a stack with what it writes to and what it believes.
type world struct {
	*endpoint.Stack
	log     journal
	metrics *telemetry.Metrics
	key     token.Key
	signer  token.Signer
	asked   atomic.Int64 // how often a public key was looked up: once for each signature that is checked
}

func newWorld(t testing.TB) *world {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		metrics: telemetry.NewMetrics(),
		key:     token.Key{ID: "k1", Private: private},
		signer:  token.Signer{Issuer: "https://issuer.test", Audience: "trellis"},
	}
	w.Stack = endpoint.NewStack(telemetry.NewLogger(&w.log), w.metrics, &telemetry.Tracer{},
		token.NewVerifier(w, w.signer.Issuer, w.signer.Audience))
	return w
}

// Key implements token.Keys.
func (w *world) Key(_ context.Context, id string) (ed25519.PublicKey, error) {
	w.asked.Add(1)
	switch id {
	case w.key.ID:
		return w.key.Private.Public().(ed25519.PublicKey), nil
	case "panic":
		panic("the key store broke")
	}
	return nil, token.ErrInvalid
}

// token returns a valid token of a user.
func (w *world) token(t testing.TB, user string) string {
	t.Helper()
	now := time.Now()
	text, err := w.signer.Sign(w.key, token.Caller{ID: user, Session: "s-" + user, Roles: []string{"admin"}, Expires: now.Add(time.Hour)}, now)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (w *world) handler(t testing.TB, routes ...transport.Route) http.Handler {
	t.Helper()
	h, err := transport.Handler(routes, transport.Options{Stack: w.Stack})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// metric returns the value of a series, "" when there is none.
func (w *world) metric(series string) string {
	rec := httptest.NewRecorder()
	w.metrics.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(rec.Body.String()) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// forge puts a token together from its parts.
func forge(header, claims, signature string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(claims)) + "." + encode([]byte(signature))
}

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

// lines returns the log's lines, each of which must be one JSON object.
func (j *journal) lines(t testing.TB) (lines []map[string]any) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for text := range strings.Lines(j.text.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("a log line is no JSON: %v: %s", err, text)
		}
		lines = append(lines, line)
	}
	return lines
}

// last returns the newest line about a request.
func (j *journal) last(t testing.TB) map[string]any {
	t.Helper()
	lines := j.lines(t)
	for i := len(lines) - 1; i >= 0; i-- {
		if lines[i]["request_id"] != nil {
			return lines[i]
		}
	}
	t.Fatal("nothing is logged")
	return nil
}

// request makes a request that comes from an address, with header pairs.
func request(method, path, body string, header ...string) *http.Request {
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, path, r)
	req.RemoteAddr = "192.0.2.1:1234"
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return req
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

// problem reads an answer that must be a problem.
func problem(t testing.TB, rec *httptest.ResponseRecorder) (p transport.Problem) {
	t.Helper()
	if got := rec.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type = %q", got)
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
		t.Fatalf("no problem: %v: %s", err, rec.Body)
	}
	return p
}

// from is a call as another transport than ours would begin it.
func from(addr, token string) *endpoint.Call {
	return &endpoint.Call{Context: context.Background(), Client: netip.MustParseAddr(addr), Token: token, Answer: http.Header{}}
}

// invoke calls an endpoint with a call as its context.
func invoke(e kit.Endpoint, c *endpoint.Call) error {
	_, err := e(c, nil)
	return err
}

// method is an endpoint that does what f does, without a transport.
func method(name string, f func(context.Context) error) endpoint.Endpoint {
	return endpoint.Endpoint{Name: name, Rate: endpoint.DefaultRate, Invoke: func(ctx context.Context, _ any) (any, error) {
		return nil, f(ctx)
	}}
}

func nothing(context.Context) error { return nil }

type note struct {
	ID    string   `path:"id" json:"-"`
	Title string   `json:"title" validate:"required,max=100"`
	Tags  []string `json:"tags,omitempty" validate:"max=10"`
}

type noteID struct {
	ID string `path:"id" json:"-"`
}

type answer struct {
	ID      string    `json:"id"`
	Title   string    `json:"title"`
	Body    string    `json:"body"`
	Pinned  bool      `json:"pinned"`
	Version int       `json:"version"`
	Created time.Time `json:"created_at"`
}
