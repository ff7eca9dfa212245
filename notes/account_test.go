package notes_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/account"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/notes/storetest"
)

// exported is a note as the export has it.
type exported struct {
	notes.Note
	Shares    []notes.Share    `json:"shares"`
	Revisions []notes.Revision `json:"revisions"`
}

// export reads a user's export.
func (h *house) export(t *testing.T, user uuid.UUID) (list []exported, shared []notes.Share) {
	t.Helper()
	var b bytes.Buffer
	if err := account.NewClient(h.Over).Export(t.Context(), "notes", user, &b); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{"notes.json": &list, "shared-with-me.json": &shared} {
		f, err := z.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, v); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
	}
	if len(z.File) != 2 {
		t.Errorf("%d files", len(z.File))
	}
	return list, shared
}

func TestExport(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		if list, shared := h.export(t, h.ann.ID); list == nil || shared == nil || len(list)+len(shared) > 0 {
			t.Errorf("of nobody: %v, %v", list, shared)
		}
		at := time.Date(2031, 5, 1, 8, 0, 0, 123456000, time.UTC)
		full, err := h.Create(h.ann, notes.CreateRequest{Title: "Full", Body: "a\n\"b\"\u2028\x01", Tags: []string{"x", "y"}, Pinned: true, Status: notes.Archived, ReminderAt: &at})
		if err != nil {
			t.Fatal(err)
		}
		trashed, plain := h.note(t, "Trashed"), h.note(t, "Plain")
		share := h.share(t, trashed, h.bob, notes.RoleEditor)
		was := notes.Revision{Rev: 1, Title: "Trashed", Body: new(""), Tags: []string{}, By: h.ann.ID, UpdatedAt: trashed.UpdatedAt}
		h.change(t, h.bob, trashed, notes.ChangeRequest{Body: some("by bob")})
		if err := h.Delete(h.ann, notes.DeleteRequest{ID: trashed.ID, IfMatch: latest}); err != nil {
			t.Fatal(err)
		}
		if trashed, err = h.Get(h.ann, notes.NoteRequest{ID: trashed.ID}); err != nil {
			t.Fatal(err)
		}
		list, shared := h.export(t, h.ann.ID)
		want := []exported{
			{full, []notes.Share{}, []notes.Revision{}}, {trashed, []notes.Share{share}, []notes.Revision{was}}, {plain, []notes.Share{}, []notes.Revision{}},
		}
		if diff := cmp.Diff(want, list); diff != "" || len(shared) > 0 {
			t.Errorf("%v %s", shared, diff)
		}
		list, shared = h.export(t, h.bob.ID)
		if diff := cmp.Diff([]notes.Share{share}, shared); diff != "" || len(list) > 0 {
			t.Errorf("%v %s", list, diff)
		}
	})
}

