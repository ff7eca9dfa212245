package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/kit/testenv"
)

// servers are what the services stand on, given or private: URLs.
type servers struct {
	postgres, mongo, redis, consul string

	secret  string // by which the services know each other
	private []*testenv.Server
}

func openServers(ctx context.Context) (s *servers, err error) {
	s = &servers{secret: cmp.Or(os.Getenv("TRELLIS_SECRET"), rand.Text()+rand.Text())}
	for _, server := range []struct {
		url      *string
		variable string
		start    func(ctx context.Context, dir string, port int) (*testenv.Server, error)
		dir      string // "" for a temporary one
	}{
		{&s.postgres, "POSTGRES", testenv.StartPostgres, "data/real/postgres"},
		{&s.mongo, "MONGODB", testenv.StartMongo, "data/real/mongodb"},
		{&s.redis, "REDIS", testenv.StartRedis, "data/real/redis"},
		{&s.consul, "CONSUL", testenv.StartConsul, ""},
	} {
		if *server.url = os.Getenv(server.variable); *server.url != "" {
			continue
		}
		private, err := server.start(ctx, server.dir, 0)
		if err != nil {
			return nil, errors.Join(err, s.stop())
		}
		s.private, *server.url = append(s.private, private), private.URL
		fmt.Printf("%-8s %s\n", server.variable, private.URL)
	}
	return s, nil
}

// shown is a URL as it may be printed: whole for a private server, which has no
// password, so that it serves other commands too.
func (s *servers) shown(url string) string {
	for _, p := range s.private {
		if strings.Contains(url, p.Addr) {
			return url
		}
	}
	return server.Redacted(url)
}

func (s *servers) stop() error {
	var errs []error
	for _, server := range s.private {
		errs = append(errs, server.Stop())
	}
	return errors.Join(errs...)
}

// postgresDatabase returns the URL of a service's own database, made if need be.
func (s *servers) postgresDatabase(ctx context.Context, name string) (string, error) {
	u, err := url.Parse(s.postgres)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", errors.New("POSTGRES: takes a URL, postgres://USER@HOST:PORT/DATABASE")
	}
	conn, err := pgx.Connect(ctx, s.postgres)
	if err != nil {
		return "", fmt.Errorf("POSTGRES: %w", err)
	}
	defer conn.Close(ctx)
	name = "trellis_" + name
	var there bool
	if err := conn.QueryRow(ctx, `select exists (select from pg_database where datname = $1)`, name).Scan(&there); err != nil {
		return "", err
	}
	if !there {
		if _, err := conn.Exec(ctx, "create database "+pgx.Identifier{name}.Sanitize()); err != nil {
			return "", err
		}
	}
	u.Path = "/" + name
	return u.String(), nil
}

// mongoDatabase returns the URL of a service's own database, which MongoDB
// makes when it is first written to.
func (s *servers) mongoDatabase(_ context.Context, name string) (string, error) {
	database, err := testenv.MongoDatabase(s.mongo, "trellis_"+name)
	if err != nil {
		return "", fmt.Errorf("MONGODB is %w", err)
	}
	return database, nil
}

// redisDatabase is Redis itself: keys begin with their service's name.
func (s *servers) redisDatabase(context.Context, string) (string, error) { return s.redis, nil }
