package gateway_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/telemetry"
	"golang.org/x/time/rate"
)

// The gateway with all its duties on (token, limit, log, metrics, trace ids,
// balancing), also where no token is needed, beside a bare
// httputil.ReverseProxy, and one that does the least of these duties: a limit
// for each client and a line in the log. All before the same service.
func BenchmarkProxy(b *testing.B) {
	answer := []byte(`{"id":"01a20754-d39b-7e61-8125-64dba31be060","title":"Hi","body":"x"}`)
	f := start(b)
	const limit = `{"x-rate-limit":{"per_second":1e9,"burst":1000000000}}`
	service, _ := f.service(b, "things", document("GET /v1/things/{id} "+limit, "GET /v1/open/{id} "+having(limit, `"security":[]`)), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	})
	f.known(b, "/v1/things/{id}")
	target, err := url.Parse(service.URL)
	if err != nil {
		b.Fatal(err)
	}
	bare := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() },
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
	}
	for _, bb := range []struct {
		name, path string
		handler    http.Handler
	}{
		{"gateway", "/v1/things/7", f},
		{"gateway, no token", "/v1/open/7", f},
		{"bare", "/v1/things/7", bare},
		{"bare, limit and log", "/v1/things/7", limited(logged(bare))},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequest("GET", bb.path, nil)
			token := "Bearer " + f.token(b)
			for b.Loop() {
				r.Header = http.Header{"Authorization": {token}} // a handler may keep it
				w := httptest.NewRecorder()
				bb.handler.ServeHTTP(w, r)
				if w.Code != 200 {
					text, _ := io.ReadAll(w.Body)
					b.Fatal(w.Code, string(text))
				}
			}
		})
	}
}

func limited(next http.Handler) http.Handler {
	var mu sync.Mutex
	limiters := map[string]*rate.Limiter{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, _, _ := net.SplitHostPort(r.RemoteAddr)
		mu.Lock()
		l := limiters[client]
		if l == nil {
			l = rate.NewLimiter(1e9, 1e9)
			limiters[client] = l
		}
		mu.Unlock()
		if !l.Allow() {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func logged(next http.Handler) http.Handler {
	logger := telemetry.NewLogger(io.Discard)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		s := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(s, r)
		_ = logger.Log("level", "info", "method", r.Method, "path", r.URL.Path, "status", s.status, "took", time.Since(began), "client", r.RemoteAddr)
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
