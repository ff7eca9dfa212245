package cache_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-go/trellis/gateway/cache"
)

const typical = "Cache-Control: max-age=3600\nContent-Type: application/json\nEtag: \"1\"\nVary: Accept\nDate: Wed, 02 Jan 2030 03:04:05 GMT\nX-Content-Type-Options: nosniff"

var page = strings.Repeat("x", 2<<10)

func request(b *testing.B) *http.Request {
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://notes/v1/tags?limit=50", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header = http.Header{
		"Accept": {"application/json"}, "Authorization": {"Bearer x"}, "User-Agent": {"bench"}, "X-Request-Id": {"1"},
		"X-Forwarded-For": {"127.0.0.1"}, "Accept-Encoding": {"gzip"}, "Traceparent": {"00-1-1-01"}, "X-User-Id": {"1"},
	}
	return r
}

func send(b *testing.B, rt http.RoundTripper, r *http.Request) {
	res, err := rt.RoundTrip(r)
	if err != nil {
		b.Error(err)
		return
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		b.Error(err)
	}
	res.Body.Close()
}

func BenchmarkHit(b *testing.B) {
	u := &upstream{answer: func(*http.Request, int64) (*http.Response, error) { return answer(200, page, typical), nil }}
	c := cache.New(u, megabyte, time.Now)
	r := request(b)
	send(b, c, r)
	b.ReportAllocs()
	for b.Loop() {
		send(b, c, r)
	}
	if u.n.Load() != 1 {
		b.Errorf("%d requests upstream", u.n.Load())
	}
}

// What a miss costs beside the same request without a cache.
func BenchmarkMiss(b *testing.B) {
	ready := answer(200, "", typical).Header
	u := &upstream{answer: func(*http.Request, int64) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: ready, Body: io.NopCloser(strings.NewReader(page)), ContentLength: int64(len(page))}, nil
	}}
	stale := time.Now()
	now := func() time.Time { stale = stale.Add(2 * time.Hour); return stale }
	for _, with := range []struct {
		name string
		http.RoundTripper
	}{{"cache", cache.New(u, megabyte, now)}, {"bare", u}} {
		b.Run(with.name, func(b *testing.B) {
			r := request(b)
			ready.Del("Cache-Status")
			b.ReportAllocs()
			for b.Loop() {
				send(b, with, r)
			}
		})
	}
}

// A hundred who ask the same at once of a service that takes 10 ms.
func BenchmarkCrowd(b *testing.B) {
	u := &upstream{answer: func(r *http.Request, _ int64) (*http.Response, error) {
		return after(10*time.Millisecond, r, answer(200, page, typical))
	}}
	for _, with := range []struct {
		name string
		rt   func() http.RoundTripper
	}{
		{"cache", func() http.RoundTripper { return cache.New(u, megabyte, time.Now) }},
		{"bare", func() http.RoundTripper { return u }},
	} {
		b.Run(with.name, func(b *testing.B) {
			r := request(b)
			u.n.Store(0)
			for b.Loop() {
				rt := with.rt()
				var all sync.WaitGroup
				for range 100 {
					all.Go(func() { send(b, rt, r) })
				}
				all.Wait()
			}
			b.ReportMetric(float64(u.n.Load())/float64(b.N), "upstream/op")
		})
	}
}
