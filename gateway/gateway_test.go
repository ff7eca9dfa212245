package gateway_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/gateway"
	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
)

// front is a gateway in a test, and the registry that it follows.
type front struct {
	url      string
	handler  http.Handler
	registry *discovery.Memory
	key      token.Key
}

const issuer, audience = "https://issuer.test", "trellis.test"

func start(t testing.TB, origins ...string) *front {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{registry: new(discovery.Memory), key: token.Key{ID: "k", Private: private}}
	logger := telemetry.NewLogger(io.Discard)
	stack := endpoint.NewStack(logger, telemetry.NewMetrics(), &telemetry.Tracer{}, token.NewVerifier(f, issuer, audience))
	balancer := discovery.Balance(f.registry)
	health := &telemetry.Health{}
	health.Ready(true)
	g, err := gateway.New(gateway.Options{
		Registry: f.registry, Services: balancer, Stack: stack, Health: health, Logger: logger,
		Trusted: transport.Proxies{netip.MustParsePrefix("10.0.0.0/8")}, Origins: origins,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); g.Run(ctx) }()
	server := httptest.NewServer(g)
	t.Cleanup(func() { server.Close(); cancel(); <-done; _ = balancer.Close(); _ = f.registry.Close() })
	f.url, f.handler = server.URL, g
	return f
}

func (f *front) Key(_ context.Context, id string) (ed25519.PublicKey, error) {
	return f.key.Private.Public().(ed25519.PublicKey), nil
}

func (f *front) token(t testing.TB) string {
	t.Helper()
	now := time.Now()
	text, err := token.Signer{Issuer: issuer, Audience: audience}.Sign(f.key,
		token.Caller{ID: uuid.NewString(), Session: uuid.NewString(), Roles: []string{"admin"}, Expires: now.Add(time.Hour)}, now)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// service is an instance of a service in another language: a document, and
// whatever answers.
func (f *front) service(t testing.TB, name, document string, h http.HandlerFunc) (server *httptest.Server, leave func()) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, document) })
	mux.HandleFunc("/", h)
	server = httptest.NewServer(mux)
	t.Cleanup(server.Close)
	gone, err := f.registry.Register(t.Context(), discovery.Instance{Service: name, Addr: server.Listener.Addr().String(), Tags: []string{discovery.Gateway}})
	if err != nil {
		t.Fatal(err)
	}
	return server, func() { _ = gone(context.Background()) }
}

// known waits until the gateway has a path.
func (f *front) known(t testing.TB, path string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		res, body := f.do(t, "GET", "/openapi.json", nil)
		if res.StatusCode == 200 && strings.Contains(body, `"`+path+`"`) {
			if res, _ := f.do(t, "GET", "/readyz", nil); res.StatusCode == 200 {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not routed: %s", path, body)
		}
	}
}

