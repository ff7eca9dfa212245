package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/notes"
)

func untold(notes.Note, []notes.Share) ([]event.Message, error) { return nil, nil }

// follower knows a reader's notes by their feed.
type follower struct {
	s      notes.Store
	reader uuid.UUID
	seq    notes.Position
	notes  map[uuid.UUID]notes.Note
}

func follow(s notes.Store, reader uuid.UUID) *follower {
	return &follower{s: s, reader: reader, notes: map[uuid.UUID]notes.Note{}}
}

// catchUp reads what is new, some at a time, and returns the ids.
func (f *follower) catchUp(t testing.TB, limit int) (ids []uuid.UUID) {
	t.Helper()
	for {
		part, err := f.s.Changes(t.Context(), f.reader, f.seq, limit, 0)
		must(t, err)
		if len(part.Changes) > limit || part.HasMore && len(part.Changes) == 0 {
			t.Fatalf("%d changes, more %v; asked for %d", len(part.Changes), part.HasMore, limit)
		}
		last := f.seq.Seq
		for _, d := range part.Changes {
			if d.Seq <= last {
				t.Fatalf("%d follows %d", d.Seq, last)
			}
			last = d.Seq
			ids = append(ids, d.ID)
			if d.Note == nil {
				delete(f.notes, d.ID)
			} else {
				f.notes[d.ID] = *d.Note
			}
		}
		f.seq = part.Seq
		if !part.HasMore {
			return ids
		}
	}
}

// hears checks what is new to a follower.
func (f *follower) hears(t testing.TB, want ...uuid.UUID) {
	t.Helper()
	same(t, f.catchUp(t, 2), want)
}

func changes(t *testing.T, s notes.Store) {
	owner, reader := uuid.New(), uuid.New()
	of, from := follow(s, owner), follow(s, reader)
	of.hears(t)
	a, b, c := create(t, s, owner), create(t, s, owner), create(t, s, owner)
	create(t, s, uuid.New())
	of.hears(t, a.ID, b.ID, c.ID)
	same(t, of.notes, map[uuid.UUID]notes.Note{a.ID: a, b.ID: b, c.ID: c})
	of.hears(t)
	from.hears(t)

	a = rewrite(t, s, a, owner, "one")
	a = rewrite(t, s, a, owner, "two")
	of.hears(t, a.ID) // the last alone
	same(t, of.notes[a.ID], a)

	shared := share(t, s, a, reader, notes.RoleViewer)
	of.hears(t)
	from.hears(t, a.ID)
	same(t, from.notes[a.ID], as(notes.RoleViewer, a))
	shared.Role = notes.RoleEditor
	share(t, s, a, reader, notes.RoleEditor, func(s *notes.Share) { *s = shared })
	from.hears(t, a.ID)
	same(t, from.notes[a.ID], as(notes.RoleEditor, a))
	a = rewrite(t, s, a, reader, "three")
	of.hears(t, a.ID)
	from.hears(t, a.ID)

	status := func(status notes.Status) {
		_, err := s.Update(t.Context(), owner, a.ID, edit(func(n *notes.Note) error { n.Status = status; n.Version++; return nil }))
		must(t, err)
	}
	status(notes.Trashed)
	of.hears(t, a.ID)
	from.hears(t, a.ID)
	same(t, from.notes, map[uuid.UUID]notes.Note{})
	status(notes.Active)
	of.hears(t, a.ID)
	from.hears(t, a.ID)
	if len(from.notes) != 1 {
		t.Error("a note out of the trash is not there again")
	}

	must(t, s.Unshare(t.Context(), owner, a.ID, shared.ID, func(notes.Note, notes.Share) ([]event.Message, error) { return nil, nil }))
	from.hears(t, a.ID)
	same(t, from.notes, map[uuid.UUID]notes.Note{})
	share(t, s, b, reader, notes.RoleViewer)
	from.hears(t, b.ID)
	must(t, s.Delete(t.Context(), owner, b.ID, permit(func(notes.Note) error { return nil })))
	of.hears(t, b.ID)
	from.hears(t, b.ID)
	same(t, from.notes, map[uuid.UUID]notes.Note{})

	d := note(owner)
	_, err := s.Import(t.Context(), []notes.Note{d})
	must(t, err)
	of.hears(t, d.ID)
	anew := follow(s, owner)
	anew.catchUp(t, 100)
	same(t, anew.notes, of.notes)

	_, err = s.Changes(t.Context(), owner, notes.Position{Seq: of.seq.Seq + 1}, 10, 0)
	wantError(t, err, notes.ErrResync)
	_, done, err := s.Erase(t.Context(), owner, 100, day, untold)
	if must(t, err); !done {
		t.Error("the owner is not erased")
	}
	_, err = s.Changes(t.Context(), owner, of.seq, 10, 0)
	wantError(t, err, notes.ErrResync)
	follow(s, owner).hears(t)
}

