package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/kit/testenv"
)

// servers are PostgreSQL and Consul, given or private.
type servers struct {
	postgres, consul string // URLs
	private          []*testenv.Server
}

func openServers(ctx context.Context) (s *servers, err error) {
	s = &servers{postgres: os.Getenv("POSTGRES"), consul: os.Getenv("CONSUL")}
	if s.postgres == "" {
		server, err := testenv.StartPostgres(ctx, "data/real/postgres", 0)
		if err != nil {
			return nil, err
		}
		s.private, s.postgres = append(s.private, server), server.URL
		fmt.Println("postgres", s.postgres)
	}
	if s.consul == "" {
		server, err := testenv.StartConsul(ctx, "", 0)
		if err != nil {
			return nil, errors.Join(err, s.stop())
		}
		s.private, s.consul = append(s.private, server), server.URL
		fmt.Println("consul  ", s.consul)
	}
	return s, nil
}

func (s *servers) stop() error {
	var errs []error
	for _, server := range s.private {
		errs = append(errs, server.Stop())
	}
	return errors.Join(errs...)
}

// database returns the URL of a service's own database, made if need be.
func (s *servers) database(ctx context.Context, name string) (string, error) {
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
