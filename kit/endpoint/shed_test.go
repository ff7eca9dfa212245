package endpoint_test

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
)

// spin works for n rounds without a pause.
func spin(n int) (x uint64) {
	for i := range n {
		x = x*6364136223846793005 + uint64(i)
	}
	return x
}

var spun atomic.Uint64

// rounds is how many rounds of spin take about d when nothing disturbs them.
func rounds(d time.Duration) int {
	const n = 1 << 20
	best := time.Duration(1 << 62)
	for range 10 {
		began := time.Now()
		spun.Store(spin(n))
		best = min(best, time.Since(began))
	}
	return int(float64(n) * float64(d) / float64(best))
}

// shot is one request of a load, and what came of it.
type shot struct {
	path   string
	due    time.Time
	took   time.Duration // since it was due
	status int
	retry  string
}

// gun fires requests at a server, each on a connection that no other uses at the time.
type gun struct {
	addr string
	idle chan *conn
}

type conn struct {
	net.Conn
	r *bufio.Reader
}

func newGun(t testing.TB, h http.Handler) *gun {
	srv := httptest.NewServer(h)
	g := &gun{addr: srv.Listener.Addr().String(), idle: make(chan *conn, 1<<14)}
	t.Cleanup(func() {
		close(g.idle)
		for c := range g.idle {
			c.Close()
		}
		srv.Close()
	})
	return g
}

func (g *gun) fire(s *shot) error {
	var c *conn
	select {
	case c = <-g.idle:
	default:
		raw, err := net.Dial("tcp", g.addr)
		if err != nil {
			return err
		}
		c = &conn{raw, bufio.NewReader(raw)}
	}
	if _, err := io.WriteString(c, "GET "+s.path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return err
	}
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	s.took, s.status, s.retry = time.Since(s.due), res.StatusCode, res.Header.Get("Retry-After")
	g.idle <- c
	return nil
}

// capacity is how many requests a second are answered to as many callers as
// keep the server busy.
func (g *gun) capacity(t testing.TB, path string, callers int, d time.Duration) float64 {
	var done atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for range callers {
		all.Go(func() {
			for time.Since(began) < d {
				s := shot{path: path, due: time.Now()}
				if err := g.fire(&s); err != nil {
					t.Error(err)
					return
				}
				if s.status == http.StatusOK { // after an overload even these may be too many for a moment
					done.Add(1)
				}
			}
		})
	}
	all.Wait()
	return float64(done.Load()) / time.Since(began).Seconds()
}

