package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/testenv"
)

// An answer that doesn't begin in time is a fault, and counts against the
// instance if that had a fair chance.
func TestBalanceTimeout(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		timeout  time.Duration
		after    time.Duration
		sent     int
		failures uint64
	}{
		{0, 30 * time.Second, 1, 1},
		{5 * time.Second, 5 * time.Second, 1, 1},
		{100 * time.Millisecond, 100 * time.Millisecond, 1, 0},
		{-time.Second, 0, 0, 0},
	} {
		t.Run(fmt.Sprint(tt.timeout), func(t *testing.T) {
			t.Parallel()
			inCloud(t, at("a:1"), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
				c.becomes("a:1", busy)
				begin := time.Now()
				_, _, err := read(t, b, &discovery.Sending{Timeout: tt.timeout})
				if f := fault.Of(err); f.Kind != fault.Timeout || f.Code != "service_timeout" || time.Since(begin) != tt.after {
					t.Errorf("%v after %v", err, time.Since(begin))
				}
				if got := c.since(); got["a:1"] != tt.sent {
					t.Errorf("sent %v", got)
				}
				if s := known(t, b, "a:1"); s.Failures != tt.failures || s.InFlight != 0 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// All tries together have the time, and an answer that has begun has any.
func TestBalanceTimeoutOfAll(t *testing.T) {
	t.Parallel()
	inCloud(t, at("a:1", "b:1", "c:1"), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
		for _, addr := range []string{"a:1", "b:1", "c:1"} {
			c.becomes(addr, takes(400*time.Millisecond, says(502)))
		}
		begin := time.Now()
		_, _, err := read(t, b, &discovery.Sending{Timeout: time.Second})
		if f := fault.Of(err); f.Code != "service_timeout" || time.Since(begin) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		c.becomes("a:1", nil)
		c.becomes("b:1", nil)
		c.becomes("c:1", nil)
		r := get(t, "http://notes/")
		resp, err := b.RoundTrip(r.WithContext((&discovery.Sending{Timeout: time.Second}).With(r.Context())))
		must(t, err)
		time.Sleep(time.Hour)
		if _, err := io.ReadAll(resp.Body); err != nil {
			t.Errorf("a stream ends with %v", err)
		}
		resp.Body.Close()
	})
}

// A caller who goes away takes its try along, and nobody is to blame.
func TestBalanceCallerGoesAway(t *testing.T) {
	t.Parallel()
	inCloud(t, at("a:1", "b:1"), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
		c.becomes("a:1", busy)
		c.becomes("b:1", busy)
		for range 50 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			how := new(discovery.Sending)
			if _, _, err := call(b, get(t, "http://notes/").WithContext(how.With(ctx))); !errors.Is(err, context.DeadlineExceeded) || how.Attempts != 1 {
				t.Errorf("%v, %d attempts", err, how.Attempts)
			}
			cancel()
		}
		synctest.Wait()
		for _, i := range b.Status()[0].Instances {
			if i.State != discovery.Up || i.Breaker != "closed" || i.Failures != 0 || i.InFlight != 0 {
				t.Errorf("%+v", i)
			}
		}
	})
}

// Though every caller gives up soon, an instance that never answers is found out.
func TestBalanceStalledForImpatientCallers(t *testing.T) {
	t.Parallel()
	inCloud(t, at("a:1", "b:1"), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
		reads(t, b, 10)
		c.becomes("a:1", hangs)
		begin := time.Now()
		for known(t, b, "a:1").State != discovery.Stalled {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			call(b, get(t, "http://notes/").WithContext(ctx))
			cancel()
			time.Sleep(10 * time.Millisecond)
			if time.Since(begin) > 2*time.Second {
				t.Fatal("not out after two seconds")
			}
		}
	})
}

// Who is slow, or streams, or waits for news, is asked and left in peace.
func TestBalanceSlowIsNotStalled(t *testing.T) {
	t.Parallel()
	inCloud(t, at("a:1", "b:1"), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
		slow := func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/livez" {
				return takes(100*time.Millisecond, says(404))(r) // any answer will do
			}
			return takes(20*time.Second, says(200))(r)
		}
		c.becomes("a:1", slow)
		c.becomes("b:1", slow)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if status, _, err := read(t, b, nil); status != 200 {
					t.Error(err)
				}
			})
		}
		for range 15 {
			time.Sleep(time.Second)
			wantState(t, b, "a:1", discovery.Up)
		}
		all.Wait()
		if n := sum(c.since()); n != 10 {
			t.Errorf("10 reads made %d requests", n)
		}
		if n := c.probes["a:1"]; n < 20 || n > 40 {
			t.Errorf("asked %d times in 20 s", n)
		}
		time.Sleep(time.Minute)
		was := c.probes["a:1"]
		time.Sleep(time.Minute)
		if c.probes["a:1"] != was {
			t.Error("asked on, though nobody waits")
		}
	})
}

