package sqlite_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/kit/transport/keepertest"
)

func TestTwoOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "not there yet", "a ?#%.db")
	var dbs [2]*sqlite.DB
	var wg sync.WaitGroup
	for i := range dbs {
		wg.Go(func() { dbs[i] = open(t, path) })
	}
	if wg.Wait(); t.Failed() {
		return
	}
	for name, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o711 | os.ModeDir} {
		if info, err := os.Stat(name); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	keepertest.Shared(t, dbs[0].Keeper(), dbs[1].Keeper())
	secret := func(db *sqlite.DB, name string) []byte {
		t.Helper()
		s, err := db.Secret(t.Context(), name)
		if err != nil || len(s) != 32 {
			t.Fatalf("%x, %v", s, err)
		}
		return s
	}
	if a := secret(dbs[0], "a"); !slices.Equal(a, secret(dbs[1], "a")) || slices.Equal(a, secret(dbs[1], "b")) {
		t.Error("secrets are not shared, or not of their own")
	}
	for _, db := range dbs {
		if err := db.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestTx(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "tx.db"))
	add := func(word string) func(*sql.Tx) error {
		return func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), `insert into words values (?)`, word)
			return err
		}
	}
	if err := db.Tx(t.Context(), add("a")); err != nil {
		t.Fatal(err)
	}
	if err := db.Tx(t.Context(), add("a")); !sqlite.Duplicate(err) {
		t.Errorf("the second is %v", err)
	}
	sorry := errors.New("sorry")
	if err := db.Tx(t.Context(), func(tx *sql.Tx) error { return errors.Join(add("b")(tx), sorry) }); !errors.Is(err, sorry) || sqlite.Duplicate(err) {
		t.Errorf("the error is %v", err)
	}
	var n int
	if err := db.Reader.QueryRowContext(t.Context(), `select count(*) from words`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d words, %v", n, err)
	}
	if _, err := db.Reader.ExecContext(t.Context(), `delete from words`); err == nil {
		t.Error("a reader writes")
	}
	if at := time.UnixMicro(1).UTC(); sqlite.Time(sqlite.Micros(at)) != at {
		t.Error("a time is not what it was")
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "text")
	if err := os.WriteFile(file, []byte(strings.Repeat("This is no database. ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"nothing": "", "a folder": dir, "no database": file, "below a file": filepath.Join(file, "x")} {
		if db, err := sqlite.Open(t.Context(), path, migrations); err == nil {
			db.Close()
			t.Errorf("%s is opened", name)
		} else if !strings.HasPrefix(err.Error(), "sqlite: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
