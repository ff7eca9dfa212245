package cache_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-go/trellis/gateway/cache"
)

// Many clients, some of whom go, over real connections: everybody gets the
// answer to its own question or none.
func TestEachItsOwn(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			return
		}
		h := w.Header()
		switch rand.IntN(8) {
		case 0:
			h.Set("Cache-Control", "no-store")
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			h.Set("Cache-Control", "max-age=0, stale-while-revalidate=9")
		default:
			h.Set("Cache-Control", "max-age=1, stale-if-error=9")
		}
		h.Set("Vary", "Accept")
		h.Set("Etag", `"1"`)
		_, _ = io.WriteString(w, body(r))
	}))
	t.Cleanup(server.Close)
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 50}
	t.Cleanup(transport.CloseIdleConnections)
	c := cache.New(transport, 32<<10, time.Now)
	client := &http.Client{Transport: c}

	paths := []string{"/a", "/b?x", "/large", "/b?y"}
	lines := []string{"", "Cache-Control: no-cache", "Cache-Control: no-store", "If-None-Match: \"0\"", "Accept: text/plain", "Range: bytes=0-"}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 50 {
				ctx, cancel := context.WithCancel(t.Context())
				if rand.IntN(4) == 0 {
					ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(2000))*time.Microsecond)
				}
				method := http.MethodGet
				if rand.IntN(50) == 0 {
					method = http.MethodPut
				}
				r, _ := http.NewRequestWithContext(ctx, method, server.URL+paths[rand.IntN(len(paths))], nil)
				setLines(r.Header, lines[rand.IntN(len(lines))])
				res, err := client.Do(r)
				if err == nil {
					got, err := io.ReadAll(res.Body)
					if err == nil && method == http.MethodGet && string(got) != body(r) {
						t.Errorf("%s %s: %.50q", r.URL, r.Header.Get("Accept"), got)
					}
					res.Body.Close()
				}
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	all.Wait()
}

func body(r *http.Request) string {
	b := r.URL.RequestURI() + r.Header.Get("Accept")
	if r.URL.Path == "/large" {
		return strings.Repeat(b, 300<<10/len(b))
	}
	return b
}
