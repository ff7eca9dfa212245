package postgres_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/kit/postgres"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport/keepertest"
)

func TestTwoOpen(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	var dbs [2]*postgres.DB
	var wg sync.WaitGroup
	for i := range dbs {
		wg.Go(func() { dbs[i] = open(t, url) })
	}
	if wg.Wait(); t.Failed() {
		return
	}
	keepertest.Shared(t, dbs[0].Keeper(), dbs[1].Keeper())
	secret := func(db *postgres.DB, name string) []byte {
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
}

func TestTx(t *testing.T) {
	t.Parallel()
	db := open(t, testenv.Postgres(t))
	add := func(word string) func(pgx.Tx) error {
		return func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), `insert into words values ($1)`, word)
			return err
		}
	}
	if err := db.Tx(t.Context(), add("a")); err != nil {
		t.Fatal(err)
	}
	if err := db.Tx(t.Context(), add("a")); !postgres.Duplicate(err) {
		t.Errorf("the second is %v", err)
	}
	sorry := errors.New("sorry")
	if err := db.Tx(t.Context(), func(tx pgx.Tx) error { return errors.Join(add("b")(tx), sorry) }); !errors.Is(err, sorry) || postgres.Duplicate(err) {
		t.Errorf("the error is %v", err)
	}
	var n int
	if err := db.QueryRow(t.Context(), `select count(*) from words`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d words, %v", n, err)
	}
}

// What gave way to another transaction runs again.
func TestTxAgain(t *testing.T) {
	t.Parallel()
	db := open(t, testenv.Postgres(t))
	if _, err := db.Exec(t.Context(), `insert into words values ('a'), ('b')`); err != nil {
		t.Fatal(err)
	}
	var both, wg sync.WaitGroup
	both.Add(2)
	for _, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
		wg.Go(func() {
			first := true
			err := db.Tx(t.Context(), func(tx pgx.Tx) error {
				for _, word := range order {
					if _, err := tx.Exec(t.Context(), `select 1 from words where word = $1 for update`, word); err != nil {
						return err
					}
					if first { // each has one, and wants the other's
						first = false
						both.Done()
						both.Wait()
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://user:hunter2@host:port/x", "hunter2"} {
		db, err := postgres.Open(t.Context(), url, migrations)
		if err == nil {
			db.Close()
			t.Error("a URL that is none is opened")
		} else if !strings.HasPrefix(err.Error(), "postgres: ") || strings.Contains(err.Error(), "hunter2") {
			t.Error(err)
		}
	}
	url := testenv.Postgres(t)
	db, err := postgres.Open(t.Context(), strings.Replace(url, "/trellis_test_", "/trellis_test_not_", 1), migrations)
	if err == nil {
		db.Close()
		t.Error("a database that is not there is opened")
	}
}
