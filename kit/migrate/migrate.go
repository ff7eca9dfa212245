// Package migrate brings a database's schema to the state that a binary was
// made for. Migrations are numbered SQL files, embedded, forward only, and
// safe while the previous version of the service still runs.
package migrate

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

// Set is a series of migrations with a table of its own that counts them, so
// that the kit's tables and a service's live side by side in one database.
type Set struct {
	Table string // "kit_migrations"
	Files fs.FS  // 001_what.sql, 002_…
}

// Dialects that Up knows.
const (
	Postgres = goose.DialectPostgres
	SQLite   = goose.DialectSQLite3
)

// Up applies what is missing of each set. A database that has migrations this
// binary does not know is refused and left as it is. Several processes may
// call Up at once.
func Up(ctx context.Context, db *sql.DB, dialect goose.Dialect, sets ...Set) error {
	providers := make([]*goose.Provider, len(sets))
	for i, set := range sets {
		p, err := provider(db, dialect, set)
		if err != nil {
			return fmt.Errorf("%s: %w", set.Table, err)
		}
		if err := known(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", set.Table, err)
		}
		providers[i] = p
	}
	for i, p := range providers {
		if err := up(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", sets[i].Table, err)
		}
	}
	return nil
}

// known refuses a database that has migrations which this binary does not know.
func known(ctx context.Context, p *goose.Provider) error {
	has, knows, err := p.GetVersions(ctx)
	if err == nil && has > knows {
		err = fmt.Errorf("the database is at version %d and this binary knows only %d: run the newer binary; nothing was changed", has, knows)
	}
	return err
}

func provider(db *sql.DB, dialect goose.Dialect, set Set) (*goose.Provider, error) {
	store, err := database.NewStore(dialect, set.Table)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithStore(store)}
	if dialect == Postgres {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // try every second, for five minutes
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider("", db, set.Files, options...)
}

func up(ctx context.Context, p *goose.Provider) error {
	for {
		has, knows, err := p.GetVersions(ctx)
		if err != nil {
			return err
		}
		switch {
		case has > knows:
			return fmt.Errorf("the database is at version %d and this binary knows only %d: run the newer binary; nothing was changed", has, knows)
		case has == knows:
			return nil
		}
		if _, err = p.Up(ctx); err == nil {
			return nil
		}
		// SQLite has no lock that spans transactions: what failed here may be
		// what another process did, and then there is progress.
		if now, _, again := p.GetVersions(ctx); again != nil || now == has {
			return err
		}
	}
}
