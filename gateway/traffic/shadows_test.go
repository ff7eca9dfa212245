package traffic_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
	"github.com/trellis-go/trellis/gateway/traffic"
	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/telemetry"
)

// sender is an http.RoundTripper.
type sender func(*http.Request) (*http.Response, error)

func (s sender) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

func answer(status int, body io.Reader) (*http.Response, error) {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(body)}, nil
}

var next = traffic.Shadow{Service: "notes-next"}

// outcomes are how many copies came to what.
func outcomes(m *telemetry.Metrics) map[string]string {
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	got := map[string]string{}
	for line := range strings.Lines(rec.Body.String()) {
		if _, rest, ok := strings.Cut(line, `trellis_shadow_copies_total{outcome="`); ok {
			outcome, _, _ := strings.Cut(rest, `"`)
			got[outcome] = strings.TrimSpace(line[strings.LastIndexByte(line, ' '):])
		}
	}
	return got
}

func TestShadowsSend(t *testing.T) {
	t.Parallel()
	type copied struct {
		method, url, host, body string
		length                  int64
		header                  http.Header
	}
	got := make(chan copied, 1)
	s := traffic.NewShadows(sender(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		got <- copied{r.Method, r.URL.String(), r.Host, string(body), r.ContentLength, r.Header}
		if err != nil {
			t.Error(err)
		}
		if deadline, ok := r.Context().Deadline(); !ok || time.Until(deadline) > 5*time.Second {
			t.Errorf("has until %v", deadline)
		}
		return answer(201, strings.NewReader("made"))
	}), telemetry.NewMetrics(), log.NewNopLogger())
	defer s.Close(t.Context())

	ctx, end := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://notes/v1/notes/a%2Fb?x=1;y", strings.NewReader("{}"))
	r.Header = http.Header{"Authorization": {"Bearer x"}, "Idempotency-Key": {"1"}, "Expect": {"100-continue"}, "X-Shadow": {"0", "0"}, "X-User-Id": {"u"}}
	original := r.Clone(ctx)
	s.Send(next, r, []byte("{}"))
	end()
	if !cmp.Equal(r.Header, original.Header) || r.URL.String() != original.URL.String() || r.Host != original.Host || r.Body != original.Body {
		t.Errorf("the request became %v", r)
	}
	r.Header["Authorization"][0] = "changed"
	r.URL.Path = "/changed"

	want := copied{"POST", "http://notes-next/v1/notes/a%2Fb?x=1;y", "notes-next", "{}", 2,
		http.Header{"Authorization": {"Bearer x"}, "X-Shadow": {"1"}, "X-User-Id": {"u"}}}
	if diff := cmp.Diff(want, <-got, cmp.AllowUnexported(copied{})); diff != "" {
		t.Error(diff)
	}
}

// A copy goes to an instance of the version, or of the other service.
func TestShadowsReachInstances(t *testing.T) {
	t.Parallel()
	registry := new(discovery.Memory)
	for addr, i := range map[string]discovery.Instance{
		"192.0.2.1:80": {Service: "notes", Version: "1.0.0"},
		"192.0.2.2:80": {Service: "notes", Version: "2.0.0"},
		"192.0.2.3:80": {Service: "notes-next"},
	} {
		i.Addr = addr
		if _, err := registry.Register(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan string, 1)
	balancer := discovery.Balance(registry, discovery.Via(sender(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("X-Shadow") == "1" { // and no check of the balancer's
			got <- r.URL.Host
		}
		return answer(200, strings.NewReader(""))
	})))
	defer balancer.Close()
	s := traffic.NewShadows(balancer, telemetry.NewMetrics(), log.NewNopLogger())
	defer s.Close(t.Context())
	for range 10 {
		for to, want := range map[traffic.Shadow]string{
			{Service: "notes", Version: "2.0.0"}: "192.0.2.2:80",
			next:                                 "192.0.2.3:80",
		} {
			s.Send(to, httptest.NewRequest(http.MethodGet, "http://notes/v1/notes", nil), nil)
			if addr := <-got; addr != want {
				t.Errorf("a copy for %v went to %s, want %s", to, addr, want)
			}
		}
	}
}

func TestShadowsOutcomes(t *testing.T) {
	t.Parallel()
	upgrade := httptest.NewRequest(http.MethodGet, "http://notes/v1/live", nil)
	upgrade.Header.Set("Upgrade", "websocket")
	plain := httptest.NewRequest(http.MethodPost, "http://notes/v1/notes", nil)
	late := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	tests := []struct {
		name string
		r    *http.Request
		body int
		send sender
		want string
	}{
		{"answered", plain, 64 << 10, func(*http.Request) (*http.Response, error) { return answer(204, strings.NewReader("")) }, "2xx"},
		{"refused", plain, 0, func(*http.Request) (*http.Response, error) { return answer(404, strings.NewReader("no")) }, "4xx"},
		{"not answered", plain, 0, func(*http.Request) (*http.Response, error) { return nil, errors.New("no instance") }, "failed"},
		{"answered in part", plain, 0, func(*http.Request) (*http.Response, error) {
			return answer(200, io.MultiReader(strings.NewReader("a"), failing{}))
		}, "failed"},
		{"answered without end", plain, 0, func(*http.Request) (*http.Response, error) { return answer(200, endless{}) }, "2xx"},
		{"late", plain, 0, late, "failed"},
		{"panic", plain, 0, func(*http.Request) (*http.Response, error) { panic("a bug") }, "failed"},
		{"large", plain, 64<<10 + 1, late, "dropped"},
		{"switching protocols", upgrade, 0, late, "dropped"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := telemetry.NewMetrics()
				s := traffic.NewShadows(test.send, m, log.NewNopLogger())
				began := time.Now()
				s.Send(next, test.r, make([]byte, test.body))
				if took := time.Since(began); took > 0 {
					t.Errorf("Send took %v", took)
				}
				s.Close(t.Context())
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("the copy took %v", took)
				}
				if diff := cmp.Diff(map[string]string{test.want: "1"}, outcomes(m)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestShadowsFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := telemetry.NewMetrics()
		open := make(chan struct{})
		s := traffic.NewShadows(sender(func(*http.Request) (*http.Response, error) {
			<-open
			return answer(200, strings.NewReader(""))
		}), m, log.NewNopLogger())
		r := httptest.NewRequest(http.MethodGet, "http://notes/v1/notes", nil)
		for range 100 {
			s.Send(next, r, nil)
		}
		close(open)
		synctest.Wait()
		s.Send(next, r, nil)
		s.Close(t.Context())
		s.Send(next, r, nil)
		s.Close(t.Context())
		if diff := cmp.Diff(map[string]string{"2xx": "65", "dropped": "37"}, outcomes(m)); diff != "" {
			t.Error(diff)
		}
	})
}

// Close waits for copies no longer than it may, and then breaks them off.
func TestShadowsClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := telemetry.NewMetrics()
		s := traffic.NewShadows(sender(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}), m, log.NewNopLogger())
		s.Send(next, httptest.NewRequest(http.MethodGet, "http://notes/v1/notes", nil), nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		s.Close(ctx)
		synctest.Wait()
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %v", took)
		}
		if diff := cmp.Diff(map[string]string{"failed": "1"}, outcomes(m)); diff != "" {
			t.Error(diff)
		}
	})
}
