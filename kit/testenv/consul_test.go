package testenv

import (
	"testing"

	"github.com/hashicorp/consul/api"
)

func TestConsulRegisters(t *testing.T) {
	t.Parallel()
	s := Consul(t)
	client, err := api.NewClient(&api.Config{Address: s.Addr})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Agent().ServiceRegister(&api.AgentServiceRegistration{Name: "notes", Port: 8002}); err != nil {
		t.Fatal(err)
	}
	if found, err := client.Agent().Services(); err != nil || len(found) != 1 {
		t.Errorf("got %v, %v; want one service", found, err)
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if found, err := client.Agent().Services(); err != nil || len(found) != 0 {
		t.Errorf("after Restart: got %v, %v; want none", found, err)
	}
}

func TestConsulBinaryIsMissing(t *testing.T) {
	t.Setenv("TRELLIS_TEST_CONSUL_BIN", t.TempDir())
	_, err := ConsulBinary(t.Context())
	wantError(t, err, "TRELLIS_TEST_CONSUL_BIN", "not a program")

	t.Setenv("TRELLIS_TEST_CONSUL_BIN", "")
	t.Setenv("TRELLIS_CACHE", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	_, err = ConsulBinary(t.Context())
	wantError(t, err, "Consul is missing", "make tools", "TRELLIS_TEST_CONSUL_BIN", "docker run")
}
