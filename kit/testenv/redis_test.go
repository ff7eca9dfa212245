package testenv

import (
	"net"
	"testing"
)

func TestRedisDatabasesAreSeparate(t *testing.T) {
	t.Parallel()
	one, two := Redis(t), Redis(t)
	if err := redisDo(t.Context(), one, "SET", "note", "7").Err(); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]int64{one: 1, two: 0} {
		if got, err := redisDo(t.Context(), url, "DBSIZE").Int64(); err != nil || got != want {
			t.Errorf("%s: %d keys, %v; want %d", url, got, err, want)
		}
	}
}

func TestRedisDatabaseIsGivenBack(t *testing.T) {
	t.Parallel()
	s := RedisServer(t)
	for range redisDatabases + 1 { // more than there are: each must be given back
		url, release, err := claimDatabase(t.Context(), s.URL+"/3")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := redisDo(t.Context(), url, "DBSIZE").Int64(); err != nil || got != 0 {
			t.Fatalf("%s: %d keys, %v", url, got, err)
		}
		if err := redisDo(t.Context(), url, "SET", "note", "7").Err(); err != nil {
			t.Fatal(err)
		}
		if err := release(); err != nil {
			t.Fatal(err)
		}
		if url != s.URL+"/1" {
			t.Fatalf("got %s, want the first one again", url)
		}
	}
}

func TestRedisDatabasesRunOut(t *testing.T) {
	t.Parallel()
	s := RedisServer(t)
	for n := range redisDatabases - 1 {
		if _, _, err := claimDatabase(t.Context(), s.URL); err != nil {
			t.Fatalf("database %d: %v", n+1, err)
		}
	}
	_, _, err := claimDatabase(t.Context(), s.URL)
	wantError(t, err, "out of range")
}

func TestRedisForgets(t *testing.T) {
	t.Parallel()
	s := RedisServer(t)
	if err := redisDo(t.Context(), s.URL, "SET", "note", "7").Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if got, err := redisDo(t.Context(), s.URL, "DBSIZE").Int64(); err != nil || got != 0 {
		t.Errorf("after Restart: %d keys, %v", got, err)
	}
}

func TestRedisStartFails(t *testing.T) {
	t.Parallel()
	skipIfShort(t, "Redis")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = StartRedis(t.Context(), "", l.Addr().(*net.TCPAddr).Port)
	wantError(t, err, "address already in use")
}

func TestGivenRedis(t *testing.T) {
	t.Parallel()
	_, _, err := claimDatabase(t.Context(), "127.0.0.1:6379")
	wantError(t, err, "TRELLIS_TEST_REDIS", "redis://")
}

func TestRedisIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := RedisBinary()
	wantError(t, err, "Redis is missing", "apt-get install redis-server", "TRELLIS_TEST_REDIS", "docker run")
}
