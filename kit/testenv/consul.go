package testenv

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"
)

// StartConsul runs a Consul agent, a server of its own, on 127.0.0.1; port is
// that of its HTTP API, 0 a free one. What it knows is in its memory: after
// Restart it knows nothing, and dir ("" for a temporary one) has its log alone.
// Of its other services (DNS, gRPC, service mesh) none runs.
//
// The binary is found by [ConsulBinary], which builds it if there is none: the
// first start may take minutes, which ctx bounds like the rest of the start.
func StartConsul(ctx context.Context, dir string, port int) (*Server, error) {
	binary, err := ConsulBinary(ctx)
	if err != nil {
		return nil, err
	}
	return start(ctx, dir, port, func(s *Server, port int) error {
		s.URL = "consul://" + s.Addr
		id := "trellis-" + strings.ToLower(rand.Text())
		rpc, err := choosePort(0)
		if err != nil {
			return err
		}
		serf, err := choosePort(0)
		if err != nil {
			return err
		}
		s.kind = kind{
			name:  "Consul",
			quit:  syscall.SIGTERM,
			ready: func(ctx context.Context) error { return consulReady(ctx, s.Addr, id) },
			command: []string{binary, "agent", "-dev", "-node=" + id,
				"-bind=127.0.0.1", "-client=127.0.0.1",
				"-http-port=" + strconv.Itoa(port),
				"-server-port=" + strconv.Itoa(rpc), "-serf-lan-port=" + strconv.Itoa(serf),
				"-serf-wan-port=-1", "-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1",
				"-log-level=info", "-hcl=disable_update_check = true", "-hcl=connect { enabled = false }",
			},
		}
		return nil
	})
}

// consulReady returns nil when the agent has a leader and has registered
// itself. If the port was taken it is another agent that answers, hence id.
func consulReady(ctx context.Context, addr, id string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/v1/health/service/consul?passing", nil)
	if err != nil {
		return err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", req.URL, resp.Status)
	}
	var members []struct{ Node struct{ Node string } }
	if err := json.NewDecoder(resp.Body).Decode(&members); err != nil {
		return err
	}
	for _, m := range members {
		if m.Node.Node == id {
			return nil
		}
	}
	return fmt.Errorf("%s is not among the servers at %s", id, addr)
}
