package testenv

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// grace is how long a server may take to end before it is killed. PostgreSQL
// gives its own children five seconds.
const grace = 10 * time.Second

// supervisor runs a server until its own standard input closes. That is a pipe
// to which nobody writes; the kernel closes it when the process that holds the
// other end is gone, for whatever reason. (PR_SET_PDEATHSIG would look at the
// thread that started the server, and is Linux's alone.) A line on it, when the
// server has ended, means that another supervisor has taken over.
//
// Descriptor 3 tells the server's pid. Then it stays open here until the server
// is reaped (PostgreSQL takes a zombie for a running server), and in the
// server's children, so that its end of file means that all of that is over.
// Descriptor 4 is the lock on the directory.
//
// The process group is the supervisor's own, and signals to it don't end the
// supervisor: SIGHUP comes from the kernel, when the starter of a paused server
// dies. The server is asked to end once a second, because while it is still a
// script that prepares it doesn't hear.
const supervisor = `
quit=$1 grace=$2 remove=$3
shift 3
exec 5<&0 </dev/null
"$@" 4>&- 5<&- &
server=$!
trap '' HUP INT QUIT TERM
echo $server >&3
{
	read -r nothing <&5
	while [ $grace -gt 0 ]; do
		kill -s $quit $server
		kill -s CONT $server
		sleep 1
		grace=$((grace - 1))
	done
	kill -s KILL $server
} 3>&- 4>&- &
ender=$!
wait $server
kill -s KILL $ender
exec 3>&-
read -r leave <&5 && exit
[ -z "$remove" ] || rm -rf "$remove"
kill -s KILL 0
`

// signalNames are the names that sh knows.
var signalNames = map[syscall.Signal]string{
	syscall.SIGINT:  "INT",
	syscall.SIGQUIT: "QUIT",
	syscall.SIGTERM: "TERM",
}

// process is a server's process and its supervisor.
type process struct {
	pid   int
	stdin io.WriteCloser
	gone  chan struct{} // closed when the server is reaped and its children have ended
	ended chan struct{} // closed when the supervisor has
	group int
}

// spawn starts k's command in dir under a supervisor, which in the end removes
// the directory remove, if that is not "".
func spawn(k kind, dir, remove string, log, lock *os.File) (*process, error) {
	alive, held, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	args := []string{"-c", supervisor, "testenv", signalNames[k.quit], strconv.Itoa(int(grace.Seconds())), remove}
	cmd := exec.Command("sh", append(args, k.command...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{held, lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: k.user}
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	held.Close()
	if err != nil {
		alive.Close()
		return nil, fmt.Errorf("testenv: start %s: %w", k.name, err)
	}

	p := &process{stdin: stdin, gone: make(chan struct{}), ended: make(chan struct{}), group: cmd.Process.Pid}
	go func() {
		_ = cmd.Wait()
		close(p.ended)
	}()
	from := bufio.NewReader(alive)
	line, err := from.ReadString('\n')
	if err == nil {
		p.pid, err = strconv.Atoi(strings.TrimSpace(line))
	}
	if err != nil {
		alive.Close()
		close(p.gone)
		return nil, errors.Join(fmt.Errorf("testenv: start %s: %w", k.name, err), p.end())
	}
	go func() {
		_, _ = io.Copy(io.Discard, from)
		alive.Close()
		close(p.gone)
	}()
	return p, nil
}

func (p *process) isGone() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// end has the supervisor end the server and clean up, and waits for it.
func (p *process) end() error {
	_ = p.signal(syscall.SIGCONT)
	p.stdin.Close()
	select {
	case <-p.ended:
		return nil
	case <-time.After(grace + 5*time.Second):
		return errors.Join(errors.New("testenv: the server did not end and was killed"), syscall.Kill(-p.group, syscall.SIGKILL))
	}
}

// leave ends the supervisor alone; the server must be gone.
func (p *process) leave() {
	_, _ = io.WriteString(p.stdin, "leave\n")
	<-p.ended
}

// quit asks the server to end, and kills it if it does not.
func (p *process) quit(sig syscall.Signal) error {
	if p.isGone() {
		return nil
	}
	_ = p.signal(syscall.SIGCONT)
	if err := syscall.Kill(p.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	select {
	case <-p.gone:
		return nil
	case <-time.After(grace):
		return p.signal(syscall.SIGKILL)
	}
}

// signal sends SIGKILL, SIGSTOP or SIGCONT to the server and its children.
// While it looks for them the parent is held, lest it start or replace one.
// After SIGKILL it waits for all to be gone.
func (p *process) signal(sig syscall.Signal) error {
	if p.isGone() {
		return nil
	}
	if err := syscall.Kill(p.pid, syscall.SIGSTOP); err != nil {
		return err
	}
	family, err := children(p.pid)
	if err != nil {
		return errors.Join(err, syscall.Kill(p.pid, syscall.SIGCONT))
	}
	for _, pid := range append([]int{p.pid}, family...) {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	if sig != syscall.SIGKILL {
		return nil
	}
	select {
	case <-p.gone:
		return nil
	case <-time.After(grace):
		return errors.New("a process outlived SIGKILL")
	}
}

// children returns the pids of the processes that pid has started.
func children(pid int) ([]int, error) {
	out, err := exec.Command("ps", "-A", "-o", "pid=", "-o", "ppid=").Output()
	if err != nil {
		return nil, fmt.Errorf("list processes (ps, of the package procps): %w", err)
	}
	var found []int
	for line := range strings.Lines(string(out)) {
		var child, parent int
		if _, err := fmt.Sscan(line, &child, &parent); err == nil && parent == pid {
			found = append(found, child)
		}
	}
	return found, nil
}
