package discovery_test

import (
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trellis-go/trellis/kit/discovery"
)

// Who gets how much, of one request after another to instances alike.
func TestBalanceShares(t *testing.T) {
	t.Parallel()
	all := func(instances ...discovery.Instance) []discovery.Instance { return instances }
	for name, tt := range map[string]struct {
		instances []discovery.Instance
		zone      string
		want      map[string]float64
	}{
		"alike": {at("a:1", "b:1"), "", map[string]float64{"a:1": .5, "b:1": .5}},
		"by weight": {all(discovery.Instance{Addr: "a:1", Weight: 1}, discovery.Instance{Addr: "b:1", Weight: 3}, discovery.Instance{Addr: "c:1", Weight: 6}),
			"", map[string]float64{"a:1": .1, "b:1": .3, "c:1": .6}},
		"near ones": {all(discovery.Instance{Addr: "a:1", Zone: "x"}, discovery.Instance{Addr: "b:1", Zone: "y"}, discovery.Instance{Addr: "c:1", Zone: "x"}),
			"x", map[string]float64{"a:1": .49, "b:1": .02, "c:1": .49}},
		"none near": {all(discovery.Instance{Addr: "a:1", Zone: "x"}, discovery.Instance{Addr: "b:1", Zone: "y"}),
			"z", map[string]float64{"a:1": .5, "b:1": .5}},
		"nowhere in particular": {all(discovery.Instance{Addr: "a:1"}, discovery.Instance{Addr: "b:1", Zone: "y"}),
			"", map[string]float64{"a:1": .5, "b:1": .5}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inCloud(t, tt.instances, func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
				const n = 5000
				reads(t, b, n)
				for addr, got := range c.since() {
					if share := float64(got) / n; share < tt.want[addr]-.03 || share > tt.want[addr]+.03 {
						t.Errorf("%s got %.3f, want %.3f", addr, share, tt.want[addr])
					}
				}
			}, discovery.Near(tt.zone))
		})
	}
}

// What the near one can't take spills over.
func TestBalanceSpillsOver(t *testing.T) {
	t.Parallel()
	zones := []discovery.Instance{{Addr: "near:1", Zone: "x"}, {Addr: "far:1", Zone: "y"}}
	inCloud(t, zones, func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
		for range 210 {
			resp, err := b.RoundTrip(get(t, "http://notes/"))
			must(t, err)
			defer resp.Body.Close()
		}
		if got := c.since(); got["far:1"] < 5 || got["far:1"] > 40 {
			t.Errorf("210 at once: %v", got)
		}
		c.becomes("near:1", breaks(errRefused))
		reads(t, b, 100)
		if got := c.since(); got["far:1"] != 100 || got["near:1"] > 1 {
			t.Errorf("without the near one: %v", got)
		}
		time.Sleep(2 * time.Second)
		c.becomes("near:1", nil)
		reads(t, b, 100)
		if got := c.since(); got["near:1"] == 0 {
			t.Errorf("the near one is back: %v", got)
		}
	}, discovery.Near("x"))
}

func TestBalanceVersions(t *testing.T) {
	t.Parallel()
	fleet := []discovery.Instance{{Addr: "a:1", Version: "1"}, {Addr: "b:1", Version: "1"}, {Addr: "c:1", Version: "2"}, {Addr: "d:1", Version: "3"}}
	for name, tt := range map[string]struct {
		how    discovery.Sending
		broken []string
		want   []string // who gets any; nobody: the call fails
	}{
		"any":                             {discovery.Sending{}, nil, []string{"a:1", "b:1", "c:1", "d:1"}},
		"one":                             {discovery.Sending{Version: "1"}, nil, []string{"a:1", "b:1"}},
		"one that is not there":           {discovery.Sending{Version: "9"}, nil, []string{"a:1", "b:1", "c:1", "d:1"}},
		"not one":                         {discovery.Sending{Except: []string{"1"}}, nil, []string{"c:1", "d:1"}},
		"not two":                         {discovery.Sending{Except: []string{"2", "3"}}, nil, []string{"a:1", "b:1"}},
		"none is better than not allowed": {discovery.Sending{Except: []string{"1", "2", "3"}}, nil, []string{"a:1", "b:1", "c:1", "d:1"}},
		"one that is dead":                {discovery.Sending{Version: "2"}, []string{"c:1"}, []string{"a:1", "b:1", "d:1"}},
		"one that is dead, not another":   {discovery.Sending{Version: "2", Except: []string{"3"}}, []string{"c:1"}, []string{"a:1", "b:1"}},
		"not one, and others dead":        {discovery.Sending{Except: []string{"1", "2"}}, []string{"d:1"}, nil},
		"a copy":                          {discovery.Sending{Version: "2", Copy: true}, nil, []string{"c:1"}},
		"a copy for nobody":               {discovery.Sending{Version: "9", Copy: true}, nil, nil},
		"a copy for a dead one":           {discovery.Sending{Version: "2", Copy: true}, []string{"c:1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inCloud(t, fleet, func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
				for _, addr := range tt.broken {
					c.becomes(addr, breaks(errRefused))
				}
				got := map[string]bool{}
				for range 200 {
					how := tt.how
					_, body, err := read(t, b, &how)
					if (err != nil) != (tt.want == nil) {
						t.Fatalf("error %v", err)
					}
					if err == nil {
						got[body] = true
					}
				}
				if came := slices.Sorted(maps.Keys(got)); !slices.Equal(came, tt.want) {
					t.Errorf("answered by %v, want %v", came, tt.want)
				}
			})
		})
	}
}

