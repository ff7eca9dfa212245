package notes_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/server/servertest"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notes"
)

// user calls the service, and can be shared with.
type user struct {
	context.Context
	notes.Person
	token string
}

// directory is the people by their logins.
type directory struct {
	people map[string]notes.Person
	asked  atomic.Int32
	err    error
}

func (d *directory) FindUser(_ context.Context, login string) (notes.Person, error) {
	d.asked.Add(1)
	p, ok := d.people[login]
	if !ok && d.err == nil {
		return p, notes.ErrNoPerson
	}
	return p, d.err
}

// house is the service with three users, found by ann@, bob@ and eve@example.com.
type house struct {
	notes.Client
	*servertest.Service
	store         notes.Store
	people        *directory
	ann, bob, eve user
}

func open(t *testing.T, store notes.Store) *house {
	t.Helper()
	h := &house{store: store, people: &directory{people: map[string]notes.Person{}}}
	service, err := notes.NewService(t.Context(), store, h.people)
	if err != nil {
		t.Fatal(err)
	}
	h.Service = servertest.Serve(t, notes.Routes(service), store.Keeper(), nil)
	h.Client = notes.NewClient(h.Over)
	for name, u := range map[string]*user{"ann": &h.ann, "bob": &h.bob, "eve": &h.eve} {
		login := name + "@example.com"
		u.Person = notes.Person{ID: uuid.New(), Name: strings.ToUpper(name), Login: login}
		u.Context, u.token = h.As(t, u.ID), h.Token(t, u.ID)
		h.people.people[login] = notes.Person{ID: u.ID, Name: u.Name}
	}
	return h
}

// note makes a note of ann's.
func (h *house) note(t *testing.T, title string, tags ...string) notes.Note {
	t.Helper()
	n, err := h.Create(h.ann, notes.CreateRequest{Title: title, Tags: tags})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// share shares a note of ann's.
func (h *house) share(t *testing.T, n notes.Note, with user, role notes.Role) notes.Share {
	t.Helper()
	s, err := h.Share(h.ann, notes.ShareRequest{ID: n.ID, User: with.Login, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// titles are those of a list.
func (h *house) titles(t *testing.T, as user, r notes.ListRequest) string {
	t.Helper()
	page, err := h.List(as, r)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, n := range page.Data {
		list = append(list, n.Title+" "+string(n.Role))
	}
	return strings.Join(list, ", ")
}

// call sends a request without the client.
func (h *house) call(t *testing.T, as user, method, path, body string, headers ...string) (status int, answer string, header http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, h.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+as.token)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := testenv.Client.Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text), res.Header
}

var latest = transport.IfMatch{Any: true}

func TestSharing(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		n, other := h.note(t, "Seeds", "garden"), h.note(t, "Other")
		share := h.share(t, n, h.bob, "")
		want := notes.Share{ID: share.ID, NoteID: n.ID, User: h.bob.Person, Role: notes.RoleViewer, CreatedAt: share.CreatedAt}
		if diff := cmp.Diff(want, share); diff != "" || share.CreatedAt.IsZero() {
			t.Errorf("shared: %s", diff)
		}
		got, err := h.Get(h.bob, notes.NoteRequest{ID: n.ID})
		seen := n
		seen.Role = notes.RoleViewer
		if diff := cmp.Diff(seen, got); err != nil || diff != "" {
			t.Errorf("the viewer's note: %v %s", err, diff)
		}

		// In place of a role another, of the same share.
		again := h.share(t, n, h.bob, notes.RoleEditor)
		want.Role = notes.RoleEditor
		if diff := cmp.Diff(want, again); diff != "" {
			t.Errorf("with another role: %s", diff)
		}
		second := h.share(t, n, h.eve, notes.RoleViewer)
		for who, want := range map[*user][]notes.Share{&h.ann: {again, second}, &h.bob: {again}, &h.eve: {second}} {
			page, err := h.ListShares(*who, notes.NoteRequest{ID: n.ID})
			if diff := cmp.Diff(transport.NewPage(want, ""), page); err != nil || diff != "" {
				t.Errorf("%s's list: %v %s", who.Name, err, diff)
			}
		}
		_, err = h.ListShares(h.eve, notes.NoteRequest{ID: other.ID})
		wantCode(t, "the shares of a note that is not shared", err, fault.NotFound, "note_not_found")

		// One takes leave, from the other it is taken.
		wantCode(t, "ending another's share", h.Unshare(h.eve, notes.UnshareRequest{ID: n.ID, Share: again.ID}), fault.NotFound, "share_not_found")
		wantCode(t, "ending a share of another note", h.Unshare(h.ann, notes.UnshareRequest{ID: other.ID, Share: again.ID}), fault.NotFound, "share_not_found")
		if err := h.Unshare(h.bob, notes.UnshareRequest{ID: n.ID, Share: again.ID}); err != nil {
			t.Error(err)
		}
		if err := h.Unshare(h.ann, notes.UnshareRequest{ID: n.ID, Share: second.ID}); err != nil {
			t.Error(err)
		}
		for _, u := range []user{h.bob, h.eve} {
			_, err := h.Get(u, notes.NoteRequest{ID: n.ID})
			wantCode(t, "a note that is no longer shared", err, fault.NotFound, "note_not_found")
			if got := h.titles(t, u, notes.ListRequest{Shared: true}); got != "" {
				t.Errorf("%s still lists %s", u.Name, got)
			}
		}
		wantCode(t, "leaving twice", h.Unshare(h.bob, notes.UnshareRequest{ID: n.ID, Share: again.ID}), fault.NotFound, "note_not_found")
		wantCode(t, "ending twice", h.Unshare(h.ann, notes.UnshareRequest{ID: n.ID, Share: second.ID}), fault.NotFound, "share_not_found")
	})
}

