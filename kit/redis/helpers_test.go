package redis_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/redis"
	"github.com/trellis-go/trellis/kit/telemetry"
)

// slow is as good as never.
const slow = 1e-6

// patient are parameters of a URL with which a client waits however busy the machine is.
const patient = "?read_timeout=60s&write_timeout=60s&dial_timeout=60s"

func open(t testing.TB, url string) *goredis.Client {
	t.Helper()
	client, err := redis.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// spy counts what the local limiter is asked.
type spy struct {
	endpoint.Limiter
	asked atomic.Int64
}

func (s *spy) Take(ctx context.Context, now time.Time, takes []endpoint.Take) endpoint.Verdict {
	s.asked.Add(1)
	return s.Limiter.Take(ctx, now, takes)
}

// instance is a limiter as one of several processes has it.
type instance struct {
	*redis.Limiter
	client *goredis.Client
	local  spy
	log    journal
}

func newInstance(t testing.TB, url string) *instance {
	i := &instance{client: open(t, url), local: spy{Limiter: endpoint.NewLocal()}}
	i.Limiter = redis.NewLimiter(i.client, &i.local, telemetry.NewLogger(&i.log))
	return i
}

// newPatient is an instance that is never too late for anything.
func newPatient(t testing.TB, url string) *instance {
	i := newInstance(t, url+patient)
	redis.Patient(i.Limiter)
	t.Cleanup(func() {
		if n := i.local.asked.Load(); n > 0 {
			t.Errorf("%d takes were decided locally: %s", n, i.log.String())
		}
	})
	return i
}

func (i *instance) take(takes ...endpoint.Take) endpoint.Verdict {
	return i.Take(context.Background(), time.Now(), takes)
}

func (i *instance) passes(takes ...endpoint.Take) bool { return i.take(takes...).Retry == 0 }

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// levels are those of the lines: "warn" begins an outage, "info" ends it.
func (j *journal) levels(t testing.TB) (levels []string) {
	t.Helper()
	for text := range strings.Lines(j.String()) {
		var line struct{ Level string }
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		levels = append(levels, line.Level)
	}
	return levels
}

// of is a caller's claim at one endpoint.
func of(user string, perSecond float64, burst int) endpoint.Take {
	return endpoint.Take{
		Bucket: endpoint.Bucket{By: endpoint.ByCaller, Endpoint: "notes.List", User: user},
		Rate:   endpoint.Rate{PerSecond: perSecond, Burst: burst},
	}
}

// at is an address's claim over all endpoints.
func at(addr string, perSecond float64, burst int) endpoint.Take {
	return endpoint.Take{
		Bucket: endpoint.Bucket{By: endpoint.ByAddress, Addr: netip.MustParseAddr(addr)},
		Rate:   endpoint.Rate{PerSecond: perSecond, Burst: burst},
	}
}

// newCall is a request as a transport begins it.
func newCall(t testing.TB) *endpoint.Call {
	return &endpoint.Call{Context: t.Context(), Client: netip.MustParseAddr("192.0.2.1"), Answer: http.Header{}}
}