func (f *front) do(t testing.TB, method, path string, body io.Reader, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, f.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

// document has one operation a line of "METHOD path [key value …]".
func document(lines ...string) string {
	paths := map[string]map[string]any{}
	for _, line := range lines {
		fields := strings.SplitN(line, " ", 3)
		operation := map[string]any{"operationId": strings.ToLower(fields[0]) + fields[1], "responses": map[string]any{}}
		if len(fields) > 2 {
			if err := json.Unmarshal([]byte(fields[2]), &operation); err != nil {
				panic(err)
			}
		}
		if paths[fields[1]] == nil {
			paths[fields[1]] = map[string]any{}
		}
		paths[fields[1]][strings.ToLower(fields[0])] = operation
	}
	text, err := json.Marshal(map[string]any{"openapi": "3.1.0", "info": map[string]any{"title": "t", "version": "1"}, "paths": paths})
	if err != nil {
		panic(err)
	}
	return string(text)
}

const public = `{"security":[]}`

func TestRoutesWhatItDiscovers(t *testing.T) {
	t.Parallel()
	f := start(t)
	echo := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Method, " ", r.RequestURI) }
	f.service(t, "things", document("GET /v1/things/{id} "+public, "POST /v1/things", `GET /v1/secret {"x-internal":true,"security":[]}`,
		"GET /internal/v1/x "+public, "GET /metrics "+public, "GET /v1/files/{name}/raw "+public, "GET /v1/slash/ "+public, "GET /{a} "+public, "GET /{a}/{b}/{c} "+public), echo)
	f.known(t, "/v1/things")
	bearer := "Bearer " + f.token(t)
	for _, tt := range []struct {
		method, path string
		headers      []string
		status       int
		body         string
	}{
		{"GET", "/v1/things/7", nil, 200, "GET /v1/things/7"},
		{"GET", "/v1/things/7?a=1;b&c=%zz&d", nil, 200, "GET /v1/things/7?a=1;b&c=%zz&d"},
		{"GET", "/v1/things/a%20c", nil, 200, "GET /v1/things/a%20c"},
		{"GET", "/v1/things/a%2Fb", nil, 404, "no_such_path"},
		{"GET", "/v1/things/a%5Cb", nil, 404, "no_such_path"},
		{"GET", "/v1/things/a%00b", nil, 404, "no_such_path"},
		{"GET", "/v1/slash/", nil, 200, "GET /v1/slash/"},
		{"GET", "/v1/slash/far/below", nil, 404, "no_such_path"},
		{"GET", "/any/path/here", nil, 200, "GET /any/path/here"},
		{"GET", "/internal/v1/notifications", nil, 404, "no_such_path"},
		{"GET", "/%69nternal/v1/x", nil, 404, "no_such_path"},
		{"GET", "/%6detrics", nil, 404, "no_such_path"},
		{"POST", "/docs", nil, 405, "method_not_allowed"},
		{"GET", "/v1/things/%41", nil, 200, "GET /v1/things/%41"},
		{"POST", "/v1/things", nil, 401, "token_missing"},
		{"POST", "/v1/things", []string{"Authorization", "Bearer nonsense"}, 401, "token_invalid"},
		{"POST", "/v1/things", []string{"Authorization", bearer}, 200, "POST /v1/things"},
		{"DELETE", "/v1/things", []string{"Authorization", bearer}, 405, "method_not_allowed"},
		{"GET", "/v1/secret", []string{"Authorization", bearer}, 404, "no_such_path"},
		{"GET", "/internal/v1/x", []string{"Authorization", bearer}, 404, "no_such_path"},
		{"GET", "/metrics", []string{"Authorization", bearer}, 404, "no_such_path"},
		{"GET", "/v1/files/../secret", nil, 404, "no_such_path"},
		{"GET", "//v1/things/7", nil, 404, "no_such_path"},
		{"GET", "/v1/things/7/../../secret", nil, 404, "no_such_path"},
		{"GET", "/no/thing", nil, 404, "no_such_path"},
		{"GET", "/readyz", nil, 200, "ok"},
		{"GET", "/livez", nil, 200, "ok"},
		{"GET", "/docs", nil, 200, "<!doctype html>"},
	} {
		res, body := f.do(t, tt.method, tt.path, nil, tt.headers...)
		if res.StatusCode != tt.status || !strings.Contains(strings.ToLower(body), strings.ToLower(tt.body)) {
			t.Errorf("%s %s: %d %s, want %d %s", tt.method, tt.path, res.StatusCode, body, tt.status, tt.body)
		}
		if tt.status >= 400 && res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: a problem of type %s", tt.method, tt.path, res.Header.Get("Content-Type"))
		}
		if strings.HasPrefix(tt.path, "/v1") && res.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s %s: no request id", tt.method, tt.path)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	f := start(t)
	seen := make(chan http.Header, 1)
	f.service(t, "things", document("GET /v1/mine", "GET /v1/open "+public), func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Request-Id"] = []string{"the service's own"}
		w.Header().Set("Keep-Alive", "timeout=5")
		w.Header().Set("X-Kept", "yes")
		seen <- r.Header
	})
	f.known(t, "/v1/open")
	spoof := []string{
		"X-User-Id", "root", "X_user_id", "root", "X-User-Roles", "admin", "X-Forwarded-For", "6.6.6.6", "X_forwarded_for", "6.6.6.6",
		"Forwarded", "for=6.6.6.6", "X-Real-Ip", "6.6.6.6", "X-Forwarded-Host", "evil", "Connection", "X-User-Id, X-Kept, close", "X-Kept", "yes",
		"Te", "gzip", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "X-Request-Id", "from-the-client",
	}
	res, _ := f.do(t, "GET", "/v1/open", nil, spoof...)
	if got := res.Header["X-Request-Id"]; len(got) != 1 || got[0] != "from-the-client" {
		t.Errorf("X-Request-Id answered: %q", got)
	}
	if res.Header.Get("Keep-Alive") != "" || res.Header.Get("X-Kept") != "yes" {
		t.Errorf("answered: %v", res.Header)
	}
	h := <-seen
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Request-Id": "from-the-client",
		"X-User-Id": "", "X_user_id": "", "X-User-Roles": "", "X_forwarded_for": "", "X-Real-Ip": "", "X-Kept": "", "Te": "", "Connection": "",
	} {
		if got := strings.Join(h[name], ","); got != want {
			t.Errorf("%s forwarded: %q, want %q", name, got, want)
		}
	}
	if !strings.HasPrefix(h.Get("Forwarded"), `for=127.0.0.1;host="127.0.0.1:`) || h.Get("X-Forwarded-Host") == "evil" {
		t.Errorf("forwarded: %v", h)
	}
	if tp := h.Get("Traceparent"); !strings.HasPrefix(tp, "00-0af7651916cd43dd8448eb211c80319c-") || strings.Contains(tp, "b7ad6b7169203331") {
		t.Errorf("traceparent forwarded: %s", tp)
	}
	f.do(t, "GET", "/v1/mine", nil, append(spoof, "Authorization", "Bearer "+f.token(t))...)
	h = <-seen
	if id := h["X-User-Id"]; len(id) != 1 || uuid.Validate(id[0]) != nil || h.Get("X-User-Roles") != "admin" || h.Get("Authorization") == "" {
		t.Errorf("identity forwarded: %v", h)
	}
}

