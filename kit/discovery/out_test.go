package discovery_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trellis-go/trellis/kit/discovery"
)

// posts are carried out once each, so that what is counted is what was chosen.
func posts(t testing.TB, b *discovery.Balancer, n int) {
	t.Helper()
	for range n {
		call(b, post(t, ""))
	}
}

func postsUntil(t testing.TB, b *discovery.Balancer, cond func() bool) {
	t.Helper()
	for n := 0; !cond(); n++ {
		if posts(t, b, 1); n > 10_000 {
			t.Fatalf("does not happen: %+v", b.Status())
		}
	}
}

func TestBalanceEjects(t *testing.T) {
	t.Parallel()
	inCloud(t, at("a:1", "b:1", "bad:1"), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
		c.becomes("bad:1", says(500))
		posts(t, b, 300)
		if got := c.since(); got["bad:1"] < 5 || got["bad:1"] > 15 {
			t.Errorf("before it was ejected: %v", got)
		}
		for _, want := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute} {
			s := known(t, b, "bad:1")
			if d := time.Until(s.Until); s.State != discovery.Ejected || d != want {
				t.Fatalf("%q for %v, want ejected for %v", s.State, d, want)
			}
			posts(t, b, 100)
			if got := c.since(); got["bad:1"] != 0 {
				t.Errorf("while it was ejected: %v", got)
			}
			time.Sleep(want)
			postsUntil(t, b, func() bool { return known(t, b, "bad:1").State == discovery.Ejected }) // it has a small share
			c.since()
		}
		time.Sleep(time.Minute)
		c.becomes("bad:1", nil)
		posts(t, b, 10)
		wantState(t, b, "bad:1", discovery.Warming)
		time.Sleep(10 * time.Second)
		posts(t, b, 300)
		wantState(t, b, "bad:1", discovery.Up)
		if got := c.since(); got["bad:1"] < 60 {
			t.Errorf("mended: %v", got)
		}
		time.Sleep(2 * time.Minute)
		c.becomes("bad:1", says(503))
		posts(t, b, 300)
		if d := time.Until(known(t, b, "bad:1").Until); d != 5*time.Second {
			t.Errorf("after a long good time ejected for %v", d)
		}
	})
}

// Who has been bad for an hour is ejected still.
func TestBalanceEjectsForEver(t *testing.T) {
	t.Parallel()
	inCloud(t, at("a:1", "bad:1"), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
		c.becomes("bad:1", says(500))
		posts(t, b, 50)
		for range 100 {
			if d := time.Until(known(t, b, "bad:1").Until); d <= 0 || d > time.Minute {
				t.Fatalf("ejected for %v", d)
			}
			time.Sleep(time.Until(known(t, b, "bad:1").Until))
			postsUntil(t, b, func() bool { return known(t, b, "bad:1").State == discovery.Ejected })
		}
	})
}

// Nobody is ejected for what others do as well, nor more than half.
func TestBalanceEjectsFew(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		bad, good []string
		out       int
	}{
		"the only one":    {[]string{"a:1"}, nil, 0},
		"all fail":        {[]string{"a:1", "b:1", "c:1"}, nil, 0},
		"one of two":      {[]string{"a:1"}, []string{"b:1"}, 1},
		"three of four":   {[]string{"a:1", "b:1", "c:1"}, []string{"d:1"}, 0},
		"two of five":     {[]string{"a:1", "b:1"}, []string{"c:1", "d:1", "e:1"}, 2},
		"half of them":    {[]string{"a:1", "b:1", "c:1"}, []string{"d:1", "e:1", "f:1"}, 3},
		"as 404 they are": {nil, []string{"a:1", "b:1"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inCloud(t, at(append(tt.bad, tt.good...)...), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
				for _, addr := range tt.bad {
					c.becomes(addr, says(500))
				}
				for _, addr := range tt.good {
					c.becomes(addr, says(404))
				}
				posts(t, b, 1000)
				out := 0
				for _, addr := range tt.bad {
					if known(t, b, addr).State == discovery.Ejected {
						out++
					}
				}
				if len(tt.bad)+len(tt.good) == 4 {
					if out > 2 {
						t.Errorf("%d are out of 4", out)
					}
				} else if out != tt.out {
					t.Errorf("%d are out, want %d", out, tt.out)
				}
				for _, addr := range tt.good {
					wantState(t, b, addr, discovery.Up)
				}
			})
		})
	}
}

