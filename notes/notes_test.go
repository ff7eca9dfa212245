package notes_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/server/servertest"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/notes/postgres"
	"github.com/trellis-go/trellis/notes/sqlite"
)

// onStores runs a test on every store.
func onStores(t *testing.T, test func(*testing.T, notes.Store)) {
	testenv.OnStores(t, test, map[string]func(testing.TB) notes.Store{
		"sqlite": func(t testing.TB) notes.Store {
			return testenv.Open(t, sqlite.Open, filepath.Join(t.TempDir(), "notes.db"))
		},
		"postgres": func(t testing.TB) notes.Store { return testenv.Open(t, postgres.Open, testenv.Postgres(t)) },
	})
}

// serve serves notes, and returns a client and a context for each of two users.
func serve(t *testing.T, store notes.Store) (c notes.Client, ann, bob context.Context) {
	t.Helper()
	service, err := notes.NewService(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := servertest.Serve(t, notes.Routes(service), store.Keeper(), nil)
	return notes.NewClient(s.Over), s.As(t, uuid.New()), s.As(t, uuid.New())
}

// wantCode fails the test unless err is a fault with the code.
func wantCode(t *testing.T, what string, err error, kind fault.Kind, code string) *fault.Error {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != kind || f.Code != code {
		t.Errorf("%s: got %v, want %d %s", what, err, kind, code)
		return &fault.Error{}
	}
	return f
}

func TestLifeOfANote(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		c, ann, bob := serve(t, store)
		at := time.Date(2031, 5, 1, 8, 0, 0, 123456000, time.UTC)
		n, err := c.Create(ann, notes.CreateRequest{Title: "Seeds", Body: "peas\nbeans", Tags: []string{"garden", "garden", "spring"}, ReminderAt: &at})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"garden", "spring"}, n.Tags); diff != "" || n.Version != 1 || n.Status != notes.Active || n.Role != notes.RoleOwner || !n.ReminderAt.Equal(at) {
			t.Errorf("created %+v", n)
		}
		got, err := c.Get(ann, notes.NoteRequest{ID: n.ID})
		if diff := cmp.Diff(n, got); err != nil || diff != "" {
			t.Errorf("read back: %v %s", err, diff)
		}
		_, err = c.Get(bob, notes.NoteRequest{ID: n.ID})
		wantCode(t, "another's note", err, fault.NotFound, "note_not_found")

		v1 := transport.IfMatch{Version: 1}
		changed, err := c.Change(ann, notes.ChangeRequest{ID: n.ID, IfMatch: v1, Title: transport.Some("Seeds 2031"), ReminderAt: transport.Some[*time.Time](nil)})
		if err != nil || changed.Version != 2 || changed.Title != "Seeds 2031" || changed.Body != n.Body || changed.ReminderAt != nil || changed.UpdatedAt.Before(n.UpdatedAt) {
			t.Fatalf("changed: %+v, %v", changed, err)
		}
		_, err = c.Change(ann, notes.ChangeRequest{ID: n.ID, IfMatch: v1, Title: transport.Some("lost")})
		f := wantCode(t, "stale change", err, fault.Stale, "stale")
		if current, ok := f.Current.(map[string]any); !ok || current["title"] != "Seeds 2031" {
			t.Errorf("the 412 carries %v", f.Current)
		}
		_, err = c.Change(ann, notes.ChangeRequest{ID: n.ID, Title: transport.Some("blind")})
		wantCode(t, "change that names no version", err, fault.VersionMissing, "if_match_missing")
		_, err = c.Change(bob, notes.ChangeRequest{ID: n.ID, IfMatch: transport.IfMatch{Any: true}, Title: transport.Some("mine")})
		wantCode(t, "another's change", err, fault.NotFound, "note_not_found")

		err = c.Delete(ann, notes.DeleteRequest{ID: n.ID, IfMatch: transport.IfMatch{Version: 2}, Permanent: true})
		wantCode(t, "removing what is not in the trash", err, fault.Conflict, "note_not_trashed")
		if err := c.Delete(ann, notes.DeleteRequest{ID: n.ID, IfMatch: transport.IfMatch{Version: 2}}); err != nil {
			t.Fatal(err)
		}
		_, err = c.Change(ann, notes.ChangeRequest{ID: n.ID, IfMatch: transport.IfMatch{Version: 3}, Title: transport.Some("x")})
		wantCode(t, "changing a trashed note", err, fault.Conflict, "note_trashed")
		restored, err := c.Restore(ann, notes.RestoreRequest{ID: n.ID})
		if err != nil || restored.Status != notes.Active || restored.Version != 4 {
			t.Fatalf("restored: %+v, %v", restored, err)
		}
		_, err = c.Restore(ann, notes.RestoreRequest{ID: n.ID})
		wantCode(t, "restoring what is not in the trash", err, fault.Conflict, "note_not_trashed")
		if err := c.Delete(ann, notes.DeleteRequest{ID: n.ID, IfMatch: transport.IfMatch{Any: true}}); err != nil {
			t.Fatal(err)
		}
		err = c.Delete(ann, notes.DeleteRequest{ID: n.ID, IfMatch: transport.IfMatch{Version: 4}, Permanent: true})
		wantCode(t, "removing at an old version", err, fault.Stale, "stale")
		if err := c.Delete(ann, notes.DeleteRequest{ID: n.ID, IfMatch: transport.IfMatch{Version: 5}, Permanent: true}); err != nil {
			t.Fatal(err)
		}
		_, err = c.Get(ann, notes.NoteRequest{ID: n.ID})
		wantCode(t, "a removed note", err, fault.NotFound, "note_not_found")
	})
}

