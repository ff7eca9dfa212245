package notes_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/notes/storetest"
)

// tellings has a line for each event about a user, with names for ids.
func (h *house) tellings(t *testing.T, about user, names map[uuid.UUID]string) string {
	t.Helper()
	replace := []string{h.ann.ID.String(), "ann", h.bob.ID.String(), "bob", h.eve.ID.String(), "eve"}
	for id, name := range names {
		replace = append(replace, id.String(), name)
	}
	var lines []string
	for _, m := range storetest.Told(t, h.store, about.ID) {
		if m.SpecVersion != "1.0" || m.ID == uuid.Nil || time.Since(m.Time) > time.Minute || !json.Valid(m.Data) {
			t.Errorf("told of %+v", m)
		}
		lines = append(lines, m.Type+" "+strings.NewReplacer(replace...).Replace(string(m.Data)))
	}
	return strings.Join(lines, "\n")
}

func TestEvents(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		n := h.note(t, "Seeds")
		names := map[uuid.UUID]string{n.ID: "NOTE"}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		rename := func(as user, match transport.IfMatch) error {
			_, err := h.Change(as, notes.ChangeRequest{ID: n.ID, IfMatch: match, Title: transport.Some("Beans")})
			return err
		}
		share := h.share(t, n, h.bob, "")
		h.share(t, n, h.bob, notes.RoleViewer)           // as it is
		_ = rename(h.ann, transport.IfMatch{Version: 7}) // stale
		_ = rename(h.bob, latest)                        // not his to change
		_ = h.Delete(h.ann, notes.DeleteRequest{ID: n.ID, IfMatch: latest, Permanent: true})
		h.share(t, n, h.bob, notes.RoleEditor)
		must(rename(h.bob, latest))
		gone := h.share(t, n, h.eve, "")
		must(h.Unshare(h.eve, notes.UnshareRequest{ID: n.ID, Share: gone.ID}))
		must(h.Delete(h.ann, notes.DeleteRequest{ID: n.ID, IfMatch: latest}))
		_, err := h.Restore(h.ann, notes.RestoreRequest{ID: n.ID})
		must(err)
		must(h.Delete(h.ann, notes.DeleteRequest{ID: n.ID, IfMatch: latest}))
		must(h.Unshare(h.ann, notes.UnshareRequest{ID: n.ID, Share: share.ID}))
		must(h.Delete(h.ann, notes.DeleteRequest{ID: n.ID, IfMatch: latest, Permanent: true}))

		want := strings.TrimSpace(`
note.created.v1 {"note":"NOTE","version":1,"readers":["ann"]}
note.shared.v1 {"note":"NOTE","title":"Seeds","with":"bob","role":"viewer"}
note.shared.v1 {"note":"NOTE","title":"Seeds","with":"bob","role":"editor"}
note.changed.v1 {"note":"NOTE","version":2,"readers":["ann","bob"]}
note.shared.v1 {"note":"NOTE","title":"Beans","with":"eve","role":"viewer"}
note.unshared.v1 {"note":"NOTE","title":"Beans","with":"eve","role":"viewer"}
note.changed.v1 {"note":"NOTE","version":3,"readers":["ann","bob"]}
note.changed.v1 {"note":"NOTE","version":4,"readers":["ann","bob"]}
note.changed.v1 {"note":"NOTE","version":5,"readers":["ann","bob"]}
note.unshared.v1 {"note":"NOTE","title":"Beans","with":"bob","role":"editor"}
note.deleted.v1 {"note":"NOTE","version":5,"readers":["ann"]}`)
		if got := h.tellings(t, h.ann, names); got != want {
			t.Errorf("told\n%s\nwant\n%s", got, want)
		}
		for _, u := range []user{h.bob, h.eve} {
			if got := h.tellings(t, u, names); got != "" {
				t.Errorf("told about %s:\n%s", u.Name, got)
			}
		}
	})
}

func TestEventOfARepeatedRequest(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		for i := range 3 {
			status, answer, _ := h.call(t, h.ann, "POST", "/v1/notes", `{"title":"once"}`, "Idempotency-Key", "one")
			if status != 201 {
				t.Fatal(fmt.Sprint("time ", i), status, answer)
			}
		}
		if got := storetest.Told(t, store, h.ann.ID); len(got) != 1 {
			t.Errorf("told of %+v", got)
		}
	})
}
