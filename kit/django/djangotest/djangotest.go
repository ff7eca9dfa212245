// Package djangotest has the database of a Django application of ten users
// and forty notes, as tests take it over.
package djangotest

import (
	"database/sql"
	_ "embed"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"
)

//go:embed testdata/legacy.sqlite3
var database []byte

//go:embed testdata/legacy-users.json
var users []byte

// Copy returns the path of a copy of the database, and the copy opened, for
// the test to look at or to spoil.
func Copy(t testing.TB) (path string, db *sql.DB) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "legacy.sqlite3")
	if err := os.WriteFile(path, database, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return path, db
}

// Exec changes a copy.
func Exec(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%.60s: %v", s, err)
		}
	}
}

// Login is a user's login in the application that was.
type Login struct {
	Username string  `json:"username"`
	AsGiven  string  `json:"username_as_given"` // before the application normalised it
	Email    string  `json:"email"`
	Password *string `json:"password"` // nil for none
	CanLogIn bool    `json:"can_log_in"`
}

// Logins returns the logins of the database's users.
func Logins(t testing.TB) (logins []Login) {
	t.Helper()
	if err := json.Unmarshal(users, &logins); err != nil {
		t.Fatal(err)
	}
	return logins
}
