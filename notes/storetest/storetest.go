// Package storetest is what every notes.Store must pass.
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/notes"
)

// Run tests the store that open opens, which closes it when the test ends.
// The store may have notes already, and its subtests share it, but for the last.
func Run(t *testing.T, open func(t *testing.T) notes.Store) {
	t.Parallel()
	s := open(t)
	for name, test := range map[string]func(*testing.T, notes.Store){
		"RoundTrip":         roundTrip,
		"Exists":            exists,
		"Owners":            owners,
		"Order":             order,
		"Filters":           filters,
		"ListWhileChanging": listWhileChanging,
		"MaxBytes":          maxBytes,
		"Update":            update,
		"UpdateTags":        updateTags,
		"UpdateRefused":     updateRefused,
		"Delete":            deletion,
		"Import":            imports,
		"ImportAllOrNone":   importAllOrNone,
		"ImportTwiceAtOnce": importTwiceAtOnce,
		"Events":            events,
		"EventsOrNone":      eventsOrNone,
		"Sharing":           sharing,
		"ListShared":        listShared,
		"Reminders":         reminders,
		"Revisions":         revisions,
		"RevisionBounds":    revisionBounds,
		"Changes":           changes,
		"ChangesMaxBytes":   changesMaxBytes,
		"ChangesAtOnce":     changesAtOnce,
		"Search":            searching,
		"SearchShared":      searchShared,
		"Export":            export,
		"Erase":             erase,
		"EraseAtOnce":       eraseAtOnce,
		"Canceled":          canceled,
		"Ping":              func(t *testing.T, s notes.Store) { must(t, s.Ping(t.Context())) },
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, s) })
	}
	t.Run("Shared", func(t *testing.T) { t.Parallel(); shared(t, s, s) })
	for name, test := range map[string]func(*testing.T, notes.Store){
		"Prune":          prune,
		"SearchImported": searchImported,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, open(t)) })
	}
}

// Shared tests two stores opened on one database, as by two instances of the service.
func Shared(t *testing.T, a, b notes.Store) { shared(t, a, b) }

func shared(t *testing.T, a, b notes.Store) {
	for _, name := range []string{"one", "two", ""} {
		first := secret(t, a, name)
		if len(first) != 32 || !slices.Equal(first, secret(t, b, name)) || !slices.Equal(first, secret(t, a, name)) {
			t.Errorf("the secret %q is not 32 bytes that stay the same", name)
		}
	}
	if slices.Equal(secret(t, a, "one"), secret(t, b, "two")) {
		t.Error("two secrets are the same")
	}

	remindAtOnce(t, a, b)

	n := create(t, a, uuid.New())
	same(t, get(t, b, n), n)

	const workers, times = 8, 10
	var wg sync.WaitGroup
	results := make(chan int64, workers*times)
	for worker := range workers {
		store := []notes.Store{a, b}[worker%2]
		wg.Go(func() {
			for range times {
				changed, err := store.Update(t.Context(), n.Owner, n.ID, edit(func(n *notes.Note) error {
					n.Version++
					n.Title = fmt.Sprint("Version ", n.Version)
					return nil
				}))
				if err != nil || changed.Title != fmt.Sprint("Version ", changed.Version) {
					t.Errorf("got %q, version %d, %v", changed.Title, changed.Version, err)
					return
				}
				results <- changed.Version
			}
		})
	}
	wg.Wait()
	close(results)
	seen := map[int64]bool{}
	for version := range results {
		seen[version] = true
	}
	if got := get(t, a, n).Version; got != n.Version+workers*times || len(seen) != workers*times {
		t.Errorf("%d updates: the version is %d and was %d; %d of them differ", workers*times, got, n.Version, len(seen))
	}
}

func secret(t *testing.T, s notes.Store, name string) []byte {
	t.Helper()
	secret, err := s.Secret(t.Context(), name)
	must(t, err)
	return secret
}

