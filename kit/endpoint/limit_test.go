package endpoint_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/transport"
)

// What the headers say, and when a bucket fills again. Each step waits and
// then calls once.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	type step struct {
		wait   time.Duration
		status int
		limit  string
		after  string
	}
	for _, tt := range []struct {
		name   string
		rate   endpoint.Rate
		policy string
		steps  []step
	}{
		{"one a second, two at once", endpoint.Endpoint{}.Limit(1).Rate, `"caller";q=2;w=2`, []step{
			{0, 200, `"caller";r=1;t=1`, ""},
			{0, 200, `"caller";r=0;t=2`, ""},
			{0, 429, `"caller";r=0;t=2`, "1"},
			{500 * time.Millisecond, 429, `"caller";r=0;t=2`, "1"},
			{500 * time.Millisecond, 200, `"caller";r=0;t=2`, ""},
			{0, 429, `"caller";r=0;t=2`, "1"},
			{time.Hour, 200, `"caller";r=1;t=1`, ""},
		}},
		{"one in ten seconds", endpoint.Endpoint{}.Limit(0.1).Rate, `"caller";q=1;w=10`, []step{
			{0, 200, `"caller";r=0;t=10`, ""},
			{0, 429, `"caller";r=0;t=10`, "10"},
			{3 * time.Second, 429, `"caller";r=0;t=7`, "7"},
			{6900 * time.Millisecond, 429, `"caller";r=0;t=1`, "1"},
			{100 * time.Millisecond, 200, `"caller";r=0;t=10`, ""},
		}},
		{"no bound", endpoint.Rate{}, "", []step{{}, {}, {}, {}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				e := endpoint.New(getNote, "").Public()
				e.Rate = tt.rate
				h := w.handler(t, transport.Get("/v1/notes/{id}", e))
				for i, s := range tt.steps {
					time.Sleep(s.wait)
					rec := serve(h, request("GET", "/v1/notes/1", ""))
					if s.status == 0 {
						s.status = 200
					}
					for name, want := range map[string]string{"Ratelimit": s.limit, "Ratelimit-Policy": tt.policy, "Retry-After": s.after} {
						if got := rec.Header().Get(name); got != want {
							t.Errorf("call %d: %s: %s, want %q", i+1, name, got, want)
						}
					}
					if rec.Code != s.status {
						t.Errorf("call %d: status %d, want %d", i+1, rec.Code, s.status)
					}
					if s.status == 429 && problem(t, rec).Code != "rate_limited" {
						t.Errorf("call %d: %s", i+1, rec.Body)
					}
				}
			})
		})
	}
}

// Where nobody needs an account, accounts give nobody more.
func TestRateOfPublicEndpoints(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.Wrap(method("Signup", nothing).Public().Limit(2))
		for i := range 5 {
			token := w.token(t, fmt.Sprint("u", i))
			if _, err := w.Verifier.Verify(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			if err := invoke(e, from("192.0.2.1", token)); (err != nil) != (i == 4) {
				t.Errorf("call %d, by an account of its own: %v", i+1, err)
			}
		}
	})
}

