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
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/gateway"
	"github.com/trellis-go/trellis/gateway/status"
	"github.com/trellis-go/trellis/gateway/traffic"
	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
)

// within bounds every wait for what must happen.
const within = 15 * time.Second

// front is a gateway in a test, and the registry that it follows.
type front struct {
	*gateway.Gateway
	url      string
	registry *discovery.Memory
	key      token.Key
	recent   status.Recent
	lines    chan status.Request // what the log told of requests
}

const issuer, audience = "https://issuer.test", "trellis.test"

func start(t testing.TB, options ...func(*gateway.Options)) *front {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{registry: new(discovery.Memory), key: token.Key{ID: "k", Private: private}, lines: make(chan status.Request, 1000)}
	logger, metrics := telemetry.NewLogger(io.Discard), telemetry.NewMetrics()
	stack := endpoint.NewStack(f.listen(t, logger), metrics, &telemetry.Tracer{}, token.NewVerifier(f, issuer, audience))
	balancer := discovery.Balance(f.registry)
	health := &telemetry.Health{}
	health.Ready(true)
	o := gateway.Options{
		Registry: f.registry, Services: balancer, Stack: stack, Health: health, Logger: logger,
		Trusted: transport.Proxies{netip.MustParsePrefix("10.0.0.0/8")},
		Shadows: traffic.NewShadows(balancer, metrics, logger),
	}
	for _, option := range options {
		option(&o)
	}
	if f.Gateway, err = gateway.New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	server := httptest.NewUnstartedServer(f)
	server.Listener = plain{server.Listener}
	server.Start()
	t.Cleanup(func() {
		server.Close()
		cancel()
		<-done
		o.Shadows.Close(context.Background())
		_ = balancer.Close()
		_ = f.registry.Close()
	})
	f.url = server.URL
	return f
}

// plain is a listener whose connections are no more than that: those of a
// service that runs are none of net's own either.
type plain struct{ net.Listener }

func (p plain) Accept() (net.Conn, error) {
	conn, err := p.Listener.Accept()
	return struct{ net.Conn }{conn}, err
}

// Options of start.
func from(origins ...string) func(*gateway.Options) {
	return func(o *gateway.Options) { o.Origins = origins }
}

func until(ctx context.Context) func(*gateway.Options) {
	return func(o *gateway.Options) { o.Draining = ctx }
}

func behind(proxies string) func(*gateway.Options) {
	return func(o *gateway.Options) { o.Trusted = transport.Proxies{netip.MustParsePrefix(proxies)} }
}

// ruled makes the gateway follow a traffic file, which write rewrites.
func ruled(t testing.TB, text string) (option func(*gateway.Options), write func(string)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "traffic.yaml")
	write = func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	return func(o *gateway.Options) {
		file, err := traffic.Open(path, o.Logger)
		if err != nil {
			t.Fatal(err)
		}
		o.Traffic = file
	}, write
}

// listen makes what the log says of requests known to the test.
func (f *front) listen(t testing.TB, next log.Logger) log.Logger {
	heard := f.recent.Logger(next)
	if _, ok := t.(*testing.B); ok {
		return heard
	}
	return log.LoggerFunc(func(pairs ...any) error {
		err := heard.Log(pairs...)
		var one status.Recent
		_ = one.Logger(log.NewNopLogger()).Log(pairs...)
		for _, r := range one.Requests() {
			select {
			case f.lines <- r:
			default:
			}
		}
		return err
	})
}

// logged waits for what the log tells of a request.
func (f *front) logged(t testing.TB, id string) status.Request {
	t.Helper()
	timeout := time.After(within)
	for {
		select {
		case r := <-f.lines:
			if r.ID == id {
				return r
			}
		case <-timeout:
			t.Fatalf("%s is not in the log", id)
		}
	}
}

func (f *front) Key(_ context.Context, id string) (ed25519.PublicKey, error) {
	return f.key.Private.Public().(ed25519.PublicKey), nil
}

// token is a new user's.
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
	return f.version(t, name, "", document, h)
}

func (f *front) version(t testing.TB, name, version, document string, h http.HandlerFunc) (server *httptest.Server, leave func()) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, document) })
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/openapi.json" {
			mux.ServeHTTP(w, r)
			return
		}
		h(w, r) // the mux would redirect
	}))
	t.Cleanup(server.Close)
	return server, f.register(t, name, version, server.Listener.Addr())
}

func (f *front) register(t testing.TB, name, version string, addr net.Addr) (leave func()) {
	t.Helper()
	gone, err := f.registry.Register(t.Context(), discovery.Instance{
		Service: name, Addr: addr.String(), Version: version, Tags: []string{discovery.Gateway},
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() { _ = gone(context.Background()) }
}

// raw is an instance whose answers are written by hand. A connection ends with
// the first that handle writes.
func (f *front) raw(t testing.TB, name, document string, handle func(net.Conn, *http.Request)) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					if r.RequestURI != "/openapi.json" {
						handle(conn, r)
						return
					}
					fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(document), document)
				}
			}()
		}
	}()
	f.register(t, name, "", ln.Addr())
}

// known waits until the gateway has the paths.
func (f *front) known(t testing.TB, paths ...string) {
	t.Helper()
	for deadline := time.Now().Add(within); ; {
		ready, _ := f.do(t, "GET", "/readyz", nil)
		res, body := f.do(t, "GET", "/openapi.json", nil)
		missing := ""
		for _, path := range paths {
			if !strings.Contains(body, `"`+path+`"`) {
				missing = path
			}
		}
		if ready.StatusCode == 200 && res.StatusCode == 200 && missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not routed: %s", missing, body)
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
	res, err := testenv.Client.Transport.RoundTrip(r)
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

// wire is a connection to the gateway, for what no client library sends.
type wire struct {
	*net.TCPConn
	t  testing.TB
	in *bufio.Reader
}

func (f *front) dial(t testing.TB) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(2 * within))
	return &wire{conn.(*net.TCPConn), t, bufio.NewReader(conn)}
}

// send sends lines, and an empty one.
func (w *wire) send(lines ...string) {
	w.t.Helper()
	w.say(strings.Join(lines, "\r\n") + "\r\n\r\n")
}

func (w *wire) say(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		w.t.Fatal(err)
	}
}

// answer reads the head of an answer to a request of that method.
func (w *wire) answer(method string) *http.Response {
	w.t.Helper()
	res, err := http.ReadResponse(w.in, &http.Request{Method: method})
	if err != nil {
		w.t.Fatal(err)
	}
	return res
}

// whole reads the answer's body, and how it ended.
func whole(res *http.Response) (string, error) {
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return string(text), err
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

// Operations that anybody may call, as often as they like, and that a user may.
const (
	public   = `{"security":[],"x-rate-limit":{"per_second":1e6,"burst":1000000}}`
	personal = `{"x-rate-limit":{"per_second":1e6,"burst":1000000}}`
)

// having adds to what an operation says.
func having(operation, more string) string { return operation[:len(operation)-1] + "," + more + "}" }
