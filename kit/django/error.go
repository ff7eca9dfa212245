package django

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What can be wrong with a file, for errors.Is.
var (
	ErrUnreadable  = errors.New("file cannot be read")       // missing, a directory, no permission
	ErrNotDatabase = errors.New("not an SQLite database")    // or an encrypted one
	ErrNotDjango   = errors.New("not Django's database")     // a table or column is missing
	ErrLocked      = errors.New("database is locked")        // another program writes to it
	ErrDamaged     = errors.New("database file is damaged")  // too much to read any of it
	ErrFailed      = errors.New("database can't be queried") // what SQLite says, unclassified
)

// An Error says what is wrong with a file and what to do about it. It is one
// of the kinds above.
type Error struct {
	Path string
	Kind error
	Text string
	Err  error // what it came from, or nil
}

func (e *Error) Error() string   { return printable(e.Path, 500) + ": " + e.Text }
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Err} }

// A RowError names rows of a table that can't be read, because the file is
// damaged where they are. Reading goes on behind them.
type RowError struct {
	Table string
	ID    int64 // the first
	Last  int64 // the last; the same as ID for one row, math.MaxInt64 if unknown
	Err   error
}

func (e *RowError) Error() string {
	return fmt.Sprintf("%s: %s can't be read: the file is damaged there (%v)", e.Table, e.span("row"), e.Err)
}

func (e *RowError) Unwrap() error { return e.Err }

// span names the rows; of a range nobody can know which existed.
func (e *RowError) span(one string) string {
	switch e.Last {
	case e.ID:
		return fmt.Sprintf("%s %d", one, e.ID)
	case math.MaxInt64:
		return fmt.Sprintf("any %s from %d on", one, e.ID)
	default:
		return fmt.Sprintf("any %s %d to %d", one, e.ID, e.Last)
	}
}

// explain turns SQLite's error into one fit to be seen.
func (f *File) explain(ctx context.Context, err error) error {
	var known *Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	e := &Error{Path: f.path, Err: err}
	switch code(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		e.Kind = ErrLocked
		e.Text = fmt.Sprintf("is locked by another program, still after %v: stop the application, or import from a copy", f.wait)
	case sqlite3.SQLITE_NOTADB:
		e.Kind = ErrNotDatabase
		e.Text = "is not an SQLite database, or is encrypted: import the file that Django's settings name in DATABASES, decrypted"
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR:
		e.Kind = ErrDamaged
		e.Text = fmt.Sprintf("is damaged (%s): import a backup, or what \"sqlite3 FILE .recover\" makes of it", short(err))
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		e.Kind = ErrUnreadable
		e.Text = fmt.Sprintf("can't be opened (%s): make it, its -wal file and its directory readable, or import from a copy", short(err))
	default:
		e.Kind = ErrFailed
		e.Text = fmt.Sprintf("can't be queried: %s", short(err))
	}
	return e
}

func (f *File) foreign(what string) error {
	return &Error{Path: f.path, Kind: ErrNotDjango, Text: "is not the database of the Django application: " + what +
		"; import the file that its settings name in DATABASES, after \"manage.py migrate\""}
}

// lacks says that a table is missing, and what is there instead.
func (f *File) lacks(ctx context.Context, table Table) error {
	if f.tolerant {
		return &Error{Path: f.path, Kind: ErrDamaged, Text: fmt.Sprintf(
			"is damaged: its list of tables can't be read as far as %s; import a backup", table.Name)}
	}
	rows, err := f.db.QueryContext(ctx, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' LIMIT 6`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		names = append(names, printable(name, 40))
	}
	what := "it has no table " + table.Name
	switch {
	case len(names) == 0:
		what += ", it has none at all"
	case len(names) == 6:
		what += ", but " + strings.Join(names[:5], ", ") + " and more"
	default:
		what += ", but " + strings.Join(names, ", ")
	}
	return f.foreign(what)
}

// unreadable says why the operating system doesn't give a file.
func unreadable(path string, err error) error {
	e := &Error{Path: path, Kind: ErrUnreadable, Err: err}
	switch {
	case errors.Is(err, os.ErrNotExist):
		e.Text = "no such file: name the SQLite file that Django's settings name in DATABASES"
	case errors.Is(err, os.ErrPermission):
		e.Text = "permission denied: run the import as a user who may read it"
	default:
		e.Text = fmt.Sprintf("can't be read: %v", err)
	}
	return e
}

// damaged reports whether err means that a part of the file can't be read,
// while others may.
func damaged(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_TOOBIG:
		return true
	}
	return errors.Is(err, errDisorder)
}

// code returns SQLite's primary result code, 0 for other errors.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

func short(err error) string { return printable(err.Error(), 200) }
