package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// A child is a service's process. It ends when this one does, however that
// happens: a shell waits on a pipe that only this process holds open.
type child struct {
	cmd  *exec.Cmd
	hold io.Closer
	done chan struct{}
}

const watchParent = `exec 3<&0
"$@" 3<&- </dev/null & pid=$!
{ read -r _ <&3; kill "$pid" 2>/dev/null; } &
wait "$pid"`

// start starts a binary, and tells died when it ends.
func start(binary string, env []string, died chan<- error) (*child, error) {
	cmd := exec.Command("sh", "-c", watchParent, "sh", binary)
	cmd.Env, cmd.Stderr = env, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this process, which stops the others in order
	hold, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd, hold, make(chan struct{})}
	go func() {
		err := cmd.Wait()
		close(c.done)
		died <- fmt.Errorf("%s ended: %v", filepath.Base(binary), err)
	}()
	return c, nil
}

// stop lets the service drain and end.
func (c *child) stop() {
	_ = c.hold.Close()
	<-c.done
}
