package status_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/trellis-go/trellis/gateway/status"
	"github.com/trellis-go/trellis/kit/discovery"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// busy is a gateway in the midst of things.
func busy() status.Snapshot {
	return status.Snapshot{
		At: noon,
		Gateway: status.Gateway{
			Health: status.Degraded, Version: "v1.2.3", Started: noon.Add(-90 * time.Minute), Ready: true,
			Problems: []string{"The traffic file is refused."},
		},
		Load:   status.Load{Limit: 512, Running: 1234, Queued: 7, Shed: 42},
		Totals: status.Totals{Requests: 1234567, Refused: 8901, Failed: 23},
		Services: []status.Service{{
			ServiceStatus: discovery.ServiceStatus{Service: "notes", Known: true, Retries: 9.5, Instances: []discovery.InstanceStatus{
				{Instance: discovery.Instance{ID: "a", Service: "notes", Addr: "10.0.0.9:80", Version: "v1", Zone: "east", Weight: 2},
					State: discovery.Warming, Until: noon.Add(11500 * time.Millisecond), Breaker: "closed", Share: .35, Latency: 1240 * time.Microsecond},
				{Instance: discovery.Instance{ID: "b", Service: "notes", Addr: "10.0.0.10:80", Weight: 1},
					State: discovery.Ejected, Until: noon.Add(2 * time.Minute), Breaker: "half-open", InFlight: 3, Requests: 5000, Failures: 12},
			}},
			Health: status.Degraded, Up: 1, Documented: true, Operations: 14,
		}},
		Recent: []status.Request{{
			At: noon.Add(-time.Second), ID: "r-1", Endpoint: "notes.get", Status: 503, Code: "no_instance", Took: 3 * time.Second,
			Client: netip.MustParseAddr("192.0.2.1"), User: "u-1", Instance: "10.0.0.9:80", Attempts: 3,
		}},
	}
}

func telling(s status.Snapshot) http.Handler {
	return status.Handler(func() status.Snapshot { return s })
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "http://localhost"+path, nil))
	return rec
}

func decode(t *testing.T, text []byte) (s status.Snapshot) {
	t.Helper()
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return s
}
