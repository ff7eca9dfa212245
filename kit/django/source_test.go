package django_test

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/trellis-go/trellis/kit/django"
)

// beside lists what is in FILE's directory, with each file's content and time.
func beside(t *testing.T, path string) map[string]string {
	t.Helper()
	list := map[string]string{}
	err := filepath.WalkDir(filepath.Dir(path), func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(name)
		list[e.Name()] = fmt.Sprintf("%d %x", info.ModTime().UnixNano(), sha256.Sum256(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// clone copies files as they are, as a crash or a backup leaves them.
func clone(t *testing.T, path string, suffixes ...string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "clone.sqlite3")
	for _, suffix := range suffixes {
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func TestNothingIsWritten(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		make func(t *testing.T) string
		rows int
		shm  bool // the -shm file that is there may be written
	}{
		{"rollback journal", func(t *testing.T) string {
			return build(t, schema, fill(1000))
		}, 1000, false},
		{"WAL, closed", func(t *testing.T) string {
			return build(t, `PRAGMA journal_mode = wal`, schema, fill(1000))
		}, 1000, false},
		{"WAL, in use", func(t *testing.T) string {
			path := build(t, `PRAGMA journal_mode = wal`, schema)
			execute(t, path, fill(1000))
			return path
		}, 1000, true},
		{"WAL, left by a crash", func(t *testing.T) string {
			path := build(t, `PRAGMA journal_mode = wal`, schema)
			execute(t, path, fill(1000))
			return clone(t, path, "", "-wal", "-shm")
		}, 1000, true},
		{"WAL, copied with its log", func(t *testing.T) string {
			path := build(t, `PRAGMA journal_mode = wal`, schema)
			execute(t, path, fill(1000))
			return clone(t, path, "", "-wal")
		}, 1000, false},
		{"a journal to roll back", func(t *testing.T) string {
			path := build(t, schema, fill(1000))
			// A cache too small for the transaction writes it to the file.
			execute(t, path, `PRAGMA cache_size = 1`, `BEGIN`, `UPDATE notes_note SET title = 'half done'`)
			b, err := os.ReadFile(path)
			if err != nil || !bytes.Contains(b, []byte("half done")) {
				t.Fatal("the transaction is not in the file", err)
			}
			return clone(t, path, "", "-journal")
		}, 1000, false},
		{"a link", func(t *testing.T) string {
			path := build(t, `PRAGMA journal_mode = wal`, schema)
			execute(t, path, fill(1000))
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(path, link); err != nil {
				t.Fatal(err)
			}
			return link
		}, 1000, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := tt.make(t)
			before := beside(t, path)
			f, err := django.Open(t.Context(), path, notes)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for row, err := range f.Rows(t.Context(), notes) {
				if n++; err != nil || row.Text("title") != fmt.Sprintf("title-%06d;", n) {
					t.Fatal(row, err)
				}
			}
			if n != tt.rows {
				t.Errorf("%d rows, want %d", n, tt.rows)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			after := beside(t, path)
			for name := range after {
				if tt.shm && filepath.Ext(name) == ".sqlite3-shm" {
					delete(after, name)
					delete(before, name)
				}
			}
			if fmt.Sprint(before) != fmt.Sprint(after) {
				t.Errorf("before %v\nafter  %v", before, after)
			}
		})
	}
}

// A private copy goes with the File, and when there is no room for it, that is
// said.
func TestPrivateCopy(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	path := build(t, `PRAGMA journal_mode = wal`, schema)

	entries := func() int {
		list, err := os.ReadDir(temp)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	f, err := django.Open(t.Context(), path, users)
	if err != nil {
		t.Fatal(err)
	}
	if entries() != 1 {
		t.Error("no copy")
	}
	f.Close()
	if _, err := django.Open(t.Context(), path, django.Table{Name: "nothing"}); !errors.Is(err, django.ErrNotDjango) {
		t.Error(err)
	}
	if entries() != 0 {
		t.Error("the copy is still there")
	}

	t.Setenv("TMPDIR", filepath.Join(temp, "nowhere"))
	if _, err := django.Open(t.Context(), path, users); !errors.Is(err, django.ErrUnreadable) {
		t.Error(err)
	}
}

// What the application writes while it is read does no harm.
func TestBesideAWriter(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"delete", "wal"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			path := build(t, `PRAGMA journal_mode = `+mode, schema, fill(1000))
			var app *sql.DB
			if mode == "wal" {
				app = execute(t, path, `DELETE FROM auth_user`)
			} else {
				app = execute(t, path)
			}
			f := open(t, path, notes)
			n := 0
			for _, err := range f.Rows(t.Context(), notes) {
				if err != nil {
					t.Fatal(err)
				}
				if n++; n%100 == 0 { // no lock is held here
					if _, err := app.Exec(`UPDATE notes_note SET content = 'new' WHERE id = ?`, n); err != nil {
						t.Fatal(err)
					}
				}
			}
			if n != 1000 {
				t.Errorf("%d rows", n)
			}
		})
	}
}
