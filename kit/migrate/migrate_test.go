package migrate_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/trellis-go/trellis/kit/migrate"
	"github.com/trellis-go/trellis/kit/testenv"
	_ "modernc.org/sqlite"
)

// database is a kind of database, of which open makes connections to a new one.
type database struct {
	name    string
	dialect goose.Dialect
	fresh   func(t *testing.T) (open func() *sql.DB)
}

var databases = []database{
	{"sqlite", migrate.SQLite, func(t *testing.T) func() *sql.DB {
		file := filepath.Join(t.TempDir(), "test.db")
		return func() *sql.DB {
			db := connect(t, "sqlite", "file:"+file+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_txlock=immediate")
			db.SetMaxOpenConns(1) // as kit/sqlite's writer
			return db
		}
	}},
	{"postgres", migrate.Postgres, func(t *testing.T) func() *sql.DB {
		url := testenv.Postgres(t)
		return func() *sql.DB { return connect(t, "pgx", url) }
	}},
}

func connect(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func each(t *testing.T, f func(t *testing.T, d database)) {
	t.Parallel()
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			f(t, d)
		})
	}
}

// files are migrations 1 to n of a service: each makes a table and counts itself.
func files(n int) fstest.MapFS {
	fs := fstest.MapFS{}
	for i := 1; i <= n; i++ {
		text := fmt.Sprintf("-- +goose Up\ncreate table t%d (n integer);\ninsert into t%d values (%d);\n", i, i, i)
		fs[fmt.Sprintf("%03d_t.sql", i)] = &fstest.MapFile{Data: []byte(text)}
	}
	return fs
}

// rows counts the rows of tables t1 to tn; each has one if it was made once.
func rows(t *testing.T, db *sql.DB, n int) (sum int) {
	t.Helper()
	for i := 1; i <= n; i++ {
		var count int
		if err := db.QueryRow(fmt.Sprintf("select count(*) from t%d", i)).Scan(&count); err != nil {
			t.Errorf("t%d: %v", i, err)
		}
		sum += count
	}
	return sum
}

func TestUp(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		db := d.fresh(t)()
		kit := migrate.Set{Table: "kit_migrations", Files: fstest.MapFS{"001_k.sql": {Data: []byte("-- +goose Up\ncreate table k (n integer);\n")}}}
		for _, n := range []int{1, 1, 3} { // once, again with nothing to do, and with what is new
			if err := migrate.Up(t.Context(), db, d.dialect, kit, migrate.Set{Table: "migrations", Files: files(n)}); err != nil {
				t.Fatal(err)
			}
			if got := rows(t, db, n); got != n {
				t.Errorf("%d migrations left %d rows", n, got)
			}
		}
	})
}

// A binary that is older than its database says so and changes nothing.
func TestNewerDatabase(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		db := d.fresh(t)()
		if err := migrate.Up(t.Context(), db, d.dialect, migrate.Set{Table: "migrations", Files: files(3)}); err != nil {
			t.Fatal(err)
		}
		err := migrate.Up(t.Context(), db, d.dialect, migrate.Set{Table: "migrations", Files: files(2)})
		if err == nil || !strings.Contains(err.Error(), "at version 3") || !strings.Contains(err.Error(), "only 2") {
			t.Errorf("error is %v", err)
		}
		if got := rows(t, db, 3); got != 3 {
			t.Errorf("%d rows are left", got)
		}
		if err := migrate.Up(t.Context(), db, d.dialect, migrate.Set{Table: "migrations", Files: files(3)}); err != nil {
			t.Errorf("the newer binary afterwards: %v", err)
		}
	})
}

// What fails leaves nothing of itself behind, and goes on when it is mended.
func TestMigrationThatFails(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		db := d.fresh(t)()
		broken := files(3)
		broken["002_t.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\ncreate table t2 (n integer);\ncreate nonsense;\n")}
		err := migrate.Up(t.Context(), db, d.dialect, migrate.Set{Table: "migrations", Files: broken})
		if err == nil || !strings.Contains(err.Error(), "version:2") {
			t.Errorf("error is %v", err)
		}
		if err := migrate.Up(t.Context(), db, d.dialect, migrate.Set{Table: "migrations", Files: files(3)}); err != nil {
			t.Errorf("mended: %v", err)
		}
		if got := rows(t, db, 3); got != 3 {
			t.Errorf("%d rows are left", got)
		}
	})
}

// Several instances that start at once all find the database as they need it.
func TestConcurrentUps(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		for range 3 {
			open := d.fresh(t)
			const n = 20
			start := make(chan bool)
			var all sync.WaitGroup
			for range 4 {
				db := open()
				if err := db.Ping(); err != nil {
					t.Fatal(err)
				}
				all.Go(func() {
					<-start
					if err := migrate.Up(context.Background(), db, d.dialect, migrate.Set{Table: "migrations", Files: files(n)}); err != nil {
						t.Error(err)
					}
					var last int
					if err := db.QueryRow(fmt.Sprintf("select n from t%d", n)).Scan(&last); err != nil || last != n {
						t.Errorf("Up returned, and the last table has %d, %v", last, err)
					}
				})
			}
			close(start)
			all.Wait()
			if got := rows(t, open(), n); got != n {
				t.Errorf("%d migrations left %d rows", n, got)
			}
		}
	})
}

func TestNoMigrations(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		if err := migrate.Up(t.Context(), d.fresh(t)(), d.dialect, migrate.Set{Table: "migrations", Files: fstest.MapFS{}}); err == nil {
			t.Error("a set without files is taken")
		}
	})
}
