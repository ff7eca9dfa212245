package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Store is an open Redis in which a service keeps what is to last.
type Store struct {
	*redis.Client
	Prefix string   // of the names of all its keys: "trellis:notify:"
	Risks  []string // why this Redis may lose what it keeps, fit for a log
}

// oldest is the first version that has what stores use: SET with NX and GET,
// scripts that only read.
const oldest = 7

// startPatience is how long the start waits for a server that is not there yet.
const startPatience = 15 * time.Second

// OpenStore connects to the Redis that a URL names, as OpenPatient does. A
// server that does not answer yet is waited for, as at the start of a whole
// system. A cluster, or a version before 7.0, is refused.
func OpenStore(ctx context.Context, url, service string) (*Store, error) {
	client, err := OpenPatient(url)
	if err != nil {
		return nil, err
	}
	s := &Store{Client: client, Prefix: "trellis:" + service + ":"}
	info, err := s.await(ctx)
	if err == nil {
		err = s.inspect(info)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("redis: %w", err), client.Close())
	}
	return s, nil
}

// await asks what the server is until it answers, refuses for good, or patience ends.
func (s *Store) await(ctx context.Context) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		text, err := s.Info(ctx).Result()
		if err == nil {
			return parse(text), nil
		}
		if _, refused := errors.AsType[redis.Error](err); refused && !redis.IsLoadingError(err) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// parse reads an answer to INFO.
func parse(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info
}

func (s *Store) inspect(info map[string]string) error {
	version := info["redis_version"]
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldest {
		return fmt.Errorf("the server's version is %q, and must be %d.0 or later", version, oldest)
	}
	if info["redis_mode"] == "cluster" {
		return errors.New("the server is a cluster's, and must be one by itself")
	}
	if info["aof_enabled"] == "0" {
		s.Risks = append(s.Risks, "appendonly is no: Redis forgets what it keeps, or what is newer than its last snapshot, when it ends")
	}
	if policy := info["maxmemory_policy"]; policy != "noeviction" && info["maxmemory"] != "0" {
		s.Risks = append(s.Risks, "maxmemory-policy is "+policy+": Redis forgets what it keeps when memory is short; noeviction does not")
	}
	return nil
}

// Ping tells whether Redis answers.
func (s *Store) Ping(ctx context.Context) error { return s.Client.Ping(ctx).Err() }

// Secret returns 32 random bytes that every instance on this Redis shares,
// made the first time that they are asked for.
func (s *Store) Secret(ctx context.Context, name string) ([]byte, error) {
	fresh := make([]byte, 32)
	rand.Read(fresh)
	known, err := s.SetArgs(ctx, s.Prefix+"secret:"+name, fresh, redis.SetArgs{Mode: "NX", Get: true}).Result()
	if errors.Is(err, redis.Nil) { // there was none
		return fresh, nil
	}
	return []byte(known), err
}
