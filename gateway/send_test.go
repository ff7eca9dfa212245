package gateway_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/trellis-go/trellis/kit/endpoint"
)

// The answer begins in time or there is a problem: what the row says, what the
// traffic file says instead, and what the client says if that is less.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	traffic, _ := ruled(t, `{"routes": [{"route": "GET /v1/filed", "timeout": "50ms"}]}`)
	f := start(t, traffic)
	told := make(chan string, 1)
	f.service(t, "things", document("GET /v1/short "+having(public, `"x-timeout":0.05`), "GET /v1/filed "+having(public, `"x-timeout":60`), "GET /v1/long "+public,
		"GET /v1/shared "+having(public, `"x-timeout":0.05,"x-shared":true`)),
		func(w http.ResponseWriter, r *http.Request) {
			select {
			case told <- r.Header.Get(endpoint.TimeoutHeader):
			default:
			}
			if r.URL.RawQuery == "" {
				<-r.Context().Done()
			}
		})
	f.known(t, "/v1/long")
	for _, tt := range []struct {
		path, within string
		status       int
		most         float64 // that the service is told
	}{
		{"/v1/short", "", 504, .05},
		{"/v1/filed", "", 504, .05},
		{"/v1/shared", "", 504, .05},
		{"/v1/long", "0.05", 504, .05},
		{"/v1/short", "60", 504, .05},
		{"/v1/filed", "inf", 504, .05},
		{"/v1/long", "0.0000001", 504, .001},
		{"/v1/long?", "2", 200, 2},
		{"/v1/short?", "2", 200, .05},
		{"/v1/long?", "1e300", 200, 60},
		{"/v1/long?", "", 200, 60},
		{"/v1/long", "0", 400, 0},
		{"/v1/long", "-1", 400, 0},
		{"/v1/long", "NaN", 400, 0},
		{"/v1/long", "1e999", 400, 0},
		{"/v1/long", "1s", 400, 0},
		{"/v1/long", "1, 2", 400, 0},
	} {
		path := strings.TrimSuffix(tt.path, "?")
		if path != tt.path {
			path += "?quick"
		}
		var header []string
		if tt.within != "" {
			header = []string{endpoint.TimeoutHeader, tt.within}
		}
		res, body := f.do(t, "GET", path, nil, header...)
		if res.StatusCode != tt.status {
			t.Errorf("%s within %s: %d %s", tt.path, tt.within, res.StatusCode, body)
			continue
		}
		switch tt.status {
		case 400:
			if !strings.Contains(body, `"bad_timeout"`) {
				t.Errorf("%s within %s: %s", tt.path, tt.within, body)
			}
			continue
		case 504:
			if !strings.Contains(body, `"service_timeout"`) || res.Header.Get("Retry-After") == "" {
				t.Errorf("%s within %s: %v %s", tt.path, tt.within, res.Header, body)
			}
		}
		select {
		case left := <-told:
			if seconds, err := strconv.ParseFloat(left, 64); err != nil || seconds <= 0 || seconds > tt.most {
				t.Errorf("%s within %s: the service has %s", tt.path, tt.within, left)
			}
		default:
			if tt.most > .001 { // else it may not have been asked at all
				t.Errorf("%s within %s: the service was told nothing", tt.path, tt.within)
			}
		}
	}
}

// What is safe is repeated elsewhere, and nothing else is.
func TestRetries(t *testing.T) {
	t.Parallel()
	f := start(t)
	var mu sync.Mutex
	seen := map[string][]string{} // bodies by request id
	failsFirst := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		id := r.Header.Get("X-Request-Id")
		mu.Lock()
		first := len(seen[id]) == 0
		seen[id] = append(seen[id], string(body))
		mu.Unlock()
		switch {
		case !first:
		case strings.HasSuffix(id, "reset"):
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.(*net.TCPConn).SetLinger(0)
				conn.Close()
			}
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
	cases := []struct {
		method, says, key, how string
		status, tries          int
	}{
		{"GET", public, "", "503", 200, 2},
		{"GET", public, "", "reset", 200, 2},
		{"POST", public, "", "503", 503, 1},
		{"POST", public, "", "reset", 502, 1},
		{"POST", public, "a-key", "503", 200, 2},
		{"POST", public, "a-key", "reset", 200, 2},
		{"PUT", public, "", "503", 503, 1},
		{"PUT", having(public, `"x-repeatable":true`), "", "503", 200, 2},
		{"PUT", having(public, `"x-repeatable":true`), "", "reset", 200, 2},
		{"POST", having(public, `"x-repeatable":true`), "", "reset", 200, 2},
	}
	var paths []string
	for i, tt := range cases {
		paths = append(paths, fmt.Sprint("/v1/case", i))
		for range 2 {
			f.service(t, fmt.Sprint("case", i), document(tt.method+" "+paths[i]+" "+tt.says), failsFirst)
		}
	}
	f.known(t, paths...)
	for i, tt := range cases {
		id := fmt.Sprint(i, tt.method, tt.how)
		headers := []string{"X-Request-Id", id}
		if tt.key != "" {
			headers = append(headers, "Idempotency-Key", tt.key)
		}
		var body io.Reader
		if tt.method != "GET" {
			body = struct{ io.Reader }{strings.NewReader("a body")}
		}
		if res, body := f.do(t, tt.method, paths[i], body, headers...); res.StatusCode != tt.status {
			t.Errorf("%s: %d %s", id, res.StatusCode, body)
		}
		mu.Lock()
		tries := seen[id]
		mu.Unlock()
		if len(tries) != tt.tries || tt.tries == 2 && tries[0] != tries[1] {
			t.Errorf("%s: came as %q", id, tries)
		}
		line := f.logged(t, id)
		if tt.how == "reset" && line.Attempts == 1 { // http.Transport itself tries once more after a connection that was idle
			line.Attempts = tt.tries
		}
		if line.Attempts != tt.tries || line.Instance == "" {
			t.Errorf("%s: logged as %+v", id, line)
		}
	}
}

// A service may close a connection that is idle at any time, also before a
// request that must not be repeated.
func TestIdleConnectionsMayClose(t *testing.T) {
	t.Parallel()
	f := start(t)
	closed := make(chan struct{})
	f.raw(t, "things", document("POST /v1/things "+public), func(conn net.Conn, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
		_ = conn.(*net.TCPConn).CloseWrite() // of which the answer said nothing
		_, _ = io.Copy(io.Discard, conn)
		closed <- struct{}{}
	})
	f.known(t, "/v1/things")
	for range 30 {
		if res, body := f.do(t, "POST", "/v1/things", strings.NewReader("a body")); res.StatusCode != 200 || body != "hi" {
			t.Fatalf("%d %s", res.StatusCode, body)
		}
		<-closed // so much as the gateway has heard of it, and perhaps no more
	}
}
