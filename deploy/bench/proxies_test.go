//go:build linux

package bench

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"

	"github.com/trellis-go/trellis/kit/testenv"
)

// proxy is one to measure.
type proxy struct {
	name, duties string
	start        func(*scene) (*process, error)
}

func (p proxy) String() string {
	if p.duties == "" {
		return p.name
	}
	return p.name + ": " + p.duties
}

// proxies are those measured; a further one, or another way to run one, is a
// row. All get the same request, whose token only some of them look at. Limits
// are per client and refuse nobody; logs are written to files, line by line.
var proxies = []proxy{
	{"nginx", "", configured("nginx.conf", false, nginx)},
	{"nginx", "limit, JSON log", configured("nginx.conf", true, nginx)},
	{"HAProxy", "", configured("haproxy.cfg", false, haproxy)},
	{"HAProxy", "limit, JSON log", configured("haproxy.cfg", true, haproxy)},
	{"Caddy", "", configured("Caddyfile", false, caddy)},
	{"Caddy", "JSON log", configured("Caddyfile", true, caddy)}, // as it comes it has no limit
	{"httputil.ReverseProxy", "", reverseProxy()},
	{"httputil.ReverseProxy", "limit, JSON log", reverseProxy("-limit")},
	{"httputil.ReverseProxy", "limit, JSON log, token verified each time", reverseProxy("-limit", "-keys")},
	{"Trellis gateway", "limit, JSON log, token, metrics, trace", gateway()},
}

// gateway is ours; env is what sets a variant of it apart. It finds its
// services in Consul, and reports one trace in a hundred.
func gateway(env ...string) func(*scene) (*process, error) {
	return func(s *scene) (*process, error) {
		addr := s.address()
		env := append(s.environment("GATEWAY_ADDR="+addr, "GATEWAY_ADMIN="+s.address(), "TRELLIS_ZIPKIN=http://"+s.upstream+"/api/v2/spans"), env...)
		return s.spawn("http://"+addr, s.dir(), env, s.binary("gateway"))
	}
}

func reverseProxy(flags ...string) func(*scene) (*process, error) {
	return func(s *scene) (*process, error) {
		addr := s.address()
		command := []string{s.binary("reverseproxy"), "-addr", addr, "-to", "http://" + s.upstream}
		for _, f := range flags {
			if command = append(command, f); f == "-keys" {
				command = append(command, "http://"+s.auth+"/.well-known/jwks.json")
			}
		}
		return s.spawn("http://"+addr, s.dir(), s.environment(), command...)
	}
}

func nginx(_ context.Context, file string) ([]string, error) {
	binary, err := installed("nginx")
	return []string{binary, "-e", "stderr", "-p", filepath.Dir(file), "-c", file}, err
}

func haproxy(_ context.Context, file string) ([]string, error) {
	binary, err := installed("haproxy")
	return []string{binary, "-db", "-f", file}, err
}

// installed finds a program of a Debian package of its name.
func installed(name string) (string, error) {
	for _, candidate := range []string{name, "/usr/sbin/" + name} { // which is in root's PATH only
		if path, err := exec.LookPath(candidate); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("it is not installed; on Debian: apt-get install %s", name)
}

func caddy(ctx context.Context, file string) ([]string, error) {
	binary, err := testenv.CaddyBinary(ctx)
	return []string{binary, "run", "--adapter", "caddyfile", "--config", file}, err
}

//go:embed config
var templates embed.FS

// configured is a proxy with a file of configuration; duties are the limit and
// the log.
func configured(name string, duties bool, command func(context.Context, string) ([]string, error)) func(*scene) (*process, error) {
	return func(s *scene) (*process, error) {
		config, err := template.ParseFS(templates, "config/"+name)
		if err != nil {
			return nil, err
		}
		dir, addr := s.dir(), s.address()
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if err := config.Execute(f, map[string]any{
			"Addr": addr, "Upstream": s.upstream, "Dir": dir, "Log": filepath.Join(dir, "access.log"),
			"Duties": duties, "Threads": *threads, "Root": os.Geteuid() == 0,
		}); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		line, err := command(s.ctx, f.Name())
		if err != nil {
			return nil, err
		}
		return s.spawn("http://"+addr, dir, s.environment("HOME="+dir), line...)
	}
}