// offer fires requests at the given rates a second for some time, whether or
// not earlier ones are answered.
func (g *gun) offer(t testing.TB, d time.Duration, rates map[string]float64) []shot {
	var shots []shot
	for path, rate := range rates {
		gap := time.Duration(float64(time.Second) / rate)
		for at := gap; at < d; at += gap {
			shots = append(shots, shot{path: path, took: at})
		}
	}
	slices.SortFunc(shots, func(a, b shot) int { return cmp.Compare(a.took, b.took) })
	began := time.Now()
	var all sync.WaitGroup
	timer := time.NewTimer(0)
	for i := range shots {
		s := &shots[i]
		s.due = began.Add(s.took)
		if wait := time.Until(s.due); wait > 0 {
			timer.Reset(wait)
			<-timer.C
		}
		all.Go(func() {
			if err := g.fire(s); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	return shots
}

// tally counts shots.
type tally struct {
	sent, good, served, shed int
	median, p99, worst       time.Duration
}

// unit is how much more than in life a request of TestOverload costs: with the
// race detector refusals do, too.
var unit = func() int {
	if race {
		return 3
	}
	return 1
}()

// goodWithin is how long an answer may take to be of use.
var goodWithin = time.Duration(unit) * 250 * time.Millisecond

// sum is what came of the shots at a path.
func sum(shots []shot, path string) (c tally) {
	var took []time.Duration
	for _, s := range shots {
		if s.path != path {
			continue
		}
		c.sent++
		switch s.status {
		case 200:
			c.served++
			took = append(took, s.took)
			if s.took <= goodWithin {
				c.good++
			}
		case 503:
			c.shed++
		}
	}
	if len(took) > 0 {
		slices.Sort(took)
		c.median, c.p99, c.worst = took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	}
	return c
}

func (c tally) String() string {
	return fmt.Sprintf("%d sent, %d good, %d served, %d shed, median %v p99 %v worst %v", c.sent, c.good, c.served, c.shed, c.median, c.p99, c.worst)
}

// quietWorld is a world that logs to nowhere.
func quietWorld(t testing.TB) *world {
	w := newWorld(t)
	w.metrics = telemetry.NewMetrics()
	w.Stack = endpoint.NewStack(telemetry.NewLogger(io.Discard), w.metrics, &telemetry.Tracer{},
		token.NewVerifier(w, w.signer.Issuer, w.signer.Audience))
	return w
}

func works(name string, work func(context.Context)) endpoint.Endpoint {
	e := endpoint.Do(func(ctx context.Context, _ endpoint.None) error { work(ctx); return nil }, "").Named(name).Public()
	e.Rate = endpoint.Rate{}
	return e
}

func get(path string, e endpoint.Endpoint) transport.Route {
	r := transport.Get(path, e)
	r.Status = 200
	return r
}

// A server is offered twice what it can do, whether or not it has answered:
// what it does in time stays near what it can do, cheap requests and essential
// ones are served, and the rest is told when to come back. How the service
// fares without its gate is logged.
func TestOverload(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds of all processors")
	}
	n := unit * rounds(2*time.Millisecond)
	pool := make(chan struct{}, 8)
	for _, tt := range []struct {
		name    string
		callers int
		work    func(context.Context)
	}{
		{"processors", 8, func(context.Context) { spun.Store(spin(n)) }},
		{"pool", 16, func(context.Context) {
			pool <- struct{}{}
			<-time.After(time.Duration(unit) * 5 * time.Millisecond)
			<-pool
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := quietWorld(t)
			g := newGun(t, w.handler(t,
				get("/dear", works("Dear", tt.work)),
				get("/cheap", works("Cheap", func(context.Context) { spun.Store(spin(n / 50)) })),
				get("/essential", works("Essential", tt.work).Essential()),
			))
			wrong := ""
			for range 3 { // the machine has other work, which may stop in one half and begin in the other
				if wrong = g.overload(t, tt.callers); wrong == "" {
					break
				}
				t.Log(wrong)
			}
			if wrong != "" {
				t.Error(wrong)
			}
			bare := g.offer(t, time.Second, map[string]float64{"/essential": 2 * g.capacity(t, "/essential", tt.callers, time.Second)})
			t.Logf("without the gate: %v", sum(bare, "/essential"))
			if l := w.Load(); l.Running != 0 || l.Queued != 0 || l.Shed == 0 {
				t.Errorf("in the end it is %+v", l)
			}
		})
	}
}

// overload is one round of TestOverload. It returns what was wrong that
// timing may be the reason of.
func (g *gun) overload(t *testing.T, callers int) string {
	const settling, lasting = time.Second, 3 * time.Second
	before := g.capacity(t, "/dear", callers, time.Second)
	rates := map[string]float64{"/dear": 2 * before, "/cheap": 40, "/essential": 10}
	g.offer(t, settling, rates)
	shots := g.offer(t, lasting, rates)
	capacity := min(before, g.capacity(t, "/dear", callers, time.Second))
	dear, cheap, essential := sum(shots, "/dear"), sum(shots, "/cheap"), sum(shots, "/essential")
	goodput := float64(dear.good+essential.good) / lasting.Seconds()
	t.Logf("capacity %.0f/s before, %.0f/s at the least; goodput %.0f/s\ndear: %v\ncheap: %v\nessential: %v",
		before, capacity, goodput, dear, cheap, essential)

	if essential.served < essential.sent {
		t.Errorf("essential requests: %v", essential)
	}
	for _, s := range shots {
		switch after, _ := strconv.Atoi(s.retry); {
		case s.status == http.StatusServiceUnavailable && (after < 1 || after > 10):
			t.Errorf("Retry-After: %q", s.retry)
		case s.status != http.StatusServiceUnavailable && s.status != http.StatusOK:
			t.Errorf("%s answers %d", s.path, s.status)
		}
	}
	switch {
	case dear.shed == 0:
		return "nothing is shed"
	case goodput < .8*capacity:
		return fmt.Sprintf("goodput is %.0f of %.0f", goodput, capacity)
	case dear.p99 > 4*goodWithin:
		return fmt.Sprintf("answers take %v", dear.p99)
	case cheap.share() < .8 || cheap.share() < dear.share():
		return fmt.Sprintf("of the cheap %.0f %% are served, of the dear %.0f %%", 100*cheap.share(), 100*dear.share())
	}
	return ""
}

func (c tally) share() float64 { return float64(c.served) / float64(c.sent) }

// What a refusal costs: all of the stack, the log's line and the problem.
func BenchmarkShed(b *testing.B) {
	w := quietWorld(b)
	full := make(chan struct{})
	h := w.handler(b, get("/hold", works("Hold", func(context.Context) { <-full })))
	var shed atomic.Int64
	var done sync.Once
	var all sync.WaitGroup
	b.ReportAllocs()
	for range 3000 { // at once, for each waits a little, and some are let in
		all.Go(func() {
			x := newExchanger(h, request("GET", "/hold", ""), "")
			for shed.Load() < int64(b.N) {
				if x.once(); x.to.status == http.StatusServiceUnavailable {
					shed.Add(1)
				}
			}
			done.Do(func() { close(full) })
		})
	}
	all.Wait()
}
