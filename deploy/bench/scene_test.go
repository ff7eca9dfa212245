//go:build linux

package bench

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/testenv"
)

// scene is what all proxies are before: a service that answers, and for the
// gateway the registry that knows it and the auth service that signs tokens.
type scene struct {
	b              *testing.B
	ctx            context.Context
	bin            string // folder of our binaries
	consul         string // URL
	upstream, auth string // addresses
}

const path = "/v1/things/7"

func setScene(ctx context.Context, b *testing.B) *scene {
	b.Helper()
	s := &scene{b: b, ctx: ctx, bin: b.TempDir(), consul: testenv.Consul(b).URL}
	for name, pkg := range map[string]string{"gateway": "../../gateway/cmd", "auth": "../../auth/cmd", "upstream": "./upstream", "reverseproxy": "./reverseproxy"} {
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", s.binary(name), pkg).CombinedOutput(); err != nil {
			b.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	s.upstream, s.auth = s.address(), s.address()
	s.must(s.upstream, path, os.Environ(), s.binary("upstream"), "-addr", s.upstream)
	registry, err := discovery.Open(s.consul, log.NewNopLogger())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = registry.Close() })
	if _, err := registry.Register(ctx, discovery.Instance{Service: "things", Addr: s.upstream, Tags: []string{discovery.Gateway}}); err != nil {
		b.Fatal(err)
	}
	s.must(s.auth, "/readyz", s.environment("AUTH_ADDR="+s.auth, "AUTH_STORE=sqlite:auth.db"), s.binary("auth"))
	s.token("signup", `{"email":"ann@example.com","password":"kupfer-dach-77"}`)
	return s
}

func (s *scene) binary(name string) string { return filepath.Join(s.bin, name) }

func (s *scene) dir() string { return s.b.TempDir() }

// address is one on which nothing listens.
func (s *scene) address() string {
	s.b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.b.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// environment is that of a proxy, or of a service of ours.
func (s *scene) environment(more ...string) []string {
	return append(append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(*threads), "TRELLIS_DISCOVERY="+s.consul, "TRELLIS_DRAIN=1ms", "TRELLIS_SECRET=they-are-all-of-one-and-the-same-bench"), more...)
}

func (s *scene) must(addr, path string, env []string, command ...string) {
	s.b.Helper()
	p, err := s.spawn("http://"+addr, s.dir(), env, command...)
	if err != nil {
		s.b.Fatal(err)
	}
	p.ready(s.ctx, s.b, request{path: path})
}

// login returns a new access token.
func (s *scene) login() string {
	s.b.Helper()
	return s.token("login", `{"login":"ann@example.com","password":"kupfer-dach-77"}`)
}

func (s *scene) token(how, body string) string {
	s.b.Helper()
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, "http://"+s.auth+"/v1/auth/"+how, strings.NewReader(body))
	if err != nil {
		s.b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.b.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.AccessToken == "" {
		s.b.Fatalf("%s: %s, %v", how, res.Status, err)
	}
	return answer.AccessToken
}