// One instance of another version is no different.
func TestBalanceVersionOfTheOnlyOne(t *testing.T) {
	t.Parallel()
	inCloud(t, []discovery.Instance{{Addr: "a:1", Version: "1"}}, func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
		for _, tt := range []struct {
			how  discovery.Sending
			sent bool
		}{
			{discovery.Sending{Version: "2"}, true},
			{discovery.Sending{Except: []string{"1"}}, true},
			{discovery.Sending{Version: "2", Copy: true}, false},
		} {
			if _, _, err := read(t, b, &tt.how); (err == nil) != tt.sent {
				t.Errorf("%+v: %v", tt.how, err)
			}
		}
	})
}

// A copy is sent once, whatever comes of it.
func TestBalanceCopyOnce(t *testing.T) {
	t.Parallel()
	fleet := []discovery.Instance{{Addr: "a:1", Version: "2"}, {Addr: "b:1", Version: "2"}}
	for name, fails := range map[string]answer{"503": says(503), "reset": breaks(errReset)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inCloud(t, fleet, func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
				c.becomes("a:1", fails)
				c.becomes("b:1", fails)
				read(t, b, &discovery.Sending{Version: "2", Copy: true, Repeats: true})
				if got := c.since(); sum(got) != 1 {
					t.Errorf("sent %v", got)
				}
			})
		})
	}
}

// load keeps so many reads in flight for a time.
func load(t *testing.T, b *discovery.Balancer, callers int, lasts time.Duration) {
	var all sync.WaitGroup
	end := time.Now().Add(lasts)
	for range callers {
		all.Go(func() {
			for time.Now().Before(end) {
				read(t, b, nil)
				time.Sleep(time.Millisecond)
			}
		})
	}
	all.Wait()
}

func TestBalanceByLatency(t *testing.T) {
	t.Parallel()
	inCloud(t, at("a:1", "b:1", "slow:1"), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
		for _, quick := range []string{"a:1", "b:1"} {
			c.becomes(quick, takes(10*time.Millisecond, says(200)))
		}
		c.becomes("slow:1", takes(100*time.Millisecond, says(200)))
		load(t, b, 12, 10*time.Second)
		got := c.since()
		if share := float64(got["slow:1"]) / float64(sum(got)); share < .001 || share > .08 {
			t.Errorf("ten times as slow, it got %.3f: %v", share, got)
		}
		if l := known(t, b, "slow:1").Latency; l < 95*time.Millisecond || l > 105*time.Millisecond {
			t.Errorf("latency %v", l)
		}
		c.becomes("slow:1", takes(10*time.Millisecond, says(200)))
		load(t, b, 12, 20*time.Second)
		c.since()
		load(t, b, 12, 10*time.Second)
		got = c.since()
		if share := float64(got["slow:1"]) / float64(sum(got)); share < .25 {
			t.Errorf("slow no more, it got %.3f: %v", share, got)
		}
	})
}

