package discovery_test

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trellis-go/trellis/kit/discovery"
)

// hedged sends a read that may be hedged.
func hedged(t testing.TB, b *discovery.Balancer, h *discovery.Hedge) (*discovery.Sending, int, string, error) {
	t.Helper()
	how := &discovery.Sending{Hedge: h}
	status, body, err := read(t, b, how)
	return how, status, body, err
}

// upTo is an instance that takes a time evenly distributed up to d.
func upTo(d time.Duration) answer {
	return func(r *http.Request) (*http.Response, error) { return takes(rand.N(d), says(200))(r) }
}

// The second request is sent when 95 of 100 would have been answered, and the
// first answer counts.
func TestHedge(t *testing.T) {
	t.Parallel()
	inCloud(t, at("a:1", "b:1"), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
		h := new(discovery.Hedge)
		c.becomes("a:1", upTo(100*time.Millisecond))
		c.becomes("b:1", upTo(100*time.Millisecond))
		for range 60 {
			hedged(t, b, h)
		}
		if n := sum(c.since()); n != 60 {
			t.Errorf("while it learns 60 reads made %d requests", n)
		}
		for range 3000 {
			hedged(t, b, h)
		}
		if n := sum(c.since()); n < 3060 || n > 3300 {
			t.Errorf("3000 reads made %d requests", n)
		}

		c.becomes("a:1", busy)
		c.becomes("b:1", nil)
		for range 10 {
			begin := time.Now()
			how, status, body, err := hedged(t, b, h)
			d := time.Since(begin)
			if status != 200 || err != nil || body != "b:1" || how.Instance != "b:1" {
				t.Fatalf("%d from %q, %v: %+v", status, body, err, how)
			}
			if how.Attempts == 2 && (d < 75*time.Millisecond || d > 125*time.Millisecond) {
				t.Errorf("answered after %v", d)
			}
		}
		synctest.Wait()
		if s := known(t, b, "a:1"); s.InFlight != 0 || s.Failures != 0 {
			t.Errorf("the beaten one: %+v", s)
		}
	})
}

func TestHedgeOutcomes(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for name, tt := range map[string]struct {
		first, second answer
		by            string // who answers
		status        int
		attempts      int
		took          time.Duration
	}{
		"in time":                       {takes(9*ms, says(200)), says(200), "first", 200, 1, 9 * ms},
		"the second is faster":          {takes(500*ms, says(200)), takes(5*ms, says(200)), "second", 200, 2, 15 * ms},
		"the first is faster after all": {takes(12*ms, says(200)), takes(500*ms, says(200)), "first", 200, 2, 12 * ms},
		"the second fails":              {takes(50*ms, says(200)), says(500), "first", 200, 2, 50 * ms},
		"the second breaks":             {takes(50*ms, says(200)), breaks(errReset), "first", 200, 2, 50 * ms},
		"the second is not there":       {takes(50*ms, says(200)), breaks(errRefused), "first", 200, 2, 50 * ms},
		"the first fails, late":         {takes(50*ms, says(500)), takes(100*ms, says(200)), "second", 200, 2, 110 * ms},
		"the first breaks, late":        {takes(50*ms, breaks(errReset)), takes(100*ms, says(200)), "second", 200, 2, 110 * ms},
		"both fail":                     {takes(50*ms, says(500)), takes(100*ms, says(500)), "first", 500, 2, 110 * ms},
		"both at the same time":         {takes(20*ms, says(200)), takes(10*ms, says(200)), "", 200, 2, 20 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inCloud(t, at("a:1", "b:1"), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
				h := new(discovery.Hedge)
				c.becomes("a:1", takes(10*ms, says(200)))
				c.becomes("b:1", takes(10*ms, says(200)))
				for range 300 { // all alike: late is what takes longer
					hedged(t, b, h)
				}
				for range 20 {
					var mu sync.Mutex
					var order []string
					each := func(r *http.Request) (*http.Response, error) {
						mu.Lock()
						order = append(order, r.URL.Host)
						n := len(order)
						mu.Unlock()
						if n == 1 {
							return tt.first(r)
						}
						return tt.second(r)
					}
					c.becomes("a:1", each)
					c.becomes("b:1", each)
					begin := time.Now()
					how, status, body, err := hedged(t, b, h)
					d := time.Since(begin)
					if status != tt.status || err != nil || how.Attempts != tt.attempts || d < tt.took-2*ms || d > tt.took+2*ms {
						t.Fatalf("%d, %v after %v, %d attempts", status, err, d, how.Attempts)
					}
					if by := map[string]int{"first": 0, "second": 1}; tt.by != "" && (body != order[by[tt.by]] || how.Instance != body) {
						t.Fatalf("answered by %q, %+v, sent to %v", body, how, order)
					}
					if tt.attempts == 2 && order[0] == order[1] {
						t.Fatalf("sent to %v", order)
					}
					c.becomes("a:1", takes(10*ms, says(200)))
					c.becomes("b:1", takes(10*ms, says(200)))
					time.Sleep(time.Minute) // whoever was put out is back, and warm
					for range 50 {
						hedged(t, b, h)
					}
				}
				synctest.Wait()
				for _, i := range b.Status()[0].Instances {
					if i.InFlight != 0 {
						t.Errorf("%+v", i)
					}
				}
			})
		})
	}
}

