package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/notes"
)

// sheet is a note with its shares and revisions.
type sheet struct {
	notes.Note
	Shares    []notes.Share
	Revisions []notes.Revision
}

func exported(t testing.TB, s notes.Store, user uuid.UUID) (sheets map[uuid.UUID]sheet, with map[uuid.UUID]notes.Share) {
	t.Helper()
	sheets, with = map[uuid.UUID]sheet{}, map[uuid.UUID]notes.Share{}
	must(t, s.Export(t.Context(), user, func(n notes.Note, shares []notes.Share, was []notes.Revision) error {
		if _, twice := sheets[n.ID]; twice {
			t.Errorf("note %s comes twice", n.ID)
		}
		sheets[n.ID] = sheet{n, append([]notes.Share{}, shares...), was}
		return nil
	}))
	must(t, s.SharedWith(t.Context(), user, func(share notes.Share) error { with[share.ID] = share; return nil }))
	return sheets, with
}

func export(t *testing.T, s notes.Store) {
	owner, reader := uuid.New(), uuid.New()
	want := map[uuid.UUID]sheet{}
	with := map[uuid.UUID]notes.Share{}
	for _, n := range many(owner, 45) { // more than one batch
		n.Status = []notes.Status{notes.Active, notes.Archived, notes.Trashed}[len(want)%3]
		must(t, s.Create(t.Context(), n))
		sheet := sheet{n, []notes.Share{}, []notes.Revision{}}
		if len(want)%5 == 0 {
			sheet.Note = rewrite(t, s, n, owner, "another body")
			sheet.Revisions = append(sheet.Revisions, revision(n))
		}
		if len(want)%4 == 0 {
			sheet.Shares = append(sheet.Shares, share(t, s, n, reader, notes.RoleViewer), share(t, s, n, uuid.Max, notes.RoleEditor))
			with[sheet.Shares[0].ID] = sheet.Shares[0]
		}
		want[n.ID] = sheet
		if len(sheet.Shares) == 2 && sheet.Shares[0].ID.String() > sheet.Shares[1].ID.String() { // of the same time
			sheet.Shares[0], sheet.Shares[1] = sheet.Shares[1], sheet.Shares[0]
		}
	}
	sheets, none := exported(t, s, owner)
	same(t, sheets, want)
	same(t, none, map[uuid.UUID]notes.Share{})
	nothing, shares := exported(t, s, reader)
	same(t, nothing, map[uuid.UUID]sheet{})
	same(t, shares, with)

	calls := 0
	wantError(t, s.Export(t.Context(), owner, func(notes.Note, []notes.Share, []notes.Revision) error { calls++; return errRefused }), errRefused)
	wantError(t, s.SharedWith(t.Context(), reader, func(notes.Share) error { calls++; return errRefused }), errRefused)
	if calls != 2 {
		t.Errorf("%d calls after an error", calls-2)
	}
}

