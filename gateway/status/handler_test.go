package status_test

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trellis-go/trellis/gateway/status"
	"github.com/trellis-go/trellis/kit/testenv"
)

func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	h := status.Handler(busy, "Gateway.internal")
	for _, tt := range []struct {
		name, method, host, path string
		site, mode               string
		want                     int
	}{
		{"an address", "GET", "127.0.0.1:9000", "/", "", "", 200},
		{"an address without a port", "GET", "192.0.2.1", "/", "", "", 200},
		{"IPv6", "GET", "[::1]:9000", "/status.json", "", "", 200},
		{"IPv6 without a port", "GET", "[::1]", "/status.json", "", "", 200},
		{"localhost", "GET", "LocalHost:9000", "/", "none", "navigate", 200},
		{"the known host", "GET", "gateway.INTERNAL:9000", "/", "", "", 200},
		{"HEAD", "HEAD", "localhost", "/", "", "", 200},
		{"HEAD of a stream", "HEAD", "localhost", "/events", "", "", 200},
		{"the page's script", "GET", "localhost", "/status.json", "same-origin", "cors", 200},
		{"a link from elsewhere", "GET", "localhost", "/", "cross-site", "navigate", 200},
		{"a rebound name", "GET", "evil.example:9000", "/status.json", "same-origin", "cors", 403},
		{"a name that begins alike", "GET", "localhost.evil.example", "/", "", "", 403},
		{"a name like an address", "GET", "127.0.0.1.evil.example", "/", "", "", 403},
		{"no host", "GET", "", "/", "", "", 403},
		{"a script elsewhere", "GET", "localhost", "/status.json", "cross-site", "no-cors", 403},
		{"a stream from elsewhere", "GET", "localhost", "/events", "same-site", "cors", 403},
		{"POST", "POST", "localhost", "/", "", "", 405},
		{"DELETE", "DELETE", "localhost", "/status.json", "", "", 405},
		{"unknown", "GET", "localhost", "/favicon.ico", "", "", 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(tt.method, tt.path, nil)
			r.Host = tt.host
			if tt.site != "" {
				r.Header.Set("Sec-Fetch-Site", tt.site)
				r.Header.Set("Sec-Fetch-Mode", tt.mode)
				r.Header.Set("Sec-Fetch-Dest", map[string]string{"navigate": "document"}[tt.mode])
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			if rec.Code != tt.want {
				t.Errorf("status %d, want %d: %s", rec.Code, tt.want, rec.Body)
			}
			for name, want := range map[string]string{
				"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
				"Cross-Origin-Resource-Policy": "same-origin", "Access-Control-Allow-Origin": "",
			} {
				if got := rec.Header().Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if rec.Code == http.StatusForbidden && strings.Contains(rec.Body.String(), "notes") {
				t.Error("a refusal tells something")
			}
		})
	}
}

// watch asks for events until the returned function is called.
func watch(t *testing.T, h http.Handler) (*httptest.ResponseRecorder, context.CancelFunc) {
	ctx, leave := context.WithCancel(t.Context())
	rec := httptest.NewRecorder()
	go h.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, "GET", "http://localhost/events", nil))
	synctest.Wait()
	return rec, leave
}

func TestEventsComeEachSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		h := status.Handler(func() status.Snapshot { asked++; return busy() })
		rec, leave := watch(t, h)
		<-time.After(3500 * time.Millisecond)
		leave()
		synctest.Wait()
		<-time.After(time.Minute)
		events := strings.Split(strings.TrimSuffix(rec.Body.String(), "\n\n"), "\n\n")
		if len(events) != 4 || asked != 4 {
			t.Fatalf("%d events of %d snapshots in 3.5 s, want 4", len(events), asked)
		}
		for _, event := range events {
			data, ok := strings.CutPrefix(event, "data: ")
			if s := decode(t, []byte(data)); !ok || s.Totals != busy().Totals {
				t.Errorf("event %q", event)
			}
		}
		if got := rec.Header().Get("Content-Type"); got != "text/event-stream" || !rec.Flushed {
			t.Errorf("Content-Type %q, flushed %v", got, rec.Flushed)
		}
	})
}

func TestWatchersAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := telling(busy())
		var leaves []context.CancelFunc
		for i := range 16 {
			rec, leave := watch(t, h)
			if leaves = append(leaves, leave); rec.Code != http.StatusOK || rec.Body.Len() == 0 {
				t.Fatalf("watcher %d: status %d", i, rec.Code)
			}
		}
		if rec := get(h, "/events"); rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" {
			t.Errorf("one too many: status %d", rec.Code)
		}
		if rec := get(h, "/status.json"); rec.Code != http.StatusOK {
			t.Errorf("status.json: status %d", rec.Code)
		}
		leaves[0]()
		synctest.Wait()
		rec, leave := watch(t, h)
		if rec.Code != http.StatusOK {
			t.Errorf("after one left: status %d", rec.Code)
		}
		for _, leave := range append(leaves, leave) {
			leave()
		}
	})
}

// gone is a connection that nobody reads.
type gone struct{ http.ResponseWriter }

func (gone) Write([]byte) (int, error) { return 0, errors.New("timeout") }

func TestEventsEndWithTheirReader(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "http://localhost/events", nil)
	telling(busy()).ServeHTTP(gone{httptest.NewRecorder()}, r)
}

func TestEventsOverHTTP(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(telling(busy()))
	t.Cleanup(s.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := testenv.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	line, err := bufio.NewReader(res.Body).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, `data: {"at":"2026-03-04T12:00:00Z"`) {
		t.Errorf("%q, %v", line, err)
	}
}
