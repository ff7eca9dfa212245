package notes_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/notes"
)

// device is what a user's device knows of their notes.
type device struct {
	*house
	user
	seq   notes.Position
	notes map[uuid.UUID]notes.Note
}

func (h *house) device(as user) *device {
	return &device{house: h, user: as, notes: map[uuid.UUID]notes.Note{}}
}

// hears reads what is new, which is to be about these notes.
func (d *device) hears(t *testing.T, want ...notes.Note) {
	t.Helper()
	var got []uuid.UUID
	for more := true; more; {
		part, err := d.Changes(d, notes.ChangesRequest{Since: d.seq, Limit: new(2)})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range part.Changes {
			got = append(got, c.ID)
			if delete(d.notes, c.ID); c.Note != nil {
				d.notes[c.ID] = *c.Note
			}
		}
		d.seq, more = part.Seq, part.HasMore
	}
	for i, n := range want {
		if len(got) != len(want) || got[i] != n.ID {
			t.Fatalf("hears of %v, want %v", got, want)
		}
	}
}

// has is a note's title and role as the device knows it.
func (d *device) has(t *testing.T, n notes.Note, want string) {
	t.Helper()
	known, got := d.notes[n.ID], ""
	if known.ID == n.ID {
		got = known.Title + " " + string(known.Role) + " " + string(known.Status)
	}
	if got != want {
		t.Errorf("knows %q, want %q", got, want)
	}
}

func TestChanges(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		anns, bobs := h.device(h.ann), h.device(h.bob)
		anns.hears(t)
		a, b, c := h.note(t, "a"), h.note(t, "b"), h.note(t, "c")
		anns.hears(t, a, b, c)
		bobs.hears(t)
		share := h.share(t, a, h.bob, notes.RoleViewer)
		anns.hears(t)
		bobs.hears(t, a)
		bobs.has(t, a, "a viewer active")
		h.share(t, a, h.bob, notes.RoleEditor)
		bobs.hears(t, a)
		bobs.has(t, a, "a editor active")
		h.retitle(t, h.bob, a, "a by bob")
		bobs.hears(t, a)
		anns.hears(t, a)
		anns.has(t, a, "a by bob owner active")

		if err := h.Delete(h.ann, notes.DeleteRequest{ID: a.ID, IfMatch: latest}); err != nil {
			t.Fatal(err)
		}
		anns.hears(t, a)
		anns.has(t, a, "a by bob owner trashed")
		bobs.hears(t, a)
		bobs.has(t, a, "")
		if _, err := h.Restore(h.ann, notes.RestoreRequest{ID: a.ID}); err != nil {
			t.Fatal(err)
		}
		bobs.hears(t, a)
		bobs.has(t, a, "a by bob editor active")
		if err := h.Unshare(h.ann, notes.UnshareRequest{ID: a.ID, Share: share.ID}); err != nil {
			t.Fatal(err)
		}
		bobs.hears(t, a)
		bobs.has(t, a, "")
		h.retitle(t, h.ann, a, "a for ann alone")
		bobs.hears(t)

		h.share(t, b, h.bob, notes.RoleViewer)
		bobs.hears(t, b)
		anns.hears(t, a)
		h.remove(t, b)
		for _, d := range []*device{anns, bobs} {
			d.hears(t, b)
			d.has(t, b, "")
		}
		for _, as := range []user{h.ann, h.bob} {
			status, answer, _ := h.call(t, as, "GET", "/v1/notes/changes?limit=1&since=0", "")
			if status != 200 || !regexp.MustCompile(`^\{"changes":\[\{"id":"[0-9a-f-]+","note":(null|\{.*\})\}\],"seq":"\d+","has_more":true\}\s*$`).MatchString(answer) {
				t.Errorf("%d %s", status, answer)
			}
		}
	})
}

func TestChangesRefused(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		a, b, c := h.note(t, "a"), h.note(t, "b"), h.note(t, "c")
		old, knows := h.device(h.ann), h.device(h.ann)
		old.hears(t, a, b, c)
		h.remove(t, b)
		knows.hears(t, a, c, b)
		if _, err := store.Prune(t.Context(), time.Now().Add(time.Hour), 1000); err != nil {
			t.Fatal(err)
		}
		_, err := h.Changes(h.ann, notes.ChangesRequest{Since: old.seq})
		wantCode(t, "a position from long ago", err, fault.Gone, "resync")
		knows.hears(t)
		anew := h.device(h.ann)
		anew.hears(t, a, c)
		d := h.note(t, "d")
		knows.hears(t, d)
		anew.hears(t, d)

		_, err = h.Changes(h.bob, notes.ChangesRequest{Since: anew.seq})
		wantCode(t, "another's position", err, fault.Gone, "resync")
		for _, query := range []string{"since=-1", "since=x", "since=", "since=1-", "since=1-2-3", "since=99999999999999999999", "limit=0", "limit=501"} {
			name, _, _ := strings.Cut(query, "=")
			if status, answer, _ := h.call(t, h.ann, "GET", "/v1/notes/changes?"+query, ""); status != 422 || !strings.Contains(answer, `"parameter":"`+name+`"`) {
				t.Errorf("%s: %d %s", query, status, answer)
			}
		}
	})
}

// retitle changes a note's title, whatever its version.
func (h *house) retitle(t *testing.T, as user, n notes.Note, title string) {
	t.Helper()
	h.change(t, as, n, notes.ChangeRequest{Title: some(title)})
}

// remove removes a note of ann's for good.
func (h *house) remove(t *testing.T, n notes.Note) {
	t.Helper()
	for _, permanent := range []bool{false, true} {
		if err := h.Delete(h.ann, notes.DeleteRequest{ID: n.ID, IfMatch: latest, Permanent: permanent}); err != nil {
			t.Fatal(err)
		}
	}
}
