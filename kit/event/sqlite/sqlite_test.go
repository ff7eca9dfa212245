package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/event/eventtest"
	"github.com/trellis-go/trellis/kit/event/sqlite"
)

func TestBus(t *testing.T) {
	eventtest.RunBus(t, func(t *testing.T) eventtest.Bus {
		path := filepath.Join(t.TempDir(), "events.db")
		bus, other := open(t, path), open(t, path)
		db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_txlock=immediate")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		do := func(t *testing.T, statements string, args ...any) {
			t.Helper()
			if _, err := db.ExecContext(t.Context(), statements, args...); err != nil {
				t.Fatal(err)
			}
		}
		return eventtest.Bus{
			Bus: bus, Other: other,
			Age: func(t *testing.T, by time.Duration) {
				do(t, `update consumers set heard_at = heard_at - ?`, by.Microseconds())
			},
			Lose: func(t *testing.T) {
				do(t, `delete from sources; delete from events; delete from groups; delete from pending; delete from consumers; delete from replayed; delete from parked`)
			},
		}
	})
}

func open(t testing.TB, path string) event.Bus {
	t.Helper()
	bus, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
	return bus
}
