// Package django reads the SQLite database that a Django application leaves
// behind.
//
// It knows Django's file, not our services: it gives rows in order of id, says
// what is wrong with each that can't be taken, and derives the ids and reads
// the times that every import needs. Such a file may be damaged, locked or
// hostile; what can be read of it is read, nothing of it is run, and nothing
// is written to it.
package django

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite"
)

// A Table is a table and the columns wanted of it. Its key column is "id" and
// needn't be named.
type Table struct {
	Name    string
	Columns []string
}

// A File is an open database. Its methods may be called at the same time, but
// reads wait for each other.
type File struct {
	path     string        // as given, for messages
	db       *sql.DB       // one connection
	wait     time.Duration // how long a lock is waited for
	tolerant bool          // the file is damaged and opened all the same
	release  func()        // removes a private copy
}

// lockWait outlasts what a running application does in one transaction.
const lockWait = 5 * time.Second

// Open opens the database at path for reading and checks that it has the
// tables. An error is an *Error of one of the kinds named there, or ctx's.
//
// FILE is never written, and nothing is left beside it: a database in WAL mode
// or with a journal to roll back, which SQLite reads only by writing, is copied
// to a private temporary directory for as long as the File is open, unless the
// application is running and its -wal and -shm files can be shared.
func Open(ctx context.Context, path string, tables ...Table) (*File, error) {
	return open(ctx, path, lockWait, tables)
}

func open(ctx context.Context, path string, wait time.Duration, tables []Table) (*File, error) {
	s, err := newSource(path)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, wait: wait, release: s.release}
	err = s.connect(ctx, f, func() error {
		for _, t := range tables {
			if err := f.check(ctx, t); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		f.Close()
		return nil, f.explain(ctx, err)
	}
	return f, nil
}

// Close closes the database and removes what Open may have copied.
func (f *File) Close() error {
	var err error
	if f.db != nil {
		err = f.db.Close()
	}
	f.release()
	return err
}

// Count says how many rows the table has. On a damaged file it is the first
// count that can be had, from the table or an index, and may be an error when
// Rows still finds some.
func (f *File) Count(ctx context.Context, table Table) (int, error) {
	if err := f.check(ctx, table); err != nil {
		return 0, f.explain(ctx, err)
	}
	from := "SELECT count(*) FROM " + quote(table.Name)
	n, err := f.count(ctx, from)
	if damaged(err) {
		names, _ := f.indexes(ctx, table)
		for _, name := range names {
			if n, err := f.count(ctx, from+" INDEXED BY "+quote(name)); err == nil {
				return n, nil
			}
		}
	}
	return n, f.explain(ctx, err)
}

func (f *File) count(ctx context.Context, query string) (n int, err error) {
	err = f.db.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}

// check makes sure that reading the table runs nothing that came with the
// file: it has to be a table, keyed by an integer id, with the columns stored
// (a generated column is not listed, a view or a virtual table not taken).
func (f *File) check(ctx context.Context, table Table) error {
	var kind string
	var root int64
	err := f.db.QueryRowContext(ctx,
		`SELECT type, rootpage FROM sqlite_master WHERE name = ? AND type IN ('table', 'view')`,
		table.Name).Scan(&kind, &root)
	switch {
	case err == sql.ErrNoRows:
		return f.lacks(ctx, table)
	case err != nil:
		return err
	case kind != "table" || root == 0:
		return f.foreign(fmt.Sprintf("%s is a view or a virtual table, where Django has a table", table.Name))
	}

	columns, err := f.columns(ctx, table)
	if err != nil {
		return err
	}
	if !columns["id"] {
		return f.foreign(fmt.Sprintf("table %s has no integer primary key \"id\"", table.Name))
	}
	missing := slices.DeleteFunc(slices.Clone(table.Columns), func(c string) bool {
		_, ok := columns[c]
		return ok
	})
	if len(missing) > 0 {
		return f.foreign(fmt.Sprintf("table %s has no column %s", table.Name, strings.Join(missing, ", ")))
	}
	return nil
}

// columns returns the columns that are stored, true for an integer key.
func (f *File) columns(ctx context.Context, table Table) (map[string]bool, error) {
	rows, err := f.db.QueryContext(ctx, `SELECT name, type, pk FROM pragma_table_info(?)`, table.Name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, keys := map[string]bool{}, 0
	for rows.Next() {
		var name, kind string
		var pk int
		if err := rows.Scan(&name, &kind, &pk); err != nil {
			return nil, err
		}
		if pk > 0 {
			keys++
		}
		columns[name] = pk > 0 && strings.EqualFold(kind, "integer")
	}
	if keys > 1 {
		columns["id"] = false
	}
	return columns, rows.Err()
}

// indexes lists the indexes that hold the id of every row.
func (f *File) indexes(ctx context.Context, table Table) ([]string, error) {
	rows, err := f.db.QueryContext(ctx, `SELECT name FROM pragma_index_list(?) WHERE NOT partial`, table.Name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// quote makes an identifier of a name.
func quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
