package sqlite_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/notes/sqlite"
	"github.com/trellis-go/trellis/notes/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) notes.Store { return open(t, file(t)) })
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) notes.Store { return open(b, file(b)) })
}

func TestTwoOpenAtOnce(t *testing.T) {
	t.Parallel()
	path := file(t)
	var stores [2]*sqlite.Store
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() {
			var err error
			if stores[i], err = sqlite.Open(t.Context(), path); err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { stores[i].Close() })
		})
	}
	wg.Wait()
	if !t.Failed() {
		storetest.Shared(t, stores[0], stores[1])
	}
}

func TestNewerDatabase(t *testing.T) {
	t.Parallel()
	path := file(t)
	s := open(t, path)
	if _, err := s.Writer.Exec(`insert into migrations (version_id, is_applied) values (4711, 1)`); err != nil {
		t.Fatal(err)
	}
	before := dump(t, s.Writer)
	newer, err := sqlite.Open(t.Context(), path)
	if err == nil {
		newer.Close()
		t.Fatal("a database that is newer than the binary was opened")
	}
	for _, part := range []string{"version 4711", "knows only 7", path} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if after := dump(t, s.Writer); !reflect.DeepEqual(before, after) {
		t.Errorf("it was changed from\n%q\nto\n%q", before, after)
	}
}

// While a previous version still runs it sets reminders, and knows nothing of who was told.
func TestReminderOfThePreviousVersion(t *testing.T) {
	t.Parallel()
	s := open(t, file(t))
	n := notes.Note{ID: uuid.New(), Owner: uuid.New(), Status: notes.Active, ReminderAt: new(time.Now().Add(-time.Minute))}
	if err := s.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} {
		if got, err := s.Remind(t.Context(), time.Now(), 10, about); err != nil || got != want {
			t.Errorf("reminded %d times, %v; want %d", got, err, want)
		}
	}
	if _, err := s.Writer.Exec(`update notes set reminder_at = reminder_at + 1, version = 2 where id = ?`, n.ID[:]); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Remind(t.Context(), time.Now(), 10, about); err != nil || got != 1 {
		t.Errorf("reminded %d times, %v", got, err)
	}
}

func about(n notes.Note) (event.Message, error) {
	return notes.ReminderDue.About(context.Background(), n.Owner, notes.Reminder{Note: n.ID, Title: n.Title})
}

// dump returns a database's schema and versions.
func dump(t *testing.T, db *sql.DB) (lines []string) {
	t.Helper()
	rows, err := db.Query(`select coalesce(sql, name) from sqlite_schema
		union all select version_id || ' ' || tstamp from migrations union all select 'kit ' || version_id || tstamp from kit_migrations order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func file(t testing.TB) string { return filepath.Join(t.TempDir(), "notes.db") }

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	return testenv.Open(t, sqlite.Open, path)
}
