package gateway_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// The gateway with all its duties on (token, limit, log, metrics, trace ids,
// balancing) beside a bare httputil.ReverseProxy, before the same service.
func BenchmarkProxy(b *testing.B) {
	answer := []byte(`{"id":"01a20754-d39b-7e61-8125-64dba31be060","title":"Hi","body":"x"}`)
	f := start(b)
	service, _ := f.service(b, "things", document(`GET /v1/things/{id} {"x-rate-limit":{"per_second":1e9,"burst":1000000000}}`), func(w http.ResponseWriter, _ *http.Request) {
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
	for name, handler := range map[string]http.Handler{"gateway": f.handler, "bare": bare} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequest("GET", "/v1/things/7", nil)
			r.Header.Set("Authorization", "Bearer "+f.token(b))
			for b.Loop() {
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if w.Code != 200 {
					text, _ := io.ReadAll(w.Body)
					b.Fatal(w.Code, string(text))
				}
			}
		})
	}
}
