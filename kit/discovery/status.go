package discovery

import "time"

// ServiceStatus is what a Balancer knows of one service.
type ServiceStatus struct {
	Service   string           `json:"service"`
	Known     bool             `json:"known"`   // whether the registry has told its instances
	Retries   float64          `json:"retries"` // that the budget allows now
	Instances []InstanceStatus `json:"instances"`
}

// InstanceStatus is what a Balancer knows of one instance, and did with it.
type InstanceStatus struct {
	Instance
	State    State         `json:"state"`
	Until    time.Time     `json:"until,omitzero"` // when State is thought over
	Breaker  string        `json:"breaker"`        // "closed", "half-open", "open"
	InFlight int64         `json:"in_flight"`
	Latency  time.Duration `json:"latency_ns"` // decaying; until an answer begins
	Share    float64       `json:"share"`      // of its weight that it gets, less than 1 while it warms up
	Requests uint64        `json:"requests"`
	Failures uint64        `json:"failures"`
}

// State is whether an instance is sent requests, and if not, why.
type State string

const (
	Up          State = "up"
	Warming     State = "warming"     // new: gets a growing share
	Unreachable State = "unreachable" // could not be connected to
	Stalled     State = "stalled"     // takes requests and answers none, not even /livez
	Ejected     State = "ejected"     // fails while others don't
	Broken      State = "broken"      // its breaker is open
)
