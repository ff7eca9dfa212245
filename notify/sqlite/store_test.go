package sqlite_test

import (
	"database/sql"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/notify/sqlite"
	"github.com/trellis-go/trellis/notify/storetest"
)

func TestStore(t *testing.T) { storetest.Run(t, create) }

func BenchmarkStore(b *testing.B) { storetest.Bench(b, create) }

func create(t testing.TB) storetest.Database {
	path := filepath.Join(t.TempDir(), "notify.db")
	s := open(t, path)
	return storetest.Database{
		Open: func(t testing.TB) notify.Store { return open(t, path) },
		Age: func(t testing.TB, by time.Duration) {
			for _, table := range []string{"dedupe", "tickets", "presence", "forgotten"} {
				if _, err := s.Writer.Exec(`update `+table+` set until = until - ?`, by.Microseconds()); err != nil {
					t.Fatal(err)
				}
			}
		},
		Text: func(t testing.TB) string { return dump(t, s.Writer) },
	}
}

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	return testenv.Open(t, sqlite.Open, path)
}

// dump is all that is in all tables, in a write transaction, so that it is of one moment.
func dump(t testing.TB, db *sql.DB) string {
	t.Helper()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	var b strings.Builder
	for _, name := range rows(t, tx, `select name from sqlite_schema where type = 'table'`) {
		for _, row := range rows(t, tx, `select * from `+fmt.Sprint(name[0])) {
			for _, v := range row {
				if blob, ok := v.([]byte); ok {
					if id, err := uuid.FromBytes(blob); err == nil {
						v = id
					} else {
						v = string(blob) + hex.EncodeToString(blob)
					}
				}
				fmt.Fprint(&b, v, " ")
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func rows(t testing.TB, tx *sql.Tx, query string) (all [][]any) {
	t.Helper()
	rows, err := tx.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		row, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			to[i] = &row[i]
		}
		if err := rows.Scan(to...); err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
