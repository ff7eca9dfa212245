package sqlite

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	kitsqlite "github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/notes/storetest"
)

func TestUpgrade(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notes.db")
	db, err := kitsqlite.Open(t.Context(), path, storetest.Upto(t, migrations, "004"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	storetest.Upgrade(t, storetest.Previous{
		Exec: func(statement string) error {
			_, err := db.Writer.ExecContext(t.Context(), statement)
			return err
		},
		ID:     func(id uuid.UUID) string { return fmt.Sprintf("x'%x'", id[:]) },
		Time:   func(at time.Time) string { return fmt.Sprint(kitsqlite.Micros(at)) },
		NoTags: "'[]'",
	}, func() notes.Store { return testenv.Open(t, Open, path) })
}
