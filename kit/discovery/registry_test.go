package discovery_test

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/go-kit/kit/endpoint"
	"github.com/go-kit/kit/sd"
	"github.com/go-kit/kit/sd/lb"
	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/testenv"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	testRegistry(t, func(testing.TB) discovery.Registry { return new(discovery.Memory) })
}

func TestConsul(t *testing.T) {
	t.Parallel()
	agent := testenv.Consul(t)
	testRegistry(t, func(t testing.TB) discovery.Registry { return open(t, agent.URL) })
}

func open(t testing.TB, url string) discovery.Registry {
	t.Helper()
	r, err := discovery.Open(url, log.NewLogfmtLogger(t.Output()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// testRegistry is what every registry passes.
func testRegistry(t *testing.T, open func(testing.TB) discovery.Registry) {
	ok := func(http.ResponseWriter, *http.Request) {}

	for name, test := range map[string]func(*testing.T, discovery.Registry){
		"instances come and go": func(t *testing.T, r discovery.Registry) {
			w := watch(t, r.Instancer("come-and-go"))
			w.wants(t)
			one, two := start(t, "come-and-go", ok), start(t, "come-and-go", ok)
			leaveOne := join(t, r, one.Instance)
			w.wants(t, one.Addr)
			leaveTwo := join(t, r, two.Instance)
			w.wants(t, one.Addr, two.Addr)
			leaveOne()
			leaveOne()
			w.wants(t, two.Addr)
			leaveTwo()
			w.wants(t)
		},

		"the catalog names what wants to be behind the gateway": func(t *testing.T, r discovery.Registry) {
			w := watch(t, r.Catalog())
			names := func(yes bool, name string) func(sd.Event) bool {
				return func(e sd.Event) bool { return strings.Contains(strings.Join(e.Instances, " "), name) == yes }
			}
			leaveHidden := join(t, r, start(t, "hidden", ok, "other").Instance)
			leave := join(t, r, start(t, "shown", ok, "other", discovery.Gateway).Instance)
			w.until(t, names(true, "shown"))
			leave()
			w.until(t, names(false, "shown"))
			leaveHidden()
			for _, e := range w.seen {
				if names(true, "hidden")(e) {
					t.Errorf("catalog %v", e)
				}
			}
		},

		"subscribers do not wait for each other": func(t *testing.T, r discovery.Registry) {
			i := r.Instancer("patient")
			slow := make(chan sd.Event)
			i.Register(slow)
			quick := watch(t, r.Instancer("patient"))
			quick.wants(t)
			instance := start(t, "patient", ok)
			leave := join(t, r, instance.Instance)
			quick.wants(t, instance.Addr)
			late := watch(t, i)
			late.wants(t, instance.Addr)
			if e := <-slow; len(e.Instances) != 1 {
				t.Errorf("the slow one gets %v, not the newest", e)
			}
			i.Deregister(slow)
			close(slow) // a send would panic
			leave()
			quick.wants(t)
		},

		"Stop ends what is the caller's": func(t *testing.T, r discovery.Registry) {
			mine, other := r.Instancer("stop"), r.Instancer("stop")
			stopped, goesOn := make(chan sd.Event), watch(t, other)
			mine.Register(stopped)
			mine.Stop()
			mine.Stop()
			close(stopped)
			instance := start(t, "stop", ok)
			defer join(t, r, instance.Instance)()
			goesOn.wants(t, instance.Addr)
		},

		"nothing is sent after Deregister": func(t *testing.T, r discovery.Registry) {
			i := r.Instancer("deregister")
			watch(t, i).wants(t)
			for range 500 {
				ch := make(chan sd.Event)
				i.Register(ch)
				i.Register(ch)
				runtime.Gosched() // so that it may be sending
				i.Deregister(ch)
				i.Deregister(ch)
				close(ch) // a send would panic
			}
		},

		"a subscriber may do as it likes with its event": func(t *testing.T, r discovery.Registry) {
			i := start(t, "mine", ok)
			defer join(t, r, i.Instance)()
			one := watch(t, r.Instancer("mine"))
			one.wants(t, i.Addr)
			one.seen[len(one.seen)-1].Instances[0] = "spoiled"
			watch(t, r.Instancer("mine")).wants(t, i.Addr)
		},

		"what works on go-kit's Instancer works": func(t *testing.T, r discovery.Registry) {
			instance := start(t, "go-kit", ok)
			defer join(t, r, instance.Instance)()
			i := r.Instancer("go-kit")
			e := sd.NewEndpointer(i, func(addr string) (endpoint.Endpoint, io.Closer, error) {
				return func(context.Context, any) (any, error) { return addr, nil }, nil, nil
			}, log.NewNopLogger())
			balancer := lb.NewRoundRobin(e)
			testenv.Eventually(t, "an endpoint", func() bool { _, err := balancer.Endpoint(); return err == nil })
			if call, err := balancer.Endpoint(); err != nil {
				t.Error(err)
			} else if got, _ := call(t.Context(), nil); got != instance.Addr {
				t.Errorf("endpoint of %v, want %v", got, instance.Addr)
			}
			e.Close()
			i.Stop()
		},

		"an instance that makes no sense is an error": func(t *testing.T, r discovery.Registry) {
			for _, tt := range []struct {
				instance discovery.Instance
				want     string
			}{
				{discovery.Instance{Service: "", Addr: "10.0.0.1:80"}, `service name ""`},
				{discovery.Instance{Service: "a/b", Addr: "10.0.0.1:80"}, `service name "a/b"`},
				{discovery.Instance{Service: "notes", Addr: ""}, "host:port"},
				{discovery.Instance{Service: "notes", Addr: "10.0.0.1"}, "host:port"},
				{discovery.Instance{Service: "notes", Addr: "::1:80"}, "host:port"},
				{discovery.Instance{Service: "notes", Addr: ":80"}, "reach"},
				{discovery.Instance{Service: "notes", Addr: "[::]:80"}, "reach"},
				{discovery.Instance{Service: "notes", Addr: "0.0.0.0:80"}, "reach"},
				{discovery.Instance{Service: "notes", Addr: "10.0.0.1:0"}, "port"},
				{discovery.Instance{Service: "notes", Addr: "10.0.0.1:http"}, "port"},
				{discovery.Instance{Service: "notes", Addr: "10.0.0.1:80", ID: "../x"}, "ID"},
				{discovery.Instance{Service: "notes", Addr: "10.0.0.1:80", Check: "readyz"}, "check"},
			} {
				leave, err := r.Register(t.Context(), tt.instance)
				if err == nil || !strings.Contains(err.Error(), tt.want) || leave != nil {
					t.Errorf("%+v: error %v, want one about %s", tt.instance, err, tt.want)
				}
			}
		},

		"IPv6 keeps its brackets": func(t *testing.T, r discovery.Registry) {
			i := start(t, "six", ok)
			i.ID, i.Addr = "six", "[::1]"+i.Addr[strings.LastIndex(i.Addr, ":"):]
			defer join(t, r, i.Instance)()
			if _, isMemory := r.(*discovery.Memory); isMemory { // Consul's check may find no IPv6 on this machine
				watch(t, r.Instancer("six")).wants(t, i.Addr)
			}
		},

		"Close ends it": func(t *testing.T, r discovery.Registry) {
			i := r.Instancer("closing")
			ch := make(chan sd.Event)
			i.Register(ch)
			for range 2 {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
			close(ch)
			watch(t, i).nothing(t)
			watch(t, r.Instancer("opening")).nothing(t)
			i.Stop()
			if _, err := r.Register(t.Context(), start(t, "closing", ok).Instance); err == nil {
				t.Error("a closed registry registers")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t)
			defer r.Close()
			test(t, r)
		})
	}
}

func TestMemoryReplaces(t *testing.T) {
	t.Parallel()
	var m discovery.Memory
	defer m.Close()
	w := watch(t, m.Instancer("notes"))
	leaveOld := join(t, &m, discovery.Instance{ID: "1", Service: "notes", Addr: "10.0.0.1:80"})
	join(t, &m, discovery.Instance{ID: "1", Service: "notes", Addr: "10.0.0.2:80"})
	w.wants(t, "10.0.0.2:80")
	leaveOld()
	watch(t, m.Instancer("notes")).wants(t, "10.0.0.2:80")
}

func TestNoNewsIsNoEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var m discovery.Memory
		defer m.Close()
		join(t, &m, discovery.Instance{ID: "1", Service: "notes", Addr: "10.0.0.1:80"})
		w := watch(t, m.Instancer("notes"))
		w.wants(t, "10.0.0.1:80")
		join(t, &m, discovery.Instance{ID: "2", Service: "notes", Addr: "10.0.0.1:80"})
		synctest.Wait()
		w.nothing(t)
	})
}
