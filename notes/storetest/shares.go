package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/notes"
)

// share shares a note with somebody.
func share(t testing.TB, s notes.Store, n notes.Note, with uuid.UUID, role notes.Role, edits ...func(*notes.Share)) notes.Share {
	t.Helper()
	want := notes.Share{
		ID: uuid.New(), NoteID: n.ID, User: notes.Person{ID: with, Name: "Bob " + awkward, Login: "bob@example.com"}, Role: role, CreatedAt: day,
	}
	for _, edit := range edits {
		edit(&want)
	}
	got, err := s.Share(t.Context(), n.Owner, n.ID, func(notes.Note, []notes.Share) (notes.Share, []event.Message, error) { return want, nil, nil })
	must(t, err)
	same(t, got, want)
	return want
}

func shares(t testing.TB, s notes.Store, reader uuid.UUID, n notes.Note) []notes.Share {
	t.Helper()
	got, err := s.Shares(t.Context(), reader, n.ID)
	must(t, err)
	return got
}

// as is the note as a reader with a role gets it.
func as(role notes.Role, n notes.Note) notes.Note { n.Role = role; return n }

func sharing(t *testing.T, s notes.Store) {
	n, bystander := create(t, s, uuid.New()), create(t, s, uuid.New())
	viewer, editor, stranger := uuid.New(), uuid.New(), uuid.New()
	same(t, shares(t, s, n.Owner, n), []notes.Share{})
	second := share(t, s, n, editor, notes.RoleEditor, func(s *notes.Share) { s.CreatedAt = day.Add(time.Microsecond) })
	first := share(t, s, n, viewer, notes.RoleViewer)
	others := share(t, s, bystander, viewer, notes.RoleEditor)

	same(t, shares(t, s, n.Owner, n), []notes.Share{first, second})
	same(t, shares(t, s, viewer, n), []notes.Share{first})
	same(t, shares(t, s, editor, n), []notes.Share{second})
	for who, role := range map[uuid.UUID]notes.Role{n.Owner: notes.RoleOwner, viewer: notes.RoleViewer, editor: notes.RoleEditor} {
		got, err := s.Get(t.Context(), who, n.ID)
		must(t, err)
		same(t, got, as(role, n))
		seen := 0
		see := func(got notes.Note, shares []notes.Share) ([]event.Message, error) {
			same(t, got, as(role, n))
			same(t, shares, []notes.Share{first, second})
			seen++
			return nil, errRefused
		}
		_, err = s.Update(t.Context(), who, n.ID, func(n *notes.Note, shares []notes.Share) ([]event.Message, error) { return see(*n, shares) })
		wantError(t, err, errRefused)
		wantError(t, s.Delete(t.Context(), who, n.ID, see), errRefused)
		got2, err := s.Share(t.Context(), who, n.ID, func(n notes.Note, shares []notes.Share) (notes.Share, []event.Message, error) {
			_, err := see(n, shares)
			return first, nil, err
		})
		wantError(t, err, errRefused)
		same(t, got2, notes.Share{})
		err = s.Unshare(t.Context(), who, n.ID, first.ID, func(n notes.Note, share notes.Share) ([]event.Message, error) {
			same(t, share, first)
			return see(n, []notes.Share{first, second})
		})
		wantError(t, err, errRefused)
		if seen != 4 {
			t.Errorf("%d of 4 calls as the %s saw the note", seen, role)
		}
	}
	hidden := func(who uuid.UUID) {
		t.Helper()
		_, err := s.Get(t.Context(), who, n.ID)
		wantError(t, err, notes.ErrNotFound)
		_, err = s.Shares(t.Context(), who, n.ID)
		wantError(t, err, notes.ErrNotFound)
		_, err = s.Update(t.Context(), who, n.ID, edit(func(*notes.Note) error { t.Error("shown"); return nil }))
		wantError(t, err, notes.ErrNotFound)
		wantError(t, s.Delete(t.Context(), who, n.ID, permit(func(notes.Note) error { t.Error("shown"); return nil })), notes.ErrNotFound)
		_, err = s.Share(t.Context(), who, n.ID, func(notes.Note, []notes.Share) (notes.Share, []event.Message, error) {
			t.Error("shown")
			return first, nil, nil
		})
		wantError(t, err, notes.ErrNotFound)
		wantError(t, s.Unshare(t.Context(), who, n.ID, first.ID, nil), notes.ErrNotFound)
	}
	hidden(stranger)

	// An editor's change keeps the owner, who still has the tags.
	changed, err := s.Update(t.Context(), editor, n.ID, edit(func(n *notes.Note) error { n.Title, n.Tags = "Edited", []string{"edited"}; return nil }))
	must(t, err)
	n.Title, n.Tags = "Edited", []string{"edited"}
	same(t, changed, as(notes.RoleEditor, n))
	same(t, list(t, s, n.Owner, notes.Query{Status: notes.Active, Tag: "edited", Limit: 2}), []notes.Note{n})

	// Another role is the same share, and who was there first stays so.
	first.Role, first.User.Name, first.User.Login = notes.RoleEditor, "Robert", "bob"
	share(t, s, n, viewer, first.Role, func(s *notes.Share) {
		*s, s.NoteID = first, n.ID
	})
	same(t, shares(t, s, n.Owner, n), []notes.Share{first, second})
	got, err := s.Get(t.Context(), viewer, n.ID)
	must(t, err)
	same(t, got, as(notes.RoleEditor, n))

	// In the trash it is its owner's alone, until it is back.
	_, err = s.Update(t.Context(), n.Owner, n.ID, edit(func(n *notes.Note) error { n.Status = notes.Trashed; return nil }))
	must(t, err)
	hidden(viewer)
	same(t, shares(t, s, n.Owner, n), []notes.Share{first, second})
	_, err = s.Update(t.Context(), n.Owner, n.ID, edit(func(n *notes.Note) error { n.Status = notes.Archived; return nil }))
	must(t, err)
	n.Status = notes.Archived
	got, err = s.Get(t.Context(), editor, n.ID)
	must(t, err)
	same(t, got, as(notes.RoleEditor, n))

	wantError(t, s.Unshare(t.Context(), n.Owner, n.ID, others.ID, nil), notes.ErrNoShare)
	free := func(notes.Note, notes.Share) ([]event.Message, error) { return nil, nil }
	must(t, s.Unshare(t.Context(), viewer, n.ID, first.ID, free))
	wantError(t, s.Unshare(t.Context(), n.Owner, n.ID, first.ID, free), notes.ErrNoShare)
	hidden(viewer)
	same(t, shares(t, s, n.Owner, n), []notes.Share{second})

	// With the note go its shares, also for one that gets its id.
	must(t, s.Delete(t.Context(), n.Owner, n.ID, permit(func(notes.Note) error { return nil })))
	hidden(editor)
	again := create(t, s, n.Owner, func(again *notes.Note) { again.ID = n.ID })
	same(t, shares(t, s, n.Owner, again), []notes.Share{})
	hidden(editor)
	same(t, shares(t, s, bystander.Owner, bystander), []notes.Share{others})
}