func TestBalanceSlowStart(t *testing.T) {
	t.Parallel()
	inCloud(t, at("a:1", "b:1", "c:1"), func(t *testing.T, c *cloud, m *discovery.Memory, b *discovery.Balancer) {
		second := func() float64 {
			for range 1000 {
				read(t, b, nil)
				time.Sleep(time.Millisecond)
			}
			got := c.since()
			return float64(got["new:1"]) / float64(sum(got))
		}
		second()
		wantState(t, b, "a:1", discovery.Up) // who was there at first is not new
		join(t, m, discovery.Instance{Service: "notes", Addr: "new:1"})
		synctest.Wait()
		wantState(t, b, "new:1", discovery.Warming)
		var shares []float64
		for range 11 {
			shares = append(shares, second())
		}
		if first, half, last := shares[0], shares[5], shares[10]; first < .01 || first > .08 || half < .1 || half > .2 || last < .2 || last > .3 {
			t.Errorf("shares second by second: %.2f", shares)
		}
		wantState(t, b, "new:1", discovery.Up)
	})
}

// What is known of an instance stays when its weight changes, and goes with
// its version; one that is away for a moment finds its requests again.
func TestBalanceRemembers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(t *testing.T, m *discovery.Memory, leave func())
		stays  bool
		state  discovery.State
	}{
		"weight, zone, tags and ID": {func(t *testing.T, m *discovery.Memory, _ func()) {
			join(t, m, discovery.Instance{ID: "0", Service: "notes", Addr: "a:1", Version: "1", Weight: 9, Zone: "z", Tags: []string{"t"}})
		}, true, discovery.Up},
		"away for a moment": {func(t *testing.T, m *discovery.Memory, leave func()) {
			leave()
			synctest.Wait()
			time.Sleep(time.Second)
			join(t, m, discovery.Instance{ID: "1", Service: "notes", Addr: "a:1", Version: "1"})
		}, true, discovery.Warming},
		"another version": {func(t *testing.T, m *discovery.Memory, _ func()) {
			join(t, m, discovery.Instance{ID: "1", Service: "notes", Addr: "a:1", Version: "2"})
		}, false, discovery.Warming},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inCloud(t, at("b:1"), func(t *testing.T, c *cloud, m *discovery.Memory, b *discovery.Balancer) {
				leave := join(t, m, discovery.Instance{ID: "1", Service: "notes", Addr: "a:1", Version: "1"})
				reads(t, b, 100)
				var open []io.Closer
				for range 10 {
					resp, err := b.RoundTrip(get(t, "http://notes/"))
					must(t, err)
					open = append(open, resp.Body)
				}
				was := known(t, b, "a:1")
				tt.change(t, m, leave)
				synctest.Wait()
				is := known(t, b, "a:1")
				if was.InFlight == 0 || was.Requests == 0 {
					t.Fatalf("before: %+v", was)
				}
				if stays := is.InFlight == was.InFlight && is.Requests == was.Requests; stays != tt.stays {
					t.Errorf("was %+v, is %+v", was, is)
				}
				if is.State != tt.state {
					t.Errorf("is %q, want %q", is.State, tt.state)
				}
				for _, body := range open {
					body.Close()
				}
				if n := known(t, b, "a:1").InFlight; n != 0 {
					t.Errorf("%d in flight when all is over", n)
				}
			})
		})
	}
}

// A weight that the registry changes counts from then on.
func TestBalanceNewWeight(t *testing.T) {
	t.Parallel()
	inCloud(t, at("a:1", "b:1"), func(t *testing.T, c *cloud, m *discovery.Memory, b *discovery.Balancer) {
		reads(t, b, 10)
		join(t, m, discovery.Instance{Service: "notes", Addr: "a:1", Weight: 9})
		synctest.Wait()
		c.since()
		reads(t, b, 2000)
		if got := c.since(); got["a:1"] < 1700 || got["a:1"] > 1900 {
			t.Errorf("with nine times the weight: %v", got)
		}
	})
}

// A registry of somebody else's may leave weights at zero.
func TestBalanceWithoutWeights(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, c := newLate(), new(cloud)
		go l.news(discovery.Update{Instances: []discovery.Instance{{Service: "notes", Addr: "a:1"}, {Service: "notes", Addr: "b:1", Zone: "z"}}})
		b := discovery.Balance(l, discovery.Via(c))
		defer b.Close()
		reads(t, b, 1000)
		if got := c.since(); got["a:1"] < 400 || got["b:1"] < 400 {
			t.Errorf("%v", got)
		}
	})
}
