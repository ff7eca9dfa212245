package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

// What the log says of a request: always these, and others when there is
// something to say.
func TestLogLine(t *testing.T) {
	t.Parallel()
	always := []string{"ts", "level", "endpoint", "status", "took", "request_id", "trace_id", "client"}
	for _, tt := range []struct {
		name   string
		err    error
		user   string
		level  string
		status int
		code   any
		cause  any
		keys   []string
	}{
		{"success", nil, "", "info", 200, nil, nil, []string{"bytes"}},
		{"success of a user", nil, "u1", "info", 200, nil, nil, []string{"bytes", "user", "session"}},
		{"refusal", fault.New(fault.NotFound, "no_note", "No such note."), "u1", "info", 404, "no_note", nil, []string{"user", "session", "code"}},
		{"refusal with a cause", fault.New(fault.Conflict, "taken", "Taken.").Because(errors.New("unique\nindex \x1b[31m\xff")), "", "info", 409, "taken",
			"unique\nindex \x1b[31m\ufffd", []string{"code", "err"}},
		{"failure", fmt.Errorf("query: %w", errBroken), "", "error", 500, "internal", "query: disk on fire", []string{"code", "err"}},
		{"too late", context.DeadlineExceeded, "", "error", 504, "timeout", "context deadline exceeded", []string{"code", "err"}},
		{"caller gone", context.Canceled, "", "info", 499, "canceled", "context canceled", []string{"code", "err"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			e := endpoint.New(func(context.Context, noteID) (answer, error) { return answer{}, tt.err }, "").Named("Get")
			header := []string{}
			if tt.user == "" {
				e = e.Public()
			} else {
				header = []string{"Authorization", "bearer " + w.token(t, tt.user)}
			}
			began := time.Now()
			rec := serve(w.handler(t, transport.Get("/v1/notes/{id}", e)), request("GET", "/v1/notes/1", "", header...))
			took := time.Since(began).Seconds()
			if lines := w.log.lines(t); len(lines) != 1 {
				t.Fatalf("%d lines are logged: %v", len(lines), lines)
			}
			line := w.log.last(t)
			want := slices.Sorted(slices.Values(append(tt.keys, always...)))
			if got := slices.Sorted(maps.Keys(line)); !slices.Equal(got, want) {
				t.Errorf("keys are %v, want %v", got, want)
			}
			if line["level"] != tt.level || line["endpoint"] != "Get" || line["status"] != float64(tt.status) ||
				line["code"] != tt.code || line["err"] != tt.cause || line["client"] != "192.0.2.1" {
				t.Errorf("logged: %v", line)
			}
			if got, _ := line["took"].(float64); got < 0 || got > took+1e-6 {
				t.Errorf("took %v s, of %v", line["took"], took)
			}
			if id, _ := line["trace_id"].(string); len(id) != 32 || strings.Trim(id, "0") == "" {
				t.Errorf("trace_id = %v", line["trace_id"])
			}
			if tt.err == nil && line["bytes"] != float64(rec.Body.Len()) {
				t.Errorf("bytes = %v, of %d", line["bytes"], rec.Body.Len())
			}
			if tt.user != "" && (line["user"] != "u1" || line["session"] != "s-u1") {
				t.Errorf("logged: %v", line)
			}
			if cause := fault.Of(tt.err).Cause; tt.err != nil && cause != nil && strings.Contains(rec.Body.String(), cause.Error()) {
				t.Errorf("the answer shows the cause: %s", rec.Body)
			}
		})
	}
}

// Lines are used again: what one request had must not show up in another's.
func TestLogLinesDoNotLeak(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rich := endpoint.New(func(context.Context, noteID) (answer, error) {
		return answer{}, fault.New(fault.Conflict, "taken", "").Because(errBroken)
	}, "").Named("Rich")
	poor := endpoint.Do(func(context.Context, noteID) error { return nil }, "").Named("Poor").Public()
	rich.Rate, poor.Rate = endpoint.Rate{}, endpoint.Rate{}
	h := w.handler(t, transport.Get("/rich/{id}", rich), transport.Get("/poor/{id}", poor))
	header := []string{"Authorization", "Bearer " + w.token(t, "u1")}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				serve(h, request("GET", "/rich/1", "", header...))
				serve(h, request("GET", "/poor/1", "", header...))
			}
		})
	}
	all.Wait()
	lines := w.log.lines(t)
	if len(lines) != 800 {
		t.Errorf("%d lines for 800 requests", len(lines))
	}
	for _, line := range lines {
		poor := line["endpoint"] == "Poor"
		for _, key := range []string{"user", "code", "err"} {
			if has := line[key] != nil; has == poor {
				t.Fatalf("logged: %v", line)
			}
		}
	}
}

// A log that cannot be written does not fail the request.
func TestBrokenLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Logger = log.LoggerFunc(func(...any) error { return errors.New("disk full") })
	if err := invoke(w.Wrap(method("Get", nothing).Public()), from("192.0.2.1", "")); err != nil {
		t.Error(err)
	}
}
