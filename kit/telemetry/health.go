package telemetry

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// Health answers /livez and /readyz.
type Health struct {
	ready  atomic.Bool
	checks []check
}

type check struct {
	name string
	ping func(context.Context) error
}

// Check makes readiness depend on ping, such as a store's. Add checks before serving.
func (h *Health) Check(name string, ping func(context.Context) error) {
	h.checks = append(h.checks, check{name, ping})
}

// Ready says whether the service takes work; a draining one does not.
func (h *Health) Ready(ready bool) { h.ready.Store(ready) }

// Live answers 200 as long as the process can answer at all.
func (h *Health) Live(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok\n") }

// Readiness answers 200 when the service takes work and all it depends on
// answers within two seconds, otherwise 503 and the name of what is missing.
func (h *Health) Readiness(w http.ResponseWriter, r *http.Request) {
	if !h.ready.Load() {
		answer(w, http.StatusServiceUnavailable, "not taking work\n")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	for _, c := range h.checks {
		if err := c.ping(ctx); err != nil {
			answer(w, http.StatusServiceUnavailable, c.name+" does not answer\n")
			return
		}
	}
	answer(w, http.StatusOK, "ok\n")
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
