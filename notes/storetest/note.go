package storetest

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notes"
)

const awkward = "\x01\x02\x07\x08\t\n\v\f\r\x1b\x1f\x7f\u0080\u009f\u00a0\u200d\u2028\u202e\ufeff\ufffd\uffff\U0010ffff"

var shapes = map[string]func(*notes.Note){
	"plain":    func(*notes.Note) {},
	"empty":    func(n *notes.Note) { n.Title, n.Body, n.Tags, n.Status = "", "", []string{}, "" },
	"nil tags": func(n *notes.Note) { n.Tags = nil },
	"lines":    func(n *notes.Note) { n.Title, n.Body, n.Tags = "\n", "\r\n\n\r \t", []string{"\n", " a ", " a"} },
	"control":  func(n *notes.Note) { n.Title, n.Body, n.Tags = awkward, awkward, []string{awkward, "\x1f"} },
	"syntax":   func(n *notes.Note) { n.Title, n.Body, n.Tags = syntax[0], strings.Join(syntax, "\n"), syntax },
	"normal": func(n *notes.Note) {
		n.Title, n.Body, n.Tags = "e\u0301", "\u00e9e\u0301", []string{"\u00e9", "e\u0301", "É"}
	},
	"emoji": func(n *notes.Note) {
		n.Title, n.Body, n.Tags = "👩‍👩‍👧", "🏳️‍🌈", []string{"👍🏽", "👍"}
	},
	"long":       func(n *notes.Note) { n.Title, n.Body = strings.Repeat("😀", notes.MaxTitle), body(notes.MaxBody) },
	"many tags":  func(n *notes.Note) { n.Tags = manyTags() },
	"tag twice":  func(n *notes.Note) { n.Tags = []string{"b", "a", "b", "", "b"} },
	"pinned":     func(n *notes.Note) { n.Pinned, n.Status = true, notes.Archived },
	"trashed":    func(n *notes.Note) { n.Status, n.Version = notes.Trashed, math.MaxInt64 },
	"reminder":   func(n *notes.Note) { n.ReminderAt = new(day.Add(time.Microsecond)) },
	"1900":       at("1900-01-01T00:00:00.000001Z"),
	"1969":       at("1969-12-31T23:59:59.999999Z"),
	"1970":       at("1970-01-01T00:00:00Z"),
	"2106":       at("2106-02-07T06:28:16.999999Z"),
	"9999":       at("9999-12-31T23:59:59.999999Z"),
	"zone":       at("2024-02-29T23:00:00.5+05:30"),
	"nanosecond": at("2024-02-29T23:00:00.123456999Z"),
	"both":       at("1901-02-03T04:05:06.000000999-09:00"),
}

