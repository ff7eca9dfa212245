package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// redisDatabases is how many logical databases a server of ours has.
const redisDatabases = 128

// StartRedis runs a Redis on 127.0.0.1; port 0 is a free one. What it is told
// it keeps in dir before it answers. With dir "" it keeps it in its memory
// alone: after Restart it knows nothing.
//
// ctx bounds the start alone.
func StartRedis(ctx context.Context, dir string, port int) (*Server, error) {
	binary, err := RedisBinary()
	if err != nil {
		return nil, err
	}
	keep := []string{"--appendonly", "no"}
	if dir != "" {
		keep = []string{"--appendonly", "yes", "--appendfsync", "always"}
	}
	return start(ctx, dir, port, func(s *Server, port int) error {
		s.URL = "redis://" + s.Addr
		id := "trellis-" + strings.ToLower(rand.Text())
		s.kind = kind{
			name:  "Redis",
			quit:  syscall.SIGTERM,
			ready: func(ctx context.Context) error { return redisReady(ctx, s.URL, id) },
			command: append([]string{binary, "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", s.Dir,
				"--save", "", "--databases", strconv.Itoa(redisDatabases), "--syslog-ident", id}, keep...),
		}
		return nil
	})
}

// redisReady asks for a name that we gave too: if the port was taken, it is
// another server that answers.
func redisReady(ctx context.Context, url, id string) error {
	client, err := openRedis(url)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Ping(ctx).Err(); err != nil {
		return err
	}
	if found, err := client.ConfigGet(ctx, "syslog-ident").Result(); err != nil || found["syslog-ident"] != id {
		return fmt.Errorf("another server answers at %s (%v)", url, err)
	}
	return nil
}

// openRedis returns a client that connects when it is used, and tries once.
func openRedis(url string) (*redis.Client, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	options.MaxRetries, options.DialerRetries, options.ContextTimeoutEnabled = -1, 1, true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	logging.Disable() // it would tell of each try while a server starts
	return redis.NewClient(options), nil
}

// RedisBinary returns the path of the Redis server on this machine, or an
// error that says how to get one.
func RedisBinary() (string, error) {
	if path, err := exec.LookPath("redis-server"); err == nil {
		return filepath.Abs(path)
	}
	return "", fmt.Errorf(`testenv: Redis is missing: no redis-server in PATH. Either
  on Debian or Ubuntu: make tools (which runs: apt-get install redis-server); on macOS: brew install redis
  or set %s to the URL of a server whose databases, but for the first, may be emptied; one in Docker:
    docker run --rm -d -p 127.0.0.1:6380:6379 redis
    export %[1]s=redis://127.0.0.1:6380`, redisVariable)
}

// claimTime is how long a database stays taken whose test's process died.
const claimTime = time.Hour

// claimDatabase takes a logical database of the server, empties it, and returns
// its URL and what empties it and gives it back. Who has which is written in
// the server's first database, so that test processes may share a server.
func claimDatabase(ctx context.Context, server string) (database string, release func() error, err error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return "", nil, fmt.Errorf("testenv: %s is not a URL like redis://127.0.0.1:6379", redisVariable) // it may have a password
	}
	u.Path = ""
	first, err := openRedis(u.String())
	if err != nil {
		return "", nil, fmt.Errorf("testenv: %s: %w", redisVariable, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("testenv: take a Redis database: %w", err), first.Close())
		}
	}()
	for n := 1; ; n++ {
		claim := "trellis:testenv:" + strconv.Itoa(n)
		won, err := first.SetNX(ctx, claim, "taken", claimTime).Result()
		if err != nil {
			return "", nil, err
		}
		if !won {
			continue
		}
		u.Path = "/" + strconv.Itoa(n)
		empty := func(ctx context.Context) error {
			client, err := openRedis(u.String())
			if err != nil {
				return err
			}
			defer client.Close()
			return client.FlushDB(ctx).Err()
		}
		if err := empty(ctx); err != nil {
			return "", nil, errors.Join(err, first.Del(ctx, claim).Err())
		}
		return u.String(), func() error {
			ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
			defer cancel()
			return errors.Join(empty(ctx), first.Del(ctx, claim).Err(), first.Close())
		}, nil
	}
}
