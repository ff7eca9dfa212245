package discovery_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-kit/kit/sd"
	"github.com/hashicorp/consul/api"
	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/testenv"
)

func ok(http.ResponseWriter, *http.Request) {}

// must is for what a test does to a server or asks of Consul.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func client(t testing.TB, agent *testenv.Server) *api.Client {
	t.Helper()
	c, err := api.NewClient(&api.Config{Address: agent.Addr})
	must(t, err)
	return c
}

func passing(c *api.Client, service string) int {
	entries, _, _ := c.Health().Service(service, "", true, nil)
	return len(entries)
}

func TestConsulRegistration(t *testing.T) {
	t.Parallel()
	agent := testenv.Consul(t)
	r, c := open(t, agent.URL), client(t, agent)
	i := start(t, "notes", ok, discovery.Gateway)
	leave := join(t, r, i.Instance)

	s, _, err := c.Agent().Service("notes-"+i.Addr, nil)
	must(t, err)
	if s.Service != "notes" || strings.Join(s.Tags, " ") != discovery.Gateway {
		t.Errorf("registered as %+v", s)
	}
	leave()
	if known, err := c.Agent().Services(); err != nil || len(known) != 0 {
		t.Errorf("after leave the agent knows %v, %v", known, err)
	}
}

func TestConsulAddresses(t *testing.T) {
	t.Parallel()
	agent := testenv.Consul(t)
	c := client(t, agent)
	for _, s := range []*api.AgentServiceRegistration{
		{ID: "6", Address: "::1", Port: 80},
		{ID: "6 in brackets", Address: "[::2]", Port: 80},
		{ID: "no address of its own", Port: 80},
		{ID: "no port", Address: "10.0.0.1"},
	} {
		s.Name = "many"
		must(t, c.Agent().ServiceRegister(s))
	}
	r := open(t, agent.URL)
	watch(t, r.Instancer("many")).wants(t, "127.0.0.1:80", "[::1]:80", "[::2]:80")

	join(t, r, discovery.Instance{ID: "ours", Service: "six", Addr: "[::1]:8002"})
	if s, _, err := c.Agent().Service("ours", nil); err != nil || s.Address != "::1" || s.Port != 8002 {
		t.Errorf("registered as %+v, %v", s, err)
	}
}

func TestConsulHealth(t *testing.T) {
	t.Parallel()
	r := open(t, testenv.Consul(t).URL)
	one, two := start(t, "notes", ok), start(t, "notes", ok)
	one.ready.Store(false)
	join(t, r, one.Instance)
	join(t, r, two.Instance)
	w := watch(t, r.Instancer("notes"))
	w.wants(t, two.Addr)
	begin := time.Now()
	one.ready.Store(true)
	w.wants(t, one.Addr, two.Addr)
	t.Log("an instance that is ready comes after", time.Since(begin))
	begin = time.Now()
	two.ready.Store(false)
	w.wants(t, one.Addr)
	t.Log("an instance that is not ready leaves after", time.Since(begin))
}

// An agent that restarts with an empty memory must not make anybody believe
// that there are no instances, and must learn of them again.
func TestConsulForgets(t *testing.T) {
	t.Parallel()
	agent := testenv.Consul(t)
	ours, theirs, c := open(t, agent.URL), open(t, agent.URL), client(t, agent)
	one, two := start(t, "notes", ok, discovery.Gateway), start(t, "notes", ok, discovery.Gateway)
	leave := join(t, ours, one.Instance)
	join(t, ours, two.Instance)
	const foreign = "10.0.0.1:80" // never registers again
	must(t, c.Agent().ServiceRegister(&api.AgentServiceRegistration{Name: "notes", Address: "10.0.0.1", Port: 80}))
	instances, catalog := watch(t, theirs.Instancer("notes")), watch(t, theirs.Catalog())
	instances.wants(t, one.Addr, two.Addr, foreign)
	catalog.wants(t, "notes")

	must(t, agent.Restart())
	begin := time.Now()
	if passing(c, "notes") == 3 {
		t.Fatal("Consul has forgotten nothing: this tests nothing")
	}
	testenv.Eventually(t, "both are registered again", func() bool { return passing(c, "notes") == 2 })
	t.Log("registered again and passing after", time.Since(begin))
	watch(t, theirs.Instancer("notes")).wants(t, one.Addr, two.Addr, foreign)
	instances.nothing(t)
	catalog.nothing(t)

	begin = time.Now()
	leave()
	instances.until(t, func(e sd.Event) bool { return !strings.Contains(strings.Join(e.Instances, " "), one.Addr) })
	t.Log("one that leaves afterwards leaves after", time.Since(begin))
	instances.wants(t, two.Addr) // when grace is over
	t.Log("one that did not come back leaves after", time.Since(begin))
}

func TestConsulAway(t *testing.T) {
	t.Parallel()
	agent := testenv.Consul(t)
	r := open(t, agent.URL)
	one, two := start(t, "notes", ok), start(t, "notes", ok)
	leave := join(t, r, one.Instance)
	w := watch(t, r.Instancer("notes"))
	w.wants(t, one.Addr)

	must(t, agent.Kill())
	late := watch(t, r.Instancer("notes"))
	late.wants(t, one.Addr)
	leaveTwo := join(t, r, two.Instance) // the service starts all the same
	unknown := watch(t, r.Instancer("auth"))
	unknown.until(t, func(e sd.Event) bool { return e.Err != nil })
	w.nothing(t)

	begin := time.Now()
	must(t, agent.Restart())
	w.wants(t, one.Addr, two.Addr)
	t.Log("registered after", time.Since(begin), "of which Consul started in a part")
	unknown.wants(t)
	leave()
	w.wants(t, two.Addr)
	leaveTwo()
	w.wants(t)
}

// A registry is closed, and a call to it given up, though Consul takes
// connections and never answers.
func TestConsulHangs(t *testing.T) {
	t.Parallel()
	agent := testenv.Consul(t)
	r := open(t, agent.URL)
	i := start(t, "notes", ok)
	leave, err := r.Register(t.Context(), i.Instance)
	must(t, err)
	w := watch(t, r.Instancer("notes"))
	w.wants(t, i.Addr)

	must(t, agent.Pause())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := leave(ctx); err == nil {
		t.Error("left a registry that does not answer")
	}
	if _, err := r.Register(ctx, i.Instance); err == nil {
		t.Error("registered though the context was over")
	}
	begin := time.Now()
	must(t, r.Close())
	if d := time.Since(begin); d > time.Second {
		t.Errorf("Close took %v", d)
	}
	w.nothing(t)

	must(t, agent.Resume())
	must(t, leave(t.Context()))
	must(t, leave(t.Context()))
	testenv.Eventually(t, "it has left", func() bool { return passing(client(t, agent), "notes") == 0 })
}
