package redis_test

import (
	"context"
	"math"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/testenv"
)

func TestVerdicts(t *testing.T) {
	t.Parallel()
	i := newPatient(t, testenv.Redis(t))
	a, b := of("ann", 0.1, 2), at("192.0.2.1", 1, 100)
	for n, want := range []endpoint.Verdict{
		{Tightest: 1, Left: 1, Full: 10 * time.Second},
		{Tightest: 1, Left: 0, Full: 20 * time.Second},
		{Tightest: 1, Left: 0, Full: 20 * time.Second, Retry: 10 * time.Second},
		{Tightest: 1, Left: 0, Full: 20 * time.Second, Retry: 10 * time.Second}, // remembered
	} {
		got := i.take(b, a)
		if got.Tightest != want.Tightest || got.Left != want.Left || !near(got.Full, want.Full) || !near(got.Retry, want.Retry) {
			t.Errorf("take %d: %+v, want %+v", n+1, got, want)
		}
	}
}

// near allows for the time that has passed since.
func near(got, want time.Duration) bool { return got <= want+time.Second && got > want-9*time.Second }

// Takers of several instances together never get more than the rate allows,
// and get what it allows.
func TestExact(t *testing.T) {
	t.Parallel()
	const perSecond, burst = 500, 50
	url := testenv.Redis(t)
	clock := open(t, url+patient)
	ask := func() time.Time {
		now, err := clock.Time(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	instances := []*instance{newPatient(t, url), newPatient(t, url)}
	var passed atomic.Int64
	var takers sync.WaitGroup
	began := ask()
	stop := make(chan struct{})
	for n := range 16 {
		takers.Go(func() {
			for {
				v := instances[n%2].take(of("ann", perSecond, burst), at("192.0.2.1", 1e5, 1e6))
				wait := time.NewTimer(v.Retry)
				if v.Retry == 0 {
					passed.Add(1)
				}
				select {
				case <-stop:
					wait.Stop()
					return
				case <-wait.C:
				}
			}
		})
	}
	testenv.Eventually(t, "a second has passed", func() bool { return ask().Sub(began) > time.Second })
	close(stop)
	takers.Wait()
	most := burst + int64(ask().Sub(began).Seconds()*perSecond)
	if got := passed.Load(); got > most || got < most/2 {
		t.Errorf("%d passed, want at most %d and not far less", got, most)
	} else {
		t.Logf("%d of %d", got, most)
	}
}

// What one limit refuses doesn't use up another, in whatever order they are.
func TestRefusalTakesNothing(t *testing.T) {
	t.Parallel()
	url := testenv.Redis(t)
	one, two := newPatient(t, url), newPatient(t, url)
	ann, bob, house := of("ann", slow, 1), of("bob", slow, 5), at("192.0.2.1", slow, 3)
	if !one.passes(ann, house) {
		t.Fatal("the first is refused")
	}
	for range 5 {
		if one.passes(ann, house) || two.passes(house, ann) {
			t.Fatal("ann has one request, and gets more")
		}
	}
	if v := two.take(bob, house); v.Retry > 0 || v.Left != 1 || v.Tightest != 1 {
		t.Errorf("bob, in the same house: %+v, want one of three left", v)
	}
}

// Who waits as long as he was told passes.
func TestRetryIsTrue(t *testing.T) {
	t.Parallel()
	url := testenv.Redis(t)
	instances := []*instance{newPatient(t, url), newPatient(t, url)}
	take := of("ann", 30, 1)
	for n := range 20 {
		i := instances[n%2]
		v := i.take(take)
		for v.Retry == 0 {
			v = i.take(take)
		}
		if n%3 == 0 {
			v = i.take(take) // what is remembered must be true too
		}
		<-time.After(v.Retry)
		if v := i.take(take); v.Retry > 0 {
			t.Fatalf("round %d: refused for another %v after the wait", n, v.Retry)
		}
	}
}

func TestIdleBucketsVanish(t *testing.T) {
	t.Parallel()
	i := newPatient(t, testenv.Redis(t))
	keys := func() int64 { return i.client.DBSize(t.Context()).Val() }
	if !i.passes(of("ann", 10, 5), at("192.0.2.1", 5, 5)) {
		t.Fatal("refused")
	}
	if n := keys(); n != 2 {
		t.Errorf("%d keys, want 2", n)
	}
	testenv.Eventually(t, "all buckets are gone", func() bool { return keys() == 0 })
}

func TestForgottenScript(t *testing.T) {
	t.Parallel()
	s := testenv.RedisServer(t)
	i := newPatient(t, s.URL)
	for n := range 3 {
		if err := i.client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if v := i.take(of("ann", slow, 10)); v.Left != 9-n {
			t.Errorf("take %d: %+v", n+1, v)
		}
	}
}

// A flood of refused requests is not Redis' concern.
func TestFloodCostsNoRoundTrips(t *testing.T) {
	t.Parallel()
	s := testenv.RedisServer(t)
	i := newPatient(t, s.URL)
	for i.passes(of("ann", slow, 3), at("192.0.2.1", 1e5, 1e6)) {
	}
	if err := i.client.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if i.passes(of("ann", slow, 3), at("192.0.2.1", 1e5, 1e6)) {
			t.Fatal("passed")
		}
	}
	if stats := i.client.Info(t.Context(), "commandstats").Val(); strings.Contains(stats, "cmdstat_evalsha") {
		t.Errorf("Redis was asked: %s", stats)
	}
	if !i.passes(of("ann", 1e5, 3)) { // a refusal under the old rate doesn't hold under the new one
		i.take(of("ann", 1e5, 3))
		if stats := i.client.Info(t.Context(), "commandstats").Val(); !strings.Contains(stats, "cmdstat_evalsha") {
			t.Error("with a new rate Redis isn't asked")
		}
	}
}

// A bucket that was emptied at a slow rate is soon usable at a quick one.
func TestRateChanges(t *testing.T) {
	t.Parallel()
	i := newPatient(t, testenv.Redis(t))
	for i.passes(of("ann", slow, 100)) {
	}
	v := i.take(of("ann", 100, 10))
	if v.Retry > 10*time.Millisecond {
		t.Errorf("at 100 a second the next may come in %v", v.Retry)
	}
	testenv.Eventually(t, "it passes", func() bool { return i.passes(of("ann", 100, 10)) })
}

func TestRates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rate  endpoint.Rate
		left  int
		retry time.Duration // for the next, if it is refused
	}{
		{endpoint.Rate{PerSecond: 1e9, Burst: 1e9}, 1e9 - 1, 0},
		{endpoint.Rate{PerSecond: math.Inf(1), Burst: 3}, 2, 0},
		{endpoint.Rate{PerSecond: 3, Burst: 2}, 1, 0},
		{endpoint.Rate{PerSecond: 1e-3, Burst: 1}, 0, 1000 * time.Second},
		{endpoint.Rate{PerSecond: 1e-300, Burst: 1}, 0, 30 * 365 * 24 * time.Hour},
		{endpoint.Rate{PerSecond: 1e-5, Burst: math.MaxInt}, 9459, 0}, // in 30 years it is full
	} {
		i := newPatient(t, testenv.Redis(t))
		take := endpoint.Take{Bucket: endpoint.Bucket{Endpoint: "x"}, Rate: tt.rate}
		if v := i.take(take); v.Retry > 0 || v.Left != tt.left {
			t.Errorf("%+v: %+v, want %d left", tt.rate, v, tt.left)
		}
		if v := i.take(take); v.Retry > tt.retry || v.Retry < tt.retry-time.Minute {
			t.Errorf("%+v: the second: %+v, want to retry in %v", tt.rate, v, tt.retry)
		}
	}
}