var syntax = []string{
	`'; drop table notes; --`, `"`, `\`, `\\u0000`, `{a,"b"}`, `NULL`, `null`, `["a"]`, `$1 ?1 :a @a`, `%_*`, `<&>`, `,`, `{}`, `[]`,
}

func at(text string) func(*notes.Note) {
	return func(n *notes.Note) {
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			panic(err)
		}
		n.CreatedAt, n.UpdatedAt, n.ReminderAt = t, t.Add(time.Second), new(t)
	}
}

// body returns a text of that many bytes that does not compress to nothing.
func body(bytes int) string {
	var b strings.Builder
	for b.Len() < bytes {
		b.WriteString(uuid.NewString())
	}
	return b.String()[:bytes]
}

func manyTags() (tags []string) {
	for len(tags) < notes.MaxTags {
		tags = append(tags, strings.Repeat("😀", notes.MaxTag-1)+string(rune('z'-len(tags))))
	}
	return tags
}

// kept is what a store keeps of a note.
func kept(n notes.Note) notes.Note {
	n.Tags = append([]string{}, n.Tags...)
	n.CreatedAt, n.UpdatedAt = n.CreatedAt.UTC().Truncate(time.Microsecond), n.UpdatedAt.UTC().Truncate(time.Microsecond)
	if n.ReminderAt != nil {
		n.ReminderAt = new(n.ReminderAt.UTC().Truncate(time.Microsecond))
	}
	n.Role = notes.RoleOwner
	return n
}

func roundTrip(t *testing.T, s notes.Store) {
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			created := create(t, s, uuid.New(), shape, func(n *notes.Note) { n.Role = notes.RoleViewer })
			imported := note(uuid.New(), shape)
			_, err := s.Import(t.Context(), []notes.Note{imported})
			must(t, err)
			updated := create(t, s, uuid.New())
			got, err := s.Update(t.Context(), updated.Owner, updated.ID, edit(func(n *notes.Note) error {
				was := *n
				shape(n)
				n.Role = notes.RoleViewer
				updated = *n
				updated.CreatedAt = was.CreatedAt
				return nil
			}))
			must(t, err)
			same(t, got, kept(updated))

			for _, n := range []notes.Note{created, imported, updated} {
				n = kept(n)
				same(t, get(t, s, n), n)
				for _, tag := range append(n.Tags, "") {
					same(t, list(t, s, n.Owner, notes.Query{Status: n.Status, Tag: tag, Limit: 2}), []notes.Note{n})
				}
				must(t, s.Delete(t.Context(), n.Owner, n.ID, permit(func(allowed notes.Note) error { same(t, allowed, n); return nil })))
			}
		})
	}
}

func exists(t *testing.T, s notes.Store) {
	n := create(t, s, uuid.New())
	wantError(t, s.Create(t.Context(), note(n.Owner, func(other *notes.Note) { other.ID, other.Tags = n.ID, []string{"new"} })), notes.ErrExists)
	stranger := uuid.New()
	wantError(t, s.Create(t.Context(), note(stranger, func(other *notes.Note) { other.ID = n.ID })), notes.ErrExists)
	same(t, get(t, s, n), n)
	same(t, list(t, s, n.Owner, notes.Query{Status: notes.Active, Tag: "new", Limit: 1}), []notes.Note{})
	same(t, list(t, s, stranger, notes.Query{Status: notes.Active, Tag: "home", Limit: 1}), []notes.Note{})

	var wg sync.WaitGroup
	results := make(chan error, 8)
	once := note(n.Owner)
	for range cap(results) {
		wg.Go(func() { results <- s.Create(t.Context(), once) })
	}
	wg.Wait()
	close(results)
	created := 0
	for err := range results {
		if err == nil {
			created++
		} else {
			wantError(t, err, notes.ErrExists)
		}
	}
	if created != 1 {
		t.Errorf("%d of %d Creates of one note succeeded", created, cap(results))
	}
}

func owners(t *testing.T, s notes.Store) {
	n, stranger := create(t, s, uuid.New()), uuid.New()
	for name, who := range map[string][2]uuid.UUID{"another's": {stranger, n.ID}, "nobody's": {n.Owner, uuid.New()}, "nil": {}} {
		_, err := s.Get(t.Context(), who[0], who[1])
		wantError(t, err, notes.ErrNotFound)
		got, err := s.Update(t.Context(), who[0], who[1], edit(func(n *notes.Note) error {
			t.Errorf("Update shows %s note", name)
			return nil
		}))
		wantError(t, err, notes.ErrNotFound)
		same(t, got, notes.Note{})
		wantError(t, s.Delete(t.Context(), who[0], who[1], permit(func(notes.Note) error {
			t.Errorf("Delete shows %s note", name)
			return nil
		})), notes.ErrNotFound)
	}
	for _, tag := range append(n.Tags, "") {
		same(t, list(t, s, stranger, notes.Query{Status: notes.Active, Tag: tag, Limit: 1}), []notes.Note{})
	}
	same(t, get(t, s, n), n)
}

var errRefused = errors.New("refused")

func update(t *testing.T, s notes.Store) {
	n, bystander := create(t, s, uuid.New()), create(t, s, uuid.New())
	got, err := s.Update(t.Context(), n.Owner, n.ID, edit(func(now *notes.Note) error {
		same(t, *now, n)
		now.ID, now.Owner, now.CreatedAt = bystander.ID, bystander.Owner, day.Add(-time.Hour)
		now.Title, now.Body, now.Pinned, now.Status, now.Version = "New", "", true, notes.Archived, 42
		now.ReminderAt, now.UpdatedAt = new(day), day.Add(5*time.Hour)
		return nil
	}))
	must(t, err)
	n.Title, n.Body, n.Pinned, n.Status, n.Version = "New", "", true, notes.Archived, 42
	n.ReminderAt, n.UpdatedAt = new(day), day.Add(5*time.Hour)
	same(t, got, n)
	same(t, get(t, s, n), n)
	same(t, get(t, s, bystander), bystander)
	same(t, list(t, s, n.Owner, all(notes.ByUpdatedDesc)), []notes.Note{})

	got, err = s.Update(t.Context(), n.Owner, n.ID, edit(func(now *notes.Note) error {
		*now = notes.Note{Tags: nil, UpdatedAt: day}
		return nil
	}))
	must(t, err)
	n = notes.Note{ID: n.ID, Owner: n.Owner, Tags: []string{}, CreatedAt: n.CreatedAt, UpdatedAt: day, Role: notes.RoleOwner, RevisedAt: n.CreatedAt}
	same(t, got, n)
	same(t, get(t, s, n), n)
}

func updateTags(t *testing.T, s notes.Store) {
	n := create(t, s, uuid.New())
	for name, change := range map[string]func(*notes.Note){
		"others":   func(n *notes.Note) { n.Tags = []string{"a", "home"} },
		"in place": func(n *notes.Note) { n.Tags[0] = "b" },
		"order":    func(n *notes.Note) { slices.Reverse(n.Tags) },
		"twice":    func(n *notes.Note) { n.Tags = append(n.Tags, n.Tags...) },
		"none":     func(n *notes.Note) { n.Tags = nil },
		"same":     func(n *notes.Note) { n.Body += "." },
	} {
		n := create(t, s, uuid.New())
		changed, err := s.Update(t.Context(), n.Owner, n.ID, edit(func(n *notes.Note) error { change(n); return nil }))
		must(t, err)
		same(t, get(t, s, n), changed)
		for _, tag := range []string{"home", "garden", "a", "b"} {
			got := list(t, s, n.Owner, notes.Query{Status: notes.Active, Tag: tag, Limit: 1})
			if has := slices.Contains(changed.Tags, tag); (len(got) == 1) != has {
				t.Errorf("%s: %d notes have the tag %s of %q", name, len(got), tag, changed.Tags)
			}
		}
	}
	same(t, list(t, s, n.Owner, notes.Query{Status: notes.Active, Tag: "home", Limit: 1}), []notes.Note{n})
}

func updateRefused(t *testing.T, s notes.Store) {
	n := create(t, s, uuid.New())
	got, err := s.Update(t.Context(), n.Owner, n.ID, edit(func(n *notes.Note) error {
		n.Title, n.Status, n.Tags[0] = "New", notes.Trashed, "new"
		return errRefused
	}))
	wantError(t, err, errRefused)
	same(t, got, notes.Note{})
	same(t, get(t, s, n), n)
	same(t, list(t, s, n.Owner, notes.Query{Status: notes.Active, Tag: "home", Limit: 1}), []notes.Note{n})
	same(t, list(t, s, n.Owner, notes.Query{Status: notes.Active, Tag: "new", Limit: 1}), []notes.Note{})
}

func deletion(t *testing.T, s notes.Store) {
	n, bystander := create(t, s, uuid.New()), create(t, s, uuid.New())
	wantError(t, s.Delete(t.Context(), n.Owner, n.ID, permit(func(now notes.Note) error { same(t, now, n); return errRefused })), errRefused)
	same(t, get(t, s, n), n)
	free := permit(func(notes.Note) error { return nil })
	must(t, s.Delete(t.Context(), n.Owner, n.ID, free))
	wantError(t, s.Delete(t.Context(), n.Owner, n.ID, free), notes.ErrNotFound)
	_, err := s.Get(t.Context(), n.Owner, n.ID)
	wantError(t, err, notes.ErrNotFound)
	same(t, list(t, s, n.Owner, all(notes.ByUpdatedDesc)), []notes.Note{})
	same(t, get(t, s, bystander), bystander)

	// Its id is free again, and none of its tags come back.
	again := create(t, s, n.Owner, func(again *notes.Note) { again.ID, again.Tags = n.ID, []string{"garden"} })
	same(t, list(t, s, n.Owner, notes.Query{Status: notes.Active, Tag: "home", Limit: 1}), []notes.Note{})
	same(t, list(t, s, n.Owner, notes.Query{Status: notes.Active, Tag: "garden", Limit: 1}), []notes.Note{again})
}

func imports(t *testing.T, s notes.Store) {
	owner := uuid.New()
	mine, others := create(t, s, owner), create(t, s, uuid.New())
	first, second := note(owner), note(uuid.New(), func(n *notes.Note) { n.Tags = nil })
	taken := func(id uuid.UUID) notes.Note {
		return note(owner, func(n *notes.Note) { n.ID, n.Title, n.Tags = id, "Not added", []string{"lost"} })
	}
	batch := []notes.Note{first, taken(mine.ID), taken(others.ID), second, taken(first.ID)}
	for _, run := range []struct {
		batch []notes.Note
		want  []bool
	}{
		{batch, []bool{true, false, false, true, false}},
		{batch, []bool{false, false, false, false, false}},
		{nil, []bool{}},
	} {
		added, err := s.Import(t.Context(), run.batch)
		must(t, err)
		if !slices.Equal(added, run.want) {
			t.Errorf("added %v, want %v", added, run.want)
		}
		for _, n := range []notes.Note{mine, others, first, second} {
			same(t, get(t, s, n), kept(n))
		}
		same(t, list(t, s, owner, notes.Query{Status: notes.Active, Tag: "lost", Limit: 1}), []notes.Note{})
		if got := list(t, s, owner, notes.Query{Status: notes.Active, Tag: "home", Limit: 5}); len(got) != 2 {
			t.Errorf("%d notes are tagged home, want 2", len(got))
		}
	}
}

func importAllOrNone(t *testing.T, s notes.Store) {
	batch := many(uuid.New(), 1000)
	for patience := time.Millisecond; ; patience *= 3 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		added, err := s.Import(ctx, batch)
		cancel()
		if err != nil {
			if added != nil || patience > time.Minute {
				t.Fatal(added, err)
			}
			if got := len(list(t, s, batch[0].Owner, all(notes.ByUpdatedDesc))); got != 0 && got != len(batch) { // it may be the commit whose answer was not waited for
				t.Errorf("%d notes of %d", got, len(batch))
			}
			continue
		}
		if slices.Contains(added, true) && slices.Contains(added, false) {
			t.Error("some were added and some not")
		}
		break
	}
	if got := len(list(t, s, batch[0].Owner, all(notes.ByUpdatedDesc))); got != len(batch) {
		t.Errorf("%d notes, want %d", got, len(batch))
	}
}

// importTwiceAtOnce has each import hold what the other is to come to.
func importTwiceAtOnce(t *testing.T, s notes.Store) {
	batch := many(uuid.New(), 200)
	back := slices.Clone(batch)
	slices.Reverse(back)
	var added [2][]bool
	var wg sync.WaitGroup
	for i, batch := range [][]notes.Note{batch, back} {
		wg.Go(func() {
			var err error
			if added[i], err = s.Import(t.Context(), batch); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	slices.Reverse(added[1])
	for i := range batch {
		if added[0][i] == added[1][i] {
			t.Fatalf("note %d: added by both or by neither", i)
		}
	}
}

func many(owner uuid.UUID, count int) []notes.Note {
	batch := make([]notes.Note, count)
	for i := range batch {
		batch[i] = note(owner, func(n *notes.Note) {
			n.Body = strings.Repeat("All work and no play. ", 20)
			n.CreatedAt = day.Add(time.Duration(i) * time.Minute)
			n.UpdatedAt = n.CreatedAt
		})
	}
	return batch
}