// A breaker is one instance's own. It opens after five requests without an
// answer, lets one try after a second, and closes when that is answered.
func TestBalanceBreaker(t *testing.T) {
	t.Parallel()
	inCloud(t, at("bad:1"), func(t *testing.T, c *cloud, m *discovery.Memory, b *discovery.Balancer) {
		c.becomes("bad:1", breaks(errReset))
		posts(t, b, 4)
		c.becomes("bad:1", says(500)) // is an answer
		posts(t, b, 1)
		c.becomes("bad:1", breaks(errReset))
		posts(t, b, 4)
		wantState(t, b, "bad:1", discovery.Up)
		posts(t, b, 10)
		if got := c.since(); got["bad:1"] != 10 {
			t.Errorf("of 19 it saw %v", got)
		}
		wantState(t, b, "bad:1", discovery.Broken)
		_, _, err := call(b, post(t, ""))
		unavailable(t, err)

		time.Sleep(1001 * time.Millisecond)
		posts(t, b, 10)
		if got := c.since(); got["bad:1"] != 1 {
			t.Errorf("half open it saw %v", got)
		}
		wantState(t, b, "bad:1", discovery.Broken)

		time.Sleep(1001 * time.Millisecond)
		c.becomes("bad:1", takes(time.Second, says(200)))
		go posts(t, b, 1)
		synctest.Wait()
		posts(t, b, 10)
		if s := known(t, b, "bad:1"); s.Breaker != "half-open" || c.since()["bad:1"] != 1 {
			t.Errorf("not one try alone: %+v", s)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		c.becomes("bad:1", nil)
		posts(t, b, 10)
		if s := known(t, b, "bad:1"); s.Breaker != "closed" || c.since()["bad:1"] != 10 {
			t.Errorf("does not close: %+v", s)
		}

		join(t, m, discovery.Instance{Service: "notes", Addr: "good:1"})
		synctest.Wait()
		time.Sleep(20 * time.Second)
		c.becomes("bad:1", breaks(errReset))
		for known(t, b, "bad:1").State == discovery.Up { // until it is ejected, or its breaker opens
			posts(t, b, 1)
		}
		if s := known(t, b, "good:1"); s.Breaker != "closed" {
			t.Errorf("another's breaker is %s", s.Breaker)
		}
		c.since()
		posts(t, b, 10)
		if got := c.since(); got["good:1"] != 10 {
			t.Errorf("got %v", got)
		}
	})
}

// A caller who goes away neither closes a half-open breaker nor leaves it
// half open for ever; and an endless answer closes it when it begins.
func TestBalanceHalfOpen(t *testing.T) {
	t.Parallel()
	inCloud(t, at("a:1"), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
		c.becomes("a:1", breaks(errReset))
		posts(t, b, 5)
		time.Sleep(1001 * time.Millisecond)
		c.becomes("a:1", hangs)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		call(b, post(t, "").WithContext(ctx))
		if s := known(t, b, "a:1"); s.Breaker != "open" {
			t.Errorf("after its caller has gone the breaker is %s", s.Breaker)
		}
		time.Sleep(1001 * time.Millisecond)
		c.becomes("a:1", nil)
		stream, err := b.RoundTrip(get(t, "http://notes/"))
		must(t, err)
		defer stream.Body.Close()
		if s := known(t, b, "a:1"); s.Breaker != "closed" || s.InFlight != 1 {
			t.Errorf("while a stream runs: %+v", s)
		}
		if status, _, err := read(t, b, nil); status != 200 {
			t.Errorf("beside a stream: %v", err)
		}
	})
}

// When every instance is out, one whose breaker is open is not the best there is.
func TestBalanceAllOut(t *testing.T) {
	t.Parallel()
	inCloud(t, at("a:1", "b:1"), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
		c.becomes("a:1", breaks(errReset))
		c.becomes("b:1", says(500)) // as bad, but alive
		posts(t, b, 1)
		postsUntil(t, b, func() bool { return known(t, b, "a:1").Breaker == "open" })
		time.Sleep(100 * time.Millisecond)
		c.becomes("b:1", breaks(errRefused))
		posts(t, b, 1)
		c.becomes("b:1", nil)
		if _, body, err := call(b, post(t, "")); err != nil || body != "b:1" {
			t.Errorf("got %q, %v", body, err)
		}
	})
}

func TestStatus(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	logger := logTo(&log)
	inCloud(t, []discovery.Instance{{Addr: "a:1", Version: "1", Zone: "z", Weight: 3, Tags: []string{"x"}}}, func(t *testing.T, c *cloud, m *discovery.Memory, b *discovery.Balancer) {
		if all := b.Status(); len(all) != 0 {
			t.Errorf("before any call: %+v", all)
		}
		c.becomes("a:1", takes(20*time.Millisecond, says(200)))
		resp, err := b.RoundTrip(get(t, "http://notes/"))
		must(t, err)
		all := b.Status()
		if len(all) != 1 || all[0].Service != "notes" || !all[0].Known || all[0].Retries != 10.1 || len(all[0].Instances) != 1 {
			t.Fatalf("%+v", all)
		}
		i := all[0].Instances[0]
		if i.Addr != "a:1" || i.Version != "1" || i.Zone != "z" || i.Weight != 3 || i.Tags[0] != "x" ||
			i.State != discovery.Up || i.Breaker != "closed" || i.InFlight != 1 || i.Requests != 1 || i.Failures != 0 ||
			i.Latency.Round(time.Microsecond) != 20*time.Millisecond || i.Share != 1 || !i.Until.IsZero() {
			t.Errorf("%+v", i)
		}
		resp.Body.Close()

		c.becomes("a:1", breaks(errRefused))
		reads(t, b, 1)
		i = known(t, b, "a:1")
		if i.State != discovery.Unreachable || time.Until(i.Until) != time.Second || i.InFlight != 0 || i.Failures != 0 {
			t.Errorf("%+v", i)
		}
		time.Sleep(time.Second)
		c.becomes("a:1", says(500))
		reads(t, b, 1)
		if i = known(t, b, "a:1"); i.State != discovery.Up || i.Failures != 1 || i.Requests != 3 {
			t.Errorf("%+v", i)
		}
		for _, want := range []string{`service=notes instance=a:1 msg="instance is out" why=unreachable`, `msg="instance is back" was=unreachable`} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not say %s:\n%s", want, log.String())
			}
		}
		b.RoundTrip(&http.Request{Method: http.MethodGet, URL: get(t, "http://auth/").URL, Header: http.Header{}})
		if all := b.Status(); len(all) != 2 || all[0].Service != "auth" || len(all[0].Instances) != 0 {
			t.Errorf("%+v", all)
		}
	}, discovery.Log(logger))
}
