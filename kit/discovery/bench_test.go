package discovery_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"

	"github.com/trellis-go/trellis/kit/discovery"
)

func BenchmarkPick(b *testing.B) {
	for _, n := range []int{1, 3, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var addrs []string
			for i := range n {
				addrs = append(addrs, fmt.Sprintf("10.0.0.%d:80", i))
			}
			balancer := discovery.Balance(notes(b, addrs...))
			defer balancer.Close()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := discovery.Pick(context.Background(), balancer, "notes"); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// What balancing costs when sending costs nothing.
func BenchmarkOverhead(b *testing.B) {
	var resp http.Response
	balancer := discovery.Balance(notes(b, "a:1", "b:1", "c:1"), discovery.Via(instant(func() *http.Response {
		resp.Body = io.NopCloser(nil)
		return &resp
	})))
	defer balancer.Close()
	r, err := http.NewRequest(http.MethodGet, "http://notes/", nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		resp, err := balancer.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
	}
}

// The same with a hundred callers at once.
func BenchmarkContention(b *testing.B) {
	balancer := discovery.Balance(notes(b, "a:1", "b:1", "c:1"), discovery.Via(instant(func() *http.Response {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(nil)}
	})))
	defer balancer.Close()
	b.SetParallelism(100 / runtime.GOMAXPROCS(0))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r, err := http.NewRequest(http.MethodGet, "http://notes/", nil)
		if err != nil {
			b.Fatal(err)
		}
		for pb.Next() {
			resp, err := balancer.RoundTrip(r)
			if err != nil {
				b.Fatal(err)
			}
			resp.Body.Close()
		}
	})
}

type instant func() *http.Response

func (f instant) RoundTrip(*http.Request) (*http.Response, error) { return f(), nil }

// A request over a real connection, beside the same transport bare.
func BenchmarkRoundTrip(b *testing.B) {
	i := start(b, "notes", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"ok":true}`) })
	bare := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	defer bare.CloseIdleConnections()
	balancer := discovery.Balance(notes(b, i.Addr))
	defer balancer.Close()
	for _, bb := range []struct {
		name, url string
		rt        http.RoundTripper
	}{
		{"bare", "http://" + i.Addr + "/", bare},
		{"balanced", "http://notes/", balancer},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				r, err := http.NewRequest(http.MethodGet, bb.url, nil)
				if err != nil {
					b.Fatal(err)
				}
				for pb.Next() {
					resp, err := bb.rt.RoundTrip(r)
					if err != nil {
						b.Fatal(err)
					}
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			})
		})
	}
}