func TestSharingAtOnce(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		n := h.note(t, "Seeds")
		var all sync.WaitGroup
		got := make([]notes.Share, 8)
		for i := range got {
			all.Go(func() {
				var err error
				if got[i], err = h.Share(h.ann, notes.ShareRequest{ID: n.ID, User: h.bob.Login}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, s := range got {
			if s != got[0] {
				t.Errorf("one person has the shares %+v and %+v", s, got[0])
			}
		}
	})
}

func TestSharingRefused(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		n := h.note(t, "Seeds")
		share := func(as user, id uuid.UUID, with string) error {
			_, err := h.Share(as, notes.ShareRequest{ID: id, User: with})
			return err
		}
		for login, code := range map[string]string{"nobody@example.com": "unknown_user", h.ann.Login: "is_owner", "": "required", strings.Repeat("x", 321): "too_long"} {
			f := wantCode(t, "sharing with "+login, share(h.ann, n.ID, login), fault.Invalid, "invalid")
			if len(f.Fields) != 1 || f.Fields[0].Pointer != "/user" || f.Fields[0].Code != code {
				t.Errorf("%q: names %+v, want %s", login, f.Fields, code)
			}
		}
		for body, want := range map[string]string{`{"link":true}`: `"/link"`, `{"user":"bob@example.com","role":"owner"}`: `"/role"`} {
			if status, answer, _ := h.call(t, h.ann, "POST", n.Location()+"/shares", body); status != 422 || !strings.Contains(answer, want) {
				t.Errorf("%s: %d %s", body, status, answer)
			}
		}

		// Nobody is looked for on behalf of a note that the caller can't share.
		h.share(t, n, h.bob, notes.RoleEditor)
		h.share(t, n, h.eve, notes.RoleViewer)
		trashed := h.note(t, "Trashed")
		if err := h.Delete(h.ann, notes.DeleteRequest{ID: trashed.ID, IfMatch: latest}); err != nil {
			t.Fatal(err)
		}
		asked := h.people.asked.Load()
		wantCode(t, "an editor's share", share(h.bob, n.ID, "zoe@example.com"), fault.Forbidden, "note_owners_only")
		wantCode(t, "a viewer's share", share(h.eve, n.ID, "zoe@example.com"), fault.Forbidden, "note_read_only")
		wantCode(t, "a stranger's share", share(h.bob, trashed.ID, "zoe@example.com"), fault.NotFound, "note_not_found")
		wantCode(t, "sharing a trashed note", share(h.ann, trashed.ID, h.bob.Login), fault.Conflict, "note_trashed")
		if now := h.people.asked.Load(); now != asked {
			t.Errorf("%d people were looked for", now-asked)
		}

		h.people.err = fault.New(fault.Unavailable, "unreachable", "auth cannot be reached.")
		wantCode(t, "when nobody can be asked", share(h.ann, n.ID, "zoe@example.com"), fault.Unavailable, "unreachable")
		h.people.err = nil

		full := h.note(t, "Full")
		for i := range notes.MaxShares {
			with := notes.Share{ID: uuid.New(), User: notes.Person{ID: uuid.New()}, Role: notes.RoleViewer}
			if i == 0 {
				with.User = h.bob.Person
			}
			_, err := store.Share(t.Context(), h.ann.ID, full.ID, func(notes.Note, []notes.Share) (notes.Share, []event.Message, error) { return with, nil, nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		wantCode(t, "one share too many", share(h.ann, full.ID, h.eve.Login), fault.Conflict, "shares_full")
		h.share(t, full, h.bob, notes.RoleEditor) // who is one of them
	})
}

func TestWhoIsTriedOutSlowly(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		n := h.note(t, "Seeds")
		refused := 0
		for range 60 {
			_, err := h.Share(h.ann, notes.ShareRequest{ID: n.ID, User: uuid.NewString()})
			if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.TooMany {
				refused++
			}
		}
		if asked := h.people.asked.Load(); asked > 45 || refused < 15 { // some before the token was known, 20 at once, and one every five seconds
			t.Errorf("%d tries of 60 went through, %d were refused", asked, refused)
		}
	})
}

func TestRoles(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		n := h.note(t, "Seeds", "garden")
		h.share(t, n, h.bob, notes.RoleEditor)
		h.share(t, n, h.eve, notes.RoleViewer)
		stranger := user{Context: h.As(t, uuid.New())}

		type call struct {
			what string
			do   func(user) error
		}
		change := func(r notes.ChangeRequest) func(user) error {
			return func(u user) error { r.ID, r.IfMatch = n.ID, latest; _, err := h.Change(u, r); return err }
		}
		for _, c := range []call{
			{"pin", change(notes.ChangeRequest{Pinned: transport.Some(true)})},
			{"archive", change(notes.ChangeRequest{Status: transport.Some(notes.Archived)})},
			{"trash by status", change(notes.ChangeRequest{Status: transport.Some(notes.Trashed)})},
			{"remind", change(notes.ChangeRequest{ReminderAt: transport.Some(&n.CreatedAt)})},
			{"title and pin", change(notes.ChangeRequest{Title: transport.Some("Mine"), Pinned: transport.Some(true)})},
			{"trash", func(u user) error { return h.Delete(u, notes.DeleteRequest{ID: n.ID, IfMatch: latest}) }},
			{"remove", func(u user) error {
				return h.Delete(u, notes.DeleteRequest{ID: n.ID, IfMatch: latest, Permanent: true})
			}},
			{"restore", func(u user) error { _, err := h.Restore(u, notes.RestoreRequest{ID: n.ID}); return err }},
		} {
			wantCode(t, "an editor's "+c.what, c.do(h.bob), fault.Forbidden, "note_owners_only")
			wantCode(t, "a viewer's "+c.what, c.do(h.eve), fault.Forbidden, "note_read_only")
			wantCode(t, "a stranger's "+c.what, c.do(stranger), fault.NotFound, "note_not_found")
		}
		edit := notes.ChangeRequest{Title: transport.Some("Seeds 2031"), Body: transport.Some("peas"), Tags: transport.Some([]string{"spring"})}
		wantCode(t, "a viewer's edit", change(edit)(h.eve), fault.Forbidden, "note_read_only")
		wantCode(t, "a viewer's empty edit", change(notes.ChangeRequest{})(h.eve), fault.Forbidden, "note_read_only")
		wantCode(t, "a stranger's edit", change(edit)(stranger), fault.NotFound, "note_not_found")
		if got, err := h.Get(h.ann, notes.NoteRequest{ID: n.ID}); err != nil || !cmp.Equal(got, n) {
			t.Errorf("it was changed: %v %s", err, cmp.Diff(n, got))
		}

		edit.ID, edit.IfMatch = n.ID, transport.IfMatch{Version: 1}
		edited, err := h.Change(h.bob, edit)
		if err != nil || edited.Version != 2 || edited.Role != notes.RoleEditor || edited.Title != "Seeds 2031" {
			t.Fatalf("edited: %+v, %v", edited, err)
		}
		edited.Role = notes.RoleOwner
		if got, err := h.Get(h.ann, notes.NoteRequest{ID: n.ID}); err != nil || !cmp.Equal(got, edited) {
			t.Errorf("the owner sees %v %s", err, cmp.Diff(edited, got))
		}
		if got := h.titles(t, h.ann, notes.ListRequest{Tag: "spring"}); got != "Seeds 2031 owner" {
			t.Errorf("the owner finds by the editor's tag %q", got)
		}
		_, err = h.Change(h.bob, edit)
		f := wantCode(t, "an editor's stale change", err, fault.Stale, "stale")
		if current, ok := f.Current.(map[string]any); !ok || current["role"] != "editor" {
			t.Errorf("the 412 carries %v", f.Current)
		}
	})
}

