package webapp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/kit/wire"
	"github.com/trellis-go/trellis/webapp"
)

// before serves the page before something that plays the gateway, until the
// test ends.
func before(t *testing.T, gateway http.HandlerFunc, change func(*webapp.Gateway)) (url string) {
	t.Helper()
	server := httptest.NewServer(gateway)
	t.Cleanup(server.Close)
	registry := new(discovery.Memory)
	if _, err := registry.Register(t.Context(), discovery.Instance{Service: "gateway", Addr: strings.TrimPrefix(server.URL, "http://")}); err != nil {
		t.Fatal(err)
	}
	services := discovery.Balance(registry, discovery.Via(new(wire.Transport)), discovery.Log(telemetry.NewLogger(io.Discard)))
	t.Cleanup(func() { _ = services.Close() })
	g := &webapp.Gateway{Services: services, Trusted: loopback, Draining: context.Background()}
	if change != nil {
		change(g)
	}
	return origin(t, build, g)
}

// A call comes to the gateway as it was made, and says whose it is; the
// answer is the gateway's.
func TestPass(t *testing.T) {
	t.Parallel()
	key := token.NewServiceKey()
	type seen struct {
		*http.Request
		body string
	}
	calls := make(chan seen, 1)
	at := before(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- seen{r, string(body)}
		h := w.Header()
		h.Add("Set-Cookie", "a=1")
		h.Add("Set-Cookie", "b=2")
		h.Set("Etag", `"7"`)
		h.Set("Referrer-Policy", "origin")
		h.Set("X-Request-Id", r.Header.Get("X-Request-Id"))
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "answer")
	}, func(g *webapp.Gateway) { g.Key = key })
	for _, tt := range []struct{ method, target, body string }{
		{"GET", "/v1/notes?tag=a;b&c=%zz&d", ""},
		{"GET", "/v1/notes/a%2Fb", ""},
		{"GET", "/.well-known/jwks.json", ""},
		{"POST", "/v1/auth/login", `{"login": "ann"}`},
		{"PUT", "/v1/profile/avatar", strings.Repeat("x", 3<<20)},
		{"PATCH", "/v1/notes/1", "{}"},
		{"DELETE", "/v1/notes/1", ""},
	} {
		res := ask(t, t.Context(), tt.method, at+tt.target, strings.NewReader(tt.body),
			"Host", "notes.example:3000", "X-Forwarded-For", "192.0.2.7", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil",
			"X-Request-Id", "mine", "Cookie", "a=1", "Authorization", "Bearer x", "If-Match", `"7"`, transport.ForwarderHeader, "evil")
		got := <-calls
		what := tt.method + " " + tt.target
		if got.Method != tt.method || got.RequestURI != tt.target || got.Host != "notes.example:3000" || got.body != tt.body {
			t.Errorf("%s: the gateway sees %s %s of %s, %d bytes", what, got.Method, got.RequestURI, got.Host, len(got.body))
		}
		has(t, what, got.Header, "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Host:", "Forwarded:",
			"X-Request-Id: mine", "Cookie: a=1", "Authorization: Bearer x", `If-Match: "7"`, "Accept-Encoding: identity")
		if caller, err := key.Verify(got.Header.Get(transport.ForwarderHeader), time.Now()); err != nil || caller.Service != "webapp" {
			t.Errorf("%s: introduced as %v, %v", what, caller, err)
		}
		if body := read(t, res); res.StatusCode != http.StatusTeapot || body != "answer" {
			t.Errorf("%s: %s %s", what, res.Status, body)
		}
		has(t, what, res.Header, "Set-Cookie: a=1 | b=2", `Etag: "7"`, "Referrer-Policy: origin", "X-Request-Id: mine", "Content-Security-Policy:")
	}
}

