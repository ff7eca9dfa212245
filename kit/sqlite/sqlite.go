// Package sqlite opens a service's SQLite database: one writer, several
// readers, its migrations, and the tables that the kit keeps beside the
// service's own.
package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/trellis-go/trellis/kit/migrate"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

// DB is an open database. SQLite has one writer at a time: writes queue for
// one connection instead of failing as busy, and readers never wait for them.
type DB struct {
	Writer *sql.DB
	Reader *sql.DB

	outbox *outbox
}

// Open opens the database file at path, makes it and its folder if need be
// (readable by their owner only; not the folder's folder, for a mistyped path
// must not look like an empty store), and applies the service's migrations. What
// is committed survives the end of the process and of the machine's power.
func Open(ctx context.Context, path string, files fs.FS) (*DB, error) {
	if path == "" {
		return nil, errors.New("sqlite: no file is named")
	}
	if err := os.Mkdir(filepath.Dir(path), 0o711); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("sqlite: %s is a folder; name a file", path)
	}
	unlock, err := lock(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	defer unlock()
	// O_EXCL, because closing a file that is there would drop the locks that
	// this process may hold on it (POSIX fcntl).
	switch f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); {
	case err == nil:
		if err := f.Close(); err != nil {
			return nil, fmt.Errorf("sqlite: %w", err)
		}
	case !errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	d := &DB{}
	d.outbox = newOutbox(d, path)
	if d.Writer, err = open(path, "_txlock=immediate", 1); err != nil {
		return nil, err
	}
	if d.Reader, err = open(path, "_pragma=query_only(1)", 4); err != nil {
		return nil, errors.Join(err, d.Writer.Close())
	}
	service, err := fs.Sub(files, "migrations")
	if err == nil {
		kit, _ := fs.Sub(migrations, "migrations")
		err = migrate.Up(ctx, d.Writer, migrate.SQLite,
			migrate.Set{Table: "kit_migrations", Files: kit}, migrate.Set{Table: "migrations", Files: service})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: %s: %w", path, err), d.Close())
	}
	return d, nil
}

// lock lets one process at a time open databases in a folder: neither the
// switch to a write-ahead log nor a series of migrations waits for another's.
func lock(folder string) (unlock func(), err error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil // which unlocks
}

func open(path, option string, conns int) (*sql.DB, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=secure_delete(fast)&" + option // what is deleted is overwritten
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// Close closes the database.
func (d *DB) Close() error { return errors.Join(d.Reader.Close(), d.Writer.Close(), d.outbox.close()) }

// Ping tells whether the database answers.
func (d *DB) Ping(ctx context.Context) error { return d.Reader.PingContext(ctx) }

// Tx runs f in a write transaction, which is rolled back when f returns an
// error or panics.
func (d *DB) Tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.Writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing once it is committed
	d.outbox.emitted.Store(false)
	if err := f(tx); err != nil {
		return err
	}
	emitted := d.outbox.emitted.Load() // while there is no other transaction
	if err := tx.Commit(); err != nil {
		return err
	}
	if emitted {
		d.outbox.awake()
	}
	return nil
}

// Secret returns 32 random bytes that every instance on this database shares,
// made the first time that they are asked for.
func (d *DB) Secret(ctx context.Context, name string) (secret []byte, err error) {
	fresh := make([]byte, 32)
	rand.Read(fresh)
	if _, err := d.Writer.ExecContext(ctx, `insert into kit_secrets (name, secret) values (?, ?) on conflict do nothing`, name, fresh); err != nil {
		return nil, err
	}
	err = d.Writer.QueryRowContext(ctx, `select secret from kit_secrets where name = ?`, name).Scan(&secret)
	return secret, err
}

// Duplicate tells whether err means that a unique index has the key already.
func Duplicate(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code() == lib.SQLITE_CONSTRAINT_UNIQUE || e.Code() == lib.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// Micros is a time as it is stored: microseconds since 1970 in UTC.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Time is the time that Micros stored.
func Time(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
