package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/notes"
)

const remindedOf = "reminded"

// remind tells of all reminders that are due; those of other tests too, which don't mind.
func remind(t testing.TB, s notes.Store, now time.Time) {
	t.Helper()
	for {
		count, err := s.Remind(t.Context(), now, 100, func(n notes.Note) (event.Message, error) { return message(n.Owner, remindedOf), nil })
		must(t, err)
		if count < 100 {
			return
		}
	}
}

func reminders(t *testing.T, s notes.Store) {
	owner := uuid.New()
	n := create(t, s, owner, func(n *notes.Note) { n.ReminderAt = new(day) })
	var told []string
	want := func(what string, now time.Time, due bool) {
		t.Helper()
		remind(t, s, now)
		if due {
			told = append(told, remindedOf)
		}
		if got := len(Told(t, s, owner)); got != len(told) {
			t.Fatalf("%s: %d reminders, want %d", what, got, len(told))
		}
	}
	change := func(edits ...func(*notes.Note)) {
		t.Helper()
		_, err := s.Update(t.Context(), owner, n.ID, edit(func(n *notes.Note) error {
			for _, edit := range edits {
				edit(n)
			}
			return nil
		}))
		must(t, err)
	}
	at := func(at *time.Time) func(*notes.Note) { return func(n *notes.Note) { n.ReminderAt = at } }
	is := func(status notes.Status) func(*notes.Note) { return func(n *notes.Note) { n.Status = status } }

	// Whoever fails to tell leaves it to the next.
	var err error
	for i := 0; err == nil && i < 100; i++ { // until it is among those that are found
		_, err = s.Remind(t.Context(), day, 100, func(got notes.Note) (event.Message, error) {
			if got.Owner != owner {
				return message(got.Owner, remindedOf), nil
			}
			same(t, got, notes.Note{ID: n.ID, Owner: n.Owner, Title: n.Title})
			return event.Message{}, errRefused
		})
	}
	wantError(t, err, errRefused)
	wantTold(t, s, owner)

	want("too early", day.Add(-time.Microsecond), false)
	want("on time", day, true)
	want("again", day.Add(time.Hour), false)
	change(func(n *notes.Note) { n.Title = "Changed" })
	want("for another title", day.Add(time.Hour), false)
	change(at(new(day.Add(time.Minute))))
	want("before the new time", day, false)
	want("at the new time", day.Add(time.Minute), true)
	change(at(new(day)))
	want("at an earlier time", day, true)
	change(at(nil))
	want("for none", day.Add(time.Hour), false)
	change(at(new(day)))
	want("set again", day, true)
	change(at(new(day.Add(time.Minute))), is(notes.Trashed))
	want("in the trash", day.Add(time.Hour), false)
	change(is(notes.Archived))
	want("out of the trash", day.Add(time.Hour), true)

	_, err = s.Import(t.Context(), []notes.Note{note(owner, at(new(day)))})
	must(t, err)
	want("imported", day, true)
}

// remindAtOnce has many tell at once: of each reminder one does.
func remindAtOnce(t *testing.T, stores ...notes.Store) {
	t.Helper()
	owner, count := uuid.New(), 150
	early := day.AddDate(-30, 0, 0) // than what other tests are to be reminded of
	batch := many(owner, count)
	for i := range batch {
		batch[i].ReminderAt = new(early)
	}
	_, err := stores[0].Import(t.Context(), batch)
	must(t, err)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			for range 40 {
				_, err := stores[i%len(stores)].Remind(t.Context(), early, 7, func(n notes.Note) (event.Message, error) { return message(n.Owner, n.ID.String()), nil })
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	remind(t, stores[0], early)
	seen := map[string]int{}
	for _, m := range Told(t, stores[0], owner) {
		seen[m.Type]++
	}
	total := 0
	for what, times := range seen {
		total += times
		if times > 1 && what != remindedOf {
			t.Errorf("told %d times", times)
		}
	}
	if total != count {
		t.Errorf("told %d times of %d reminders", total, count)
	}
}