// canceled calls every method for a caller who has gone.
func canceled(t *testing.T, s notes.Store) {
	n := create(t, s, uuid.New())
	other := note(n.Owner)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"Create": func() error { return s.Create(ctx, other) },
		"Import": func() error { _, err := s.Import(ctx, []notes.Note{other}); return err },
		"Get":    func() error { _, err := s.Get(ctx, n.Owner, n.ID); return err },
		"List":   func() error { _, _, err := s.List(ctx, n.Owner, all(notes.ByUpdatedDesc)); return err },
		"Update": func() error {
			_, err := s.Update(ctx, n.Owner, n.ID, edit(func(n *notes.Note) error { n.Title = "Changed"; return nil }))
			return err
		},
		"Delete": func() error { return s.Delete(ctx, n.Owner, n.ID, permit(func(notes.Note) error { return nil })) },
		"Share": func() error {
			_, err := s.Share(ctx, n.Owner, n.ID, func(notes.Note, []notes.Share) (share notes.Share, _ []event.Message, _ error) {
				return share, nil, nil
			})
			return err
		},
		"Shares": func() error { _, err := s.Shares(ctx, n.Owner, n.ID); return err },
		"Unshare": func() error {
			return s.Unshare(ctx, n.Owner, n.ID, uuid.New(), func(notes.Note, notes.Share) ([]event.Message, error) { return nil, nil })
		},
		"Remind": func() error {
			_, err := s.Remind(ctx, day, 1, func(n notes.Note) (event.Message, error) { return message(n.Owner, remindedOf), nil })
			return err
		},
		"Export": func() error {
			return s.Export(ctx, n.Owner, func(notes.Note, []notes.Share, []notes.Revision) error { return nil })
		},
		"SharedWith": func() error { return s.SharedWith(ctx, n.Owner, func(notes.Share) error { return nil }) },
		"Erase": func() error {
			_, _, err := s.Erase(ctx, n.Owner, 1, day, func(notes.Note, []notes.Share) ([]event.Message, error) { return nil, nil })
			return err
		},
		"Revisions": func() error { _, err := s.Revisions(ctx, n.Owner, n.ID); return err },
		"Revision":  func() error { _, err := s.Revision(ctx, n.Owner, n.ID, 1); return err },
		"Changes":   func() error { _, err := s.Changes(ctx, n.Owner, notes.Position{}, 1, 0); return err },
		"Prune":     func() error { _, err := s.Prune(ctx, day, 1); return err },
		"Index":     func() error { _, err := s.Index(ctx, 1); return err },
		"Secret":    func() error { _, err := s.Secret(ctx, "canceled"); return err },
		"Ping":      func() error { return s.Ping(ctx) },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want context.Canceled", name, err)
		}
	}
	same(t, list(t, s, n.Owner, all(notes.ByUpdatedDesc)), []notes.Note{n})

	// The caller leaves while the note is his.
	ctx, cancel = context.WithCancel(t.Context())
	_, err := s.Update(ctx, n.Owner, n.ID, edit(func(n *notes.Note) error { n.Title = "Changed"; cancel(); return nil }))
	if err == nil {
		t.Error("Update for a caller who has gone: no error")
	}
	ctx, cancel = context.WithCancel(t.Context())
	if err := s.Delete(ctx, n.Owner, n.ID, permit(func(notes.Note) error { cancel(); return nil })); err == nil {
		t.Error("Delete for a caller who has gone: no error")
	}
	same(t, get(t, s, n), n)
}

// day is a time with microseconds.
var day = time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.UTC)

// note returns a note as a store returns it.
func note(owner uuid.UUID, edits ...func(*notes.Note)) notes.Note {
	n := notes.Note{
		ID: uuid.New(), Owner: owner, Title: "A title", Body: "A body.\n", Tags: []string{"home", "garden"},
		Status: notes.Active, Version: 1, CreatedAt: day, UpdatedAt: day.Add(time.Hour), Role: notes.RoleOwner,
		Editor: owner, RevisedAt: day,
	}
	for _, edit := range edits {
		edit(&n)
	}
	return n
}

func create(t testing.TB, s notes.Store, owner uuid.UUID, edits ...func(*notes.Note)) notes.Note {
	t.Helper()
	n := note(owner, edits...)
	must(t, s.Create(t.Context(), n))
	return n
}

// edit is a change, and permit one's permission, of which nobody is told.
func edit(change func(*notes.Note) error) func(*notes.Note, []notes.Share) ([]event.Message, error) {
	return func(n *notes.Note, _ []notes.Share) ([]event.Message, error) { return nil, change(n) }
}

func permit(allow func(notes.Note) error) func(notes.Note, []notes.Share) ([]event.Message, error) {
	return func(n notes.Note, _ []notes.Share) ([]event.Message, error) { return nil, allow(n) }
}

func get(t testing.TB, s notes.Store, n notes.Note) notes.Note {
	t.Helper()
	got, err := s.Get(t.Context(), n.Owner, n.ID)
	must(t, err)
	return got
}

// all is a query for all active notes.
func all(sort notes.Sort) notes.Query {
	return notes.Query{Status: notes.Active, Sort: sort, Limit: 10_000}
}

// list returns what must be a whole list.
func list(t testing.TB, s notes.Store, owner uuid.UUID, q notes.Query) []notes.Note {
	t.Helper()
	got, more, err := s.List(t.Context(), owner, q)
	must(t, err)
	if more {
		t.Fatal("more notes than there are")
	}
	return got
}

// same is strict: times in UTC, empty slices not nil.
func same[T any](t testing.TB, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%.2000s\nwant\n%.2000s", text(got), text(want))
	}
}

func text(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return []byte(err.Error())
	}
	return text
}

func wantError(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
