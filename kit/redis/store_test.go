package redis_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/redis"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport/keepertest"
)

func openStore(t testing.TB, url string) *redis.Store {
	t.Helper()
	s, err := redis.OpenStore(t.Context(), url, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestKeeper(t *testing.T) {
	keepertest.Run(t, func(t *testing.T) keepertest.Store {
		s := openStore(t, testenv.Redis(t))
		each := func(t *testing.T, f func(key string)) {
			keys, err := s.Keys(t.Context(), "*").Result()
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range keys {
				f(key)
			}
		}
		return keepertest.Store{
			Keeper: s.Keeper(),
			Age: func(t *testing.T, by time.Duration) {
				each(t, func(key string) {
					left := s.PTTL(t.Context(), key).Val()
					if err := errors.Join(s.HIncrBy(t.Context(), key, "claimed_until", -by.Milliseconds()).Err(), s.PExpire(t.Context(), key, left-by).Err()); err != nil {
						t.Error(err)
					}
				})
			},
			Bytes: func(t *testing.T) (all []byte) {
				each(t, func(key string) {
					all = append(all, key...)
					for name, value := range s.HGetAll(t.Context(), key).Val() {
						all = append(append(all, name...), value...)
					}
				})
				return all
			},
		}
	})
}

func TestTwoStores(t *testing.T) {
	t.Parallel()
	url := testenv.Redis(t)
	a, b := openStore(t, url), openStore(t, url)
	keepertest.Shared(t, a.Keeper(), b.Keeper())
	other, err := redis.OpenStore(t.Context(), url, "letters")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	secret := func(s *redis.Store, name string) []byte {
		t.Helper()
		secret, err := s.Secret(t.Context(), name)
		if err != nil || len(secret) != 32 {
			t.Fatalf("%x, %v", secret, err)
		}
		return secret
	}
	if one := secret(a, "a"); !bytes.Equal(one, secret(b, "a")) || bytes.Equal(one, secret(b, "b")) || bytes.Equal(one, secret(other, "a")) {
		t.Error("secrets are not shared, or not of their own")
	}
	var wg sync.WaitGroup
	secrets := make([][]byte, 8)
	for i := range secrets {
		wg.Go(func() { secrets[i] = secret([]*redis.Store{a, b}[i%2], "at once") })
	}
	wg.Wait()
	if len(slices.CompactFunc(secrets, bytes.Equal)) != 1 {
		t.Error("those who asked at once got different ones")
	}
	if err := a.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRisks(t *testing.T) {
	t.Parallel()
	s := testenv.RedisServer(t)
	admin := open(t, s.URL+patient)
	for _, tt := range []struct {
		name, value string
		want        []string
	}{
		{"maxmemory", "0", []string{"appendonly is no"}},
		{"appendonly", "yes", nil},
		{"maxmemory-policy", "allkeys-lru", nil},
		{"maxmemory", "100mb", []string{"maxmemory-policy is allkeys-lru"}},
		{"maxmemory-policy", "noeviction", nil},
		{"appendonly", "no", []string{"appendonly is no"}},
	} {
		if err := admin.ConfigSet(t.Context(), tt.name, tt.value).Err(); err != nil {
			t.Fatal(err)
		}
		got := openStore(t, s.URL).Risks
		if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
			t.Errorf("with %s %s: %q, want %q", tt.name, tt.value, got, tt.want)
		}
	}
}

func TestOpenStoreWaits(t *testing.T) {
	t.Parallel()
	s := testenv.RedisServer(t)
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if s, err := redis.OpenStore(ctx, s.URL, "parcels"); err == nil {
		s.Close()
		t.Error("a server that is away was opened")
	}
	opened := make(chan error)
	go func() {
		s, err := redis.OpenStore(t.Context(), s.URL, "parcels")
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

// What the server refuses is not waited for, and shows no password.
func TestOpenStoreRefused(t *testing.T) {
	t.Parallel()
	s := testenv.RedisServer(t)
	if err := open(t, s.URL+patient).ConfigSet(t.Context(), "requirepass", "another").Err(); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{strings.Replace(s.URL, "//", "//:hunter2@", 1), s.URL, "redis://:hunter2@127.0.0.1:port"} {
		began := time.Now()
		store, err := redis.OpenStore(t.Context(), url, "test")
		if err == nil {
			store.Close()
			t.Fatalf("%s was opened", url)
		}
		if strings.Contains(err.Error(), "hunter2") || !strings.HasPrefix(err.Error(), "redis: ") || time.Since(began) > 10*time.Second {
			t.Errorf("%s: %v after %v", url, err, time.Since(began))
		}
	}
}
