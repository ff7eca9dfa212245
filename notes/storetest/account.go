package storetest

import (
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/notes"
)

// sheet is a note with its shares.
type sheet struct {
	notes.Note
	Shares []notes.Share
}

func exported(t testing.TB, s notes.Store, user uuid.UUID) (sheets map[uuid.UUID]sheet, with map[uuid.UUID]notes.Share) {
	t.Helper()
	sheets, with = map[uuid.UUID]sheet{}, map[uuid.UUID]notes.Share{}
	must(t, s.Export(t.Context(), user, func(n notes.Note, shares []notes.Share) error {
		if _, twice := sheets[n.ID]; twice {
			t.Errorf("note %s comes twice", n.ID)
		}
		sheets[n.ID] = sheet{n, append([]notes.Share{}, shares...)}
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
		sheet := sheet{n, []notes.Share{}}
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
	wantError(t, s.Export(t.Context(), owner, func(notes.Note, []notes.Share) error { calls++; return errRefused }), errRefused)
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
		theirs = append(theirs, sheet{n, []notes.Share{share(t, s, n, reader, notes.RoleEditor)}})
	}
	seen := map[uuid.UUID]int{}
	step := func(tell func(notes.Note, []notes.Share) ([]event.Message, error)) (e notes.Erased, done bool, err error) {
		t.Helper()
		return s.Erase(t.Context(), user, 10, tell)
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
		var e notes.Erased
		e, done, err = step(func(n notes.Note, shares []notes.Share) (events []event.Message, err error) {
			same(t, n, notes.Note{ID: n.ID, Owner: user, Version: 1})
			seen[n.ID] = len(shares)
			for _, share := range shares {
				events = append(events, message(share.User.ID, "gone "+n.ID.String()))
			}
			return events, nil
		})
		must(t, err)
		if e.Notes > 10 {
			t.Errorf("%d notes in one step", e.Notes)
		}
		all.Notes += e.Notes
		all.Shares += e.Shares
	}
	same(t, all, notes.Erased{Notes: count, Shares: 6 + len(theirs)})
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
	for _, n := range theirs {
		same(t, get(t, s, n.Note), n.Note)
		same(t, shares(t, s, other, n.Note), n.Shares)
	}

	e, done, err := step(func(notes.Note, []notes.Share) ([]event.Message, error) { t.Error("a note was left"); return nil, nil })
	must(t, err)
	if e != (notes.Erased{}) || !done {
		t.Errorf("again: %+v, %v", e, done)
	}
}