func TestErase(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		names := map[uuid.UUID]string{}
		var mine []notes.Note
		for _, title := range []string{"ONE", "TWO", "THREE"} {
			n := h.note(t, title, "tag")
			mine = append(mine, n)
			names[n.ID] = title
		}
		h.share(t, mine[0], h.bob, notes.RoleEditor)
		h.share(t, mine[0], h.eve, "")
		h.share(t, mine[1], h.bob, "")
		if err := h.Delete(h.ann, notes.DeleteRequest{ID: mine[1].ID, IfMatch: latest}); err != nil {
			t.Fatal(err)
		}
		theirs, err := h.Create(h.bob, notes.CreateRequest{Title: "bob's"})
		if err != nil {
			t.Fatal(err)
		}
		for _, with := range []user{h.ann, h.eve} {
			if _, err := h.Share(h.bob, notes.ShareRequest{ID: theirs.ID, User: with.Login}); err != nil {
				t.Fatal(err)
			}
		}
		before := len(storetest.Told(t, store, h.bob.ID))

		began := time.Now()
		receipt, err := account.NewClient(h.Over).Erase(t.Context(), "notes", h.ann.ID)
		if err != nil || receipt.Service != "notes" || receipt.ErasedAt.Before(began.Add(-time.Second)) || !maps.Equal(receipt.Erased, map[string]int{"notes": 3, "shares": 4}) {
			t.Errorf("receipt %+v, %v", receipt, err)
		}
		for _, u := range []user{h.ann, h.bob, h.eve} {
			for _, n := range mine {
				_, err := h.Get(u, notes.NoteRequest{ID: n.ID})
				wantCode(t, "an erased note", err, fault.NotFound, "note_not_found")
			}
		}
		for _, status := range []notes.Status{notes.Active, notes.Archived, notes.Trashed} {
			if got := h.titles(t, h.ann, notes.ListRequest{Status: status}) + h.titles(t, h.ann, notes.ListRequest{Status: status, Shared: true}); got != "" {
				t.Errorf("what is %s is left: %s", status, got)
			}
		}
		_, err = h.Get(h.ann, notes.NoteRequest{ID: theirs.ID})
		wantCode(t, "a note that was shared", err, fault.NotFound, "note_not_found")
		if got := h.titles(t, h.eve, notes.ListRequest{Shared: true}); got != "bob's viewer" {
			t.Errorf("eve is left with %q", got)
		}
		page, err := h.ListShares(h.bob, notes.NoteRequest{ID: theirs.ID})
		if err != nil || len(page.Data) != 1 || page.Data[0].User != h.eve.Person {
			t.Errorf("bob's note is shared with %+v, %v", page.Data, err)
		}

		// Nothing about ann is on its way, and those who could read her notes hear of it.
		if got := h.tellings(t, h.ann, names); got != "" {
			t.Errorf("about ann:\n%s", got)
		}
		if got, want := h.tellings(t, h.eve, names), `note.deleted.v1 {"note":"ONE","version":1,"readers":["eve"]}`; got != want {
			t.Errorf("about eve:\n%s", got)
		}
		got := strings.Split(h.tellings(t, h.bob, names), "\n")[before:]
		slices.Sort(got)
		if want := []string{`note.deleted.v1 {"note":"ONE","version":1,"readers":["bob"]}`, `note.deleted.v1 {"note":"TWO","version":2,"readers":["bob"]}`}; !slices.Equal(got, want) {
			t.Errorf("about bob:\n%q", got)
		}

		// Nor does anything more of hers come in, though her token is good and bob found her before.
		_, err = h.Create(h.ann, notes.CreateRequest{Title: "late"})
		wantCode(t, "a note of hers", err, fault.Gone, "account_erased")
		_, err = h.Share(h.bob, notes.ShareRequest{ID: theirs.ID, User: h.ann.Login})
		wantCode(t, "a share with her", err, fault.Gone, "account_erased")
		again, err := account.NewClient(h.Over).Erase(t.Context(), "notes", h.ann.ID)
		if diff := cmp.Diff(receipt, again); err != nil || diff != "" {
			t.Errorf("again: %v %s", err, diff)
		}
		if _, err := h.Change(h.bob, notes.ChangeRequest{ID: theirs.ID, IfMatch: transport.IfMatch{Version: 1}, Title: transport.Some("still")}); err != nil {
			t.Error(err)
		}
	})
}

// quietly erases notes and tells nobody.
func quietly(notes.Note, []notes.Share) ([]event.Message, error) { return nil, nil }

// An account is larger than a transaction, and than what an export has in memory.
func TestLargeAccount(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		batch := make([]notes.Note, 1000)
		for i := range batch {
			batch[i] = notes.Note{
				ID: uuid.New(), Owner: h.ann.ID, Title: "one of many", Body: strings.Repeat("All work and no play. ", 10), Tags: []string{"tag"},
				Status: notes.Active, Version: 1, CreatedAt: time.Now(), UpdatedAt: time.Now(),
			}
		}
		if _, err := store.Import(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		list, _ := h.export(t, h.ann.ID)
		seen := map[uuid.UUID]bool{}
		for _, n := range list {
			seen[n.ID] = true
		}
		if len(list) != len(batch) || len(seen) != len(batch) {
			t.Errorf("%d notes, %d of them different, want %d", len(list), len(seen), len(batch))
		}
		if _, done, err := store.Erase(t.Context(), h.ann.ID, 300, time.Now(), quietly); err != nil || done { // and then it was cut
			t.Errorf("a step: %v, %v", done, err)
		}
		receipt, err := account.NewClient(h.Over).Erase(t.Context(), "notes", h.ann.ID)
		if err != nil || receipt.Erased["notes"] != len(batch) {
			t.Errorf("erased %+v, %v", receipt, err)
		}
		if list, _ := h.export(t, h.ann.ID); len(list) > 0 {
			t.Errorf("%d notes are left", len(list))
		}
	})
}

func TestAccountIsForServicesAlone(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		n := h.note(t, "Seeds")
		for method, path := range map[string]string{"DELETE": "", "GET": "/export"} {
			if status, answer, _ := h.call(t, h.ann, method, "/internal/v1/account/"+h.ann.ID.String()+path, ""); status != 401 {
				t.Errorf("%s: %d %s", method, status, answer)
			}
		}
		if _, err := h.Get(h.ann, notes.NoteRequest{ID: n.ID}); err != nil {
			t.Error(err)
		}
	})
}
