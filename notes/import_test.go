package notes_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/django"
	"github.com/trellis-go/trellis/kit/django/djangotest"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/notes/sqlite"
)

// expected reads the legacy notes of each owner with nothing but SQL.
func expected(t *testing.T, db *sql.DB) map[uuid.UUID][]notes.Note {
	t.Helper()
	rows, err := db.Query(`select title, content, tags, cast(n.created_at as text), cast(updated_at as text), u.id, cast(u.date_joined as text)
		from notes_note n join auth_user u on u.id = owner_id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	byOwner := map[uuid.UUID][]notes.Note{}
	for rows.Next() {
		var title, body, tags, created, updated, joined string
		var user int64
		if err := rows.Scan(&title, &body, &tags, &created, &updated, &user, &joined); err != nil {
			t.Fatal(err)
		}
		n := notes.Note{Title: title, Body: body, Tags: []string{}, CreatedAt: at(t, created), UpdatedAt: at(t, updated)}
		for _, tag := range strings.Split(tags, ",") {
			if tag = strings.TrimSpace(tag); tag != "" && !slices.Contains(n.Tags, tag) {
				n.Tags = append(n.Tags, tag)
			}
		}
		owner := django.ID("auth_user", user, at(t, joined))
		byOwner[owner] = append(byOwner[owner], n)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return byOwner
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	when, err := time.Parse("2006-01-02 15:04:05", text) // a fraction is taken too
	if err != nil {
		t.Fatal(err)
	}
	return when
}

// owned reads all of an owner's notes out of a store.
func owned(t *testing.T, store notes.Store, owner uuid.UUID) []notes.Note {
	t.Helper()
	list, more, err := store.List(t.Context(), owner, notes.Query{Status: notes.Active, Sort: notes.ByCreated, Limit: 1000})
	if err != nil || more {
		t.Fatal(err, more)
	}
	return list
}

var sameNotes = cmp.Options{
	cmp.FilterPath(func(p cmp.Path) bool {
		switch p.Last().String() {
		case ".ID", ".Owner", ".Status", ".Version", ".Role", ".Editor", ".RevisedAt":
			return true
		}
		return false
	}, cmp.Ignore()),
	cmp.Transformer("sorted", func(list []notes.Note) map[string]notes.Note {
		m := map[string]notes.Note{}
		for _, n := range list {
			m[n.Title+"\x00"+n.Body] = n
		}
		return m
	}),
}

func TestImport(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		path, db := djangotest.Copy(t)
		want := expected(t, db)
		var report bytes.Buffer
		if err := notes.Import(t.Context(), store, path, true, &report); err != nil {
			t.Fatal(err)
		}
		for owner := range want {
			if got := owned(t, store, owner); len(got) > 0 {
				t.Fatal("a dry run wrote notes")
			}
		}
		for range 2 { // the second time changes nothing
			if err := notes.Import(t.Context(), store, path, false, &report); err != nil {
				t.Fatal(err)
			}
			total := 0
			for owner, list := range want {
				got := owned(t, store, owner)
				if diff := cmp.Diff(list, got, sameNotes); diff != "" {
					t.Errorf("owner %s: %s", owner, diff)
				}
				total += len(got)
			}
			if total != 40 {
				t.Errorf("%d notes, want 40", total)
			}
		}
		for _, line := range []string{"40 read, 40 added", "40 read, 0 added, 40 unchanged"} {
			if !strings.Contains(report.String(), line) {
				t.Errorf("the report does not say %q:\n%s", line, &report)
			}
		}
	})
}

func TestImportKeepsWhatWasChangedSince(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		path, db := djangotest.Copy(t)
		if err := notes.Import(t.Context(), store, path, false, io.Discard); err != nil {
			t.Fatal(err)
		}
		var owner uuid.UUID
		for o := range expected(t, db) {
			owner = o
		}
		n := owned(t, store, owner)[0]
		if _, err := store.Update(t.Context(), owner, n.ID, func(n *notes.Note, _ []notes.Share) ([]event.Message, error) {
			n.Title = "edited"
			n.Version++
			return nil, nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := notes.Import(t.Context(), store, path, false, io.Discard); err != nil {
			t.Fatal(err)
		}
		if got, err := store.Get(t.Context(), owner, n.ID); err != nil || got.Title != "edited" {
			t.Errorf("an edit was overwritten: %q, %v", got.Title, err)
		}
	})
}

func TestImportNamesWhatItCannotTake(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		path, db := djangotest.Copy(t)
		djangotest.Exec(t, db,
			`update notes_note set content = 'a' || char(0) || 'b' where id = 1`,
			`update notes_note set title = '`+strings.Repeat("x", 201)+`' where id = 2`,
			`update notes_note set owner_id = 4711 where id = 3`,
			`update notes_note set created_at = 'yesterday' where id = 5`,
			`update notes_note set title = x'ff00' where id = 6`,
			`update notes_note set content = cast(x'68c328' as text) where id = 7`,
			`update notes_note set content = '`+strings.Repeat("y", notes.MaxBody+1)+`' where id = 8`,
		)
		var report bytes.Buffer
		if err := notes.Import(t.Context(), store, path, false, &report); err != nil {
			t.Fatal(err)
		}
		for _, id := range []int{1, 2, 3, 5, 6, 7, 8} {
			if !strings.Contains(report.String(), fmt.Sprintf("refused note %d ", id)) {
				t.Errorf("note %d is not named", id)
			}
		}
		for _, text := range []string{"NUL", "201 characters", "user 4711", "yesterday", "33 added", "7 refused"} {
			if !strings.Contains(report.String(), text) {
				t.Errorf("the report does not say %q", text)
			}
		}
		if t.Failed() {
			t.Log(report.String())
		}
	})
}

func BenchmarkImport20000(b *testing.B) {
	path, db := djangotest.Copy(b)
	djangotest.Exec(b, db, `with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
		insert into notes_note (title, content, tags, created_at, updated_at, owner_id)
		select 'note ' || i, 'text of ' || i, 'a,b', '2020-01-01 00:00:00', '2020-01-01 00:00:00', 1 + i % 10 from n`)
	for b.Loop() {
		store, err := sqlite.Open(context.Background(), filepath.Join(b.TempDir(), "notes.db"))
		if err != nil {
			b.Fatal(err)
		}
		if err := notes.Import(b.Context(), store, path, false, io.Discard); err != nil {
			b.Fatal(err)
		}
		if err := store.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
