package gateway_test

import (
	"net/http"
	"testing"

	"github.com/trellis-go/trellis/gateway/status"
	"github.com/trellis-go/trellis/kit/testenv"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	f := start(t)
	find := func(name string) *status.Service {
		for _, s := range f.Status(&f.recent).Services {
			if s.Service == name {
				return &s
			}
		}
		return nil
	}
	if s := f.Status(&f.recent); s.Gateway.Ready || len(s.Gateway.Problems) != 1 || s.Gateway.Started.IsZero() {
		t.Errorf("at first: %+v", s.Gateway)
	}
	f.version(t, "things", "1.0", document("GET /v1/things "+public, "POST /v1/things "+personal, `GET /v1/hidden {"x-internal":true}`), func(http.ResponseWriter, *http.Request) {})
	_, leave := f.version(t, "things", "1.1", document("GET /v1/things "+public), func(http.ResponseWriter, *http.Request) {})
	f.known(t, "/v1/things")
	f.service(t, "mute", "no document", nil) // which a gateway that starts would wait for
	testenv.Eventually(t, "what there is", func() bool { return find("mute") != nil && find("mute").Known && len(find("things").Instances) == 2 })
	if s := find("mute"); s.Documented || s.Operations != 0 || len(s.Instances) != 1 {
		t.Errorf("%+v", s)
	}
	if s := find("things"); !s.Documented || !s.Known || s.Operations == 0 {
		t.Errorf("%+v", s)
	}
	f.do(t, "GET", "/v1/things", nil, "X-Request-Id", "mine")
	f.do(t, "POST", "/v1/things", nil)
	f.logged(t, "mine")
	s := f.Status(&f.recent)
	if len(s.Gateway.Problems) != 0 || s.Totals.Refused == 0 || s.Load.Limit == 0 {
		t.Errorf("%+v %+v %+v", s.Gateway, s.Totals, s.Load)
	}
	leave()
	testenv.Eventually(t, "one to have left", func() bool { return len(find("things").Instances) == 1 })
	if got := find("things").Instances[0].Version; got != "1.0" {
		t.Errorf("version %q is left", got)
	}
}
