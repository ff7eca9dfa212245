package notes_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notes"
)

func some[T any](v T) transport.Optional[T] { return transport.Some(v) }

// change changes a note, whatever its version.
func (h *house) change(t *testing.T, as user, n notes.Note, r notes.ChangeRequest) notes.Note {
	t.Helper()
	r.ID, r.IfMatch = n.ID, latest
	n, err := h.Change(as, r)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// revisions are the titles of a note's revisions.
func (h *house) revisions(t *testing.T, as user, n notes.Note) (titles []string) {
	t.Helper()
	page, err := h.ListRevisions(as, notes.NoteRequest{ID: n.ID})
	if err != nil || page.Page.HasMore {
		t.Fatal(err, page.Page)
	}
	for _, r := range page.Data {
		titles = append(titles, r.Title)
		if r.Body != nil || r.Size == 0 {
			t.Errorf("a list has %+v", r)
		}
	}
	return titles
}

func TestRevisions(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		n, err := h.Create(h.ann, notes.CreateRequest{Title: "one", Body: "first", Tags: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		h.share(t, n, h.bob, notes.RoleEditor)
		h.share(t, n, h.eve, notes.RoleViewer)
		two := h.change(t, h.ann, n, notes.ChangeRequest{Title: some("two"), Tags: some([]string{"x", "y"})}) // at one stretch
		h.change(t, h.ann, n, notes.ChangeRequest{Pinned: some(true)})
		three := h.change(t, h.bob, n, notes.ChangeRequest{Title: some("three"), Body: some("by bob")})
		h.change(t, h.ann, n, notes.ChangeRequest{Title: some("four"), Tags: some([]string{})})

		for _, as := range []user{h.ann, h.bob, h.eve} {
			if diff := cmp.Diff([]string{"three", "two"}, h.revisions(t, as, n)); diff != "" {
				t.Error(diff)
			}
			got, err := h.Revision(as, notes.RevisionRequest{ID: n.ID, Rev: three.Version})
			want := notes.Revision{Rev: three.Version, Title: "three", Body: new("by bob"), Tags: []string{"x", "y"}, Size: 6, By: h.bob.ID, UpdatedAt: three.UpdatedAt}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Error(err, diff)
			}
		}
		rev := two.Version + 1 // when it was pinned
		if got, err := h.Revision(h.ann, notes.RevisionRequest{ID: n.ID, Rev: rev}); err != nil || got.By != h.ann.ID {
			t.Errorf("%+v, %v", got, err)
		}

		_, err = h.RestoreRevision(h.eve, notes.RestoreRevisionRequest{ID: n.ID, Rev: rev})
		wantCode(t, "a viewer's", err, fault.Forbidden, "note_read_only")
		_, err = h.RestoreRevision(h.ann, notes.RestoreRevisionRequest{ID: n.ID, Rev: rev, IfMatch: &transport.IfMatch{Version: 1}})
		wantCode(t, "a stale one", err, fault.Stale, "stale")
		_, err = h.RestoreRevision(h.ann, notes.RestoreRevisionRequest{ID: n.ID, Rev: 99})
		wantCode(t, "to none", err, fault.NotFound, "revision_not_found")
		got, err := h.RestoreRevision(h.bob, notes.RestoreRevisionRequest{ID: n.ID, Rev: rev})
		if err != nil || got.Title != "two" || got.Body != "first" || !cmp.Equal(got.Tags, []string{"x", "y"}) || !got.Pinned || got.Version != 6 || got.Role != notes.RoleEditor {
			t.Errorf("restored: %+v, %v", got, err)
		}
		got, err = h.RestoreRevision(h.bob, notes.RestoreRevisionRequest{ID: n.ID, Rev: three.Version, IfMatch: &transport.IfMatch{Version: 6}})
		if err != nil || got.Title != "three" {
			t.Errorf("restored: %+v, %v", got, err)
		}
		if diff := cmp.Diff([]string{"two", "four", "three", "two"}, h.revisions(t, h.ann, n)); diff != "" {
			t.Error(diff) // what it said is kept, whoever wrote it how long ago
		}

		if err := h.Delete(h.ann, notes.DeleteRequest{ID: n.ID, IfMatch: latest}); err != nil {
			t.Fatal(err)
		}
		h.revisions(t, h.ann, n)
		_, err = h.RestoreRevision(h.ann, notes.RestoreRevisionRequest{ID: n.ID, Rev: rev})
		wantCode(t, "in the trash", err, fault.Conflict, "note_trashed")
		_, err = h.ListRevisions(h.bob, notes.NoteRequest{ID: n.ID})
		wantCode(t, "who it is shared with, while it is in the trash", err, fault.NotFound, "note_not_found")
	})
}

func TestRevisionsAreNotForStrangers(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		n := h.note(t, "hers")
		h.share(t, n, h.bob, notes.RoleEditor)
		h.change(t, h.bob, n, notes.ChangeRequest{Title: some("theirs")})
		for _, id := range []uuid.UUID{n.ID, uuid.New()} {
			_, err := h.ListRevisions(h.eve, notes.NoteRequest{ID: id})
			wantCode(t, "a list", err, fault.NotFound, "note_not_found")
			_, err = h.Revision(h.eve, notes.RevisionRequest{ID: id, Rev: 1})
			wantCode(t, "one", err, fault.NotFound, "note_not_found")
			_, err = h.RestoreRevision(h.eve, notes.RestoreRevisionRequest{ID: id, Rev: 1})
			wantCode(t, "going back", err, fault.NotFound, "note_not_found")
		}
		for _, rev := range []string{"x", "1.5", "99999999999999999999"} {
			if status, answer, _ := h.call(t, h.ann, "GET", "/v1/notes/"+n.ID.String()+"/revisions/"+rev, ""); status != 404 {
				t.Errorf("%s: %d %s", rev, status, answer)
			}
		}
	})
}

// A revision is kept of what somebody left for a while, and of much that is cut.
func TestRevisionsKept(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		long, at := strings.Repeat("text ", 100), time.Now()
		for _, tt := range []struct {
			name         string
			age          time.Duration
			before, then string
			kept         bool
		}{
			{"at one stretch", time.Minute, long, long + "more", false},
			{"after a while", 11 * time.Minute, long, long + "more", true},
			{"the same again", 11 * time.Minute, long, long, false},
			{"a little less", time.Minute, long, long[:300], false},
			{"much less", time.Minute, long, long[:200], true},
			{"all of little", time.Minute, "little", "", false},
		} {
			n := notes.Note{ID: uuid.New(), Owner: h.ann.ID, Title: tt.name, Body: tt.before, Status: notes.Active, Version: 1, CreatedAt: at.Add(-tt.age), UpdatedAt: at.Add(-tt.age)}
			if err := store.Create(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			h.change(t, h.ann, n, notes.ChangeRequest{Body: some(tt.then)})
			if got := len(h.revisions(t, h.ann, n)); (got == 1) != tt.kept {
				t.Errorf("%s: %d revisions", tt.name, got)
			}
		}
	})
}
