package testenv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childVariable makes TestChild, in a process of its own, start that server.
const childVariable = "TESTENV_TEST_CHILD"

// TestChild is what the tests below run in another process, and kill.
func TestChild(t *testing.T) {
	start := map[string]func(context.Context, string, int) (*Server, error){
		"PostgreSQL": StartPostgres,
		"Redis":      StartRedis,
		"MongoDB":    StartMongo,
		"Consul":     StartConsul,
	}[os.Getenv(childVariable)]
	if start == nil {
		return
	}
	s, err := start(t.Context(), os.Getenv(childVariable+"_DIR"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv(childVariable+"_PAUSE") != "" {
		if err := s.Pause(); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Println("started", s.process.pid, s.Addr, s.Dir)
	select {}
}

func TestGoneWithItsStarter(t *testing.T) {
	t.Parallel()
	for _, server := range servers {
		for _, pause := range []string{"", "paused"} {
			t.Run(server.name+pause, func(t *testing.T) {
				t.Parallel()
				skipIfShort(t, server.name)
				child, pid, addr, dir := startChild(t, childVariable+"="+server.name, childVariable+"_PAUSE="+pause)
				if _, err := os.Stat(filepath.Join(dir, "log")); err != nil {
					t.Fatal(err)
				}
				kill(t, child)
				eventually(t, func() error { return isGone(pid, addr, dir) })
			})
		}
	}
}

func TestGoneWithItsStarterWhileStarting(t *testing.T) {
	t.Parallel()
	skipIfShort(t, "PostgreSQL")
	tmp := openDir(t)
	child := childCommand(t, childVariable+"=PostgreSQL", "TMPDIR="+tmp)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var supervisors []int
	eventually(t, func() (err error) {
		if found, _ := filepath.Glob(filepath.Join(tmp, "*", "data.new", "*")); len(found) == 0 {
			return errors.New("initdb has not begun")
		}
		supervisors, err = children(child.Process.Pid)
		return err
	})
	kill(t, child)
	eventually(t, func() error {
		if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
			return fmt.Errorf("left behind: %v, %v", left, err)
		}
		return nil
	})
	for _, group := range supervisors {
		eventually(t, func() error { return groupIsGone(group) })
	}
}

func TestKeptDirectoryOfKilledStarter(t *testing.T) {
	t.Parallel()
	skipIfShort(t, "PostgreSQL")
	dir := filepath.Join(openDir(t), "postgres")
	child, _, addr, _ := startChild(t, childVariable+"=PostgreSQL", childVariable+"_DIR="+dir)
	url := "postgres://postgres@" + addr + "/postgres"
	if err := execute(t.Context(), url, "CREATE TABLE notes AS SELECT 7 AS id"); err != nil {
		t.Fatal(err)
	}
	kill(t, child)
	s, err := StartPostgres(t.Context(), dir, 0) // at once: the other is still ending
	if err != nil {
		t.Fatal(err)
	}
	own(t, s, nil)
	if got, err := query[int](t.Context(), s.URL, "SELECT id FROM notes"); err != nil || got != 7 {
		t.Errorf("got %d, %v", got, err)
	}
}

func groupIsGone(group int) error {
	if err := syscall.Kill(-group, 0); !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("process group %d is there (%v)", group, err)
	}
	return nil
}

func childCommand(t *testing.T, env ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

// startChild runs TestChild in another process until it has a server.
func startChild(t *testing.T, env ...string) (child *exec.Cmd, pid int, addr, dir string) {
	t.Helper()
	child = childCommand(t, env...)
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "started %d %s %s", &pid, &addr, &dir); err == nil {
			return child, pid, addr, dir
		}
		fmt.Fprintln(&said, lines.Text())
	}
	t.Fatalf("the child did not start a server:\n%s", said.String())
	return nil, 0, "", ""
}

// kill ends the child as nothing can prepare for.
func kill(t *testing.T, child *exec.Cmd) {
	t.Helper()
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
}

// timeoutSoon is for what is to fail by its deadline.
func timeoutSoon(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), 200*time.Millisecond)
}