func TestList(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		c, ann, bob := serve(t, store)
		var made []notes.Note
		for i := range 7 {
			n, err := c.Create(ann, notes.CreateRequest{Title: fmt.Sprint("n", i), Pinned: i%3 == 0, Tags: []string{fmt.Sprint("t", i%2)}})
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, n)
		}
		if _, err := c.Create(bob, notes.CreateRequest{Title: "bob's", Tags: []string{"t0"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Change(ann, notes.ChangeRequest{ID: made[6].ID, IfMatch: transport.IfMatch{Version: 1}, Status: transport.Some(notes.Archived)}); err != nil {
			t.Fatal(err)
		}
		yes := true
		for _, tt := range []struct {
			name string
			r    notes.ListRequest
			want string
		}{
			{"newest first", notes.ListRequest{}, "n5 n4 n3 n2 n1 n0"},
			{"oldest first", notes.ListRequest{Sort: notes.ByCreated}, "n0 n1 n2 n3 n4 n5"},
			{"by title", notes.ListRequest{Sort: notes.ByTitleDesc}, "n5 n4 n3 n2 n1 n0"},
			{"tag", notes.ListRequest{Tag: "t0"}, "n4 n2 n0"},
			{"pinned", notes.ListRequest{Pinned: &yes}, "n3 n0"},
			{"archived", notes.ListRequest{Status: notes.Archived}, "n6"},
			{"trash", notes.ListRequest{Status: notes.Trashed}, ""},
		} {
			for _, limit := range []int{1, 2, 100} {
				t.Run(fmt.Sprint(tt.name, " by ", limit), func(t *testing.T) {
					r := tt.r
					r.Limit = &limit
					var titles []string
					for {
						page, err := c.List(ann, r)
						if err != nil {
							t.Fatal(err)
						}
						for _, n := range page.Data {
							titles = append(titles, n.Title)
						}
						if !page.Page.HasMore {
							break
						}
						if len(page.Data) != limit {
							t.Fatalf("a page of %d notes, and more follow", len(page.Data))
						}
						r.Cursor = *page.Page.NextCursor
					}
					if got := strings.Join(titles, " "); got != tt.want {
						t.Errorf("got %q, want %q", got, tt.want)
					}
				})
			}
		}
		one := 1
		page, err := c.List(ann, notes.ListRequest{Limit: &one})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.List(bob, notes.ListRequest{Limit: &one, Cursor: *page.Page.NextCursor})
		wantCode(t, "another's cursor", err, fault.Malformed, "cursor_invalid")
		_, err = c.List(ann, notes.ListRequest{Limit: &one, Cursor: *page.Page.NextCursor, Tag: "t1"})
		wantCode(t, "another list's cursor", err, fault.Malformed, "cursor_invalid")
	})
}

