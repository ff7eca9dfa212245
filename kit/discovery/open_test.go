package discovery_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trellis-go/trellis/kit/discovery"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	notCA := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notCA, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		url  string
		want string // the registry's type
		errs []string
	}{
		{"memory:", "*discovery.Memory", nil},
		{"consul://127.0.0.1:8500", "*discovery.Consul", nil},
		{"consul://[::1]:8500", "*discovery.Consul", nil},
		{"consul://consul.service", "*discovery.Consul", nil},
		{"consul://127.0.0.1:8500?tls=true", "*discovery.Consul", nil},
		{"consul+https://127.0.0.1:8501/", "*discovery.Consul", nil},
		{"", "", []string{`got ""`, `"memory:"`, `"consul://host:port"`}},
		{"etcd://127.0.0.1", "", []string{`"etcd://127.0.0.1"`, `"memory:"`}},
		{"consul:", "", []string{"names no host"}},
		{"consul://host/path", "", []string{"more than a host"}},
		{"consul://host:port", "", []string{"no URL"}},
		{"consul://host?tls=perhaps", "", []string{`tls="perhaps"`}},
		{"consul://host?token=x", "", []string{`"token" is not a parameter`}},
		{"consul://user:hunter2@host", "", []string{"CONSUL_HTTP_TOKEN"}},
		{"consul://host?ca=/no/such/file", "", []string{"/no/such/file"}},
		{"consul://host?ca=" + notCA, "", []string{"ca.pem"}},
	} {
		r, err := discovery.Open(tt.url, nil)
		if tt.errs == nil {
			if got := fmt.Sprintf("%T", r); got != tt.want || err != nil {
				t.Errorf("%q: %s, %v; want %s", tt.url, got, err, tt.want)
				continue
			}
			r.Close()
			continue
		}
		if err == nil || r != nil {
			t.Errorf("%q: no error", tt.url)
			continue
		}
		for _, want := range tt.errs {
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q: %q, want %q", tt.url, err, want)
			}
		}
	}
}

func TestOpenOverTLS(t *testing.T) {
	t.Setenv("CONSUL_HTTP_TOKEN", "secret")
	agent := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Consul-Token") != "secret" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("X-Consul-Index", "1")
		w.Header().Set("X-Consul-LastContact", "0")
		if r.URL.Query().Has("index") {
			<-r.Context().Done()
		}
		fmt.Fprint(w, `[{"Node":{"Address":"10.0.0.1"},"Service":{"Port":80}}]`)
	}))
	defer agent.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: agent.Certificate().Raw}
	if err := os.WriteFile(ca, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"consul+https://%s?ca=%s", "consul://%s?ca=%s", "consul://%s?tls=true&ca=%s"} {
		r := open(t, fmt.Sprintf(url, agent.Listener.Addr(), ca))
		watch(t, r.Instancer("notes")).wants(t, "10.0.0.1:80")
		r.Close()
	}
}
