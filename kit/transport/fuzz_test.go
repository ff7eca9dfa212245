package transport_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzDecode looks for a request that brings the service down, or that it
// takes and then cannot answer.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		`{"name":"a","tags":["ab"],"extra":{"x":[1,null,true,"\u0000"]}}`, `{"name":"\ud83d\ude00","due_at":"2024-01-02T03:04:05Z"}`,
		`{"name":"a","size":1e400,"parent":"urn:uuid:00000000-0000-0000-0000-000000000000"}`, `[`, "null", "", "{\"name\":\"\xff\"}", `{"name":"a","name":"b"}`,
	} {
		f.Add([]byte(body), "dry=true&depth=1", "a/1", "x")
	}
	f.Add([]byte(`{}`), "text=%ff&count=x&ref=0&since=2024-01-02T03:04:05Z&maybe=", "%00/-0", "\xff")
	f.Add([]byte(`{"title":null,"times":null,"map":{"a":[1]},"nested":{"a":{}}}`), "", "../1", "a; b=c")
	h := handler(f, newThings())
	f.Fuzz(func(t *testing.T, body []byte, query, path, value string) {
		for _, target := range []struct{ method, path string }{{"POST", "/v1/things"}, {"PUT", "/v1/words/" + path}, {"PATCH", "/v1/things/" + path}, {"GET", "/v1/things"}} {
			r := &http.Request{
				Method: target.method, URL: &url.URL{Path: target.path, RawQuery: query}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
				Header: http.Header{
					"Authorization": {"Bearer " + alice()}, "Content-Type": {"application/json"}, "User-Agent": {value}, "X-Agent": {value},
					"If-Match": {value}, "If-None-Match": {value}, "X-Request-Id": {value}, "Cookie": {"device=" + value}, "Traceparent": {value},
				},
				Body: http.NoBody, ContentLength: int64(len(body)), RemoteAddr: "127.0.0.1:1",
			}
			if len(body) > 0 {
				r.Body = readCloser{strings.NewReader(string(body))}
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code < 200 || w.Code >= 500 || w.Code >= 300 && w.Code < 400 && w.Code != http.StatusNotModified {
				t.Errorf("%s %q?%q with %q: %d %s", target.method, target.path, query, body, w.Code, w.Body)
			}
			if w.Code >= 400 {
				answer{w.Result(), w.Body.String()}.problem(t)
			}
		}
	})
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
