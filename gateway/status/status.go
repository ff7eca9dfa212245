// Package status shows operators what the gateway and the services behind it
// are doing: a live page for people, and the same as JSON for programs.
package status

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/trellis-go/trellis/kit/discovery"
)

// Snapshot is all that is known at one moment. As JSON it is stable: fields
// are added, never renamed. Times are RFC 3339, durations end in _ns, lists
// are never null.
type Snapshot struct {
	At       time.Time `json:"at"` // now, when the source leaves it out
	Gateway  Gateway   `json:"gateway"`
	Load     Load      `json:"load"`
	Totals   Totals    `json:"totals"`
	Services []Service `json:"services"` // by name, their instances by address
	Recent   []Request `json:"recent"`   // newest first
}

// Gateway is the state of the gateway itself.
type Gateway struct {
	Health   Health    `json:"health"` // follows from the rest
	Version  string    `json:"version"`
	Started  time.Time `json:"started"`
	Ready    bool      `json:"ready"`
	Draining bool      `json:"draining"`
	Problems []string  `json:"problems"` // sentences fit to be seen, such as "The traffic file is refused: …"
}

// Load is what the gateway carries.
type Load struct {
	Limit   int    `json:"limit"` // requests that run at once; 0 without a limit
	Running int    `json:"running"`
	Queued  int    `json:"queued"`
	Shed    uint64 `json:"shed"` // refused because it was too much, since the start
}

// Totals count the requests since the start.
type Totals struct {
	Requests uint64 `json:"requests"`
	Refused  uint64 `json:"refused"` // answered 4xx
	Failed   uint64 `json:"failed"`  // answered 5xx
}

// Service is a service, its instances and what the gateway knows of it.
type Service struct {
	discovery.ServiceStatus
	Health     Health `json:"health"`     // follows from the rest
	Up         int    `json:"up"`         // instances that get requests; follows from the rest
	Documented bool   `json:"documented"` // whether its OpenAPI document is known
	Operations int    `json:"operations"` // that the document has
}

// Health sums a state up.
type Health string

const (
	Up       Health = "up"
	Degraded Health = "degraded"  // works, but not all of it
	NotReady Health = "not ready" // a gateway that only starts, or lacks what it needs
	Draining Health = "draining"  // about to stop
	Down     Health = "down"      // a service without an instance that is up
	Unknown  Health = "unknown"   // the registry has not told yet
)

// arranged returns s in its order and with what follows from the rest. It
// leaves alone what s shares with its source.
func (s Snapshot) arranged() Snapshot {
	if s.At.IsZero() {
		s.At = time.Now()
	}
	s.At, s.Gateway.Started = s.At.UTC(), s.Gateway.Started.UTC()
	s.Gateway.Health = s.Gateway.health()
	s.Gateway.Problems = append([]string{}, s.Gateway.Problems...)
	s.Recent = append([]Request{}, s.Recent...)
	s.Services = append([]Service{}, s.Services...)
	slices.SortStableFunc(s.Services, func(a, b Service) int { return cmp.Compare(a.Service, b.Service) })
	for i := range s.Services {
		v := &s.Services[i]
		v.Instances = append([]discovery.InstanceStatus{}, v.Instances...)
		slices.SortStableFunc(v.Instances, byAddress)
		v.Up = 0
		for _, instance := range v.Instances {
			if instance.State == discovery.Up || instance.State == discovery.Warming {
				v.Up++
			}
		}
		v.Health = v.health()
	}
	return s
}

func (g Gateway) health() Health {
	switch {
	case g.Draining:
		return Draining
	case !g.Ready:
		return NotReady
	case len(g.Problems) > 0:
		return Degraded
	}
	return Up
}

func (s Service) health() Health {
	switch {
	case !s.Known:
		return Unknown
	case s.Up == 0:
		return Down
	case s.Up < len(s.Instances) || !s.Documented:
		return Degraded
	}
	return Up
}

// byAddress orders addresses as people count: 10.0.0.9 comes before 10.0.0.10.
func byAddress(a, b discovery.InstanceStatus) int {
	x, _ := netip.ParseAddrPort(a.Addr)
	y, _ := netip.ParseAddrPort(b.Addr)
	return cmp.Or(x.Compare(y), cmp.Compare(a.Addr, b.Addr), cmp.Compare(a.ID, b.ID))
}
