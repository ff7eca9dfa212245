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

// The servers on which the tests of this process have their databases, by
// their URLs. They end with the process.
var (
	sharedPostgres = shared(postgresVariable, StartPostgres)
	sharedRedis    = shared(redisVariable, StartRedis)
	sharedMongo    = shared(mongoVariable, StartMongo)
)

// shared is the server that a variable names, or one that start runs.
func shared(variable string, start func(ctx context.Context, dir string, port int) (*Server, error)) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		if given := os.Getenv(variable); given != "" {
			return given, nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
		defer cancel()
		s, err := start(ctx, "", 0)
		if err != nil {
			return "", err
		}
		return s.URL, nil
	})
}

// lend returns the URL of a database on such a server until the test ends.
func lend(t testing.TB, name string, server func() (string, error), database func(ctx context.Context, server string) (url string, giveBack func() error, err error)) string {
	t.Helper()
	skipIfShort(t, name)
	on, err := server()
	if err != nil {
		t.Fatal(err)
	}
	url, giveBack, err := database(context.Background(), on)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := giveBack(); err != nil {
			t.Error(err)
		}
	})
	return url
}

// run returns a server that start runs until the test ends.
func run(t testing.TB, name string, start func(ctx context.Context, dir string, port int) (*Server, error)) *Server {
	t.Helper()
	skipIfShort(t, name)
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	s, err := start(ctx, "", 0)
	return own(t, s, err)
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

func skipIfShort(t testing.TB, server string) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs " + server + "; -short is for tests that need no server")
	}
}

// Postgres returns the URL of a new, empty database, which is dropped when the
// test ends. The server is this process's own, shared by all its tests, unless
// TRELLIS_TEST_POSTGRES names another. With -short the test is skipped.
func Postgres(t testing.TB) string {
	t.Helper()
	return lend(t, "PostgreSQL", sharedPostgres, createDatabase)
}

// PostgresServer returns a server of the test's own, for tests that take the
// server away; it ends with the test. With -short the test is skipped.
func PostgresServer(t testing.TB) *Server {
	t.Helper()
	return run(t, "PostgreSQL", StartPostgres)
}

// Redis returns the URL of a logical database that is empty and the test's own,
// and is emptied when the test ends. The server is this process's own, shared
// by all its tests, unless TRELLIS_TEST_REDIS names another; what a server has
// beside databases (scripts, channels) is shared too. With -short the test is
// skipped.
func Redis(t testing.TB) string {
	t.Helper()
	return lend(t, "Redis", sharedRedis, claimDatabase)
}

// RedisServer returns a server of the test's own, for tests that take the
// server away; it ends with the test. With -short the test is skipped.
func RedisServer(t testing.TB) *Server {
	t.Helper()
	return run(t, "Redis", StartRedis)
}

// Mongo returns the URL of a database of the test's own, which is dropped when
// the test ends. The server is this process's own, shared by all its tests,
// unless TRELLIS_TEST_MONGO names another. With -short the test is skipped.
func Mongo(t testing.TB) string {
	t.Helper()
	return lend(t, "MongoDB", sharedMongo, nameMongoDatabase)
}

// MongoServer returns a server of the test's own, for tests that take the
// server away; it ends with the test. With -short the test is skipped.
func MongoServer(t testing.TB) *Server {
	t.Helper()
	return run(t, "MongoDB", StartMongo)
}

// Consul returns an agent of the test's own, which ends with the test.
// With -short the test is skipped.
func Consul(t testing.TB, options ...ConsulOption) *Server {
	t.Helper()
	var setup consulSetup
	for _, o := range options {
		o(&setup)
	}
	return run(t, "Consul", func(ctx context.Context, dir string, port int) (*Server, error) {
		return startConsul(ctx, dir, port, setup)
	})
}

// createDatabase makes a database on the server and returns its URL and what
// drops it, whoever is connected to it.
func createDatabase(ctx context.Context, server string) (database string, drop func() error, err error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return "", nil, fmt.Errorf("testenv: %s is not a URL like postgres://user@host:5432/postgres", postgresVariable) // it may have a password
	}
	name := "trellis_test_" + strings.ToLower(rand.Text())
	if err := execute(ctx, server, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		return "", nil, fmt.Errorf("testenv: create a database: %w", err)
	}
	u.Path = "/" + name
	return u.String(), func() error {
		if err := execute(context.Background(), server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			return fmt.Errorf("testenv: drop the database: %w", err)
		}
		return nil
	}, nil
}

func execute(ctx context.Context, server, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
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

// OnStores runs a test on each store that there is, by name, beside the others.
func OnStores[S any](t *testing.T, test func(*testing.T, S), stores map[string]func(testing.TB) S) {
	t.Parallel()
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}
