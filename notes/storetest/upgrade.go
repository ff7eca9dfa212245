package storetest

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notes"
)

// Upto returns the first migrations, up to the one with such a number.
func Upto(t *testing.T, all fs.FS, number string) fs.FS {
	t.Helper()
	names, err := fs.Glob(all, "migrations/*.sql")
	must(t, err)
	some := fstest.MapFS{}
	for _, name := range names {
		if name > "migrations/"+number+"~" {
			break
		}
		text, err := fs.ReadFile(all, name)
		must(t, err)
		some[name] = &fstest.MapFile{Data: text}
	}
	return some
}

// Previous is the version that knows no revisions, feed and search.
type Previous struct {
	Exec   func(statement string) error
	ID     func(uuid.UUID) string // as SQL has it
	Time   func(time.Time) string
	NoTags string
}

func (p Previous) exec(t *testing.T, format string, args ...any) {
	t.Helper()
	for i, arg := range args {
		switch v := arg.(type) {
		case uuid.UUID:
			args[i] = p.ID(v)
		case time.Time:
			args[i] = p.Time(v)
		}
	}
	must(t, p.Exec(fmt.Sprintf(format, args...)))
}

func (p Previous) insert(t *testing.T, owner uuid.UUID, title string, at time.Time) uuid.UUID {
	t.Helper()
	id := uuid.New()
	p.exec(t, `insert into notes (id, owner, title, tags, pinned, status, reminder_at, version, created_at, updated_at, body)
		values (%s, %s, '%s', %s, false, 'active', null, 1, %s, %s, 'A body.') on conflict do nothing`, id, owner, title, p.NoTags, at, at)
	return id
}

func (p Previous) share(t *testing.T, id, note, with uuid.UUID, role string) {
	t.Helper()
	p.exec(t, `insert into note_shares (id, note, person, name, login, role, created_at) values (%s, %s, %s, 'Bob', 'bob', '%s', %s)
		on conflict (id) do update set role = excluded.role`, id, note, with, role, day)
}

// Upgrade tests what becomes of what the previous version wrote, before there
// was another and while there is. upgrade opens the store.
func Upgrade(t *testing.T, p Previous, upgrade func() notes.Store) {
	owner, reader, share := uuid.New(), uuid.New(), uuid.New()
	late, early := p.insert(t, owner, "Heron", day.Add(time.Hour)), p.insert(t, owner, "Egret", day)
	p.share(t, share, late, reader, "viewer")

	s := upgrade()
	of, from := follow(s, owner), follow(s, reader)
	of.hears(t, early, late)
	from.hears(t, late)
	indexAll(t, s)
	same(t, found(t, s, owner, "her"), []string{"Heron"})
	n := of.notes[late]
	same(t, revisionsOf(t, s, owner, n), []notes.Revision{})
	rewrite(t, s, n, reader, "Another body.")
	n.Body = "A body."
	if was, err := s.Revision(t.Context(), owner, late, 1); err != nil || *was.Body != n.Body || was.By != owner {
		t.Errorf("%+v, %v", was, err)
	}
	of.hears(t, late)
	from.hears(t, late)

	p.exec(t, `update notes set title = 'Stork', version = version + 1, updated_at = %s where id = %s`, day.Add(2*time.Hour), late)
	p.share(t, share, late, reader, "editor")
	of.hears(t, late)
	from.hears(t, late)
	if got := from.notes[late]; got.Title != "Stork" || got.Role != notes.RoleEditor {
		t.Errorf("the reader knows %+v", got)
	}
	third := p.insert(t, owner, "Crane", day)
	of.hears(t, third)
	indexAll(t, s)
	same(t, found(t, s, owner, "heron"), []string{})
	for _, title := range []string{"Stork", "Egret", "Crane"} {
		same(t, found(t, s, owner, strings.ToLower(title)), []string{title})
	}
	p.exec(t, `delete from note_shares where id = %s`, share)
	from.hears(t, late)
	p.share(t, share, early, reader, "viewer")
	from.hears(t, early)
	for _, id := range []uuid.UUID{late, early} {
		p.exec(t, `delete from notes where id = %s`, id)
	}
	of.hears(t, late, early)
	from.hears(t, early)
	same(t, found(t, s, owner, "stork"), []string{})
	if len(of.notes) != 1 || len(from.notes) != 0 {
		t.Errorf("they know %d and %d notes", len(of.notes), len(from.notes))
	}
}
