package realtime_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/notify/realtime"
)

// python is an interpreter that has the package websockets.
func python(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs Python")
	}
	path, err := testenv.PythonWebSockets()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// stranger is a client that nobody here wrote.
type stranger struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

func newStranger(t *testing.T) *stranger {
	t.Helper()
	cmd := exec.Command(python(t), "testdata/client.py")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(2*patience, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() {
		late.Stop()
		in.Close()
		_ = cmd.Wait()
	})
	return &stranger{t, in, bufio.NewScanner(out)}
}

// does sees that a command is answered so.
func (s *stranger) does(command, want string) {
	s.t.Helper()
	fmt.Fprintln(s.in, command)
	if !s.out.Scan() {
		s.t.Fatalf("%s: the client has gone: %v", command, s.out.Err())
	}
	if got := s.out.Text(); got != want {
		s.t.Fatalf("%s: %s, want %s", command, got, want)
	}
}

func TestStranger(t *testing.T) {
	t.Parallel()
	s := newStranger(t)
	times := quick
	times.Ping = 20 * time.Millisecond // which it answers, all along
	w := newWorld(t, times, realtime.Options{})
	user := uuid.New()
	w.tell(user, `1`)
	epoch := w.epoch(user)
	open := func() { s.does("open ws://"+w.addr+w.ticket(user, "s1"), "open") }
	message := func(kind string, seq int) string {
		if kind == "note.changed" {
			return fmt.Sprintf(`{"epoch":%q,"seq":%d,"type":%q,"data":%d,"unread":0}`, epoch, seq, kind, seq)
		}
		return fmt.Sprintf(`{"type":%q,"epoch":%q,"seq":%d}`, kind, epoch, seq)
	}
	position := func(seq int) string { return fmt.Sprintf(`{"epoch":%q,"seq":%d}`, epoch, seq) }

	path := "open ws://" + w.addr + w.ticket(user, "s1")
	s.does(path, "open")
	s.does("receive", message("hello", 1))
	s.does("send {}", "sent")
	s.does("ping", "pong")
	w.tell(user, `2`)
	s.does("receive", message("note.changed", 2))
	s.does("close", "1000 ")
	s.does(path, "refused 401")

	w.tell(user, `3`)
	open()
	s.does("receive", message("hello", 3))
	s.does("send "+position(1), "sent")
	w.tell(user, `4`)
	for i := 2; i <= 4; i++ {
		s.does("receive", message("note.changed", i))
	}
	w.revoked.Add("s1", time.Now().Add(time.Hour))
	s.does("closed", "4401 session ended")

	open = func() { s.does("open ws://"+w.addr+w.ticket(user, "s2"), "open") }
	open()
	s.does("receive", message("hello", 4))
	s.does("send "+position(9), "sent")
	s.does("receive", message("resync", 4))
	s.does("ping", "pong")
	for command, want := range map[string]string{
		"send hello":                        "1007 this is no JSON",
		"send []":                           "1008 expected {} or an epoch and a seq",
		"send " + strings.Repeat("x", 5000): "1009 gws: message too large",
	} {
		open()
		s.does("receive", message("hello", 4))
		s.does(command, "sent")
		s.does("closed", want)
	}
	open()
	w.stop()
	s.does("closed", "1012 restarting")
}
