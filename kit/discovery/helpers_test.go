package discovery_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-kit/kit/sd"
	"github.com/trellis-go/trellis/kit/discovery"
)

// soon is how long what happens promptly may take on a busy machine.
const soon = 20 * time.Second

// instance is a running copy of a service.
type instance struct {
	discovery.Instance
	ready atomic.Bool
}

func start(t testing.TB, service string, h http.HandlerFunc, tags ...string) *instance {
	t.Helper()
	i := new(instance)
	i.ready.Store(true)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/readyz":
			h(w, r)
		case !i.ready.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(s.Close)
	i.Instance = discovery.Instance{Service: service, Addr: s.Listener.Addr().String(), Tags: tags}
	return i
}

// join registers an instance; leave takes it out, at the test's end at last.
func join(t testing.TB, r discovery.Registry, i discovery.Instance) (leave func()) {
	t.Helper()
	away, err := r.Register(context.Background(), i)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := away(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// watcher is a subscriber that remembers every event.
type watcher struct {
	ch   chan sd.Event
	seen []sd.Event
}

func watch(t testing.TB, i sd.Instancer) *watcher {
	w := &watcher{ch: make(chan sd.Event)}
	i.Register(w.ch)
	t.Cleanup(func() { i.Deregister(w.ch) })
	return w
}

// until returns when an event is as wanted.
func (w *watcher) until(t testing.TB, wanted func(sd.Event) bool) {
	t.Helper()
	timeout := time.NewTimer(soon)
	defer timeout.Stop()
	for {
		select {
		case e := <-w.ch:
			w.seen = append(w.seen, e)
			if wanted(e) {
				return
			}
		case <-timeout.C:
			t.Fatalf("wanted event does not come; came %v", w.seen)
		}
	}
}

func (w *watcher) wants(t testing.TB, instances ...string) {
	t.Helper()
	slices.Sort(instances)
	w.until(t, func(e sd.Event) bool { return e.Err == nil && slices.Equal(e.Instances, instances) })
}

// nothing fails if an event is waiting to be received.
func (w *watcher) nothing(t testing.TB) {
	t.Helper()
	select {
	case e := <-w.ch:
		t.Errorf("got an event: %v", e)
	default:
	}
}
