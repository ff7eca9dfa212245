package testenv

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// The environment of the tests.
const (
	// postgresVariable is the URL of a server where databases may be created;
	// without it each test process has a server of its own.
	postgresVariable = "TRELLIS_TEST_POSTGRES"
	// redisVariable is the URL of a server whose databases, but for the first,
	// may be emptied; without it each test process has a server of its own.
	redisVariable = "TRELLIS_TEST_REDIS"
	// mongoVariable is the URL of a server where databases may be created;
	// without it each test process has a server of its own.
	mongoVariable       = "TRELLIS_TEST_MONGO"
	mongoBinaryVariable = "TRELLIS_TEST_MONGO_BIN"
	consulVariable      = "TRELLIS_TEST_CONSUL_BIN"
	cacheVariable       = "TRELLIS_CACHE"
)

// buildTimeout bounds the start of a server that may have to be built first.
const buildTimeout = 30 * time.Minute

// sharedPostgres is the URL of the server on which the tests of this process
// have their databases. The server ends with the process.
var sharedPostgres = sync.OnceValues(func() (string, error) {
	if given := os.Getenv(postgresVariable); given != "" {
		return given, nil
	}
	s, err := StartPostgres(context.Background(), "", 0)
	if err != nil {
		return "", err
	}
	return s.URL, nil
})

// sharedRedis is the same for Redis.
var sharedRedis = sync.OnceValues(func() (string, error) {
	if given := os.Getenv(redisVariable); given != "" {
		return given, nil
	}
	s, err := StartRedis(context.Background(), "", 0)
	if err != nil {
		return "", err
	}
	return s.URL, nil
})

// sharedMongo is the same for MongoDB.
var sharedMongo = sync.OnceValues(func() (string, error) {
	if given := os.Getenv(mongoVariable); given != "" {
		return given, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	s, err := StartMongo(ctx, "", 0)
	if err != nil {
		return "", err
	}
	return s.URL, nil
})

// Postgres returns the URL of a new, empty database, which is dropped when the
// test ends. The server is this process's own, shared by all its tests, unless
// TRELLIS_TEST_POSTGRES names another. With -short the test is skipped.
func Postgres(t testing.TB) string {
	t.Helper()
	skipIfShort(t, "PostgreSQL")
	server, err := sharedPostgres()
	if err != nil {
		t.Fatal(err)
	}
	database, drop, err := createDatabase(server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(); err != nil {
			t.Error(err)
		}
	})
	return database
}

// PostgresServer returns a server of the test's own, for tests that take the
// server away; it ends with the test. With -short the test is skipped.
func PostgresServer(t testing.TB) *Server {
	t.Helper()
	skipIfShort(t, "PostgreSQL")
	s, err := StartPostgres(context.Background(), "", 0)
	return own(t, s, err)
}

// Redis returns the URL of a logical database that is empty and the test's own,
// and is emptied when the test ends. The server is this process's own, shared
// by all its tests, unless TRELLIS_TEST_REDIS names another; what a server has
// beside databases (scripts, channels) is shared too. With -short the test is
// skipped.
func Redis(t testing.TB) string {
	t.Helper()
	skipIfShort(t, "Redis")
	server, err := sharedRedis()
	if err != nil {
		t.Fatal(err)
	}
	database, release, err := claimDatabase(context.Background(), server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := release(); err != nil {
			t.Error(err)
		}
	})
	return database
}

// RedisServer returns a server of the test's own, for tests that take the
// server away; it ends with the test. With -short the test is skipped.
func RedisServer(t testing.TB) *Server {
	t.Helper()
	skipIfShort(t, "Redis")
	s, err := StartRedis(context.Background(), "", 0)
	return own(t, s, err)
}

// Mongo returns the URL of a database of the test's own, which is dropped when
// the test ends. The server is this process's own, shared by all its tests,
// unless TRELLIS_TEST_MONGO names another. With -short the test is skipped.
func Mongo(t testing.TB) string {
	t.Helper()
	skipIfShort(t, "MongoDB")
	server, err := sharedMongo()
	if err != nil {
		t.Fatal(err)
	}
	database, drop, err := nameMongoDatabase(context.Background(), server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(); err != nil {
			t.Error(err)
		}
	})
	return database
}

// MongoServer returns a server of the test's own, for tests that take the
// server away; it ends with the test. With -short the test is skipped.
func MongoServer(t testing.TB) *Server {
	t.Helper()
	skipIfShort(t, "MongoDB")
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	s, err := StartMongo(ctx, "", 0)
	return own(t, s, err)
}

// Consul returns an agent of the test's own, which ends with the test.
// With -short the test is skipped.
func Consul(t testing.TB) *Server {
	t.Helper()
	skipIfShort(t, "Consul")
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	s, err := StartConsul(ctx, "", 0)
	return own(t, s, err)
}

func skipIfShort(t testing.TB, server string) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs " + server + "; -short is for tests that need no server")
	}
}

func own(t testing.TB, s *Server, err error) *Server {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// createDatabase makes a database on the server and returns its URL and what
// drops it, whoever is connected to it.
func createDatabase(server string) (database string, drop func() error, err error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return "", nil, fmt.Errorf("testenv: %s is %q, not a URL like postgres://user@host:5432/postgres", postgresVariable, server)
	}
	name := "trellis_test_" + strings.ToLower(rand.Text())
	if err := execute(server, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		return "", nil, fmt.Errorf("testenv: create a database: %w", err)
	}
	u.Path = "/" + name
	return u.String(), func() error {
		if err := execute(server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			return fmt.Errorf("testenv: drop the database: %w", err)
		}
		return nil
	}, nil
}

func execute(server, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

// Open opens a store until the test ends.
func Open[S io.Closer](t testing.TB, open func(context.Context, string) (S, error), url string) S {
	t.Helper()
	store, err := open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}
