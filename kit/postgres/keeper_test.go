package postgres_test

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/trellis-go/trellis/kit/postgres"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport/keepertest"
)

func TestKeeper(t *testing.T) {
	keepertest.Run(t, func(t *testing.T) keepertest.Store {
		db := open(t, testenv.Postgres(t))
		return keepertest.Store{
			Keeper: db.Keeper(),
			Age: func(t *testing.T, by time.Duration) {
				if _, err := db.Exec(t.Context(), `update kit_idempotency set claimed_until = claimed_until - $1::interval, expires_at = expires_at - $1::interval`, by); err != nil {
					t.Fatal(err)
				}
			},
			Bytes: func(t *testing.T) (all []byte) {
				const every = `select string_agg(key || uuid_send(id) || fingerprint || coalesce(answer, ''), '') from kit_idempotency`
				if err := db.QueryRow(t.Context(), every).Scan(&all); err != nil {
					t.Fatal(err)
				}
				return all
			},
		}
	})
}

// migrations are a service's: one table.
var migrations = fstest.MapFS{"migrations/001_init.sql": {Data: []byte("-- +goose Up\ncreate table words (word text primary key);\n")}}

func open(t testing.TB, url string) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), url, migrations)
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
