package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/redis"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/testenv"
)

// load takes, again and again, until the test ends.
type load struct {
	takes, slow, longest atomic.Int64
}

const late = 50*time.Millisecond + 20*time.Millisecond // and what a busy machine adds

func newLoad(t *testing.T, i *instance) *load {
	l := &load{}
	ctx, stop := context.WithCancel(t.Context())
	var takers sync.WaitGroup
	for n := range 8 {
		takers.Go(func() {
			for pace := time.NewTicker(time.Millisecond); ctx.Err() == nil; <-pace.C {
				began := time.Now()
				i.take(of(fmt.Sprint("load", n), 1e5, 1e6))
				took := time.Since(began)
				l.takes.Add(1)
				if took > late {
					l.slow.Add(1)
				}
				for longest := l.longest.Load(); int64(took) > longest && !l.longest.CompareAndSwap(longest, int64(took)); {
					longest = l.longest.Load()
				}
			}
		})
	}
	t.Cleanup(func() { stop(); takers.Wait() })
	return l
}

// However Redis goes away, takes go on, quickly; and when it is back, limits
// are shared again.
func TestOutages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		harm, mend func(*testenv.Server) error
	}{
		{"paused", (*testenv.Server).Pause, (*testenv.Server).Resume},
		{"killed", (*testenv.Server).Kill, (*testenv.Server).Restart},
		{"out of memory", configure("maxmemory", "1"), configure("maxmemory", "0")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := testenv.RedisServer(t)
			i := newInstance(t, s.URL)
			shared := func() bool { // what is taken leaves a key in Redis
				user := "shared" + fmt.Sprint(time.Now().UnixNano())
				i.take(of(user, 10, 1))
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				n, _ := i.client.Exists(ctx, `trellis:limit:caller:"notes.List"user:`+user).Result()
				return n == 1
			}
			testenv.Eventually(t, "it is shared at first", shared)
			load := newLoad(t, i)
			testenv.Eventually(t, "takes are under way", func() bool { return load.takes.Load() > 100 })
			before := len(i.log.levels(t))

			if err := tt.harm(s); err != nil {
				t.Fatal(err)
			}
			local := i.local.asked.Load()
			testenv.Eventually(t, "they are decided locally", func() bool { return i.local.asked.Load() > local+100 })
			passed := 0
			for range 20 {
				if i.passes(of("ann", slow, 5)) {
					passed++
				}
			}
			if passed != 5 {
				t.Errorf("the local limit let %d pass, not 5", passed)
			}
			began := time.Now()
			testenv.Eventually(t, "it was looked for more than once", func() bool { return time.Since(began) > 2500*time.Millisecond })
			lines := i.log.levels(t) // a busy machine may have had some of its own before
			if len(lines)%2 != 1 || len(lines)-before > 5 {
				t.Errorf("logged during the outage: %q", lines)
			}

			if err := tt.mend(s); err != nil {
				t.Fatal(err)
			}
			testenv.Eventually(t, "it is shared again", shared)
			testenv.Eventually(t, "that is told", func() bool {
				lines := i.log.levels(t)
				return len(lines) > 0 && lines[len(lines)-1] == "info"
			})
			for n, level := range i.log.levels(t) {
				if want := []string{"warn", "info"}[n%2]; level != want {
					t.Errorf("line %d is %s, want %s", n+1, level, want)
				}
			}
			t.Logf("%d takes, %d longer than %v, the longest %v", load.takes.Load(), load.slow.Load(), late, time.Duration(load.longest.Load()))
			if load.slow.Load()*20 > load.takes.Load() || load.longest.Load() > int64(time.Second) {
				t.Error("takes waited for Redis")
			}
		})
	}
}

// configure sets what may be set while a server runs.
func configure(name, value string) func(*testenv.Server) error {
	return func(s *testenv.Server) error {
		client, err := redis.Open(s.URL + patient)
		if err != nil {
			return err
		}
		return errors.Join(client.ConfigSet(context.Background(), name, value).Err(), client.Close())
	}
}

func TestNoRedisAtAll(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "redis://127.0.0.1:1")
	for n := range 10 {
		if got := i.passes(of("ann", slow, 4)); got != (n < 4) {
			t.Errorf("take %d passes: %t", n+1, got)
		}
	}
	if got := i.log.levels(t); !slices.Equal(got, []string{"warn"}) {
		t.Errorf("logged %q", got)
	}
}

// A caller who goes away is no outage.
func TestCallerGoesAway(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "redis://127.0.0.1:1")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	i.Take(gone, time.Now(), []endpoint.Take{of("ann", slow, 4)})
	if got := i.log.String(); got != "" {
		t.Errorf("logged %s", got)
	}
}

func TestWrongURLs(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "127.0.0.1:6379", "http://ann:hunter2@127.0.0.1", "redis://ann:hunter2@127.0.0.1:port", "redis://ann:hunter2@127.0.0.1/one",
		"redis://ann:hunter2@[::1", "redis://:hunter2@127.0.0.1?secret=hunter2", "unix://ann:hunter2@",
	} {
		client, err := redis.Open(url)
		if err == nil {
			client.Close()
			t.Errorf("%s: no error", url)
		} else if strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "redis://USER:PASSWORD@HOST:PORT/NUMBER") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// What Redis says of a wrong password is logged, the password is not.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	s := testenv.RedisServer(t)
	if err := configure("requirepass", "another")(s); err != nil {
		t.Fatal(err)
	}
	i := newInstance(t, strings.Replace(s.URL, "//", "//:hunter2@", 1)+patient)
	redis.Patient(i.Limiter)
	if !i.passes(of("ann", slow, 1)) || i.passes(of("ann", slow, 1)) {
		t.Error("the local limit doesn't hold")
	}
	if log := i.log.String(); !strings.Contains(log, "WRONGPASS") || strings.Contains(log, "hunter2") {
		t.Errorf("logged %s", log)
	}
}

// Two gateways with one Redis are one for their callers; without, they are two.
func TestStacksShare(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		redis  bool
		passed int
	}{{"with Redis", true, 6}, {"without", false, 12}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url := testenv.Redis(t)
			e := endpoint.Endpoint{Name: "notes.List", Anonymous: true, Rate: endpoint.Rate{PerSecond: slow, Burst: 6},
				Invoke: func(context.Context, any) (any, error) { return nil, nil }}
			passed := 0
			for range 2 {
				stack := endpoint.NewStack(telemetry.NewLogger(&journal{}), telemetry.NewMetrics(), &telemetry.Tracer{}, nil)
				if tt.redis {
					stack.Limiter = newPatient(t, url)
				}
				wrapped := stack.Wrap(e)
				for range 10 {
					if _, err := wrapped(newCall(t), nil); err == nil {
						passed++
					}
				}
			}
			if passed != tt.passed {
				t.Errorf("%d passed, want %d", passed, tt.passed)
			}
		})
	}
}