// Who shares a bucket with whom. Time stands still, so that nothing fills.
func TestRateIsPerCaller(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		addr, user  string // who empties the bucket, and
		addr2       string // who then comes
		user2       string
		sameAccount bool
	}{
		{"same address", "192.0.2.1", "", "192.0.2.1", "", true},
		{"another address", "192.0.2.1", "", "192.0.2.2", "", false},
		{"same address as IPv6", "192.0.2.1", "", "::ffff:192.0.2.1", "", true},
		{"same /64", "2001:db8:0:1::1", "", "2001:db8:0:1:ffff::", "", true},
		{"same /64 with a zone", "fe80::1", "", "fe80::2%eth0", "", true},
		{"another /64", "2001:db8:0:1::1", "", "2001:db8:0:2::1", "", false},
		{"same user elsewhere", "192.0.2.1", "u1", "2001:db8::1", "u1", true},
		{"another user at the same address", "192.0.2.1", "u1", "192.0.2.1", "u2", false},
		{"nobody at a user's address", "192.0.2.1", "u1", "192.0.2.1", "", false},
		{"a user at an address that others emptied", "192.0.2.1", "", "192.0.2.1", "u1", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				tokens := map[string]string{"": ""}
				for _, user := range []string{tt.user, tt.user2} {
					if user != "" && tokens[user] == "" {
						tokens[user] = w.token(t, user)
						if _, err := w.Verifier.Verify(t.Context(), tokens[user]); err != nil {
							t.Fatal(err)
						}
					}
				}
				limited := func(err error) bool { return err != nil && fault.Of(err).Kind == fault.TooMany }
				e := w.Wrap(method("Get", nothing).Limit(2))
				for range 4 {
					if err := invoke(e, from(tt.addr, tokens[tt.user])); limited(err) {
						t.Fatal(err)
					}
				}
				if err := invoke(e, from(tt.addr, tokens[tt.user])); !limited(err) {
					t.Fatalf("the fifth of four at once: %v", err)
				}
				if err := invoke(e, from(tt.addr2, tokens[tt.user2])); limited(err) != tt.sameAccount {
					t.Errorf("the second caller gets %v", err)
				}
				if err := invoke(w.Wrap(method("Other", nothing).Limit(2)), from(tt.addr, tokens[tt.user])); limited(err) {
					t.Errorf("another endpoint: %v", err)
				}
			})
		})
	}
}

// A flood of tokens that are no good is the flood of one address, and costs no
// signature check once it is over the limit.
func TestFloodOfBadTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.Wrap(method("Get", nothing).Limit(5))
		kinds := map[fault.Kind]int{}
		for i := range 100 {
			err := invoke(e, from("192.0.2.1", tokenOf("foreign"+strconv.Itoa(i))))
			kinds[fault.Of(err).Kind]++
		}
		if kinds[fault.Unauthenticated] != 10 || kinds[fault.TooMany] != 90 || w.asked.Load() != 10 {
			t.Errorf("answers %v, %d keys looked up", kinds, w.asked.Load())
		}
	})
}

func TestBlock(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::", "fe80::1%eth0": "fe80::",
	} {
		if got := endpoint.Block(netip.MustParseAddr(addr)); got.String() != want {
			t.Errorf("Block(%s) = %s, want %s", addr, got, want)
		}
	}
	if got := endpoint.Block(netip.Addr{}); got.IsValid() {
		t.Errorf("Block of no address = %s", got)
	}
}

// Not parallel: it looks at the memory of the process.
func TestBucketsAreBounded(t *testing.T) {
	w := newWorld(t)
	w.Logger = telemetry.NewLogger(io.Discard)
	m := method("Get", nothing).Public()
	m.Rate = endpoint.Rate{PerSecond: 1e-6, Burst: 1} // so slow that nothing fills meanwhile
	e := w.Wrap(m)
	header := http.Header{}
	call := func(n int) bool {
		addr := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
		return invoke(e, &endpoint.Call{Context: t.Context(), Client: addr, Answer: header}) == nil
	}
	const buckets = 1 << 16
	before := heap()
	for n := range buckets {
		if !call(n) {
			t.Fatalf("address %d is refused at its first call", n)
		}
	}
	full := heap()
	for n := buckets; n < 3*buckets; n++ {
		if !call(n) {
			t.Fatalf("address %d is refused at its first call", n)
		}
	}
	if after := heap(); after > full+4<<20 || after > before+64<<20 {
		t.Errorf("heap: %d MB before, %d with %d buckets, %d after three times as many", before>>20, full>>20, buckets, after>>20)
	}
	if call(2*buckets) || call(3*buckets-1) {
		t.Error("an address that was here lately is forgotten")
	}
	if !call(0) {
		t.Error("an address that was idle longest is remembered")
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestRefusalIsTheSameError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.Wrap(method("Get", nothing).Public().Limit(0.5))
	_ = invoke(e, from("192.0.2.1", ""))
	if err := invoke(e, from("192.0.2.1", "")); !errors.Is(err, fault.New(fault.TooMany, "rate_limited", "")) {
		t.Errorf("error is %v", err)
	}
}
