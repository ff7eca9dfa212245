// Command real runs the system as in production: each service a process of
// its own, on PostgreSQL, MongoDB and Redis, found through Consul. POSTGRES,
// MONGODB, REDIS and CONSUL name servers to use; instead of those that are not
// named private ones are started, with their files under data/real.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: real\n\nRuns each service and the gateway as a process, on the servers that POSTGRES, MONGODB,\nREDIS and CONSUL name, URLs, or on private ones of its own.\nThe services' own variables, such as NOTES_ADDR, hold too.")
	}
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// services in the order in which they start; they stop in the opposite one, the
// gateway before the webapp, which lets its streams through.
var services = []struct {
	name, addr string
	store      func(*servers, context.Context, string) (url string, err error) // nil for none
}{
	{"webapp", "127.0.0.1:3000", nil},
	{"auth", "127.0.0.1:8001", (*servers).postgresDatabase},
	{"notes", "127.0.0.1:8002", (*servers).postgresDatabase},
	{"profile", "127.0.0.1:8003", (*servers).mongoDatabase},
	{"notify", "127.0.0.1:8004", (*servers).redisDatabase},
	{"gateway", "127.0.0.1:8000", nil},
}

func run(ctx context.Context) (err error) {
	s, err := openServers(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	folder, err := binaries()
	if err != nil {
		return err
	}
	fmt.Printf("%-8s TRELLIS_EVENTS=%s\n", "events", s.shown(cmp.Or(os.Getenv("TRELLIS_EVENTS"), s.redis)))
	died := make(chan error, len(services))
	for _, service := range services {
		prefix := strings.ToUpper(service.name) + "_"
		addr := cmp.Or(os.Getenv(prefix+"ADDR"), service.addr)
		env := append(s.environment(), prefix+"ADDR="+addr)
		if service.store != nil {
			url := os.Getenv(prefix + "STORE")
			if url == "" {
				if url, err = service.store(s, ctx, service.name); err != nil {
					return err
				}
			}
			fmt.Printf("%-8s %sSTORE=%s\n", service.name, prefix, s.shown(url))
			env = append(env, prefix+"STORE="+url)
		}
		c, err := start(filepath.Join(folder, service.name), env, died)
		if err != nil {
			return err
		}
		defer c.stop()
		if err := ready(ctx, addr, died); err != nil {
			return err
		}
		fmt.Printf("%-8s http://%s\n", service.name, addr)
	}
	select {
	case err := <-died:
		fmt.Fprintln(os.Stderr, err, "- stopping the others")
		return errors.New("stopped because a service ended")
	case <-ctx.Done():
		fmt.Println("stopping")
		return nil
	}
}

// binaries is the folder where this program and the services' binaries are.
func binaries() (string, error) {
	self, err := os.Executable()
	return filepath.Dir(self), err
}

// ready waits until a service answers that it takes work.
func ready(ctx context.Context, addr string, died <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if res, err := http.Get("http://" + addr + "/readyz"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-died:
			return err
		case <-ctx.Done():
			return errors.New("nothing is ready at " + addr)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// environment is what all processes are configured with.
func (s *servers) environment() []string {
	return slices.Concat(os.Environ(), []string{
		"TRELLIS_DISCOVERY=" + s.consul,
		"TRELLIS_EVENTS=" + cmp.Or(os.Getenv("TRELLIS_EVENTS"), s.redis),
		"TRELLIS_SECRET=" + s.secret,
		"GATEWAY_REDIS=" + cmp.Or(os.Getenv("GATEWAY_REDIS"), s.redis),
	})
}