func erase(t *testing.T, s notes.Store) {
	user, other, reader := uuid.New(), uuid.New(), uuid.New()
	const count = 25
	mine := many(user, count)
	for i, n := range mine {
		must(t, s.Create(t.Context(), n, message(user, "create")))
		if i < 3 {
			share(t, s, n, reader, notes.RoleViewer)
			share(t, s, n, other, notes.RoleEditor)
		}
	}
	var theirs []sheet
	for _, n := range many(other, 12) {
		must(t, s.Create(t.Context(), n, message(other, "create")))
		share(t, s, n, user, notes.RoleViewer)
		theirs = append(theirs, sheet{n, []notes.Share{share(t, s, n, reader, notes.RoleEditor)}, []notes.Revision{}})
	}
	first := &theirs[0]
	first.Note = rewrite(t, s, rewrite(t, s, first.Note, user, "by the user"), other, "by the owner")
	second := &theirs[1]
	second.Note = rewrite(t, s, second.Note, user, "by the user")
	follower := follow(s, reader)
	follower.catchUp(t, 100)
	seen := map[uuid.UUID]int{}
	now := day
	step := func(tell func(notes.Note, []notes.Share) ([]event.Message, error)) (e notes.Erased, done bool, err error) {
		t.Helper()
		return s.Erase(t.Context(), user, 10, now, tell)
	}
	_, _, err := step(func(notes.Note, []notes.Share) ([]event.Message, error) { return nil, errRefused })
	wantError(t, err, errRefused)
	sheets, with := exported(t, s, user)
	if len(sheets) != count || len(with) != len(theirs) {
		t.Errorf("a refused step leaves %d notes of %d", len(sheets), count)
	}

	var all notes.Erased
	steps := 0
	for done := false; !done; steps++ {
		if !all.At.IsZero() {
			t.Errorf("%+v, and not done", all)
		}
		had := all.Notes
		now = now.Add(time.Microsecond)
		all, done, err = step(func(n notes.Note, shares []notes.Share) (events []event.Message, err error) {
			same(t, n, notes.Note{ID: n.ID, Owner: user, Version: 1})
			seen[n.ID] = len(shares)
			for _, share := range shares {
				events = append(events, message(share.User.ID, "gone "+n.ID.String()))
			}
			return events, nil
		})
		must(t, err)
		if all.Notes > had+10 {
			t.Errorf("%d notes in one step", all.Notes-had)
		}
		wantError(t, s.Create(t.Context(), note(user), message(user, "late")), notes.ErrErased)
	}
	same(t, all, notes.Erased{Notes: count, Shares: 6 + len(theirs), At: now})
	if steps < 3 {
		t.Errorf("%d steps", steps)
	}
	for i, n := range mine {
		if shares, ok := seen[n.ID]; !ok || shares > 0 != (i < 3) {
			t.Errorf("note %d is seen with %d shares, %v", i, shares, ok)
		}
	}
	sheets, with = exported(t, s, user)
	same(t, sheets, map[uuid.UUID]sheet{})
	same(t, with, map[uuid.UUID]notes.Share{})
	wantTold(t, s, user)
	if got := len(Told(t, s, reader)); got != 3 {
		t.Errorf("a reader hears of %d notes that are gone, want 3", got)
	}
	if got := len(Told(t, s, other)); got != 3+len(theirs) {
		t.Errorf("another owner's events are %d, want %d", got, 3+len(theirs))
	}
	second.Editor, second.Role = uuid.Nil, notes.RoleOwner
	for _, n := range theirs {
		same(t, get(t, s, n.Note), n.Note)
		same(t, shares(t, s, other, n.Note), n.Shares)
	}
	if was := revisionsOf(t, s, other, first.Note); was[0].By != uuid.Nil || was[1].By != other {
		t.Errorf("written by %v and %v", was[0].By, was[1].By)
	}
	if gone := follower.catchUp(t, 100); len(gone) != 3 || follower.notes[mine[0].ID].ID != uuid.Nil {
		t.Errorf("a reader knows that %d notes are gone, want 3", len(gone))
	}
	follow(s, user).hears(t)

	// Nothing more is taken in, whatever was begun before.
	wantError(t, s.Create(t.Context(), mine[0]), notes.ErrErased)
	n := theirs[0].Note
	late := notes.Share{ID: uuid.New(), NoteID: n.ID, User: notes.Person{ID: user}, Role: notes.RoleViewer, CreatedAt: day}
	got, err := s.Share(t.Context(), other, n.ID, func(notes.Note, []notes.Share) (notes.Share, []event.Message, error) {
		return late, []event.Message{message(other, "late")}, nil
	})
	wantError(t, err, notes.ErrErased)
	same(t, got, notes.Share{})
	_, err = s.Share(t.Context(), user, n.ID, func(notes.Note, []notes.Share) (notes.Share, []event.Message, error) {
		t.Error("shown to one who is erased")
		return late, nil, nil
	})
	wantError(t, err, notes.ErrErased)
	same(t, shares(t, s, other, n), theirs[0].Shares)
	wantTold(t, s, user)

	now = now.Add(time.Hour)
	again, done, err := step(func(notes.Note, []notes.Share) ([]event.Message, error) { t.Error("a note was left"); return nil, nil })
	must(t, err)
	same(t, again, all)
	if !done {
		t.Error("again, and not done")
	}

	now = now.Add(time.Hour)
	nobody, done, err := s.Erase(t.Context(), uuid.New(), 10, now, nil)
	must(t, err)
	same(t, nobody, notes.Erased{At: now})
	if !done {
		t.Error("there was nothing, and it is not done")
	}
}

// eraseAtOnce erases users for whom notes are made, and with whom others'
// notes are shared, all the while.
func eraseAtOnce(t *testing.T, s notes.Store) {
	for range 5 {
		user, other := uuid.New(), create(t, s, uuid.New())
		share(t, s, other, user, notes.RoleEditor)
		var made, given, edited atomic.Int64
		var writers sync.WaitGroup
		begun := make(chan struct{}, 100)
		until := func(write func() error, count *atomic.Int64) {
			writers.Go(func() {
				for {
					err := write()
					select {
					case begun <- struct{}{}:
					default:
					}
					if err != nil {
						wantError(t, err, notes.ErrErased)
						return
					}
					count.Add(1)
				}
			})
		}
		for range 3 {
			until(func() error { return s.Create(t.Context(), note(user), message(user, "create")) }, &made)
		}
		until(func() error {
			n := note(other.Owner)
			if err := s.Create(t.Context(), n); err != nil {
				return err
			}
			_, err := s.Share(t.Context(), n.Owner, n.ID, func(notes.Note, []notes.Share) (notes.Share, []event.Message, error) {
				share := notes.Share{ID: uuid.New(), NoteID: n.ID, User: notes.Person{ID: user}, Role: notes.RoleViewer, CreatedAt: day}
				return share, []event.Message{message(n.Owner, "share")}, nil
			})
			return err
		}, &given)
		until(func() error {
			_, err := s.Update(t.Context(), user, other.ID, edit(func(n *notes.Note) error {
				n.Version, n.Editor, n.RevisedAt = n.Version+1, user, n.RevisedAt.Add(time.Second)
				return nil
			}))
			if errors.Is(err, notes.ErrNotFound) {
				return notes.ErrErased // as the share with them is
			}
			return err
		}, &edited)
		for range 5 {
			<-begun
		}
		var all notes.Erased
		for done := false; !done; {
			var err error
			all, done, err = s.Erase(t.Context(), user, 3, day, func(notes.Note, []notes.Share) ([]event.Message, error) { return nil, nil })
			must(t, err)
		}
		writers.Wait()
		same(t, all, notes.Erased{Notes: int(made.Load()), Shares: int(given.Load()) + 1, At: day})
		sheets, with := exported(t, s, user)
		same(t, sheets, map[uuid.UUID]sheet{})
		same(t, with, map[uuid.UUID]notes.Share{})
		wantTold(t, s, user)
		follow(s, user).hears(t)
		for _, was := range append(revisionsOf(t, s, other.Owner, other), notes.Revision{By: get(t, s, other).Editor}) {
			if was.By == user {
				t.Errorf("revision %d is by one who is erased, of %d", was.Rev, edited.Load())
			}
		}
	}
}