func TestBounds(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		c, ann, _ := serve(t, store)
		long := strings.Repeat("é", notes.MaxTitle)
		full := notes.CreateRequest{Title: long, Body: strings.Repeat("\x01", notes.MaxBody), Tags: manyTags(notes.MaxTags)}
		n, err := c.Create(ann, full)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Get(ann, notes.NoteRequest{ID: n.ID}); err != nil || got.Title != full.Title || got.Body != full.Body {
			t.Errorf("a note at its bounds does not come back whole: %v", err)
		}
		for _, tt := range []struct {
			name          string
			r             notes.CreateRequest
			pointer, code string
		}{
			{"title", notes.CreateRequest{Title: long + "é"}, "/title", "too_long"},
			{"body", notes.CreateRequest{Body: strings.Repeat("x", notes.MaxBody+1)}, "/body", "too_long"},
			{"body in bytes", notes.CreateRequest{Body: strings.Repeat("é", notes.MaxBody/2+1)}, "/body", "too_long"},
			{"tags", notes.CreateRequest{Tags: manyTags(notes.MaxTags + 1)}, "/tags", "too_many"},
			{"a tag", notes.CreateRequest{Tags: []string{"a", strings.Repeat("t", notes.MaxTag+1)}}, "/tags/1", "too_long"},
			{"an empty tag", notes.CreateRequest{Tags: []string{""}}, "/tags/0", "too_short"},
			{"status", notes.CreateRequest{Status: notes.Trashed}, "/status", "not_allowed"},
			{"a time that is in the year 10000 of UTC", notes.CreateRequest{ReminderAt: new(time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600)))}, "/reminder_at", "wrong_type"},
			{"NUL", notes.CreateRequest{Title: "a\x00b"}, "/title", "nul_character"},
		} {
			_, err := c.Create(ann, tt.r)
			f := wantCode(t, tt.name, err, fault.Invalid, "invalid")
			if len(f.Fields) != 1 || f.Fields[0].Pointer != tt.pointer || f.Fields[0].Code != tt.code {
				t.Errorf("%s: names %+v, want %s %s", tt.name, f.Fields, tt.pointer, tt.code)
			}
		}
		_, err = c.Change(ann, notes.ChangeRequest{ID: n.ID, IfMatch: transport.IfMatch{Version: 1}, Tags: transport.Some([]string{"ok", strings.Repeat("t", notes.MaxTag+1)})})
		f := wantCode(t, "a long tag in a change", err, fault.Invalid, "invalid")
		if len(f.Fields) != 1 || f.Fields[0].Pointer != "/tags/1" {
			t.Errorf("names %+v", f.Fields)
		}
	})
}

func manyTags(n int) (tags []string) {
	for i := range n {
		tags = append(tags, fmt.Sprint("tag", i))
	}
	return tags
}

// v7 is a UUID of version 7 and of a time.
func v7(at time.Time) uuid.UUID {
	id := uuid.Must(uuid.NewV7())
	binary.BigEndian.PutUint64(id[:], uint64(at.UnixMilli())<<16|uint64(binary.BigEndian.Uint16(id[6:])))
	return id
}

func TestCreateWithID(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		c, ann, bob := serve(t, store)
		at := time.Now().Add(time.Hour)
		for _, age := range []time.Duration{0, -50 * 365 * 24 * time.Hour, 23 * time.Hour} {
			id := v7(time.Now().Add(age))
			r := notes.CreateRequest{ID: &id, Title: "mine", Body: "text", Tags: []string{"a", "b", "a"}, Pinned: true, ReminderAt: &at}
			n, err := c.Create(ann, r)
			if err != nil || n.ID != id || n.Version != 1 {
				t.Fatalf("created %+v, %v", n, err)
			}
			again, err := c.Create(ann, r)
			if diff := cmp.Diff(n, again); err != nil || diff != "" {
				t.Errorf("again: %v %s", err, diff)
			}
			_, err = c.Create(bob, r)
			theirs := wantCode(t, "another's id", err, fault.Conflict, "id_taken")
			for name, edit := range map[string]func(*notes.CreateRequest){
				"title":       func(r *notes.CreateRequest) { r.Title = "another" },
				"body":        func(r *notes.CreateRequest) { r.Body = "" },
				"tags":        func(r *notes.CreateRequest) { r.Tags = r.Tags[:1] },
				"pinned":      func(r *notes.CreateRequest) { r.Pinned = false },
				"status":      func(r *notes.CreateRequest) { r.Status = notes.Archived },
				"reminder":    func(r *notes.CreateRequest) { r.ReminderAt = nil },
				"reminder at": func(r *notes.CreateRequest) { r.ReminderAt = new(at.Add(time.Second)) },
			} {
				other := r
				edit(&other)
				_, err = c.Create(ann, other)
				if mine := wantCode(t, name, err, fault.Conflict, "id_taken"); mine.Message != theirs.Message {
					t.Errorf("one's own is %q, another's %q", mine.Message, theirs.Message)
				}
			}
			if _, err := c.Change(ann, notes.ChangeRequest{ID: id, IfMatch: transport.IfMatch{Version: 1}, Pinned: transport.Some(true)}); err != nil {
				t.Fatal(err)
			}
			_, err = c.Create(ann, r)
			wantCode(t, "what was changed since", err, fault.Conflict, "id_taken")
		}
		for code, ids := range map[string][]uuid.UUID{
			"not_v7":    {uuid.New(), uuid.Nil, uuid.Max, uuid.NewSHA1(uuid.Nil, nil)},
			"in_future": {v7(time.Now().Add(25 * time.Hour)), v7(time.UnixMilli(1<<48 - 1))},
		} {
			for _, id := range ids {
				_, err := c.Create(ann, notes.CreateRequest{ID: &id, Title: "x"})
				if f := wantCode(t, id.String(), err, fault.Invalid, "invalid"); len(f.Fields) != 1 || f.Fields[0].Pointer != "/id" || f.Fields[0].Code != code {
					t.Errorf("%s: %+v, want %s", id, f.Fields, code)
				}
			}
		}
	})
}
