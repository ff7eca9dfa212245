package status_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/trellis-go/trellis/gateway/status"
	"github.com/trellis-go/trellis/kit/discovery"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	rec := get(telling(busy()), "/status.json")
	if got, want := decode(t, rec.Body.Bytes()), busy(); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	for _, want := range []string{
		`"at":"2026-03-04T12:00:00Z"`, `"latency_ns":1240000`, `"took_ns":3000000000`, `"in_flight":3`,
		`"client":"192.0.2.1"`, `"until":"2026-03-04T12:02:00Z"`, `"state":"ejected"`, `"health":"degraded"`,
	} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("no %s in %s", want, rec.Body)
		}
	}
}

func TestJSONOfNothing(t *testing.T) {
	t.Parallel()
	body := get(telling(status.Snapshot{Services: []status.Service{{}}}), "/status.json").Body
	if strings.Contains(body.String(), "null") {
		t.Errorf("a list is null: %s", body)
	}
	if s := decode(t, body.Bytes()); time.Since(s.At) > time.Minute {
		t.Errorf("at %v", s.At)
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	instance := func(addr, id string) discovery.InstanceStatus {
		return discovery.InstanceStatus{Instance: discovery.Instance{Addr: addr, ID: id}}
	}
	told := status.Snapshot{Services: []status.Service{
		{ServiceStatus: discovery.ServiceStatus{Service: "b", Instances: []discovery.InstanceStatus{
			instance("10.0.0.10:80", ""), instance("10.0.0.9:443", ""), instance("10.0.0.9:80", "2"), instance("10.0.0.9:80", "1"), instance("host:1", ""),
		}}},
		{ServiceStatus: discovery.ServiceStatus{Service: "a"}},
	}}
	s := decode(t, get(telling(told), "/status.json").Body.Bytes())
	var got []string
	for _, v := range s.Services {
		got = append(got, v.Service)
		for _, i := range v.Instances {
			got = append(got, i.Addr+i.ID)
		}
	}
	if want := "a b host:1 10.0.0.9:801 10.0.0.9:802 10.0.0.9:443 10.0.0.10:80"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if told.Services[0].Service != "b" || told.Services[0].Instances[0].Addr != "10.0.0.10:80" {
		t.Error("the source's own lists are sorted")
	}
}

func TestHealthOfService(t *testing.T) {
	t.Parallel()
	type states []discovery.State
	for _, tt := range []struct {
		name       string
		known      bool
		documented bool
		states     states
		want       status.Health
		up         int
	}{
		{"not told", false, false, nil, status.Unknown, 0},
		{"none", true, true, nil, status.Down, 0},
		{"all", true, true, states{discovery.Up, discovery.Warming}, status.Up, 2},
		{"some", true, true, states{discovery.Up, discovery.Stalled, discovery.Unreachable}, status.Degraded, 1},
		{"no document", true, false, states{discovery.Up}, status.Degraded, 1},
		{"no use", true, true, states{discovery.Ejected, discovery.Broken}, status.Down, 0},
		{"a state of tomorrow", true, true, states{"asleep"}, status.Down, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := status.Service{ServiceStatus: discovery.ServiceStatus{Known: tt.known}, Documented: tt.documented}
			for _, state := range tt.states {
				v.Instances = append(v.Instances, discovery.InstanceStatus{State: state})
			}
			got := decode(t, get(telling(status.Snapshot{Services: []status.Service{v}}), "/status.json").Body.Bytes()).Services[0]
			if got.Health != tt.want || got.Up != tt.up {
				t.Errorf("%s with %d up, want %s with %d", got.Health, got.Up, tt.want, tt.up)
			}
		})
	}
}

func TestHealthOfGateway(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		gateway status.Gateway
		want    status.Health
	}{
		{status.Gateway{Ready: true}, status.Up},
		{status.Gateway{Ready: true, Problems: []string{"It rains."}}, status.Degraded},
		{status.Gateway{Problems: []string{"It rains."}}, status.NotReady},
		{status.Gateway{Draining: true}, status.Draining},
		{status.Gateway{Ready: true, Draining: true}, status.Draining},
	} {
		s := decode(t, get(telling(status.Snapshot{Gateway: tt.gateway}), "/status.json").Body.Bytes())
		if s.Gateway.Health != tt.want {
			t.Errorf("%+v is %s, want %s", tt.gateway, s.Gateway.Health, tt.want)
		}
	}
}
