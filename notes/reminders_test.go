package notes_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/notes/storetest"
)

// remind runs as many schedulers on a store until the returned function is called.
func remind(t *testing.T, store notes.Store, instances int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range instances {
		service, err := notes.NewService(ctx, store, nil)
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() { service.Remind(ctx, func(err error) { t.Error(err) }) })
	}
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return stop
}

// due are the reminders that ann was told of: their titles, and when.
func (h *house) due(t *testing.T) (titles []string, last time.Time) {
	t.Helper()
	for _, m := range storetest.Told(t, h.store, h.ann.ID) {
		if m.Type != notes.ReminderDue.Type() {
			continue
		}
		_, title, _ := strings.Cut(string(m.Data), `"title":"`)
		titles, last = append(titles, strings.TrimSuffix(title, `"}`)), m.Time
	}
	return titles, last
}

func (h *house) awaitDue(t *testing.T, want ...string) (last time.Time) {
	t.Helper()
	testenv.Eventually(t, fmt.Sprintf("reminded of %q", want), func() bool {
		var got []string
		if got, last = h.due(t); len(got) > len(want) {
			t.Fatalf("reminded of %q, want %q", got, want)
		}
		return fmt.Sprint(got) == fmt.Sprint(want)
	})
	return last
}

func TestReminders(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		create := func(title string, at time.Time) notes.Note {
			t.Helper()
			n, err := h.Create(h.ann, notes.CreateRequest{Title: title, ReminderAt: &at})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		missed := create("missed", time.Now().Add(-time.Hour))
		trashed := create("trashed", time.Now().Add(-time.Hour))
		create("far", time.Now().Add(time.Hour))
		h.share(t, missed, h.bob, notes.RoleEditor)
		if err := h.Delete(h.ann, notes.DeleteRequest{ID: trashed.ID, IfMatch: latest}); err != nil {
			t.Fatal(err)
		}

		stop := remind(t, store, 3)
		h.awaitDue(t, "missed")
		at := time.Now().Add(700 * time.Millisecond)
		create("soon", at)
		if late := h.awaitDue(t, "missed", "soon").Sub(at); late < 0 || late > 10*time.Second { // a second, and more on a busy machine
			t.Errorf("told %v after its time", late)
		}
		stop()

		// A restart tells of nothing twice; another time arms it again.
		stop = remind(t, store, 2)
		_, err := h.Change(h.ann, notes.ChangeRequest{ID: missed.ID, IfMatch: latest, Title: transport.Some("again"), ReminderAt: transport.Some(new(time.Now()))})
		if err != nil {
			t.Fatal(err)
		}
		h.awaitDue(t, "missed", "soon", "again")
		if _, err := h.Change(h.bob, notes.ChangeRequest{ID: missed.ID, IfMatch: latest, Title: transport.Some("bob's")}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Restore(h.ann, notes.RestoreRequest{ID: trashed.ID}); err != nil {
			t.Fatal(err)
		}
		h.awaitDue(t, "missed", "soon", "again", "trashed")
		stop()
		if got := storetest.Told(t, store, h.bob.ID); len(got) > 0 {
			t.Errorf("bob is told of %+v", got)
		}
	})
}

// failing is a store whose reminders fail until it is mended.
type failing struct {
	notes.Store
	mended chan struct{}
	tries  *atomic.Int64
}

func (f failing) Remind(ctx context.Context, now time.Time, max int, tell func(notes.Note) (event.Message, error)) (int, error) {
	select {
	case <-f.mended:
		return f.Store.Remind(ctx, now, max, tell)
	default:
		f.tries.Add(1)
		return 0, errors.New("out of order")
	}
}

func TestRemindersWait(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		h := open(t, store)
		if _, err := h.Create(h.ann, notes.CreateRequest{Title: "late", ReminderAt: new(time.Now())}); err != nil {
			t.Fatal(err)
		}
		broken := failing{store, make(chan struct{}), new(atomic.Int64)}
		service, err := notes.NewService(t.Context(), broken, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended, heard := make(chan struct{}), make(chan error, 10)
		go func() { defer close(ended); service.Remind(ctx, func(err error) { heard <- err }) }()
		if err := <-heard; err == nil || err.Error() != "out of order" {
			t.Errorf("heard %v", err)
		}
		testenv.Eventually(t, "it is tried again", func() bool { return broken.tries.Load() > 3 })
		if len(heard) > 0 {
			t.Error("what goes on failing is told again")
		}
		close(broken.mended)
		h.awaitDue(t, "late")
		cancel()
		<-ended
	})
}

func TestManyReminders(t *testing.T) {
	onStores(t, func(t *testing.T, store notes.Store) {
		owner, at := uuid.New(), time.Now().Add(-time.Minute)
		batch := make([]notes.Note, 500) // several batches, at once
		for i := range batch {
			batch[i] = notes.Note{ID: uuid.New(), Owner: owner, Status: notes.Active, Version: 1, CreatedAt: at, UpdatedAt: at, ReminderAt: &at}
		}
		if _, err := store.Import(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		stop := remind(t, store, 2)
		testenv.Eventually(t, "all are told of", func() bool { return len(storetest.Told(t, store, owner)) >= len(batch) })
		stop()
		if got := len(storetest.Told(t, store, owner)); got != len(batch) {
			t.Errorf("told %d times of %d reminders", got, len(batch))
		}
	})
}