// What a browser keeps of a note goes stale with its reader's role.
func TestRoleIsPartOfTheETag(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		n := h.note(t, "Seeds")
		tags := map[notes.Role]string{notes.RoleOwner: `"1"`}
		for _, role := range []notes.Role{notes.RoleViewer, notes.RoleEditor, notes.RoleViewer} {
			h.share(t, n, h.bob, role)
			for _, tag := range tags {
				status, _, header := h.call(t, h.bob, "GET", n.Location(), "", "If-None-Match", tag)
				if unchanged := tags[role] == tag || role == notes.RoleEditor && tag == `"1"`; (status == 304) != unchanged {
					t.Errorf("a %s who has %s gets %d with %s", role, tag, status, header.Get("Etag"))
				}
			}
			_, _, header := h.call(t, h.bob, "GET", n.Location(), "")
			tags[role] = header.Get("Etag")
		}
		if status, answer, _ := h.call(t, h.bob, "PATCH", n.Location(), `{"title":"x"}`, "If-Match", tags[notes.RoleViewer]); status != 403 {
			t.Errorf("a viewer's change: %d %s", status, answer)
		}
		h.share(t, n, h.bob, notes.RoleEditor)
		if status, answer, _ := h.call(t, h.bob, "PATCH", n.Location(), `{"title":"x"}`, "If-Match", tags[notes.RoleEditor]); status != 200 {
			t.Errorf("an editor's change: %d %s", status, answer)
		}
	})
}