func changesMaxBytes(t *testing.T, s notes.Store) {
	owner := uuid.New()
	for _, n := range many(owner, 6) {
		n.Title, n.Body = "", "0123456789"
		must(t, s.Create(t.Context(), n))
	}
	for _, tt := range []struct{ bytes, want int }{{1, 1}, {10, 1}, {11, 2}, {30, 3}, {59, 6}, {0, 6}} {
		got, err := s.Changes(t.Context(), owner, notes.Position{}, 100, tt.bytes)
		if must(t, err); len(got.Changes) != tt.want || got.HasMore != (tt.want < 6) {
			t.Errorf("%d bytes: %d changes, more %v; want %d", tt.bytes, len(got.Changes), got.HasMore, tt.want)
		}
	}
}

// Who reads while others write misses nothing.
func changesAtOnce(t *testing.T, s notes.Store) {
	owner, reader := uuid.New(), uuid.New()
	const writers, each = 4, 15
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				n := create(t, s, owner)
				share(t, s, n, reader, notes.RoleEditor)
				rewrite(t, s, n, reader, "another body")
			}
		})
	}
	written := make(chan struct{})
	go func() { wg.Wait(); close(written) }()
	of, from := follow(s, owner), follow(s, reader)
	for done := false; !done; {
		select {
		case <-written:
			done = true
		default:
		}
		of.catchUp(t, 7)
		from.catchUp(t, 7)
	}
	for _, f := range []*follower{of, from} {
		anew := follow(s, f.reader)
		anew.catchUp(t, 100)
		same(t, f.notes, anew.notes)
		if len(f.notes) != writers*each {
			t.Errorf("%d of %d notes are known", len(f.notes), writers*each)
		}
	}
}

func prune(t *testing.T, s notes.Store) {
	owner := uuid.New()
	var ids []uuid.UUID
	var list []notes.Note
	for range 6 {
		n := create(t, s, owner)
		list, ids = append(list, n), append(ids, n.ID)
	}
	list = append(list, create(t, s, uuid.New()))
	remove := func(list ...notes.Note) {
		t.Helper()
		for _, n := range list {
			must(t, s.Delete(t.Context(), n.Owner, n.ID, permit(func(notes.Note) error { return nil })))
		}
	}
	pruned := func(before time.Time, want int) {
		t.Helper()
		if got, err := s.Prune(t.Context(), before, 2); err != nil || got != want {
			t.Errorf("pruned %d, %v; want %d", got, err, want)
		}
	}
	lost := func(f *follower) {
		t.Helper()
		_, err := s.Changes(t.Context(), owner, f.seq, 10, 0)
		wantError(t, err, notes.ErrResync)
	}
	old, f := follow(s, owner), follow(s, owner)
	old.catchUp(t, 10)
	f.catchUp(t, 10)
	remove(list[1], list[2], list[6])
	pruned(time.Now().Add(-time.Hour), 0)
	f.hears(t, ids[1], ids[2])
	pruned(time.Now().Add(time.Hour), 2)
	pruned(time.Now().Add(time.Hour), 1)
	pruned(time.Now().Add(time.Hour), 0)
	f.hears(t)
	lost(old)

	// Who begins reads on, though what they read is older than what is pruned,
	// and hears of all that has gone since they began.
	anew, half := follow(s, owner), follow(s, owner)
	anew.hears(t, ids[0], ids[3], ids[4], ids[5])
	part, err := s.Changes(t.Context(), owner, half.seq, 1, 0)
	must(t, err)
	half.seq = part.Seq
	remove(list[0])
	part, err = s.Changes(t.Context(), owner, half.seq, 1, 0)
	must(t, err)
	half.seq = part.Seq
	anew.hears(t, ids[0])
	pruned(time.Now().Add(time.Hour), 1)
	anew.hears(t)
	lost(half)
	last := create(t, s, owner)
	anew.hears(t, last.ID)
}
