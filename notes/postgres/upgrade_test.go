package postgres

import (
	"testing"
	"time"

	"github.com/google/uuid"
	kitpostgres "github.com/trellis-go/trellis/kit/postgres"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/notes/storetest"
)

func TestUpgrade(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	db, err := kitpostgres.Open(t.Context(), url, storetest.Upto(t, migrations, "004"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	storetest.Upgrade(t, storetest.Previous{
		Exec: func(statement string) error {
			_, err := db.Exec(t.Context(), statement)
			return err
		},
		ID:     func(id uuid.UUID) string { return "'" + id.String() + "'" },
		Time:   func(at time.Time) string { return "'" + at.Format(time.RFC3339Nano) + "'" },
		NoTags: "'{}'",
	}, func() notes.Store { return testenv.Open(t, Open, url) })
}