func TestStreamsBothWays(t *testing.T) {
	t.Parallel()
	f := start(t)
	heard, proceed := make(chan string, 1), make(chan struct{})
	f.service(t, "things", document("POST /v1/up "+public, "GET /v1/events "+public), func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/up" {
			first := make([]byte, 5)
			_, _ = io.ReadFull(r.Body, first)
			heard <- string(first)
			_, _ = io.Copy(w, r.Body)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: one\n\n")
		w.(http.Flusher).Flush()
		select {
		case <-proceed:
		case <-r.Context().Done():
		}
		fmt.Fprint(w, "data: two\n\n")
	})
	f.known(t, "/v1/events")

	res, err := http.Get(f.url + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	if !lines.Scan() || lines.Text() != "data: one" {
		t.Fatalf("the first event: %q", lines.Text())
	}
	close(proceed) // only now does the service send the second
	lines.Scan()   // the blank line between events
	if !lines.Scan() || lines.Text() != "data: two" {
		t.Errorf("the second event: %q", lines.Text())
	}

	body, feed := io.Pipe()
	go func() {
		_, _ = io.WriteString(feed, "first")
		if got := <-heard; got != "first" { // before the rest was sent
			t.Errorf("the service heard %q", got)
		}
		_, _ = io.WriteString(feed, "rest")
		_ = feed.Close()
	}()
	if res, text := f.do(t, "POST", "/v1/up", body); res.StatusCode != 200 || text != "rest" {
		t.Errorf("streamed up: %d %q", res.StatusCode, text)
	}
}

