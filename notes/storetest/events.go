package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/notes"
)

var (
	errPeeked = errors.New("these were only looked at")
	peeking   sync.Mutex // a second Pass would be told that there is nothing
)

// Told returns the events about a subject that the store kept and nobody has
// published, in their order. They stay.
func Told(t testing.TB, s notes.Store, subject uuid.UUID) (told []event.Message) {
	t.Helper()
	peeking.Lock()
	defer peeking.Unlock()
	_, err := s.Outbox().Pass(context.WithoutCancel(t.Context()), 1<<20, func(b event.Batch) error {
		for _, m := range b.Messages {
			if m.Subject == subject {
				told = append(told, m)
			}
		}
		return errPeeked
	})
	if err != nil && !errors.Is(err, errPeeked) {
		t.Fatal(err)
	}
	return told
}

// wantTold compares the types of the events about a subject.
func wantTold(t testing.TB, s notes.Store, subject uuid.UUID, types ...string) {
	t.Helper()
	var got []string
	for _, m := range Told(t, s, subject) {
		got = append(got, m.Type)
	}
	if !slices.Equal(got, types) {
		t.Errorf("told of %q, want %q", got, types)
	}
}

func message(subject uuid.UUID, kind string) event.Message {
	return event.Message{SpecVersion: "1.0", ID: uuid.New(), Type: kind, Subject: subject, Time: day, Data: []byte(`{"a":1}`)}
}

func events(t *testing.T, s notes.Store) {
	owner := uuid.New()
	var want []string // the types of what is to be there
	of := func(kind string) []event.Message {
		return []event.Message{message(owner, kind), message(owner, kind+", too")}
	}
	kept := func(kind string) {
		t.Helper()
		want = append(want, kind, kind+", too")
		wantTold(t, s, owner, want...)
	}
	lost := func(err, because error) {
		t.Helper()
		wantError(t, err, because)
		wantTold(t, s, owner, want...)
	}
	ctx := t.Context()

	n := note(owner)
	must(t, s.Create(ctx, n, of("create")...))
	kept("create")
	lost(s.Create(ctx, n, of("lost")...), notes.ErrExists)

	update := func(kind string, err error) error {
		_, err = s.Update(ctx, owner, n.ID, func(n *notes.Note, _ []notes.Share) ([]event.Message, error) {
			n.Version++
			return of(kind), err
		})
		return err
	}
	must(t, update("update", nil))
	kept("update")
	lost(update("lost", errRefused), errRefused)

	id, person := uuid.New(), uuid.New()
	share := func(kind string, err error) error {
		_, err = s.Share(ctx, owner, n.ID, func(n notes.Note, _ []notes.Share) (notes.Share, []event.Message, error) {
			return notes.Share{ID: id, NoteID: n.ID, User: notes.Person{ID: person}, CreatedAt: day}, of(kind), err
		})
		return err
	}
	lost(share("lost", errRefused), errRefused)
	must(t, share("share", nil))
	kept("share")
	unshare := func(kind string, err error) error {
		return s.Unshare(ctx, owner, n.ID, id, func(notes.Note, notes.Share) ([]event.Message, error) { return of(kind), err })
	}
	lost(unshare("lost", errRefused), errRefused)
	must(t, unshare("unshare", nil))
	kept("unshare")
	lost(unshare("lost", nil), notes.ErrNoShare)

	remove := func(kind string, err error) error {
		return s.Delete(ctx, owner, n.ID, func(notes.Note, []notes.Share) ([]event.Message, error) { return of(kind), err })
	}
	lost(remove("lost", errRefused), errRefused)
	must(t, remove("delete", nil))
	kept("delete")
	lost(remove("lost", nil), notes.ErrNotFound)
	lost(update("lost", nil), notes.ErrNotFound)
	lost(share("lost", nil), notes.ErrNotFound)

	_, err := s.Import(ctx, []notes.Note{note(owner)})
	must(t, err)
	wantTold(t, s, owner, want...)
	for _, m := range Told(t, s, owner) {
		same(t, m, event.Message{SpecVersion: "1.0", ID: m.ID, Type: m.Type, Subject: owner, Time: day, Data: []byte(`{"a":1}`)})
	}
}

// eventsOrNone ends calls at any moment: there is the change and its event, or neither.
func eventsOrNone(t *testing.T, s notes.Store) {
	owner := uuid.New()
	n := create(t, s, owner)
	update := func(ctx context.Context) error {
		_, err := s.Update(ctx, owner, n.ID, func(n *notes.Note, _ []notes.Share) ([]event.Message, error) {
			n.Version++
			return []event.Message{message(owner, "update")}, nil
		})
		return err
	}
	for patience := 10 * time.Microsecond; patience < 50*time.Millisecond; patience = patience * 5 / 4 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_ = update(ctx)
		cancel()
	}
	must(t, update(t.Context())) // which waits for those before
	if changes, told := get(t, s, n).Version-n.Version, len(Told(t, s, owner)); int64(told) != changes {
		t.Errorf("%d changes, and %d events tell of them", changes, told)
	}
}
