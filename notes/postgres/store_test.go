package postgres_test

import (
	"context"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/notes/postgres"
	"github.com/trellis-go/trellis/notes/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) notes.Store { return open(t, testenv.Postgres(t)) })
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) notes.Store { return open(b, testenv.Postgres(b)) })
}

func TestTwoOpenAtOnce(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	var stores [2]*postgres.Store
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() {
			var err error
			if stores[i], err = postgres.Open(t.Context(), url); err != nil {
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
	url := testenv.Postgres(t)
	s := open(t, url)
	if _, err := s.Exec(t.Context(), `insert into migrations (version_id, is_applied) values (4711, true)`); err != nil {
		t.Fatal(err)
	}
	before := dump(t, s)
	newer, err := postgres.Open(t.Context(), url)
	if err == nil {
		newer.Close()
		t.Fatal("a database that is newer than the binary was opened")
	}
	for _, part := range []string{"version 4711", "knows only 7"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if after := dump(t, s); !reflect.DeepEqual(before, after) {
		t.Errorf("it was changed from\n%q\nto\n%q", before, after)
	}
}

// While a previous version still runs it sets reminders, and knows nothing of who was told.
func TestReminderOfThePreviousVersion(t *testing.T) {
	t.Parallel()
	s := open(t, testenv.Postgres(t))
	n := notes.Note{ID: uuid.New(), Owner: uuid.New(), Status: notes.Active, ReminderAt: new(time.Now().Add(-time.Minute))}
	if err := s.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} {
		if got, err := s.Remind(t.Context(), time.Now(), 10, about); err != nil || got != want {
			t.Errorf("reminded %d times, %v; want %d", got, err, want)
		}
	}
	if _, err := s.Exec(t.Context(), `update notes set reminder_at = reminder_at + interval '1 second', version = 2 where id = $1`, n.ID); err != nil {
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
func dump(t *testing.T, s *postgres.Store) []string {
	t.Helper()
	rows, err := s.Query(context.Background(), `
		select table_name || ' ' || column_name || ' ' || data_type from information_schema.columns where table_schema = 'public'
		union all select indexdef from pg_indexes where schemaname = 'public'
		union all select version_id || ' ' || tstamp from migrations
		union all select 'kit ' || version_id || ' ' || tstamp from kit_migrations order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func open(t testing.TB, url string) *postgres.Store {
	t.Helper()
	return testenv.Open(t, postgres.Open, url)
}