// An informational answer of the service's takes nothing away of what the
// gateway says, and a client's "Expect: 100-continue" is answered.
func TestInformationalAnswers(t *testing.T) {
	t.Parallel()
	f := start(t, "https://notes.example")
	f.service(t, "things", document("POST /v1/things "+public), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Last", "yes")
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(http.StatusCreated)
		w.(http.Flusher).Flush()
		w.Header().Set("X-Sum", "42")
	})
	f.known(t, "/v1/things")
	res, _ := f.do(t, "POST", "/v1/things", strings.NewReader(strings.Repeat("x", 100_000)), "Expect", "100-continue", "Origin", "https://notes.example")
	if res.StatusCode != http.StatusCreated || res.Header.Get("X-Last") != "yes" {
		t.Errorf("answered %s %v", res.Status, res.Header)
	}
	for _, name := range []string{"Ratelimit", "Ratelimit-Policy", "X-Request-Id", "Vary", "Access-Control-Allow-Origin"} {
		if len(res.Header[name]) != 1 {
			t.Errorf("%s: %q", name, res.Header[name])
		}
	}
	if res.Trailer.Get("X-Sum") != "42" {
		t.Errorf("trailer: %v", res.Trailer)
	}
}

func TestNotReadyBeforeItKnows(t *testing.T) {
	t.Parallel()
	f := start(t)
	if res, _ := f.do(t, "GET", "/readyz", nil); res.StatusCode != 503 {
		t.Errorf("/readyz, of a gateway that knows nothing: %d", res.StatusCode)
	}
	if res, body := f.do(t, "GET", "/v1/things", nil); res.StatusCode != 503 || !strings.Contains(body, `"starting"`) || res.Header.Get("Retry-After") == "" {
		t.Errorf("too early: %d %s", res.StatusCode, body)
	}
	f.service(t, "things", document("GET /v1/things "+public), func(http.ResponseWriter, *http.Request) {})
	f.known(t, "/v1/things")
	for deadline := time.Now().Add(10 * time.Second); ; {
		res, _ := f.do(t, "GET", "/readyz", nil)
		if res.StatusCode == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("/readyz: %d", res.StatusCode)
		}
	}
	if res, _ := f.do(t, "GET", "/v1/nothing", nil); res.StatusCode != 404 {
		t.Errorf("afterwards: %d", res.StatusCode)
	}
}

func TestWebSocketPasses(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.service(t, "things", document("GET /v1/ws "+public), func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" {
			http.Error(w, "no upgrade", 400)
			return
		}
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw)
	})
	f.known(t, "/v1/ws")
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /v1/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", res, err)
	}
	fmt.Fprint(conn, "ping\n")
	if line, err := in.ReadString('\n'); err != nil || line != "ping\n" {
		t.Errorf("echoed %q, %v", line, err)
	}
}

func TestServiceDown(t *testing.T) {
	t.Parallel()
	f := start(t)
	answer := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "here") }
	_, leave := f.service(t, "things", document("GET /v1/things "+public), answer)
	f.known(t, "/v1/things")
	leave()
	res, body := f.do(t, "GET", "/v1/things", nil)
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(body, `"no_instance"`) {
		t.Errorf("left: %d %s", res.StatusCode, body)
	}
	dead, _ := f.service(t, "things", document("GET /v1/things "+public), answer)
	dead.Close() // still registered, and refuses connections
	if res, body = f.do(t, "GET", "/v1/things", nil); res.StatusCode != 503 || !strings.Contains(body, `"no_instance"`) {
		t.Errorf("dead: %d %s", res.StatusCode, body)
	}
	f.service(t, "things", document("GET /v1/things "+public), answer)
	for range 20 {
		if res, body = f.do(t, "GET", "/v1/things", nil); res.StatusCode != 200 || body != "here" {
			t.Errorf("one dead, one alive: %d %s", res.StatusCode, body)
		}
	}
}