// Without a secret it says nothing of itself, whatever its client says.
func TestPassUnknown(t *testing.T) {
	t.Parallel()
	calls := make(chan http.Header, 1)
	at := before(t, func(_ http.ResponseWriter, r *http.Request) { calls <- r.Header }, func(g *webapp.Gateway) { g.Trusted = nil })
	ask(t, t.Context(), "GET", at+"/v1/notes", nil, transport.ForwarderHeader, "evil", "X-Forwarded-Proto", "https")
	has(t, "unknown", <-calls, transport.ForwarderHeader+":", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http")
}

func TestGatewayGone(t *testing.T) {
	t.Parallel()
	broken := before(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil)
	nobody := discovery.Balance(new(discovery.Memory))
	t.Cleanup(func() { _ = nobody.Close() })
	away := before(t, nil, func(g *webapp.Gateway) { g.Services = nobody })
	for at, want := range map[string]int{broken: http.StatusBadGateway, away: http.StatusServiceUnavailable} {
		res := ask(t, t.Context(), "POST", at+"/v1/notes", strings.NewReader("{}"))
		if res.StatusCode != want || !strings.Contains(read(t, res), `"code"`) {
			t.Errorf("%s, want %d", res.Status, want)
		}
		has(t, res.Status, res.Header, problem)
		has(t, res.Status, res.Header, secure...)
		if res := ask(t, t.Context(), "GET", at+"/notes", nil); res.StatusCode != http.StatusOK {
			t.Errorf("the page: %s", res.Status)
		}
	}
}

// An event is there when it was sent, and a stream ends when the service is
// about to stop, or either side goes.
func TestPassEvents(t *testing.T) {
	t.Parallel()
	draining, drain := context.WithCancel(context.Background())
	defer drain()
	next, ended := make(chan string), make(chan struct{}, 1)
	at := before(t, func(w http.ResponseWriter, r *http.Request) {
		defer func() { ended <- struct{}{} }()
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			_ = http.NewResponseController(w).Flush()
			select {
			case text := <-next:
				if text == "" {
					return
				}
				fmt.Fprintln(w, text)
			case <-r.Context().Done():
				return
			}
		}
	}, func(g *webapp.Gateway) { g.Draining = draining })
	ctx, leave := context.WithCancel(t.Context())
	listen(t, ctx, at, next)
	leave()
	<-ended
	events := listen(t, t.Context(), at, next)
	next <- ""
	<-ended
	if line, err := events.ReadString('\n'); !errors.Is(err, io.EOF) {
		t.Errorf("the gateway has ended it: %q, %v", line, err)
	}
	events = listen(t, t.Context(), at, next)
	drain()
	<-ended
	if line, err := events.ReadString('\n'); err == nil {
		t.Errorf("after the end: %q", line)
	}
}

// listen opens a stream and hears two events, one after the other.
func listen(t *testing.T, ctx context.Context, at string, next chan<- string) *bufio.Reader {
	t.Helper()
	res := ask(t, ctx, "GET", at+"/v1/realtime/events", nil, "Accept", "text/event-stream")
	events := bufio.NewReader(res.Body)
	for _, event := range []string{"data: 1", "data: 2"} {
		next <- event
		if line, err := events.ReadString('\n'); err != nil || line != event+"\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	return events
}

// A WebSocket goes both ways, until the service is about to stop.
func TestPassWebSocket(t *testing.T) {
	t.Parallel()
	draining, drain := context.WithCancel(context.Background())
	defer drain()
	ended := make(chan error, 1)
	at := before(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "http://"+r.Host {
			t.Errorf("a page of %s at %s", r.Header.Get("Origin"), r.Host)
		}
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
		_, err = io.Copy(conn, buffered)
		ended <- err
	}, func(g *webapp.Gateway) { g.Draining = draining })
	conn, err := net.Dial("tcp", strings.TrimPrefix(at, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /v1/realtime/ws?ticket=x HTTP/1.1\r\nHost: localhost:3000\r\nOrigin: http://localhost:3000\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-WebSocket-Accept") != "x" {
		t.Fatalf("%v, %v", res, err)
	}
	for _, line := range []string{"to and\n", "fro\n"} {
		fmt.Fprint(conn, line)
		if got, err := in.ReadString('\n'); err != nil || got != line {
			t.Fatalf("%q comes back as %q, %v", line, got, err)
		}
	}
	drain()
	<-ended
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}