func TestListShared(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		var made []notes.Note
		for i, title := range []string{"a", "b", "c", "d", "e"} {
			n := h.note(t, title, []string{"even", "odd"}[i%2])
			made = append(made, n)
			h.share(t, n, h.bob, []notes.Role{notes.RoleViewer, notes.RoleEditor}[i%2])
		}
		h.note(t, "ann's alone", "even")
		if _, err := h.Create(h.bob, notes.CreateRequest{Title: "bob's", Tags: []string{"even"}}); err != nil {
			t.Fatal(err)
		}
		shared := func(r notes.ListRequest) string { t.Helper(); r.Shared = true; return h.titles(t, h.bob, r) }
		for _, tt := range []struct {
			got, want string
		}{
			{shared(notes.ListRequest{}), "e viewer, d editor, c viewer, b editor, a viewer"},
			{shared(notes.ListRequest{Sort: notes.ByTitle}), "a viewer, b editor, c viewer, d editor, e viewer"},
			{shared(notes.ListRequest{Tag: "odd", Sort: notes.ByCreated}), "b editor, d editor"},
			{shared(notes.ListRequest{Status: notes.Archived}), ""},
			{h.titles(t, h.bob, notes.ListRequest{}), "bob's owner"},
			{h.titles(t, h.bob, notes.ListRequest{Tag: "even"}), "bob's owner"},
			{h.titles(t, h.eve, notes.ListRequest{Shared: true}), ""},
			{h.titles(t, h.ann, notes.ListRequest{Shared: true}), ""},
		} {
			if tt.got != tt.want {
				t.Errorf("got %q, want %q", tt.got, tt.want)
			}
		}
		two := 2
		page, err := h.List(h.bob, notes.ListRequest{Shared: true, Limit: &two})
		if err != nil || len(page.Data) != 2 || !page.Page.HasMore {
			t.Fatalf("a page of two: %+v, %v", page, err)
		}
		_, err = h.List(h.bob, notes.ListRequest{Limit: &two, Cursor: *page.Page.NextCursor})
		wantCode(t, "a cursor of those shared for one's own", err, fault.Malformed, "cursor_invalid")
		page, err = h.List(h.bob, notes.ListRequest{Shared: true, Limit: &two, Cursor: *page.Page.NextCursor})
		if err != nil || len(page.Data) != 2 || page.Data[0].ID != made[2].ID {
			t.Errorf("the second page: %+v, %v", page, err)
		}

		// What the owner puts away is there no more, until it is back.
		if err := h.Delete(h.ann, notes.DeleteRequest{ID: made[0].ID, IfMatch: latest}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Change(h.ann, notes.ChangeRequest{ID: made[1].ID, IfMatch: latest, Status: transport.Some(notes.Archived)}); err != nil {
			t.Fatal(err)
		}
		_, err = h.Get(h.bob, notes.NoteRequest{ID: made[0].ID})
		wantCode(t, "another's note in the trash", err, fault.NotFound, "note_not_found")
		_, err = h.Restore(h.bob, notes.RestoreRequest{ID: made[0].ID})
		wantCode(t, "restoring another's note", err, fault.NotFound, "note_not_found")
		for want, r := range map[string]notes.ListRequest{
			"c viewer, d editor, e viewer": {Sort: notes.ByTitle},
			"b editor":                     {Status: notes.Archived},
			"":                             {Status: notes.Trashed},
		} {
			if got := shared(r); got != want {
				t.Errorf("%+v: got %q, want %q", r, got, want)
			}
		}
		if _, err := h.Restore(h.ann, notes.RestoreRequest{ID: made[0].ID}); err != nil {
			t.Fatal(err)
		}
		if got := shared(notes.ListRequest{Tag: "even", Sort: notes.ByTitle}); got != "a viewer, c viewer, e viewer" {
			t.Errorf("restored: %q", got)
		}
	})
}