// What is not hedged, though it takes long.
func TestHedgeNever(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		method    string
		how       func(h *discovery.Hedge) discovery.Sending
		instances []discovery.Instance
	}{
		"not asked for": {http.MethodGet, func(*discovery.Hedge) discovery.Sending { return discovery.Sending{} }, at("a:1", "b:1")},
		"a write":       {http.MethodPost, func(h *discovery.Hedge) discovery.Sending { return discovery.Sending{Hedge: h} }, at("a:1", "b:1")},
		"a write that repeats": {http.MethodPut, func(h *discovery.Hedge) discovery.Sending { return discovery.Sending{Hedge: h, Repeats: true} },
			at("a:1", "b:1")},
		"a copy":   {http.MethodGet, func(h *discovery.Hedge) discovery.Sending { return discovery.Sending{Hedge: h, Copy: true} }, at("a:1", "b:1")},
		"only one": {http.MethodGet, func(h *discovery.Hedge) discovery.Sending { return discovery.Sending{Hedge: h} }, at("a:1")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inCloud(t, tt.instances, func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
				h := new(discovery.Hedge)
				for range 100 {
					hedged(t, b, h)
				}
				for _, addr := range []string{"a:1", "b:1"} {
					c.becomes(addr, takes(400*time.Millisecond, says(200)))
				}
				c.since()
				r, how := get(t, "http://notes/"), tt.how(h)
				r.Method = tt.method
				if status, _, err := call(b, r.WithContext(how.With(r.Context()))); status != 200 {
					t.Error(err)
				}
				if n := sum(c.since()); n != 1 {
					t.Errorf("made %d requests", n)
				}
			})
		})
	}
}

// When all is suddenly slow, second requests are a tenth, and what was saved.
func TestHedgeBudget(t *testing.T) {
	t.Parallel()
	inCloud(t, at("a:1", "b:1", "c:1"), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
		h := new(discovery.Hedge)
		for range 100 {
			hedged(t, b, h)
		}
		for _, addr := range []string{"a:1", "b:1", "c:1"} {
			c.becomes(addr, takes(300*time.Millisecond, says(200)))
		}
		c.since()
		var all sync.WaitGroup
		for range 500 {
			all.Go(func() { hedged(t, b, h) })
		}
		all.Wait()
		if n := sum(c.since()); n <= 500 || n > 500+50+20 {
			t.Errorf("500 reads made %d requests", n)
		}
	})
}
