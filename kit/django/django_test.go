package django_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/django"
)

var (
	users = django.Table{Name: "auth_user", Columns: []string{"username", "is_active", "last_login", "date_joined"}}
	notes = django.Table{Name: "notes_note", Columns: []string{"title", "content", "created_at", "owner_id"}}
)

// The tables as Django's migrations make them, less a few columns.
const schema = `
CREATE TABLE "auth_user" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "username" varchar(150) NOT NULL UNIQUE,
	"is_active" bool NOT NULL, "last_login" datetime NULL, "date_joined" datetime NOT NULL);
CREATE TABLE "notes_note" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "title" varchar(200) NULL, "content" text NOT NULL,
	"created_at" datetime NOT NULL, "owner_id" integer NOT NULL REFERENCES "auth_user" ("id"));
CREATE INDEX "notes_note_owner_id_8dafc06d" ON "notes_note" ("owner_id");
INSERT INTO auth_user VALUES (1, 'alice', 1, NULL, '2018-03-01 10:00:00.000001'), (3, 'bob', 0, '2018-03-01 10:00:00', '1969-12-31 23:59:59.999999');
`

// build makes a database of these statements and returns its path.
func build(t testing.TB, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a b?c#d%41.sqlite3") // a name that must not be taken for an URL
	execute(t, path, statements...).Close()
	return path
}

