package status_test

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/gateway/status"
)

var quiet = log.LoggerFunc(func(...any) error { return nil })

func TestRecentReadsLines(t *testing.T) {
	t.Parallel()
	endpoint, id, code, user, instance, other := "notes.get", "r-1", "gone", "u-1", "10.0.0.1:80", "secret"
	code404, tries, took, client := 404, 2, time.Millisecond, netip.MustParseAddr("192.0.2.1")
	whole := status.Request{ID: id, Endpoint: endpoint, Status: 404, Code: code, Took: took, Client: client, User: user, Instance: instance, Attempts: 2}
	for _, tt := range []struct {
		name string
		line []any
		want *status.Request
	}{
		{"by pointer", []any{"level", &other, "endpoint", &endpoint, "status", &code404, "took", &took, "request_id", &id, "client", &client,
			"user", &user, "session", &other, "code", &code, "instance", &instance, "attempts", &tries, "err", &other}, &whole},
		{"by value", []any{"endpoint", endpoint, "status", 404, "took", took, "request_id", id, "client", client,
			"user", user, "code", code, "instance", instance, "attempts", 2}, &whole},
		{"the least", []any{"status", 200, "endpoint", "home"}, &status.Request{Endpoint: "home", Status: 200}},
		{"odd values", []any{"endpoint", "home", "status", 200, "took", "long", "client", nil, "user", (*string)(nil), 7, 8, "code"},
			&status.Request{Endpoint: "home", Status: 200}},
		{"no request", []any{"msg", "routes", "status", 200}, nil},
		{"no status", []any{"endpoint", "home"}, nil},
		{"nothing", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var recent status.Recent
			var passed []any
			failure := errors.New("disk full")
			next := log.LoggerFunc(func(keyvals ...any) error { passed = keyvals; return failure })
			if err := recent.Logger(next).Log(tt.line...); err != failure || !reflect.DeepEqual(passed, tt.line) {
				t.Errorf("passed on %v and got %v", passed, err)
			}
			got := recent.Requests()
			if tt.want == nil {
				if len(got) != 0 || recent.Totals() != (status.Totals{}) {
					t.Errorf("remembers %+v", got)
				}
				return
			}
			if len(got) != 1 || time.Since(got[0].At) > time.Minute {
				t.Fatalf("remembers %+v", got)
			}
			if got[0].At = (time.Time{}); got[0] != *tt.want {
				t.Errorf("remembers %+v, want %+v", got[0], *tt.want)
			}
		})
	}
}

// The stack uses its lines again.
func TestRecentCopies(t *testing.T) {
	t.Parallel()
	var recent status.Recent
	logger := recent.Logger(quiet)
	var endpoint string
	var code int
	line := []any{"endpoint", &endpoint, "status", &code}
	for i := range 3 {
		endpoint, code = fmt.Sprint(i), 200+i
		_ = logger.Log(line...)
	}
	for i, q := range recent.Requests() {
		if want := 2 - i; q.Endpoint != fmt.Sprint(want) || q.Status != 200+want {
			t.Errorf("%d: %+v", i, q)
		}
	}
}

func TestRecentForgets(t *testing.T) {
	t.Parallel()
	var recent status.Recent
	logger := recent.Logger(quiet)
	for i := range 100 {
		_ = logger.Log("endpoint", "e", "status", 500, "attempts", i)
	}
	for i := range 1000 {
		_ = logger.Log("endpoint", "e", "status", 200+200*(i%2), "attempts", 100+i)
	}
	if got, want := recent.Totals(), (status.Totals{Requests: 1100, Refused: 500, Failed: 100}); got != want {
		t.Errorf("totals %+v, want %+v", got, want)
	}
	got := recent.Requests()
	if len(got) != 256 {
		t.Fatalf("remembers %d", len(got))
	}
	for i, q := range got {
		want := 1099 - i
		if i >= 192 {
			want = 99 - (i - 192)
		}
		if q.Attempts != want {
			t.Fatalf("%d is number %d, want %d", i, q.Attempts, want)
		}
	}
}

func TestRecentAtOnce(t *testing.T) {
	t.Parallel()
	var recent status.Recent
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			logger := recent.Logger(quiet)
			for i := range 500 {
				_ = logger.Log("endpoint", "e", "status", 200+300*(i%2))
				if i%50 == 0 {
					recent.Requests()
				}
			}
		})
	}
	all.Wait()
	if got, want := recent.Totals(), (status.Totals{Requests: 2000, Failed: 1000}); got != want {
		t.Errorf("totals %+v, want %+v", got, want)
	}
}

// line is a request's as the stack logs it.
func line() []any {
	level, endpoint, id, trace, user, session, instance := "info", "notes.listNotes", "r-1", "t", "u", "s", "10.0.0.1:80"
	code, tries, took, bytes, client := 200, 1, time.Millisecond, int64(512), netip.MustParseAddr("192.0.2.1")
	return []any{"level", &level, "endpoint", &endpoint, "status", &code, "took", &took, "request_id", &id, "trace_id", &trace,
		"bytes", &bytes, "client", &client, "user", &user, "session", &session, "instance", &instance, "attempts", &tries}
}

// testing.AllocsPerRun does not run beside parallel tests.
func TestRecentAllocatesNothing(t *testing.T) {
	var recent status.Recent
	logger, line := recent.Logger(quiet), line()
	if n := testing.AllocsPerRun(1000, func() { _ = logger.Log(line...) }); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}

func BenchmarkRecent(b *testing.B) {
	var recent status.Recent
	line := line()
	for _, bb := range []struct {
		name   string
		logger log.Logger
	}{{"without", quiet}, {"with", recent.Logger(quiet)}} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = bb.logger.Log(line...)
			}
		})
		b.Run(bb.name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_ = bb.logger.Log(line...)
				}
			})
		})
	}
}

func BenchmarkEvent(b *testing.B) {
	s := busy()
	for len(s.Recent) < 256 {
		s.Recent = append(s.Recent, s.Recent[0])
	}
	h := telling(s)
	b.ReportAllocs()
	for b.Loop() {
		get(h, "/status.json")
	}
}
