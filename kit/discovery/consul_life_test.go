package discovery_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/testenv"
)

// What an instance says of itself is what others read.
func TestConsulRoundTrip(t *testing.T) {
	t.Parallel()
	r := open(t, testenv.Consul(t).URL)
	var asked atomic.Value
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked.Store(r.Method + " " + r.URL.Path) }))
	defer s.Close()
	join(t, r, discovery.Instance{
		ID: "one", Service: "notes", Addr: s.Listener.Addr().String(), Check: "/health/ready",
		Tags: []string{discovery.Gateway, "blue"}, Version: "1.2.3-rc.1+abc", Zone: "eu-1", Weight: 42,
	})
	news := make(chan discovery.Update)
	stop := r.Watch("notes", news)
	defer stop()
	want := []discovery.Instance{{
		ID: "one", Service: "notes", Addr: s.Listener.Addr().String(),
		Tags: []string{discovery.Gateway, "blue"}, Version: "1.2.3-rc.1+abc", Zone: "eu-1", Weight: 42,
	}}
	timeout := time.After(soon)
	for {
		select {
		case u := <-news:
			if len(u.Instances) == 0 {
				continue
			}
			if !reflect.DeepEqual(u.Instances, want) {
				t.Errorf("got %+v, want %+v", u.Instances, want)
			}
			if got := asked.Load(); got != "GET /health/ready" {
				t.Errorf("its check asks %v", got)
			}
			return
		case <-timeout:
			t.Fatal("it is not there")
		}
	}
}

func TestConsulIPv6(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6: ", err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "six") }))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	defer s.Close()
	r := open(t, testenv.Consul(t).URL)
	leave := join(t, r, discovery.Instance{Service: "notes", Addr: l.Addr().String()})
	w := watch(t, r.Instancer("notes"))
	w.wants(t, l.Addr().String())
	b := discovery.Balance(r)
	defer b.Close()
	if _, body, err := read(t, b, nil); body != "six" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
	leave()
	w.wants(t)
}

// Whatever happens to Consul, calls go on.
func TestConsulOutages(t *testing.T) {
	t.Parallel()
	agent := testenv.Consul(t)
	ours, theirs, c := open(t, agent.URL), open(t, agent.URL), client(t, agent)
	one, two := start(t, "notes", ok), start(t, "notes", ok)
	join(t, ours, one.Instance)
	join(t, ours, two.Instance)
	w := watch(t, theirs.Instancer("notes"))
	w.wants(t, one.Addr, two.Addr)
	b := discovery.Balance(theirs)
	defer b.Close()
	calls := func() {
		t.Helper()
		for range 20 {
			if status, _, err := read(t, b, nil); status != 200 {
				t.Error(err)
			}
		}
	}
	registered := func() bool { return passing(c, "notes") == 2 }
	calls()
	for _, outage := range []struct {
		name        string
		begins, end func() error
	}{
		{"killed", agent.Kill, agent.Restart},
		{"paused", agent.Pause, agent.Resume},
		{"restarted", agent.Restart, func() error { return nil }},
	} {
		must(t, outage.begins())
		calls()
		begin := time.Now()
		watch(t, theirs.Instancer("notes")).wants(t, one.Addr, two.Addr) // who comes new
		must(t, outage.end())
		testenv.Eventually(t, outage.name+": they are registered again", registered)
		t.Log(outage.name, "and registered again after", time.Since(begin))
		w.nothing(t)
		calls()
	}
}

// counter stands before Consul and counts the questions about services that
// are being held back. One is counted off before its answer goes out, so that
// the next cannot be there earlier.
type counter struct {
	httputil.ReverseProxy
	total      atomic.Int32
	mu         sync.Mutex
	asks, most map[string]int // by service, now and at most
}

func newCounter(consul string) *counter {
	c := &counter{asks: map[string]int{}, most: map[string]int{}}
	c.Rewrite = func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: consul}) }
	c.ModifyResponse = func(res *http.Response) error { c.answered(res.Request); return nil }
	c.ErrorHandler = func(_ http.ResponseWriter, r *http.Request, _ error) { c.answered(r) }
	return c
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.total.Add(1)
	if service, ok := asked(r); ok {
		c.mu.Lock()
		c.asks[service]++
		c.most[service] = max(c.most[service], c.asks[service])
		c.mu.Unlock()
	}
	c.ReverseProxy.ServeHTTP(w, r)
}

func (c *counter) answered(r *http.Request) {
	if service, ok := asked(r); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.asks[service]--
	}
}

// asked returns the service that a request is about.
func asked(r *http.Request) (service string, ok bool) {
	return strings.CutPrefix(r.URL.Path, "/v1/health/service/")
}

func (c *counter) asking() (now, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for service, n := range c.asks {
		now += n
		most = max(most, c.most[service])
	}
	return now, most
}

// However many watch, Consul sees one question a service; and none after Close.
func TestConsulOneQuestion(t *testing.T) {
	t.Parallel()
	agent := testenv.Consul(t)
	count := newCounter(agent.Addr)
	front := httptest.NewServer(count)
	defer front.Close()
	r := open(t, strings.Replace(front.URL, "http", "consul", 1))
	services := []string{"notes", "auth", "profile"}
	var watchers []*watcher
	var addrs []string
	for _, service := range services {
		i := start(t, service, ok)
		join(t, open(t, agent.URL), i.Instance)
		addrs = append(addrs, i.Addr)
		for range 50 {
			watchers = append(watchers, watch(t, r.Instancer(service)))
		}
	}
	for n, w := range watchers {
		w.wants(t, addrs[n/50])
	}
	balancers := make([]*discovery.Balancer, 5)
	for n := range balancers {
		balancers[n] = discovery.Balance(r)
		defer balancers[n].Close()
		if status, _, err := read(t, balancers[n], nil); status != 200 {
			t.Error(err)
		}
	}
	testenv.Eventually(t, "one question for each service is being held back", func() bool { now, _ := count.asking(); return now == len(services) })
	if _, most := count.asking(); most > 1 {
		t.Errorf("%d questions about one service at the same time", most)
	}
	if n := count.total.Load(); n > 40 {
		t.Errorf("%d questions in all for %d watchers", n, len(watchers))
	}
	begin := time.Now()
	must(t, r.Close())
	if d := time.Since(begin); d > 2*time.Second {
		t.Errorf("Close took %v", d)
	}
	testenv.Eventually(t, "no question is left", func() bool { now, _ := count.asking(); return now == 0 })
}
