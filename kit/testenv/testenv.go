// Package testenv runs real servers for tests, and for running the system on
// them: a private PostgreSQL, a Redis, a MongoDB server, a Consul agent. Each
// listens on loopback, on a port of its own, and keeps its files in a directory
// of its own.
//
// A server is gone when the process that started it is gone, however that one
// ends, kill -9 included; so is its directory, if it was a temporary one.
//
// In a test, [Postgres], [PostgresServer], [Redis], [RedisServer], [Mongo],
// [MongoServer] and [Consul] are all there is to know. It runs where there is a
// Unix shell.
package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// startTimeout bounds what has no context of its own.
const startTimeout = time.Minute

// Server is a running server. Its methods may be called from any goroutine.
type Server struct {
	URL  string // as the system's configuration takes it: postgres://…, redis://…, mongodb://…, consul://…
	Addr string // host:port
	Dir  string // its files; Dir/log is what it has to say

	kind      kind
	temporary bool
	lock      *os.File

	mu      sync.Mutex
	process *process
	stopped bool
}

// kind is what sets one sort of server apart from another.
type kind struct {
	name    string
	user    *syscall.Credential // whom it runs as; nil: whoever we are
	quit    syscall.Signal      // asks it to end
	command []string            // becomes the server: same process
	ready   func(ctx context.Context) error
	remains func(dir string) // removes what a killed one leaves outside its directory; may be nil
}

// Stop ends the server and, if its directory is temporary, removes that.
// A second Stop does nothing; after it the other methods fail.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil
	}
	s.stopped = true
	if s.process.isGone() && s.kind.remains != nil {
		s.kind.remains(s.Dir)
	}
	err := s.process.end()
	if s.temporary {
		err = errors.Join(err, os.RemoveAll(s.Dir))
	}
	return errors.Join(err, s.lock.Close())
}

// Kill ends all the server's processes with SIGKILL and returns when they are
// gone. Its directory stays; Restart brings it back.
func (s *Server) Kill() error { return s.signal(syscall.SIGKILL) }

// Pause stops all the server's processes with SIGSTOP: connections stay open
// and new ones are taken, but nothing answers.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume continues a paused server.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.process.isGone() {
		return fmt.Errorf("testenv: %s at %s is not running", s.kind.name, s.Addr)
	}
	if err := s.process.signal(sig); err != nil {
		return fmt.Errorf("testenv: %s: %w", s.kind.name, err)
	}
	return nil
}

// Restart starts the server again, on the same port and directory, and returns
// when it serves. If it is running it is ended first, as by Stop.
func (s *Server) Restart() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return fmt.Errorf("testenv: %s at %s was stopped", s.kind.name, s.Addr)
	}
	if err := s.process.quit(s.kind.quit); err != nil {
		return fmt.Errorf("testenv: %s: %w", s.kind.name, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	previous := s.process
	if err := s.launch(); err != nil {
		return err
	}
	previous.leave() // only now: at no moment is the directory without a guard
	return s.await(ctx)
}

// launch starts the server's process, which is not yet serving.
func (s *Server) launch() error {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("testenv: %w", err)
	}
	defer log.Close()
	remove := ""
	if s.temporary {
		remove = s.Dir
	}
	p, err := spawn(s.kind, s.Dir, remove, log, s.lock)
	if err != nil {
		return err
	}
	s.process = p
	return nil
}

// await returns nil when the server serves, or an error with what it said.
func (s *Server) await(ctx context.Context) error {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		err := s.try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.process.gone:
			return &startError{s.kind.name, "ended as it started", s.logTail()}
		case <-ctx.Done():
			return &startError{s.kind.name, fmt.Sprintf("does not serve on %s: %v (%v)", s.Addr, err, ctx.Err()), s.logTail()}
		case <-poll.C:
		}
	}
}

// try asks the server once; whoever answers in its place may never do.
func (s *Server) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return s.kind.ready(ctx)
}

func (s *Server) logFile() string { return filepath.Join(s.Dir, "log") }
