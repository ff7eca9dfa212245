package postgres_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/notes"
)

// What is told to a reader waits for what was told before and is not committed.
func TestChangesInOrder(t *testing.T) {
	t.Parallel()
	s := open(t, testenv.Postgres(t))
	owner, first, second := uuid.New(), uuid.New(), uuid.New()
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	_, err = tx.Exec(t.Context(), `insert into notes (id, owner, title, body, tags, pinned, status, version, created_at, updated_at)
		values ($1, $2, 'First', '', '{}', false, 'active', 1, now(), now())`, first, owner)
	if err != nil {
		t.Fatal(err)
	}
	created := make(chan error)
	go func() { created <- s.Create(t.Context(), notes.Note{ID: second, Owner: owner, Status: notes.Active}) }()
	testenv.Eventually(t, "the second waits", func() (waits bool) {
		err := s.QueryRow(t.Context(), `select exists (select from pg_locks l join pg_database d on d.oid = l.database
			where datname = current_database() and locktype = 'advisory' and not granted)`).Scan(&waits)
		if err != nil {
			t.Fatal(err)
		}
		return waits
	})
	if got, err := s.Changes(t.Context(), owner, notes.Position{}, 10, 0); err != nil || len(got.Changes) > 0 {
		t.Errorf("before the first is committed: %+v, %v", got, err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-created; err != nil {
		t.Fatal(err)
	}
	got, err := s.Changes(t.Context(), owner, notes.Position{}, 10, 0)
	if err != nil || len(got.Changes) != 2 || got.Changes[0].ID != first || got.Changes[1].ID != second {
		t.Errorf("%+v, %v", got, err)
	}
}
