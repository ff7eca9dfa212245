package endpoint_test

import (
	"sync"
	"testing"
	"testing/synctest"

	kit "github.com/go-kit/kit/endpoint"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
)

// slow is as good as never.
const slow = 1.0 / 1000

// What a stack bounds beside the rates of its endpoints, and which bound the
// headers tell. Time stands still, so that nothing fills.
func TestLimits(t *testing.T) {
	t.Parallel()
	type call struct {
		endpoint, addr, user string
		passes               bool
		limit                string
	}
	rate := func(burst int) endpoint.Rate { return endpoint.Rate{PerSecond: slow, Burst: burst} }
	const row = `"caller";q=5;w=5000`
	for _, tt := range []struct {
		name   string
		limits *endpoint.Limits
		policy string // for the last call
		calls  []call
	}{
		{"none", nil, row, []call{
			{"Get", "192.0.2.1", "", true, `"caller";r=4;t=1000`},
		}},
		{"nothing said", &endpoint.Limits{}, row, []call{
			{"Get", "192.0.2.1", "", true, `"caller";r=4;t=1000`},
		}},
		{"an address, over all endpoints and users", &endpoint.Limits{Address: rate(3)}, row + `, "address";q=3;w=3000`, []call{
			{"Get", "192.0.2.1", "", true, `"address";r=2;t=1000`},
			{"List", "192.0.2.1", "ann", true, `"address";r=1;t=2000`},
			{"Get", "::ffff:192.0.2.1", "bob", true, `"address";r=0;t=3000`},
			{"List", "192.0.2.1", "", false, `"address";r=0;t=3000`},
			{"List", "192.0.2.2", "ann", true, `"address";r=2;t=1000`},
		}},
		{"a user, over all endpoints and addresses", &endpoint.Limits{User: rate(2)}, row + `, "user";q=2;w=2000`, []call{
			{"Get", "192.0.2.1", "ann", true, `"user";r=1;t=1000`},
			{"List", "192.0.2.2", "ann", true, `"user";r=0;t=2000`},
			{"Get", "192.0.2.3", "ann", false, `"user";r=0;t=2000`},
			{"Get", "192.0.2.1", "bob", true, `"user";r=1;t=1000`},
		}},
		{"a user's bound is none for nobody", &endpoint.Limits{User: rate(1)}, row, []call{
			{"Get", "192.0.2.1", "", true, `"caller";r=4;t=1000`},
			{"Get", "192.0.2.1", "", true, `"caller";r=3;t=2000`},
		}},
		{"an endpoint, over all callers", &endpoint.Limits{Route: rate(2)}, row + `, "route";q=2;w=2000`, []call{
			{"Get", "192.0.2.1", "", true, `"route";r=1;t=1000`},
			{"Get", "192.0.2.2", "ann", true, `"route";r=0;t=2000`},
			{"Get", "192.0.2.3", "", false, `"route";r=0;t=2000`},
			{"List", "192.0.2.3", "", true, `"route";r=1;t=1000`},
		}},
		{"an endpoint of its own", &endpoint.Limits{Route: rate(1), Endpoints: map[string]endpoint.RouteLimits{
			"Get": {Caller: rate(2), Route: rate(4)},
		}}, `"caller";q=2;w=2000, "route";q=4;w=4000`, []call{
			{"List", "192.0.2.1", "", true, `"route";r=0;t=1000`},
			{"List", "192.0.2.2", "", false, `"route";r=0;t=1000`},
			{"Get", "192.0.2.1", "", true, `"caller";r=1;t=1000`},
			{"Get", "192.0.2.1", "", true, `"caller";r=0;t=2000`},
			{"Get", "192.0.2.1", "", false, `"caller";r=0;t=2000`},
			{"Get", "192.0.2.2", "", true, `"caller";r=1;t=1000`},
			{"Get", "192.0.2.2", "", true, `"caller";r=0;t=2000`},
			{"Get", "192.0.2.3", "", false, `"route";r=0;t=4000`},
		}},
		{"lifted", &endpoint.Limits{Endpoints: map[string]endpoint.RouteLimits{"Get": {Caller: endpoint.Rate{Burst: 1}}}}, "", []call{
			{"Get", "192.0.2.1", "", true, ""},
		}},
		{"what one bound refuses takes nothing from the others", &endpoint.Limits{Address: rate(3), Endpoints: map[string]endpoint.RouteLimits{
			"Get": {Caller: rate(1)},
		}}, row + `, "address";q=3;w=3000`, []call{
			{"Get", "192.0.2.1", "", true, `"caller";r=0;t=1000`},
			{"Get", "192.0.2.1", "", false, `"caller";r=0;t=1000`},
			{"Get", "192.0.2.1", "", false, `"caller";r=0;t=1000`},
			{"List", "192.0.2.1", "", true, `"address";r=1;t=2000`},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.Limits.Store(tt.limits)
				endpoints := map[string]kit.Endpoint{}
				for _, name := range []string{"Get", "List"} {
					e := method(name, nothing)
					e.Rate = rate(5)
					endpoints[name] = w.Wrap(e)
				}
				tokens := map[string]string{}
				for _, user := range []string{"ann", "bob"} {
					tokens[user] = w.token(t, user)
					if _, err := w.Verifier.Verify(t.Context(), tokens[user]); err != nil {
						t.Fatal(err)
					}
				}
				for i, c := range tt.calls {
					call := from(c.addr, tokens[c.user])
					err := invoke(endpoints[c.endpoint], call)
					if refused := err != nil && fault.Of(err).Kind == fault.TooMany; refused == c.passes {
						t.Errorf("call %d: %v", i+1, err)
					}
					if got := call.Answer.Get("Ratelimit"); got != c.limit {
						t.Errorf("call %d: RateLimit %s, want %s", i+1, got, c.limit)
					}
					if got := call.Answer.Get("Ratelimit-Policy"); i == len(tt.calls)-1 && got != tt.policy {
						t.Errorf("RateLimit-Policy %s, want %s", got, tt.policy)
					}
				}
			})
		})
	}
}

