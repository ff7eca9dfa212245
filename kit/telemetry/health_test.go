package telemetry_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trellis-go/trellis/kit/telemetry"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	good := func(context.Context) error { return nil }
	bad := func(context.Context) error { return errors.New("password=hunter2") }
	hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, tt := range map[string]struct {
		ready  bool
		checks map[string]func(context.Context) error
		status int
		text   string
		took   time.Duration
	}{
		"not yet":          {false, nil, 503, "not taking work\n", 0},
		"ready":            {true, nil, 200, "ok\n", 0},
		"store answers":    {true, map[string]func(context.Context) error{"store": good}, 200, "ok\n", 0},
		"store is away":    {true, map[string]func(context.Context) error{"store": bad, "bus": good}, 503, "store does not answer\n", 0},
		"store hangs":      {true, map[string]func(context.Context) error{"store": hangs}, 503, "store does not answer\n", 2 * time.Second},
		"draining is told": {false, map[string]func(context.Context) error{"store": hangs}, 503, "not taking work\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var h telemetry.Health
				for name, ping := range tt.checks {
					h.Check(name, ping)
				}
				h.Ready(tt.ready)
				began := time.Now()
				rec := httptest.NewRecorder()
				h.Readiness(rec, httptest.NewRequest(http.MethodGet, "/readyz", nil))
				if rec.Code != tt.status || rec.Body.String() != tt.text || time.Since(began) != tt.took {
					t.Errorf("/readyz answers %d %q after %v, want %d %q after %v", rec.Code, rec.Body, time.Since(began), tt.status, tt.text, tt.took)
				}
				if got := rec.Header().Get("Cache-Control"); got != "no-store" {
					t.Errorf("Cache-Control is %q", got)
				}
				rec = httptest.NewRecorder()
				if h.Live(rec, httptest.NewRequest(http.MethodGet, "/livez", nil)); rec.Code != 200 || rec.Body.String() != "ok\n" {
					t.Errorf("/livez answers %d %q", rec.Code, rec.Body)
				}
			})
		})
	}
}

func TestHealthChanges(t *testing.T) {
	t.Parallel()
	var h telemetry.Health
	for _, ready := range []bool{false, true, false, true} {
		h.Ready(ready)
		rec := httptest.NewRecorder()
		if h.Readiness(rec, httptest.NewRequest(http.MethodGet, "/readyz", nil)); (rec.Code == 200) != ready {
			t.Errorf("ready is %t, and the answer %d", ready, rec.Code)
		}
	}
}
