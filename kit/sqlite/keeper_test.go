package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/kit/transport/keepertest"
)

func TestKeeper(t *testing.T) {
	keepertest.Run(t, func(t *testing.T) keepertest.Store {
		path := filepath.Join(t.TempDir(), "keeper.db")
		db := open(t, path)
		return keepertest.Store{
			Keeper: db.Keeper(),
			Age: func(t *testing.T, by time.Duration) {
				_, err := db.Writer.ExecContext(t.Context(), `update kit_idempotency set claimed_until = claimed_until - ?1, expires_at = expires_at - ?1`, by.Microseconds())
				if err != nil {
					t.Fatal(err)
				}
			},
			Bytes: func(t *testing.T) (all []byte) {
				for _, name := range []string{path, path + "-wal"} {
					text, err := os.ReadFile(name)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, text...)
				}
				return all
			},
		}
	})
}

// migrations are a service's: one table.
var migrations = fstest.MapFS{"migrations/001_init.sql": {Data: []byte("-- +goose Up\ncreate table words (word text primary key) strict;\n")}}

func open(t testing.TB, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, migrations)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}