// An instance that leaves refuses connections while it still answers.
func TestBalanceDrainingIsNotStalled(t *testing.T) {
	t.Parallel()
	inCloud(t, at("a:1", "b:1"), func(t *testing.T, c *cloud, m *discovery.Memory, b *discovery.Balancer) {
		drains := func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/livez" {
				return nil, errRefused
			}
			return takes(10*time.Second, says(200))(r)
		}
		c.becomes("a:1", drains)
		c.becomes("b:1", drains)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if status, _, err := read(t, b, nil); status != 200 {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := sum(c.since()); n != 10 {
			t.Errorf("10 reads made %d requests", n)
		}
	})
}

// An instance whose process is stopped takes connections and answers none.
// Within two seconds it is out; reads that wait for it go elsewhere, writes
// wait on; and when it goes on it is found.
func TestBalanceStalled(t *testing.T) {
	t.Parallel()
	var writes sync.Map
	h := func(w http.ResponseWriter, r *http.Request) {
		if id := r.Header.Get("X-Id"); id != "" {
			if _, twice := writes.LoadOrStore(id, true); twice {
				t.Errorf("%s was carried out twice", id)
			}
		}
	}
	good := start(t, "notes", h)
	stopped, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	goesOn := httptest.NewUnstartedServer(http.HandlerFunc(h))
	goesOn.Listener.Close()
	goesOn.Listener = stopped
	defer goesOn.Close()
	addr := stopped.Addr().String()
	b := discovery.Balance(notes(t, addr, good.Addr))
	defer b.Close()

	begin := time.Now()
	var reading, writing sync.WaitGroup
	var answered atomic.Int32
	for n := range 8 {
		reading.Go(func() {
			if status, _, err := read(t, b, nil); status != 200 {
				t.Error("a read: ", err)
			}
		})
		writing.Go(func() {
			r := post(t, "whole")
			r.Header.Set("X-Id", fmt.Sprint(n))
			if status, _, err := call(b, r); status != 200 {
				t.Error("a write: ", err)
			}
			answered.Add(1)
		})
	}
	reading.Wait()
	t.Log("waiting reads were answered after", time.Since(begin))
	if s := known(t, b, addr); s.State != discovery.Stalled || time.Since(begin) > 5*time.Second { // 1.4 s on an idle machine
		t.Errorf("after %v: %+v", time.Since(begin), s)
	}
	if n := int64(8 - answered.Load()); known(t, b, addr).InFlight > n || n == 0 {
		t.Errorf("%d writes wait: %+v", n, known(t, b, addr))
	}
	was := known(t, b, addr).Requests
	for range 50 {
		if status, _, err := read(t, b, nil); status != 200 {
			t.Error(err)
		}
	}
	if n := known(t, b, addr).Requests; n != was {
		t.Errorf("got %d requests while it was out", n-was)
	}

	goesOn.Start()
	writing.Wait()
	testenv.Eventually(t, "it is back", func() bool {
		read(t, b, nil)
		return known(t, b, addr).Requests > was
	})
}

// One slow answer doesn't keep all others away.
func TestBalanceSlowOnce(t *testing.T) {
	t.Parallel()
	inCloud(t, at("a:1", "b:1"), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
		c.becomes("a:1", takes(25*time.Second, says(200)))
		for c.since()["a:1"] == 0 {
			reads(t, b, 1)
		}
		c.becomes("a:1", nil)
		for range 100 {
			reads(t, b, 1)
			time.Sleep(100 * time.Millisecond)
		}
		if got := c.since(); got["a:1"] < 20 {
			t.Errorf("in ten seconds %v", got)
		}
	})
}

// A large write that may be repeated is not taken from a stalled instance when
// it can't be sent again.
func TestBalanceStalledKeepsWhatCannotMove(t *testing.T) {
	t.Parallel()
	for size, moves := range map[int]bool{100: true, 200 << 10: false} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			inCloud(t, at("a:1", "b:1"), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
				c.becomes("a:1", hangs)
				for range 10 {
					how := &discovery.Sending{Repeats: true, Timeout: 5 * time.Second}
					r := post(t, string(make([]byte, size)))
					_, _, err := call(b, r.WithContext(how.With(r.Context())))
					if how.Instance == "a:1" && moves || err != nil && moves || err != nil && fault.Of(err).Code != "service_timeout" {
						t.Errorf("%v: %+v", err, how)
					}
				}
			})
		})
	}
}
