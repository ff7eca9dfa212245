// Command real runs the system as in production: each service a process of
// its own, on PostgreSQL, found through Consul. POSTGRES and CONSUL name
// servers to use; without them private ones are started under data/real.
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

	"github.com/trellis-go/trellis/kit/server"
)

func main() {
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: real\n\nRuns auth, notes and the gateway as processes, on the PostgreSQL server that POSTGRES\nnames and the Consul agent that CONSUL names, URLs, or on private ones of its own.\nThe services' own variables, such as NOTES_ADDR, hold too.")
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

// services in the order in which they start; they stop in the opposite one.
var services = []struct{ name, addr string }{
	{"auth", "127.0.0.1:8001"}, {"notes", "127.0.0.1:8002"}, {"gateway", "127.0.0.1:8000"},
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
	died := make(chan error, len(services))
	for _, service := range services {
		addr := cmp.Or(os.Getenv(strings.ToUpper(service.name)+"_ADDR"), service.addr)
		env, err := s.environment(ctx, service.name, addr)
		if err != nil {
			return err
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

// environment is what a service's process is configured with.
func (s *servers) environment(ctx context.Context, name, addr string) ([]string, error) {
	env := slices.Concat(os.Environ(), []string{"TRELLIS_DISCOVERY=" + s.consul})
	prefix := strings.ToUpper(name) + "_"
	if name == "gateway" {
		return append(env, prefix+"ADDR="+addr), nil
	}
	url := os.Getenv(prefix + "STORE")
	if url == "" {
		var err error
		if url, err = s.database(ctx, name); err != nil {
			return nil, err
		}
	}
	fmt.Printf("%-8s %sSTORE=%s\n", name, prefix, server.Redacted(url))
	return append(env, prefix+"ADDR="+addr, prefix+"STORE="+url), nil
}
