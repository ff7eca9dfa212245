package testenv

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// start runs a server in dir, or in a temporary directory if dir is "", on
// port, or on a free one if port is 0. ctx bounds the start only.
func start(ctx context.Context, dir string, port int, configure func(s *Server, port int) error) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	const tries = 5
	for try := 1; ; try++ {
		s, err := startOnce(ctx, dir, port, configure)
		var failed *startError
		if port == 0 && try < tries && errors.As(err, &failed) && failed.portTaken() {
			continue // someone took the port between our choosing it and the server's listening
		}
		return s, err
	}
}

func startOnce(ctx context.Context, dir string, port int, configure func(*Server, int) error) (*Server, error) {
	s := &Server{Dir: dir, temporary: dir == ""}
	if err := s.occupy(ctx); err != nil {
		return nil, err
	}
	err := func() error {
		port, err := choosePort(port)
		if err != nil {
			return err
		}
		s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if err := configure(s, port); err != nil {
			return err
		}
		return s.launch()
	}()
	if err != nil {
		if s.temporary {
			err = errors.Join(err, os.RemoveAll(s.Dir))
		}
		return nil, errors.Join(err, s.lock.Close())
	}
	if err := s.await(ctx); err != nil {
		_ = s.Stop()
		return nil, err
	}
	return s, nil
}

// occupy makes the directory and locks it. A server whose starter has just
// died may still be ending in it; that is waited for.
func (s *Server) occupy(ctx context.Context) (err error) {
	if s.temporary {
		s.Dir, err = os.MkdirTemp("", "trellis-")
	} else if s.Dir, err = filepath.Abs(s.Dir); err == nil {
		err = os.MkdirAll(s.Dir, 0o755)
	}
	if err != nil {
		return fmt.Errorf("testenv: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, grace+5*time.Second)
	defer cancel()
	s.lock, err = lockFile(ctx, filepath.Join(s.Dir, "lock"))
	if err != nil {
		return fmt.Errorf("testenv: %s is in use by another process: %w", s.Dir, err)
	}
	return nil
}

// choosePort returns a port on which nothing listens: the one given, or any
// if that is 0. It chooses below the range from which systems number outgoing
// connections, so that a killed server finds its port still free.
func choosePort(given int) (int, error) {
	const low, high = 15000, 32000
	for try := 0; ; try++ {
		port := given
		if given == 0 {
			port = low + rand.IntN(high-low)
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
		if given != 0 || try == 100 {
			return 0, fmt.Errorf("testenv: no port: %w", err)
		}
	}
}

// startError says why a server did not come up, with the end of its log.
type startError struct{ name, what, log string }

func (e *startError) Error() string {
	return fmt.Sprintf("testenv: %s %s; the end of its log:\n%s", e.name, e.what, e.log)
}

func (e *startError) portTaken() bool {
	return strings.Contains(strings.ToLower(e.log), "address already in use")
}

// logTail returns the last lines of the server's log.
func (s *Server) logTail() string {
	const lines = 15
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
