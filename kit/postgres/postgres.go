// Package postgres opens a service's PostgreSQL database: its pool, its
// migrations, and the tables that the kit keeps beside the service's own.
package postgres

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/trellis-go/trellis/kit/migrate"
)

//go:embed migrations/*.sql
var migrations embed.FS

// DB is an open database.
type DB struct {
	*pgxpool.Pool

	outbox *outbox
}

// patience is how long one statement may take, and how long the start waits
// for a server that is not there yet.
const patience = 15 * time.Second

// Open connects to the database that a URL names and applies the service's
// migrations. A server that does not answer yet is waited for, as at the start
// of a whole system.
func Open(ctx context.Context, url string, files fs.FS) (*DB, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("postgres: the URL is not of the form postgres://USER@HOST:PORT/DATABASE") // err would show the password
	}
	if config.ConnConfig.RuntimeParams["statement_timeout"] == "" {
		config.ConnConfig.RuntimeParams["statement_timeout"] = fmt.Sprint(patience.Milliseconds())
	}
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	d := &DB{pool, newOutbox(pool)}
	if err := d.await(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("postgres: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	service, err := fs.Sub(files, "migrations")
	if err == nil {
		kit, _ := fs.Sub(migrations, "migrations")
		err = migrate.Up(ctx, db, migrate.Postgres,
			migrate.Set{Table: "kit_migrations", Files: kit}, migrate.Set{Table: "migrations", Files: service})
	}
	if err := errors.Join(err, db.Close()); err != nil {
		pool.Close()
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return d, nil
}

// await pings until the server answers, refuses for good, or patience ends.
func (d *DB) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := d.Ping(ctx)
		if err == nil {
			return nil
		}
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code != "57P03" { // 57P03: it is starting up
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Close closes the pool.
func (d *DB) Close() error {
	d.outbox.stop()
	d.Pool.Close()
	return nil
}

// Tx runs f in a transaction, which is rolled back when f returns an error or
// panics. When the server gave the transaction up for another, f runs again.
func (d *DB) Tx(ctx context.Context, f func(pgx.Tx) error) error {
	for attempt := 0; ; attempt++ {
		err := pgx.BeginFunc(ctx, d.Pool, f)
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && attempt < 3 && (e.Code == "40001" || e.Code == "40P01") {
			continue
		}
		return err
	}
}

// Secret returns 32 random bytes that every instance on this database shares,
// made the first time that they are asked for.
func (d *DB) Secret(ctx context.Context, name string) (secret []byte, err error) {
	fresh := make([]byte, 32)
	rand.Read(fresh)
	if _, err := d.Exec(ctx, `insert into kit_secrets (name, secret) values ($1, $2) on conflict do nothing`, name, fresh); err != nil {
		return nil, err
	}
	err = d.QueryRow(ctx, `select secret from kit_secrets where name = $1`, name).Scan(&secret)
	return secret, err
}

// Duplicate tells whether err means that a unique index has the key already.
func Duplicate(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "23505"
}
