package telemetry

import (
	"context"
	"errors"
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
	if err := h.Err(r.Context()); err != nil {
		answer(w, http.StatusServiceUnavailable, err.Error()+"\n")
		return
	}
	answer(w, http.StatusOK, "ok\n")
}

// Err is nil when the service takes work and all it depends on answers within
// two seconds, else it says what is missing, fit to be seen.
func (h *Health) Err(ctx context.Context) error {
	if !h.ready.Load() {
		return errors.New("not taking work")
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for _, c := range h.checks {
		if err := c.ping(ctx); err != nil {
			return errors.New(c.name + " does not answer")
		}
	}
	return nil
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
