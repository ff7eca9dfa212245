package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	kit "github.com/go-kit/kit/endpoint"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

// ward is an endpoint behind a stack whose method answers as it is told.
type ward struct {
	*world
	e      kit.Endpoint
	answer func() error
	called int
}

func newWard(t *testing.T) *ward {
	w := &ward{world: newWorld(t)}
	m := method("Get", func(context.Context) error { w.called++; return w.answer() }).Public()
	m.Rate = endpoint.Rate{}
	w.e = w.Wrap(m)
	return w
}

func (w *ward) call(err error) error {
	w.answer = func() error { return err }
	return invoke(w.e, from("192.0.2.1", ""))
}

func (w *ward) calls(n int, err error) {
	for range n {
		_ = w.call(err)
	}
}

// open tells whether the breaker is: the method is not called.
func (w *ward) open() bool {
	before := w.called
	_ = w.call(nil)
	return w.called == before
}

var errBroken = errors.New("disk on fire")

func TestBreakerOpensOnFailuresOnly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		err   error
		opens bool
	}{
		{"nobody classified it", errBroken, true},
		{"timeout", fault.New(fault.Timeout, "", ""), true},
		{"deadline", fmt.Errorf("query: %w", context.DeadlineExceeded), true},
		{"bad gateway", fault.New(fault.BadGateway, "", ""), true},
		{"broke off half-way", endpoint.ErrAborted.Because(errBroken), true},
		{"success", nil, false},
		{"malformed", fault.New(fault.Malformed, "", ""), false},
		{"not found", fault.New(fault.NotFound, "", ""), false},
		{"conflict", fault.New(fault.Conflict, "", ""), false},
		{"invalid", fault.Breaks(), false},
		{"too many, from further in", fault.New(fault.TooMany, "", ""), false},
		{"unavailable, from further in", fault.New(fault.Unavailable, "no_instance", ""), false},
		{"the caller has gone", fmt.Errorf("query: %w", context.Canceled), false},
		{"the caller has gone half-way", endpoint.ErrAborted.Because(context.Canceled), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWard(t)
				w.calls(100, tt.err)
				if got := w.open(); got != tt.opens {
					t.Errorf("after 100 of %v the breaker is open: %t", tt.err, got)
				}
			})
		})
	}
}

func TestBreakerOpensOnPanics(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for _, tt := range []struct {
		name  string
		ctx   context.Context
		value any
		code  string
		opens bool
	}{
		{"panic", context.Background(), "broken", "internal", true},
		{"panic while the caller goes", gone, "broken", "internal", true},
		{"the answer broke off", context.Background(), http.ErrAbortHandler, "aborted", true},
		{"the caller broke off", gone, http.ErrAbortHandler, "canceled", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWard(t)
			w.answer = func() error { panic(tt.value) }
			for range 20 {
				call := from("192.0.2.1", "")
				call.Context = tt.ctx
				if err := invoke(w.e, call); fault.Of(err).Code != tt.code {
					t.Fatalf("error is %v, want %s", err, tt.code)
				}
			}
			if got := w.open(); got != tt.opens {
				t.Errorf("open: %t", got)
			}
		})
	}
}

// The limiter stands outside: what it refuses is no call.
func TestRefusedCallersDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.Wrap(method("Get", nothing).Public().Limit(1))
		for range 100 {
			_ = invoke(e, from("192.0.2.1", ""))
		}
		if err := invoke(e, from("192.0.2.2", "")); err != nil {
			t.Errorf("another caller gets %v", err)
		}
	})
}

func TestBreakerTrips(t *testing.T) {
	t.Parallel()
	type step struct {
		wait         time.Duration
		good, failed int
	}
	for _, tt := range []struct {
		name  string
		steps []step
		opens bool
	}{
		{"all of 20 failed", []step{{0, 0, 20}}, true},
		{"19 are too few to judge", []step{{0, 0, 19}}, false},
		{"half failed", []step{{0, 10, 10}}, true},
		{"less than half failed", []step{{0, 101, 99}}, false},
		{"19 in one window and 19 in the next", []step{{0, 0, 19}, {10*time.Second + 1, 0, 19}}, false},
		{"good ones of an old window do not help", []step{{0, 1000, 0}, {10*time.Second + 1, 0, 20}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWard(t)
				for _, s := range tt.steps {
					time.Sleep(s.wait)
					w.calls(s.good, nil)
					w.calls(s.failed, errBroken)
				}
				if got := w.open(); got != tt.opens {
					t.Errorf("open: %t", got)
				}
			})
		})
	}
}

// Open, for five seconds; then one may try, and what becomes of it decides.
func TestBreakerRecovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		w.calls(20, errBroken)
		time.Sleep(5*time.Second - 1)
		if err := w.call(nil); w.called != 20 || fault.Of(err).Code != "breaker_open" || fault.Of(err).RetryAfter <= 0 {
			t.Fatalf("before the pause is over: %v", err)
		}
		time.Sleep(2 * time.Nanosecond)
		if w.calls(1, errBroken); w.called != 21 {
			t.Fatal("after the pause nobody may try")
		}
		if !w.open() {
			t.Fatal("the try failed, and the breaker closed")
		}
		time.Sleep(5*time.Second + 1)

		// While one tries, others are refused.
		began, finish, done := make(chan bool), make(chan bool), make(chan error)
		w.answer = func() error { close(began); <-finish; return nil }
		go func() { done <- invoke(w.e, from("192.0.2.1", "")) }()
		<-began
		if err := invoke(w.e, from("192.0.2.2", "")); fault.Of(err).Code != "breaker_open" {
			t.Errorf("a second one may try too: %v", err)
		}
		close(finish)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if w.open() {
			t.Error("the try succeeded, and the breaker is open")
		}

		var changes []any
		for _, line := range w.log.lines(t) {
			if line["msg"] == "breaker" {
				changes = append(changes, line["to"])
			}
		}
		if got, want := fmt.Sprint(changes), "[open half-open open half-open closed]"; got != want {
			t.Errorf("logged %v, want %v", got, want)
		}
	})
}

func TestOpenBreakerAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		broken := endpoint.New(func(context.Context, noteID) (answer, error) { return answer{}, errBroken }, "").Named("Broken").Public()
		fine := endpoint.New(getNote, "").Public()
		h := w.handler(t, transport.Get("/broken/{id}", broken), transport.Get("/fine/{id}", fine))
		for range 20 {
			if rec := serve(h, request("GET", "/broken/1", "")); rec.Code != http.StatusInternalServerError {
				t.Fatalf("status %d", rec.Code)
			}
		}
		rec := serve(h, request("GET", "/broken/1", ""))
		if rec.Code != 503 || problem(t, rec).Code != "breaker_open" || rec.Header().Get("Retry-After") != "5" {
			t.Errorf("answer is %d %v: %s", rec.Code, rec.Header(), rec.Body)
		}
		if line := w.log.last(t); line["code"] != "breaker_open" || line["status"] != 503. {
			t.Errorf("logged: %v", line)
		}
		if rec := serve(h, request("GET", "/fine/1", "")); rec.Code != 200 {
			t.Errorf("another endpoint answers %d", rec.Code)
		}
	})
}