func TestBadBodiesAndAnswers(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.service(t, "things", document(`POST /v1/small {"security":[],"x-body-max":10}`, "GET /v1/broken "+public), func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/broken" {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = io.Copy(io.Discard, r.Body)
	})
	f.known(t, "/v1/small")
	for name, body := range map[string]io.Reader{"with a length": strings.NewReader("more than ten"), "chunked": struct{ io.Reader }{strings.NewReader("more than ten")}} {
		if res, text := f.do(t, "POST", "/v1/small", body); res.StatusCode != 413 || !strings.Contains(text, "body_too_large") {
			t.Errorf("%s: %d %s", name, res.StatusCode, text)
		}
	}
	if res, _ := f.do(t, "POST", "/v1/small", strings.NewReader("ten bytes!")); res.StatusCode != 200 {
		t.Errorf("ten bytes: %d", res.StatusCode)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /v1/small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || res.StatusCode != 400 {
		t.Errorf("a bad chunk: %v, %v", res, err)
	}
	res, err := http.Get(f.url + "/v1/broken")
	if err != nil {
		return // cut before any of it was sent on
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("half an answer came as a whole: %q", text)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	f := start(t)
	var calls atomic.Int32
	f.service(t, "things", document(`GET /v1/rare {"x-rate-limit":{"per_second":0.001,"burst":2}}`), func(http.ResponseWriter, *http.Request) { calls.Add(1) })
	f.known(t, "/v1/rare")
	get := func(bearer string) *http.Response {
		res, _ := f.do(t, "GET", "/v1/rare", nil, "Authorization", "Bearer "+bearer)
		return res
	}
	ann := f.token(t)
	get(ann) // counted for the address, as the token is new
	get(ann)
	get(ann)
	res := get(ann)
	if res.StatusCode != 429 || res.Header.Get("Retry-After") == "" || res.Header.Get("Ratelimit") == "" {
		t.Errorf("the fourth call: %d %v", res.StatusCode, res.Header)
	}
	if calls.Load() != 3 {
		t.Errorf("the service was called %d times", calls.Load())
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	f := start(t, "https://notes.example")
	f.service(t, "things", document("GET /v1/things "+public), func(http.ResponseWriter, *http.Request) {})
	f.known(t, "/v1/things")
	for _, tt := range []struct {
		method, origin string
		status         int
		allowed        string
	}{
		{"OPTIONS", "https://notes.example", 204, "https://notes.example"},
		{"OPTIONS", "https://evil.example", 405, ""},
		{"GET", "https://notes.example", 200, "https://notes.example"},
		{"GET", "https://evil.example", 200, ""},
		{"GET", "null", 200, ""},
	} {
		res, _ := f.do(t, tt.method, "/v1/things", nil, "Origin", tt.origin, "Access-Control-Request-Method", "GET")
		if res.StatusCode != tt.status || res.Header.Get("Access-Control-Allow-Origin") != tt.allowed || res.Header.Get("Vary") != "Origin" {
			t.Errorf("%s from %s: %d %v", tt.method, tt.origin, res.StatusCode, res.Header)
		}
	}
}

func TestTwoServicesClaimAPath(t *testing.T) {
	t.Parallel()
	f := start(t)
	says := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }
	}
	f.service(t, "apples", document("GET /v1/{a} "+public, "GET /v1/x/y "+public), says("apples"))
	f.service(t, "bananas", document("GET /v1/{b} "+public, "GET /v1/bananas/y "+public), says("bananas"))
	f.known(t, "/v1/bananas/y")
	for path, want := range map[string]string{"/v1/7": "apples", "/v1/x/y": "apples", "/v1/bananas/y": "bananas"} {
		if _, body := f.do(t, "GET", path, nil); body != want {
			t.Errorf("%s is answered by %q, want %s", path, body, want)
		}
	}
}
