package postgres_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/notes/postgres"
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
	testenv.Eventually(t, "the second waits", func() bool { return waiting(t, s) })
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

// Who is erased while they change another's note is not its editor.
func TestEraseWaits(t *testing.T) {
	t.Parallel()
	s := open(t, testenv.Postgres(t))
	n, editor := notes.Note{ID: uuid.New(), Owner: uuid.New(), Status: notes.Active, Version: 1}, uuid.New()
	if err := s.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	_, err := s.Share(t.Context(), n.Owner, n.ID, func(notes.Note, []notes.Share) (notes.Share, []event.Message, error) {
		return notes.Share{ID: uuid.New(), NoteID: n.ID, User: notes.Person{ID: editor}, Role: notes.RoleEditor}, nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	erased := make(chan error, 1)
	_, err = s.Update(t.Context(), editor, n.ID, func(n *notes.Note, _ []notes.Share) ([]event.Message, error) {
		go func() {
			_, _, err := s.Erase(t.Context(), editor, 10, n.CreatedAt, nil)
			erased <- err
		}()
		testenv.Eventually(t, "the erasure waits", func() bool { return waiting(t, s) || len(erased) > 0 })
		n.Editor = editor
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-erased; err != nil {
		t.Fatal(err)
	}
	if n, err = s.Get(t.Context(), n.Owner, n.ID); err != nil || n.Editor != uuid.Nil {
		t.Errorf("its editor is %v, %v", n.Editor, err)
	}
}

// Whoever is about to tell one who is being erased of something does not.
func TestErasedHearNothing(t *testing.T) {
	t.Parallel()
	s := open(t, testenv.Postgres(t))
	n, reader := notes.Note{ID: uuid.New(), Owner: uuid.New(), Status: notes.Active, Version: 1}, uuid.New()
	if err := s.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	_, err := s.Share(t.Context(), n.Owner, n.ID, func(notes.Note, []notes.Share) (notes.Share, []event.Message, error) {
		return notes.Share{ID: uuid.New(), NoteID: n.ID, User: notes.Person{ID: reader}, Role: notes.RoleViewer}, nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tx, err := s.Begin(t.Context()) // the last step of an erasure
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	for statement, arg := range map[string]any{
		`select note_lock(array[$1::uuid])`:                                reader,
		`insert into erased_users (hash, notes, shares) values ($1, 0, 0)`: notes.ErasedKey(reader),
		`delete from note_changes where reader = $1`:                       reader,
	} {
		if _, err := tx.Exec(t.Context(), statement, arg); err != nil {
			t.Fatal(err)
		}
	}
	changed := make(chan error)
	go func() {
		_, err := s.Update(t.Context(), n.Owner, n.ID, func(n *notes.Note, _ []notes.Share) ([]event.Message, error) { n.Version++; return nil, nil })
		changed <- err
	}()
	testenv.Eventually(t, "the change waits", func() bool { return waiting(t, s) })
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-changed; err != nil {
		t.Fatal(err)
	}
	if got, err := s.Changes(t.Context(), reader, notes.Position{}, 10, 0); err != nil || len(got.Changes) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// waiting tells whether a transaction waits for another's advisory lock.
func waiting(t *testing.T, s *postgres.Store) (waits bool) {
	t.Helper()
	err := s.QueryRow(t.Context(), `select exists (select from pg_locks l join pg_database d on d.oid = l.database
		where datname = current_database() and locktype = 'advisory' and not granted)`).Scan(&waits)
	if err != nil {
		t.Fatal(err)
	}
	return waits
}
