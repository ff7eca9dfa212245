package testenv

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// startScript runs a shell script as a server that serves once Dir/ready is there.
func startScript(t *testing.T, port int, script func(try int) string) (s *Server, tries int, err error) {
	s, err = start(t.Context(), "", port, func(s *Server, _ int) error {
		tries++
		s.kind = kind{
			name:    "script",
			quit:    syscall.SIGTERM,
			command: []string{"sh", "-c", script(tries)},
			ready: func(context.Context) error {
				_, err := os.Stat(filepath.Join(s.Dir, "ready"))
				return err
			},
		}
		return nil
	})
	if err == nil {
		own(t, s, nil)
	}
	return s, tries, err
}

const portTaken = "echo 'listen: Address already in use'; exit 1"

func TestPortTakenMeanwhile(t *testing.T) {
	t.Parallel()
	_, tries, err := startScript(t, 0, func(try int) string {
		if try < 3 {
			return portTaken
		}
		return "touch ready; exec sleep 600"
	})
	if err != nil || tries != 3 {
		t.Errorf("%d tries, %v; want 3", tries, err)
	}

	given, err := choosePort(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range []int{0, given} {
		_, tries, err = startScript(t, port, func(int) string { return portTaken })
		wantError(t, err, "script ended as it started", "Address already in use")
		if (tries == 1) != (port == given) {
			t.Errorf("port %d: %d tries", port, tries)
		}
	}
}

func TestLongLogIsCut(t *testing.T) {
	t.Parallel()
	_, _, err := startScript(t, 0, func(int) string {
		return "i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); done; exit 1"
	})
	wantError(t, err, "line 99", "line 85")
	if strings.Contains(err.Error(), "line 84") {
		t.Errorf("too long: %v", err)
	}
}

func TestStubbornServerIsKilled(t *testing.T) {
	t.Parallel()
	skipIfShort(t, "ten seconds")
	s, _, err := startScript(t, 0, func(int) string {
		return "trap '' TERM; touch ready; while :; do sleep 600; done"
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	eventually(t, func() error { return groupIsGone(s.process.group) })
}
