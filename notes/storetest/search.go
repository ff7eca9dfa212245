package storetest

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/notes/search"
)

// found lists the titles that a search finds, the best first.
func found(t testing.TB, s notes.Store, reader uuid.UUID, text string, edits ...func(*notes.Query)) []string {
	t.Helper()
	q := all("")
	q.Search = search.Parse(text)
	for _, edit := range edits {
		edit(&q)
	}
	titles := []string{}
	for _, n := range list(t, s, reader, q) {
		titles = append(titles, n.Title)
	}
	return titles
}

func searching(t *testing.T, s notes.Store) {
	owner, other := uuid.New(), uuid.New()
	make := func(owner uuid.UUID, title, body string, tags ...string) notes.Note {
		return create(t, s, owner, func(n *notes.Note) { n.Title, n.Body, n.Tags = title, body, append([]string{}, tags...) })
	}
	make(owner, "Plumbing", "The kitchen sink drips.", "home")
	make(owner, "Kitchen", "Paint it.", "home", "plans")
	make(owner, "Shopping", "Soap", "kitchen")
	make(owner, "東京タワー", "Привет, мир. It's 'quoted\\' & (a|b):* <-> \"x\" AND NOT OR {}", "straße")
	make(owner, "Nothing", "")
	make(other, "Kitchen of another", "")
	none := []string{}
	for text, want := range map[string][]string{
		"kitchen":         {"Kitchen", "Shopping", "Plumbing"}, // title, tag, body
		"KITCH":           {"Kitchen", "Shopping", "Plumbing"},
		"kitchen sink":    {"Plumbing"},
		"sink kitchen":    {"Plumbing"},
		"itchen":          none,
		"kitchen missing": none,
		"home plan":       {"Kitchen"},
		"京タ":              {"東京タワー"},
		"ПРИВЕТ":          {"東京タワー"},
		"strasse":         {"東京タワー"},
		"quoted' & and":   {"東京タワー"},
		"AND NOT OR":      {"東京タワー"},
		"nothing":         {"Nothing"},
	} {
		same(t, found(t, s, owner, text), want)
	}
	same(t, found(t, s, owner, "kitchen", func(q *notes.Query) { q.Tag = "home" }), []string{"Kitchen", "Plumbing"})
	same(t, found(t, s, owner, "kitchen", func(q *notes.Query) { q.Status = notes.Archived }), none)
	same(t, found(t, s, owner, "kitchen", func(q *notes.Query) { q.Pinned = new(true) }), none)
	same(t, found(t, s, owner, "kitchen", func(q *notes.Query) { q.Pinned = new(false); q.Skip = 1 }), []string{"Shopping", "Plumbing"})
	page, more, err := s.List(t.Context(), owner, notes.Query{Status: notes.Active, Search: search.Parse("kitchen"), Limit: 2})
	if must(t, err); len(page) != 2 || !more {
		t.Errorf("a page has %d notes, more %v", len(page), more)
	}
	page, more, err = s.List(t.Context(), owner, notes.Query{Status: notes.Active, Search: search.Parse("kitchen"), Limit: 9, MaxBytes: 1})
	if must(t, err); len(page) != 1 || !more {
		t.Errorf("a page of a byte has %d notes, more %v", len(page), more)
	}

	// It follows what the notes say.
	n := make(owner, "Before", "zebra")
	same(t, found(t, s, owner, "zebra"), []string{"Before"})
	_, err = s.Update(t.Context(), owner, n.ID, edit(func(n *notes.Note) error { n.Title, n.Body, n.Version = "After", "giraffe", 2; return nil }))
	must(t, err)
	same(t, found(t, s, owner, "zebra"), none)
	same(t, found(t, s, owner, "giraffe"), []string{"After"})
	_, err = s.Update(t.Context(), owner, n.ID, edit(func(n *notes.Note) error { n.Status, n.Version = notes.Trashed, 3; return nil }))
	must(t, err)
	same(t, found(t, s, owner, "giraffe"), none)
	same(t, found(t, s, owner, "giraffe", func(q *notes.Query) { q.Status = notes.Trashed }), []string{"After"})
	must(t, s.Delete(t.Context(), owner, n.ID, permit(func(notes.Note) error { return nil })))
	same(t, found(t, s, owner, "giraffe", func(q *notes.Query) { q.Status = notes.Trashed }), none)

	// More words than can be kept are no reason to refuse a note.
	var long strings.Builder
	for long.Len() < notes.MaxBody-40 {
		long.WriteString(uuid.NewString()[:8] + "é ")
	}
	make(owner, "Long", "firstword "+long.String())
	same(t, found(t, s, owner, "firstword"), []string{"Long"})
}

func searchShared(t *testing.T, s notes.Store) {
	reader := uuid.New()
	one := create(t, s, uuid.New(), func(n *notes.Note) { n.Title, n.Body = "One", "the walrus" })
	two := create(t, s, uuid.New(), func(n *notes.Note) { n.Title, n.Body, n.Tags = "Walrus two", "", []string{"sea"} })
	create(t, s, uuid.New(), func(n *notes.Note) { n.Title = "Walrus three" })
	create(t, s, reader, func(n *notes.Note) { n.Title = "Walrus four" })
	share(t, s, one, reader, notes.RoleViewer)
	share(t, s, two, reader, notes.RoleEditor)
	shared := func(q *notes.Query) { q.Shared = true }
	same(t, found(t, s, reader, "walrus", shared), []string{"Walrus two", "One"})
	same(t, found(t, s, reader, "walrus", shared, func(q *notes.Query) { q.Tag = "sea" }), []string{"Walrus two"})
	same(t, found(t, s, reader, "walrus"), []string{"Walrus four"})
	same(t, found(t, s, reader, "octopus", shared), []string{})
	same(t, found(t, s, one.Owner, "walrus", shared), []string{})
}

// What comes otherwise than by Create and Update is found once it is indexed.
func searchImported(t *testing.T, s notes.Store) {
	owner := uuid.New()
	_, err := s.Import(t.Context(), []notes.Note{note(owner, func(n *notes.Note) { n.Title = "Pelican" })})
	must(t, err)
	indexAll(t, s)
	same(t, found(t, s, owner, "pelican"), []string{"Pelican"})
}

// indexAll returns when there is nothing to index.
func indexAll(t testing.TB, s notes.Store) {
	t.Helper()
	for {
		if n, err := s.Index(t.Context(), 100); err != nil || n == 0 {
			must(t, err)
			return
		}
	}
}