// A bucket keeps what was taken from it when its rate becomes another.
func TestLimitsChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := method("Get", nothing).Public()
		m.Rate = endpoint.Rate{}
		e := w.Wrap(m)
		passed := func() (n int) {
			for range 20 {
				if invoke(e, from("192.0.2.1", "")) == nil {
					n++
				}
			}
			return n
		}
		for _, step := range []struct{ burst, passes int }{{3, 3}, {10, 0}, {0, 20}, {2, 0}} {
			w.Limits.Store(&endpoint.Limits{Address: endpoint.Rate{PerSecond: float64(step.burst) * slow, Burst: step.burst}})
			if got := passed(); got != step.passes {
				t.Errorf("with a burst of %d: %d pass, want %d", step.burst, got, step.passes)
			}
		}
	})
}

// Whatever the limits change to while requests are served, none that was
// bounded all along lets more through.
func TestLimitsChangeWhileServing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := method("Get", nothing).Public()
		m.Rate = endpoint.Rate{}
		e := w.Wrap(m)
		limits := func(burst int) *endpoint.Limits {
			return &endpoint.Limits{Address: endpoint.Rate{PerSecond: slow, Burst: 50}, Route: endpoint.Rate{PerSecond: slow, Burst: burst}}
		}
		w.Limits.Store(limits(1000))
		var mu sync.Mutex
		var passed int
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for range 100 {
					if invoke(e, from("192.0.2.1", "")) == nil {
						mu.Lock()
						passed++
						mu.Unlock()
					}
				}
			})
		}
		for n := range 100 {
			w.Limits.Store(limits(1000 + n))
		}
		callers.Wait()
		if passed != 50 {
			t.Errorf("%d pass, want 50", passed)
		}
	})
}

// What bounds cost: none, the row's, and all there are.
func BenchmarkLimit(b *testing.B) {
	never := endpoint.Rate{PerSecond: 1e9, Burst: 1e9}
	for _, way := range []struct {
		name   string
		rate   endpoint.Rate
		limits *endpoint.Limits
	}{
		{"none", endpoint.Rate{}, nil},
		{"row", never, nil},
		{"all", never, &endpoint.Limits{User: never, Address: never, Route: never}},
	} {
		b.Run(way.name, func(b *testing.B) {
			w := quietWorld(b)
			w.Limits.Store(way.limits)
			m := method("Get", nothing)
			m.Rate = way.rate
			e := w.Wrap(m)
			token := w.token(b, "ann")
			if _, err := w.Verifier.Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
			c := from("192.0.2.1", token)
			b.ReportAllocs()
			for b.Loop() {
				_ = invoke(e, c)
			}
		})
	}
}