// execute runs statements and returns the connection, open.
func execute(t testing.TB, path string, statements ...string) *sql.DB {
	t.Helper()
	name := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	db, err := sql.Open("sqlite", "file:"+name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return db
}

// fill writes notes 1 to n.
func fill(n int) string {
	return fmt.Sprintf(`WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i < %d)
		INSERT INTO notes_note SELECT i, printf('title-%%06d;', i), printf('%%.*c', 20 + i %% 200, 'x'),
			printf('2020-01-01 00:00:00.%%06d', i), i %% 7 FROM c`, n)
}

func open(t testing.TB, path string, tables ...django.Table) *django.File {
	t.Helper()
	f, err := django.Open(t.Context(), path, tables...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestRead(t *testing.T) {
	t.Parallel()
	path := build(t, schema, fill(1200))
	f := open(t, path, users, notes)

	var got []string
	for row, err := range f.Rows(t.Context(), users) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintln(row.ID(), row.Text("username"), row.Bool("is_active"), row.NullTime("last_login"), row.Time("date_joined").UnixMicro(), row.Err()))
	}
	want := []string{
		"1 alice true <nil> 1519898400000001 <nil>\n",
		"3 bob false 2018-03-01 10:00:00 +0000 UTC -1 <nil>\n",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}

	next := int64(1)
	for row, err := range f.Rows(t.Context(), notes) {
		if err != nil || row.ID() != next || row.Text("title") != fmt.Sprintf("title-%06d;", next) ||
			row.Time("created_at").Nanosecond() != int(next)*1000 || row.Int("owner_id") != next%7 {
			t.Fatalf("row %d: %v, %v", next, row, err)
		}
		next++
	}
	if n, err := f.Count(t.Context(), notes); n != 1200 || err != nil || next != 1201 {
		t.Errorf("%d rows, counted %d, %v", next-1, n, err)
	}

	for range f.Rows(t.Context(), notes) {
		break // and nothing is left open
	}
	if _, err := f.Count(t.Context(), users); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name, path string
		kind       error
		says       string
	}{
		{"missing", filepath.Join(dir, "nowhere"), django.ErrUnreadable, "no such file"},
		{"directory", dir, django.ErrUnreadable, "is a directory"},
		{"device", "/dev/null", django.ErrUnreadable, "not a regular file"},
		{"empty", write("empty", ""), django.ErrNotDatabase, "is empty"},
		{"text", write("text", strings.Repeat("hello", 100)), django.ErrNotDatabase, "encrypted"},
		{"dump", write("dump", "BEGIN TRANSACTION;\nCREATE"), django.ErrNotDatabase, "SQL dump"},
		{"zip", write("zip", "PK\x03\x04"), django.ErrNotDatabase, "unpack"},
		{"header only", write("header", "SQLite format 3\x00"), django.ErrNotDatabase, "header"},
		{"encrypted behind its header", write("codec", "SQLite format 3\x00"+strings.Repeat("\xa5", 8000)), django.ErrNotDatabase, "encrypted"},
		{"no tables", build(t, `CREATE TABLE a (b); DROP TABLE a`), django.ErrNotDjango, "none at all"},
		{"another's", build(t, `CREATE TABLE places (b)`), django.ErrNotDjango, "no table auth_user, but places"},
		{"no column", build(t, `CREATE TABLE auth_user (id integer PRIMARY KEY, username text)`), django.ErrNotDjango, "no column is_active, last_login, date_joined"},
		{"no key", build(t, `CREATE TABLE auth_user (id text, username, is_active, last_login, date_joined)`), django.ErrNotDjango, "primary key"},
		{"view", build(t, `CREATE VIEW auth_user AS SELECT 1 AS id`), django.ErrNotDjango, "is a view"},
		{"virtual table", build(t, `CREATE VIRTUAL TABLE auth_user USING fts5(id)`), django.ErrNotDjango, "virtual table"},
		{"generated column", build(t, `CREATE TABLE auth_user (id integer PRIMARY KEY, is_active, last_login, date_joined, username AS (zeroblob(1000000000)))`), django.ErrNotDjango, "no column username"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := django.Open(t.Context(), tt.path, users)
			if err == nil {
				f.Close()
				t.Fatal("opened")
			}
			if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) || !strings.HasPrefix(err.Error(), tt.path+": ") {
				t.Errorf("got %v, want %v that says %q", err, tt.kind, tt.says)
			}
		})
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	path := build(t, schema)
	other := execute(t, path, `BEGIN EXCLUSIVE`)

	_, err := django.OpenWait(t.Context(), path, time.Millisecond, users)
	if !errors.Is(err, django.ErrLocked) || !strings.Contains(err.Error(), "after 1ms: stop the application, or import from a copy") {
		t.Errorf("open: %v", err)
	}

	if _, err := other.Exec(`ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	f, err := django.OpenWait(t.Context(), path, time.Millisecond, users)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := other.Exec(`BEGIN EXCLUSIVE`); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err = range f.Rows(t.Context(), users) {
		n++
	}
	if n != 1 || !errors.Is(err, django.ErrLocked) {
		t.Errorf("rows: %d, %v", n, err)
	}
}

// A hostile schema has names that Django's have and triggers on all of them.
func TestHostileSchemaIsNotRun(t *testing.T) {
	t.Parallel()
	path := build(t, schema, fill(3),
		`CREATE VIEW trap AS SELECT load_extension('/tmp/evil') AS id`,
		`CREATE TRIGGER evil AFTER INSERT ON notes_note BEGIN SELECT load_extension('/tmp/evil'); END`,
		`CREATE INDEX expression ON notes_note (abs(owner_id))`)
	f := open(t, path, users, notes)
	n := 0
	for _, err := range f.Rows(t.Context(), notes) {
		if n++; err != nil {
			t.Error(err)
		}
	}
	if n != 3 {
		t.Errorf("%d rows", n)
	}
	for _, err := range f.Rows(t.Context(), django.Table{Name: "trap"}) {
		if !errors.Is(err, django.ErrNotDjango) {
			t.Errorf("a view was read: %v", err)
		}
	}
}

func BenchmarkRows(b *testing.B) {
	path := build(b, schema, fill(20_000))
	f := open(b, path, notes)
	n := 0
	for b.Loop() {
		for row, err := range f.Rows(b.Context(), notes) {
			_, _, _ = row.Text("title"), row.Text("content"), row.Time("created_at")
			if err != nil || row.Err() != nil {
				b.Fatal(err, row.Err())
			}
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}
