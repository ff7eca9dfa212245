package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notes"
)

// revision is what a note becomes when it is kept.
func revision(n notes.Note) notes.Revision {
	return notes.Revision{Rev: n.Version, Title: n.Title, Body: &n.Body, Tags: n.Tags, Size: len(n.Body), By: n.Editor, UpdatedAt: n.UpdatedAt}
}

// rewrite gives a note another body, and has what it was kept.
func rewrite(t testing.TB, s notes.Store, n notes.Note, by uuid.UUID, body string) notes.Note {
	t.Helper()
	got, err := s.Update(t.Context(), by, n.ID, edit(func(n *notes.Note) error {
		n.Version++
		n.Body, n.Editor = body, by
		n.UpdatedAt = n.UpdatedAt.Add(time.Minute)
		n.RevisedAt = n.UpdatedAt
		return nil
	}))
	must(t, err)
	return got
}

func revisionsOf(t testing.TB, s notes.Store, reader uuid.UUID, n notes.Note) []notes.Revision {
	t.Helper()
	got, err := s.Revisions(t.Context(), reader, n.ID)
	must(t, err)
	return got
}

func revisions(t *testing.T, s notes.Store) {
	first := create(t, s, uuid.New(), func(n *notes.Note) { n.Body, n.Tags = awkward, []string{} })
	editor, viewer, stranger := uuid.New(), uuid.New(), uuid.New()
	share(t, s, first, editor, notes.RoleEditor)
	share(t, s, first, viewer, notes.RoleViewer)
	same(t, revisionsOf(t, s, first.Owner, first), []notes.Revision{})

	_, err := s.Update(t.Context(), first.Owner, first.ID, edit(func(n *notes.Note) error { n.Pinned = true; n.Version++; return nil }))
	must(t, err)
	same(t, revisionsOf(t, s, first.Owner, first), []notes.Revision{}) // RevisedAt is where it was
	second := get(t, s, first)
	third := rewrite(t, s, second, editor, "by the editor")
	rewrite(t, s, third, first.Owner, "by the owner")

	want := []notes.Revision{revision(third), revision(second)}
	if want[0].By != editor || want[1].By != first.Owner {
		t.Errorf("written by %v and %v", want[0].By, want[1].By)
	}
	for _, w := range want {
		for _, reader := range []uuid.UUID{first.Owner, editor, viewer} {
			got, err := s.Revision(t.Context(), reader, first.ID, w.Rev)
			must(t, err)
			same(t, got, w)
		}
		_, err := s.Revision(t.Context(), stranger, first.ID, w.Rev)
		wantError(t, err, notes.ErrNotFound)
	}
	want[0].Body, want[1].Body = nil, nil
	for _, reader := range []uuid.UUID{first.Owner, editor, viewer} {
		same(t, revisionsOf(t, s, reader, first), want)
	}
	_, err = s.Revisions(t.Context(), stranger, first.ID)
	wantError(t, err, notes.ErrNotFound)
	_, err = s.Revision(t.Context(), first.Owner, first.ID, 99)
	wantError(t, err, notes.ErrNoRevision)
	_, err = s.Revision(t.Context(), first.Owner, uuid.New(), 1)
	wantError(t, err, notes.ErrNotFound)

	// An editor who is erased has no name in what they wrote.
	_, done, err := s.Erase(t.Context(), editor, 10, day, untold)
	if must(t, err); !done {
		t.Error("the editor is not erased")
	}
	if got := revisionsOf(t, s, first.Owner, first); got[0].By != uuid.Nil || got[1].By != first.Owner {
		t.Errorf("after the erasure it was written by %v and %v", got[0].By, got[1].By)
	}
	must(t, s.Delete(t.Context(), first.Owner, first.ID, permit(func(notes.Note) error { return nil })))
	_, err = s.Revisions(t.Context(), first.Owner, first.ID)
	wantError(t, err, notes.ErrNotFound)
}

func revisionBounds(t *testing.T, s notes.Store) {
	n := create(t, s, uuid.New())
	for i := range notes.MaxRevisions + 5 {
		n = rewrite(t, s, n, n.Owner, fmt.Sprint("body ", i))
	}
	got := revisionsOf(t, s, n.Owner, n)
	if len(got) != notes.MaxRevisions || got[0].Rev != n.Version-1 || got[len(got)-1].Rev != n.Version-notes.MaxRevisions {
		t.Errorf("%d revisions from %d to %d of a note at version %d", len(got), got[len(got)-1].Rev, got[0].Rev, n.Version)
	}
	big := strings.Repeat("x", notes.MaxRevised/3)
	for range 5 {
		n = rewrite(t, s, n, n.Owner, big)
	}
	if got := revisionsOf(t, s, n.Owner, n); len(got) != 2 {
		t.Errorf("%d revisions, each a third of what may be kept and a little", len(got))
	}
	n = rewrite(t, s, n, n.Owner, strings.Repeat("x", notes.MaxRevised+1))
	rewrite(t, s, n, n.Owner, "small")
	if got := revisionsOf(t, s, n.Owner, n); len(got) != 1 || got[0].Size != notes.MaxRevised+1 {
		t.Errorf("%d revisions behind one that is as large as all may be", len(got))
	}
}
