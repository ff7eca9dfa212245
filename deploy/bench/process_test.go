//go:build linux

package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a program that runs until the benchmark ends, with the processes
// that it starts: together they are a process group.
type process struct {
	url   string
	group int
	done  chan struct{} // closed when the program has ended
	log   string        // the file with what it has to say
}

// spawn starts a program in dir that is to serve at url.
func (s *scene) spawn(url, dir string, env []string, command ...string) (*process, error) {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env, cmd.Stderr = dir, env, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM} // the latter for when we are killed
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{url: url, group: cmd.Process.Pid, done: make(chan struct{}), log: log.Name()}
	go func() { _ = cmd.Wait(); close(p.done) }()
	s.b.Cleanup(p.stop)
	return p, nil
}

// stop asks the program to end, so that it ends its own processes, and soon
// ends what is left.
func (p *process) stop() {
	_ = syscall.Kill(p.group, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
	}
	_ = syscall.Kill(-p.group, syscall.SIGKILL)
	<-p.done
}

// ready waits until the process answers a request.
func (p *process) ready(ctx context.Context, b *testing.B, q request) {
	b.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := p.try(ctx, q)
		if err == nil {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
			continue
		case <-p.done:
		case <-ctx.Done():
		}
		said, _ := os.ReadFile(p.log)
		b.Fatalf("%s does not serve: %v\n%s", p.url, err, said[max(0, len(said)-2000):])
	}
}

func (p *process) try(ctx context.Context, q request) error {
	c, err := dial(ctx, p.url, 1)
	if err != nil {
		return err
	}
	defer c.close()
	_, err = c.send(ctx, q, 1)
	return err
}

// tick is the unit of time in /proc, on every Linux.
const tick = time.Second / 100

// cpu is the time that the process group has taken of the processors.
func (p *process) cpu(b *testing.B) (total time.Duration) {
	b.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	found := false
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ") // after the name
		fields := strings.Fields(rest)
		const group, user, system = 2, 11, 12
		if len(fields) <= system || fields[group] != strconv.Itoa(p.group) {
			continue
		}
		found = true
		for _, f := range []string{fields[user], fields[system]} {
			n, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				b.Fatal(fmt.Errorf("%s: %w", file, err))
			}
			total += time.Duration(n) * tick
		}
	}
	if !found {
		b.Fatalf("%s has ended", p.url)
	}
	return total
}