// Buckets are as many as their names differ, whatever is in these, and no key is long.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	i := newPatient(t, testenv.Redis(t))
	long := strings.Repeat("x", 1<<20)
	names := []string{"a", "A", "a ", ":", `"`, `\`, `""`, `a"user:b`, "b", "user:b", "\x00", "\n", "\r\nFLUSHALL\r\n", "ä", "a\u0308", "\xff", "\xfe",
		`\xff`, "192.0.2.1", "#", "{a}", "*", long, long + "y", strings.Repeat("#", 300)}
	var buckets []endpoint.Bucket
	for _, name := range names {
		buckets = append(buckets, endpoint.Bucket{By: endpoint.ByUser, User: name}, endpoint.Bucket{By: endpoint.ByRoute, Endpoint: name})
		for _, user := range names {
			buckets = append(buckets, endpoint.Bucket{By: endpoint.ByCaller, Endpoint: name, User: user})
		}
		for _, addr := range []string{"192.0.2.1", "2001:db8::", "fe80::"} {
			buckets = append(buckets, endpoint.Bucket{By: endpoint.ByCaller, Endpoint: name, Addr: netip.MustParseAddr(addr)})
		}
	}
	for _, b := range buckets {
		if !i.passes(endpoint.Take{Bucket: b, Rate: endpoint.Rate{PerSecond: slow, Burst: 1}}) {
			t.Errorf("another has the bucket of %.80q", b)
		}
	}
	keys, err := i.client.Keys(context.Background(), "*").Result()
	if err != nil || len(keys) != len(buckets) {
		t.Errorf("%d keys, %v; want %d", len(keys), err, len(buckets))
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, "trellis:limit:") || len(key) > 200 {
			t.Errorf("key of %d bytes: %.80q", len(key), key)
		}
	}
}
