// Command tools gets what the tests of Trellis need and this machine lacks:
//
//	go run ./kit/testenv/tools
//
// PostgreSQL, Redis, Chromium and a WebSocket client in Python it installs from
// Debian's packages, if apt-get is there and we are root or may become root
// without a password. Some start services of the system's (Redis on port 6379),
// which the tests leave alone. Consul, and FerretDB for MongoDB, it builds from
// their Go modules into the user's cache folder; the first time that takes
// minutes. Where it can do neither it says what to do instead.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/trellis-go/trellis/kit/testenv"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// needs are what the tests need; a new kind of server is a row.
var needs = []struct {
	find func(context.Context) (string, error) // where it is, or what to do by hand
	pkg  string                                // the Debian package that has it; "" if find gets it itself
}{
	{func(context.Context) (string, error) { return testenv.PostgresBinaries() }, "postgresql"},
	{func(context.Context) (string, error) { return testenv.RedisBinary() }, "redis-server"},
	{func(context.Context) (string, error) { return testenv.ChromiumBinary() }, "chromium"},
	{func(context.Context) (string, error) { return testenv.PythonWebSockets() }, "python3-websockets"},
	{testenv.ConsulBinary, ""},
	{testenv.MongoBinary, ""},
}

func run(ctx context.Context) error {
	var missing []string
	for _, need := range needs {
		if need.pkg == "" {
			continue
		}
		if _, err := need.find(ctx); err != nil {
			missing = append(missing, need.pkg)
		}
	}
	var failed error
	if len(missing) > 0 {
		failed = install(ctx, missing)
	}
	for _, need := range needs {
		where, err := need.find(ctx)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		fmt.Println(where)
	}
	return failed
}

// install installs Debian packages; where there is no apt-get it does nothing.
func install(ctx context.Context, packages []string) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return nil
	}
	var as []string
	if os.Geteuid() != 0 {
		as = []string{"sudo", "-n"}
		if err := exec.CommandContext(ctx, "sudo", "-n", "true").Run(); err != nil {
			return fmt.Errorf("tools: not root, and sudo needs a password; run: sudo apt-get install %s", strings.Join(packages, " "))
		}
	}
	as = append(as, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get")
	get := func(args ...string) error {
		command := slices.Concat(as, args)
		fmt.Fprintln(os.Stderr, strings.Join(command, " "))
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("tools: %s: %w", strings.Join(command, " "), err)
		}
		return nil
	}
	failed := get("update")
	for _, p := range packages { // each by itself: one that there isn't keeps no other away
		failed = errors.Join(failed, get("install", "--yes", "--no-install-recommends", p))
	}
	return failed
}
