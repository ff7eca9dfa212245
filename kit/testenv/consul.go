package testenv

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"
)

// ConsulOption changes how a Consul agent runs.
type ConsulOption func(*consulSetup)

type consulSetup struct {
	token     string
	cert, key string
}

// ConsulACL makes the agent let in only who has a token: what isn't allowed is
// denied. The one given, a UUID, may do everything, and make other tokens.
func ConsulACL(token string) ConsulOption { return func(c *consulSetup) { c.token = token } }

// ConsulTLS makes the agent's HTTP API speak TLS alone, with the certificate
// and key in these PEM files.
func ConsulTLS(cert, key string) ConsulOption {
	return func(c *consulSetup) { c.cert, c.key = cert, key }
}

// StartConsul runs a Consul agent, a server of its own, on 127.0.0.1; port is
// that of its HTTP API, 0 a free one. What it knows is in its memory: after
// Restart it knows nothing, and dir ("" for a temporary one) has its log alone.
// Of its other services (DNS, gRPC, service mesh) none runs.
//
// The binary is found by [ConsulBinary], which builds it if there is none: the
// first start may take minutes, which ctx bounds like the rest of the start.
func StartConsul(ctx context.Context, dir string, port int) (*Server, error) {
	return startConsul(ctx, dir, port, consulSetup{})
}

func startConsul(ctx context.Context, dir string, port int, setup consulSetup) (*Server, error) {
	binary, err := ConsulBinary(ctx)
	if err != nil {
		return nil, err
	}
	return start(ctx, dir, port, func(s *Server, port int) error {
		s.URL = setup.scheme("consul", "consul+https") + "://" + s.Addr
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
			ready: func(ctx context.Context) error { return setup.ready(ctx, s.Addr, id) },
			command: append([]string{binary, "agent", "-dev", "-node=" + id,
				"-bind=127.0.0.1", "-client=127.0.0.1",
				"-server-port=" + strconv.Itoa(rpc), "-serf-lan-port=" + strconv.Itoa(serf),
				"-serf-wan-port=-1", "-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1",
				"-log-level=info", "-hcl=disable_update_check = true", "-hcl=connect { enabled = false }",
			}, setup.arguments(port)...),
		}
		return nil
	})
}

func (c consulSetup) scheme(plain, secure string) string {
	if c.cert != "" {
		return secure
	}
	return plain
}

func (c consulSetup) arguments(port int) (args []string) {
	if c.cert == "" {
		args = append(args, "-http-port="+strconv.Itoa(port))
	} else {
		args = append(args, "-http-port=-1", "-https-port="+strconv.Itoa(port),
			fmt.Sprintf("-hcl=tls { https { cert_file = %q, key_file = %q } }", c.cert, c.key))
	}
	if c.token != "" {
		args = append(args, fmt.Sprintf(`-hcl=acl { enabled = true, default_policy = "deny", tokens { initial_management = %q, agent = %[1]q } }`, c.token))
	}
	return args
}

// ready returns nil when the agent has a leader and has registered itself. If
// the port was taken it is another agent that answers, hence id.
func (c consulSetup) ready(ctx context.Context, addr, id string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.scheme("http", "https")+"://"+addr+"/v1/health/service/consul?passing", nil)
	if err != nil {
		return err
	}
	req.Header.Set("X-Consul-Token", c.token)
	via := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // whose certificate it is the test knows
	resp, err := via.RoundTrip(req)
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