// listShared lists what two owners share with a reader, among what they don't.
func listShared(t *testing.T, s notes.Store) {
	reader := uuid.New()
	var stored []notes.Note // as the reader sees them
	for i, n := range append(mixed(t, s, 40), mixed(t, s, 40)...) {
		if i%3 == 0 {
			continue
		}
		role := []notes.Role{notes.RoleViewer, notes.RoleEditor}[i%2]
		share(t, s, n, reader, role)
		share(t, s, n, uuid.New(), notes.RoleViewer)
		stored = append(stored, as(role, n))
	}
	_, err := s.Import(t.Context(), many(reader, 5)) // their own are not among them
	must(t, err)
	for _, sort := range sorts {
		t.Run(string(sort), func(t *testing.T) {
			t.Parallel()
			for _, status := range []notes.Status{notes.Active, notes.Archived, notes.Trashed} {
				for _, tag := range []string{"", "a"} {
					for _, pinned := range []*bool{nil, new(true)} {
						q := notes.Query{Shared: true, Status: status, Tag: tag, Pinned: pinned, Sort: sort}
						var want []notes.Note
						if status != notes.Trashed {
							want = expected(stored, q)
						}
						for _, q.Limit = range []int{4, 100} {
							walk(t, s, reader, q, slices.Clip(append([]notes.Note{}, want...)))
						}
					}
				}
			}
		})
	}
	q := notes.Query{Shared: true, Status: notes.Active, Sort: notes.ByTitle, Limit: 100, MaxBytes: 1}
	got, more, err := s.List(t.Context(), reader, q)
	must(t, err)
	if len(got) == 0 || len(got) == len(stored) || !more {
		t.Errorf("%d notes in one byte, more is %v", len(got), more)
	}
}
