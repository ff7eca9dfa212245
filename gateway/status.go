package gateway

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/go-json-experiment/json"
	"github.com/trellis-go/trellis/gateway/status"
	"github.com/trellis-go/trellis/kit/discovery"
)

// Status is what the gateway knows and does just now. The requests are those
// that recent was told of.
func (g *Gateway) Status(recent *status.Recent) status.Snapshot {
	load := g.Stack.Load()
	s := status.Snapshot{
		Gateway: status.Gateway{Started: g.began, Ready: true, Draining: g.Draining.Err() != nil},
		Load:    status.Load{Limit: load.Limit, Running: load.Running, Queued: load.Queued, Shed: load.Shed},
		Totals:  recent.Totals(),
		Recent:  recent.Requests(),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		s.Gateway.Version = info.Main.Version
	}
	if err := g.Health.Err(context.Background()); err != nil {
		s.Gateway.Ready = false
		s.Gateway.Problems = append(s.Gateway.Problems, "Not ready: "+err.Error()+".")
	}
	if since, refused := g.Traffic.Status(); refused != nil {
		s.Gateway.Problems = append(s.Gateway.Problems,
			fmt.Sprintf("The traffic file is refused, what it said at %s holds: %v", since.UTC().Format("2006-01-02 15:04:05"), refused))
	}
	operations := g.table.Load().operations
	known := map[string]bool{}
	for _, of := range g.Services.Status() {
		n, documented := operations[of.Service]
		known[of.Service] = true
		s.Services = append(s.Services, status.Service{ServiceStatus: of, Documented: documented, Operations: n})
	}
	for service, n := range operations {
		if !known[service] {
			s.Services = append(s.Services, status.Service{ServiceStatus: discovery.ServiceStatus{Service: service}, Documented: true, Operations: n})
		}
	}
	return s
}

// count counts the operations in each document.
func count(documents map[string][]byte) map[string]int {
	n := map[string]int{}
	for service, text := range documents {
		var d document
		if json.Unmarshal(text, &d) == nil {
			n[service] = len(d.operations())
		}
	}
	return n
}
