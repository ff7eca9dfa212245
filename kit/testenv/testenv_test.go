package testenv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// servers are the kinds of server, each with a request that it answers.
var servers = []struct {
	name string
	run  func(testing.TB) *Server
	ask  func(context.Context, *Server) error
}{
	{"PostgreSQL", PostgresServer, func(ctx context.Context, s *Server) error {
		_, err := query[int](ctx, s.URL, "SELECT 1")
		return err
	}},
	{"Redis", RedisServer, func(ctx context.Context, s *Server) error { return redisDo(ctx, s.URL, "PING").Err() }},
	{"MongoDB", MongoServer, func(ctx context.Context, s *Server) error {
		return mongoAsk(ctx, s.URL, func(db *mongo.Database) error {
			return db.RunCommand(ctx, bson.D{{Key: "ping", Value: 1}}).Err()
		})
	}},
	{"Consul", func(t testing.TB) *Server { return Consul(t) }, func(ctx context.Context, s *Server) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Addr+"/v1/status/leader", nil)
		if err != nil {
			return err
		}
		req.Close = true
		resp, err := Client.Do(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}},
}

func TestStop(t *testing.T) {
	t.Parallel()
	for _, kind := range servers {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			s := kind.run(t)
			if err := kind.ask(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := s.Stop(); err != nil {
					t.Fatal(err)
				}
			}
			if err := isGone(s.process.pid, s.Addr, s.Dir); err != nil {
				t.Error(err)
			}
			for name, call := range map[string]func() error{"Kill": s.Kill, "Pause": s.Pause, "Resume": s.Resume, "Restart": s.Restart} {
				if call() == nil {
					t.Errorf("%s after Stop: no error", name)
				}
			}
		})
	}
}

func TestKillAndRestart(t *testing.T) {
	t.Parallel()
	for _, kind := range servers {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			s := kind.run(t)
			first := s.process.pid
			if err := s.Kill(); err != nil {
				t.Fatal(err)
			}
			if kind.ask(t.Context(), s) == nil {
				t.Error("a killed server answers")
			}
			if s.Kill() == nil {
				t.Error("Kill of a killed server: no error")
			}
			for _, how := range []string{"after Kill", "while running"} {
				if err := s.Restart(); err != nil {
					t.Fatalf("Restart %s: %v", how, err)
				}
				if err := kind.ask(t.Context(), s); err != nil {
					t.Errorf("Restart %s: %v", how, err)
				}
			}
			if s.process.pid == first {
				t.Error("it is the same process")
			}
		})
	}
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	for _, kind := range servers {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			s := kind.run(t)
			if err := s.Pause(); err != nil {
				t.Fatal(err)
			}
			short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if err := kind.ask(short, s); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a paused server: got %v, want a timeout", err)
			}
			if err := s.Resume(); err != nil {
				t.Fatal(err)
			}
			if err := kind.ask(t.Context(), s); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStopOfPausedOrKilled(t *testing.T) {
	t.Parallel()
	for _, kind := range servers {
		for name, harm := range map[string]func(*Server) error{"paused": (*Server).Pause, "killed": (*Server).Kill} {
			t.Run(kind.name+" "+name, func(t *testing.T) {
				t.Parallel()
				s := kind.run(t)
				if err := errors.Join(harm(s), s.Stop()); err != nil {
					t.Fatal(err)
				}
				if err := isGone(s.process.pid, s.Addr, s.Dir); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// isGone returns nil if nothing is left of a server.
func isGone(pid int, addr, dir string) error {
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("process %d is there (%v)", pid, err)
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		return fmt.Errorf("something listens on %s", addr)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there (%v)", dir, err)
	}
	return nil
}

// eventually waits until check returns nil.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatal(err)
		case <-poll.C:
		}
	}
}

// redisDo runs a command on a connection of its own.
func redisDo(ctx context.Context, url string, command ...any) *redis.Cmd {
	client, err := openRedis(url)
	if err != nil {
		panic(err)
	}
	defer client.Close()
	return client.Do(ctx, command...)
}

// query runs a statement that returns one value.
func query[T any](ctx context.Context, url, statement string) (value T, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return value, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, statement).Scan(&value)
	return value, err
}
