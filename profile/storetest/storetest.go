// Package storetest is what every profile.Store must pass.
package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/profile"
	"github.com/trellis-go/trellis/profile/preferences"
)

// Run tests the stores that open opens, each on a database of its own, and
// closes when the test ends.
func Run(t *testing.T, open func(t *testing.T) profile.Store) {
	t.Parallel()
	s := open(t)
	for name, test := range map[string]func(*testing.T, profile.Store){
		"RoundTrip": roundTrip,
		"Update":    update,
		"Refused":   refused,
		"AtOnce":    func(t *testing.T, s profile.Store) { Shared(t, s, s) },
		"Find":      find,
		"Blobs":     blobs,
		"Canceled":  canceled,
		"Ping":      func(t *testing.T, s profile.Store) { must(t, s.Ping(t.Context())) },
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, s) })
	}
	for name, test := range map[string]func(*testing.T, profile.Store){"Due": due, "Events": events, "Erase": erase} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, open(t)) })
	}
}

// Shared tests two stores opened on one database, as by two instances of the service.
func Shared(t *testing.T, a, b profile.Store) {
	one, err := a.Secret(t.Context(), "one")
	must(t, err)
	two, err := b.Secret(t.Context(), "one")
	must(t, err)
	if len(one) != 32 || !slices.Equal(one, two) {
		t.Error("the secret is not 32 bytes that are shared")
	}
	const workers, times = 8, 8
	user := uuid.New()
	var wg sync.WaitGroup
	revisions := make(chan int64, workers*times)
	for worker := range workers {
		store := []profile.Store{a, b}[worker%2]
		wg.Go(func() {
			for range times {
				r, err := store.Update(t.Context(), user, func(r *profile.Record) ([]event.Message, error) {
					r.Profile.Version++
					return nil, nil
				})
				if err != nil || r.Revision != r.Profile.Version {
					t.Errorf("revision %d, version %d, %v", r.Revision, r.Profile.Version, err)
					return
				}
				revisions <- r.Revision
			}
		})
	}
	wg.Wait()
	close(revisions)
	seen := map[int64]bool{}
	for r := range revisions {
		seen[r] = true
	}
	if r := get(t, a, user); len(seen) != workers*times || r.Revision != workers*times {
		t.Errorf("%d updates: revision %d, %d of them differ", workers*times, r.Revision, len(seen))
	}
}

// day is a time with microseconds.
var day = time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.UTC)

// full is a record with everything in it, as a store keeps it.
func full() profile.Record {
	at := func(d time.Duration) *time.Time { return new(day.Add(d)) }
	return profile.Record{
		Profile: profile.Profile{
			DisplayName: awkward, Bio: strings.Repeat("😀", profile.MaxBio), Locale: "pl-PL", Timezone: "Europe/Warsaw",
			Version: 1<<62 + 1, CreatedAt: day, UpdatedAt: day.Add(time.Microsecond),
		},
		Avatar: &profile.Avatar{Blob: uuid.New(), Type: "image/png", Hash: "abc"},
		Wishes: profile.Wishes{
			Account: preferences.Values{"/theme": "dark", "/editor/font_size": 13.0, "/editor/spellcheck": false},
			Version: 7, Last: 9,
			Devices: []profile.Device{{ID: awkward, Values: preferences.Values{"/theme": "light"}, Version: 9, ChangedAt: day}, {ID: "empty", ChangedAt: day}},
		},
		Tasks: []profile.Task{
			{ID: uuid.New(), Kind: profile.KindExport, Status: profile.Done, CreatedAt: day, UpdatedAt: day, DueAt: at(time.Hour), Claim: uuid.New(), Attempts: 3,
				Parts: []profile.Part{{Service: "notes", Done: true, Attempts: 2}}, Archive: uuid.New(), Bytes: 1 << 40, ExpiresAt: at(time.Hour)},
			{ID: uuid.New(), Kind: profile.KindErasure, Status: profile.Scheduled, CreatedAt: day, UpdatedAt: day, DueAt: at(2 * time.Hour), EraseAt: at(time.Minute), Closed: true,
				Parts: []profile.Part{{Service: "auth", ErasedAt: at(1), Erased: []profile.Count{{Of: "a.b$c", Number: 12}}}}},
		},
		Waste:  []profile.Waste{{Blob: uuid.New(), DueAt: day.Add(3 * time.Hour), Doomed: true}},
		Erased: []profile.Count{{Of: "profiles", Number: 1}},
	}
}

const awkward = "'; drop table records; --\x01\x1f\"\\ $a.b {} é\u0301 \u2028\ufeff\U0010ffff 👩‍👩‍👧"

// put keeps a record under a user.
func put(t testing.TB, s profile.Store, user uuid.UUID, r profile.Record, events ...event.Message) profile.Record {
	t.Helper()
	kept, err := s.Update(t.Context(), user, func(now *profile.Record) ([]event.Message, error) {
		if now.User != user {
			t.Errorf("the record is of %s", now.User)
		}
		r.User = user
		*now = r
		return events, nil
	})
	must(t, err)
	return kept
}

func get(t testing.TB, s profile.Store, user uuid.UUID) profile.Record {
	t.Helper()
	r, err := s.Get(t.Context(), user)
	must(t, err)
	return r
}

func roundTrip(t *testing.T, s profile.Store) {
	zone := full()
	zone.ErasedAt = new(day.In(time.FixedZone("", 5400)).Add(999))
	zone.Profile.CreatedAt = time.Date(1901, 2, 3, 4, 5, 6, 7999, time.FixedZone("", -3600))
	zone.Profile.ID, zone.Profile.AvatarURL, zone.Profile.HasAvatar = uuid.New(), "told", true
	empty := profile.Record{Wishes: profile.Wishes{Account: preferences.Values{}, Devices: []profile.Device{}}, Tasks: []profile.Task{{Parts: []profile.Part{}}}}
	for name, r := range map[string]profile.Record{"full": full(), "empty": {}, "zone": zone, "empty lists": empty} {
		t.Run(name, func(t *testing.T) {
			for i := range r.Tasks {
				r.Tasks[i].ID = uuid.New()
			}
			user := uuid.New()
			want := r
			want.User, want.Revision = user, 1
			want.Normalize()
			same(t, put(t, s, user, r), want)
			same(t, get(t, s, user), want)
			want.Revision++
			same(t, put(t, s, user, get(t, s, user)), want)
			same(t, get(t, s, user), want)
		})
	}
}

func update(t *testing.T, s profile.Store) {
	user := uuid.New()
	_, err := s.Get(t.Context(), user)
	wantError(t, err, profile.ErrNotFound)
	r, err := s.Update(t.Context(), user, func(r *profile.Record) ([]event.Message, error) {
		same(t, *r, profile.Record{User: user})
		r.Profile.Bio, r.Revision = "new", 99
		return nil, nil
	})
	must(t, err)
	if r.Revision != 1 || r.Profile.Bio != "new" {
		t.Errorf("got %+v", r)
	}
	same(t, get(t, s, user), r)
	_, err = s.Get(t.Context(), uuid.New())
	wantError(t, err, profile.ErrNotFound)
	// Whose it was need not stay.
	_, err = s.Update(t.Context(), user, func(r *profile.Record) ([]event.Message, error) { r.User = uuid.Nil; return nil, nil })
	must(t, err)
	if r := get(t, s, user); r.User != uuid.Nil || r.Revision != 2 {
		t.Errorf("got %+v", r)
	}
}

func refused(t *testing.T, s profile.Store) {
	sorry := errors.New("sorry")
	user := uuid.New()
	for _, change := range []func(context.Context, uuid.UUID, profile.Edit) (profile.Record, error){s.Update, s.Erase} {
		r, err := change(t.Context(), user, func(r *profile.Record) ([]event.Message, error) { r.Profile.Bio = "x"; return nil, sorry })
		wantError(t, err, sorry)
		same(t, r, profile.Record{})
		_, err = s.Get(t.Context(), user)
		wantError(t, err, profile.ErrNotFound)
	}
	was := put(t, s, user, full())
	_, err := s.Update(t.Context(), user, func(r *profile.Record) ([]event.Message, error) {
		r.Tasks[0].Parts[0].Service, r.Wishes.Account["/theme"] = "x", "x"
		return nil, sorry
	})
	wantError(t, err, sorry)
	same(t, get(t, s, user), was)
}

func find(t *testing.T, s profile.Store) {
	user := uuid.New()
	r := put(t, s, user, full())
	put(t, s, uuid.New(), full())
	for _, task := range r.Tasks {
		got, err := s.Find(t.Context(), task.ID)
		must(t, err)
		same(t, got, r)
	}
	gone := r.Tasks[0].ID
	r, err := s.Update(t.Context(), user, func(r *profile.Record) ([]event.Message, error) {
		r.Tasks, r.User = r.Tasks[1:], uuid.Nil
		return nil, nil
	})
	must(t, err)
	_, err = s.Find(t.Context(), gone)
	wantError(t, err, profile.ErrNotFound)
	got, err := s.Find(t.Context(), r.Tasks[0].ID)
	must(t, err)
	same(t, got, r)
}

func due(t *testing.T, s profile.Store) {
	users := map[uuid.UUID]time.Duration{}
	for i := range 4 {
		user := uuid.New()
		users[user] = time.Duration(4-i) * time.Minute
		put(t, s, user, profile.Record{Tasks: []profile.Task{{ID: uuid.New()}, {ID: uuid.New(), DueAt: new(day.Add(users[user]))}}})
	}
	waste := uuid.New()
	put(t, s, waste, profile.Record{Waste: []profile.Waste{{Blob: uuid.New(), DueAt: day.Add(30 * time.Second)}}})
	put(t, s, uuid.New(), profile.Record{Tasks: []profile.Task{{ID: uuid.New()}}})
	find := s.Due
	is := func(by time.Duration, limit int, want ...time.Duration) {
		t.Helper()
		list, err := find(t.Context(), day.Add(by), limit)
		must(t, err)
		var got []time.Duration
		for _, r := range list {
			got = append(got, r.DueAt().Sub(day))
		}
		if !slices.Equal(got, want) {
			t.Errorf("due by %s: %v, want %v", by, got, want)
		}
	}
	is(29*time.Second, 9)
	is(30*time.Second, 9, 30*time.Second)
	is(3*time.Minute, 9, 30*time.Second, time.Minute, 2*time.Minute, 3*time.Minute)
	is(time.Hour, 2, 30*time.Second, time.Minute)
	_, err := s.Update(t.Context(), waste, func(r *profile.Record) ([]event.Message, error) { r.Waste = nil; return nil, nil })
	must(t, err)
	is(time.Minute, 9, time.Minute)

	find = s.DueErasures
	task := func(k profile.Kind, due time.Duration) profile.Task {
		return profile.Task{ID: uuid.New(), Kind: k, DueAt: new(day.Add(due))}
	}
	never := profile.Task{ID: uuid.New(), Kind: profile.KindErasure}
	for _, tasks := range [][]profile.Task{
		{task(profile.KindErasure, 10*time.Second)},
		{task(profile.KindExport, 8*time.Second), task(profile.KindErasure, 9*time.Second)},
		{task(profile.KindExport, 7*time.Second), task(profile.KindErasure, time.Hour)}, // not yet
		{task(profile.KindExport, 6*time.Second), never},
		{task(profile.KindErasure, -123456*time.Microsecond)}, // on the second
	} {
		put(t, s, uuid.New(), profile.Record{Tasks: tasks})
	}
	const whole = -123456 * time.Microsecond
	is(whole-time.Microsecond, 9)
	is(whole, 9, whole)
	is(0, 9, whole)
	is(8*time.Second, 9, whole)
	is(10*time.Second-time.Microsecond, 9, whole, 8*time.Second)
	is(10*time.Second, 9, whole, 8*time.Second, 10*time.Second)
	is(10*time.Second, 2, whole, 8*time.Second)
	is(2*time.Hour, 9, whole, 7*time.Second, 8*time.Second, 10*time.Second)
}

func blobs(t *testing.T, s profile.Store) {
	for name, size := range map[string]int{"empty": 0, "one byte": 1, "a chunk": 1 << 20, "more": 2<<20 + 12345} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, data := uuid.New(), make([]byte, size)
			rand.Read(data)
			n, err := s.PutBlob(t.Context(), id, bytes.NewReader(data))
			if must(t, err); n != int64(size) {
				t.Errorf("%d bytes are said to be %d", size, n)
			}
			for range 2 {
				r, n, err := s.OpenBlob(t.Context(), id)
				must(t, err)
				var got bytes.Buffer
				_, err = got.ReadFrom(r)
				if must(t, err); n != int64(size) || !bytes.Equal(got.Bytes(), data) {
					t.Errorf("%d bytes come back as %d, said to be %d", size, got.Len(), n)
				}
				must(t, r.Close())
			}
			must(t, s.DeleteBlob(t.Context(), id))
			_, _, err = s.OpenBlob(t.Context(), id)
			wantError(t, err, profile.ErrNoBlob)
			must(t, s.DeleteBlob(t.Context(), id))
		})
	}
	id := uuid.New()
	sorry := errors.New("sorry")
	if _, err := s.PutBlob(t.Context(), id, &broken{left: 3 << 20, err: sorry}); !errors.Is(err, sorry) {
		t.Errorf("a reader that breaks off: %v", err)
	}
	_, _, err := s.OpenBlob(t.Context(), id)
	wantError(t, err, profile.ErrNoBlob)
	must(t, s.DeleteBlob(t.Context(), id))
}

// broken is a reader that fails after so many bytes.
type broken struct {
	left int
	err  error
}

func (b *broken) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, b.err
	}
	n := min(len(p), b.left)
	b.left -= n
	return n, nil
}

// canceled calls every method for a caller who has gone.
func canceled(t *testing.T, s profile.Store) {
	user := uuid.New()
	was := put(t, s, user, full())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	edit := func(r *profile.Record) ([]event.Message, error) { r.Profile.Bio = "x"; return nil, nil }
	for name, call := range map[string]func() error{
		"Get":         func() error { _, err := s.Get(ctx, user); return err },
		"Find":        func() error { _, err := s.Find(ctx, was.Tasks[0].ID); return err },
		"Due":         func() error { _, err := s.Due(ctx, day, 1); return err },
		"DueErasures": func() error { _, err := s.DueErasures(ctx, day, 1); return err },
		"Update":      func() error { _, err := s.Update(ctx, user, edit); return err },
		"Erase":       func() error { _, err := s.Erase(ctx, user, edit); return err },
		"PutBlob":     func() error { _, err := s.PutBlob(ctx, uuid.New(), strings.NewReader("x")); return err },
		"OpenBlob":    func() error { _, _, err := s.OpenBlob(ctx, uuid.New()); return err },
		"DeleteBlob":  func() error { return s.DeleteBlob(ctx, uuid.New()) },
		"Secret":      func() error { _, err := s.Secret(ctx, "canceled"); return err },
		"Ping":        func() error { return s.Ping(ctx) },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want context.Canceled", name, err)
		}
	}
	same(t, get(t, s, user), was)
}

// message is an event about a user.
func message(t testing.TB, user uuid.UUID, version int64) event.Message {
	t.Helper()
	m, err := profile.ProfileChanged.About(t.Context(), user, profile.Change{Version: version})
	must(t, err)
	return m
}

// published is what one pass publishes.
func published(t testing.TB, s profile.Store) (list []event.Message) {
	t.Helper()
	_, err := s.Outbox().Pass(t.Context(), 100, func(b event.Batch) error { list = b.Messages; return nil })
	must(t, err)
	return list
}

func events(t *testing.T, s profile.Store) {
	user := uuid.New()
	one, two, three := message(t, user, 1), message(t, user, 2), message(t, user, 3)
	put(t, s, user, profile.Record{}, one, two)
	put(t, s, user, get(t, s, user))
	put(t, s, user, get(t, s, user), three)
	_, err := s.Update(t.Context(), user, func(r *profile.Record) ([]event.Message, error) {
		return []event.Message{message(t, user, 4)}, errors.New("sorry")
	})
	if err == nil {
		t.Error("no error")
	}
	same(t, published(t, s), []event.Message{one, two, three})
	same(t, published(t, s), nil)
	put(t, s, user, get(t, s, user), message(t, user, 5))
	if got := published(t, s); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

func erase(t *testing.T, s profile.Store) {
	user, other := uuid.New(), uuid.New()
	put(t, s, user, full(), message(t, user, 1))
	published(t, s)
	put(t, s, user, get(t, s, user), message(t, user, 2))
	kept := message(t, other, 1)
	put(t, s, other, profile.Record{}, kept)
	r, err := s.Erase(t.Context(), user, func(r *profile.Record) ([]event.Message, error) {
		*r = profile.Record{User: user, ErasedAt: new(day)}
		return nil, nil
	})
	must(t, err)
	same(t, r, profile.Record{User: user, Revision: 3, ErasedAt: new(day)})
	same(t, get(t, s, user), r)
	must(t, s.Outbox().Rewind(t.Context(), 0))
	same(t, published(t, s), []event.Message{kept})
	stranger := uuid.New()
	_, err = s.Erase(t.Context(), stranger, func(r *profile.Record) ([]event.Message, error) {
		r.ErasedAt = new(day)
		return nil, nil
	})
	must(t, err)
	same(t, get(t, s, stranger), profile.Record{User: stranger, Revision: 1, ErasedAt: new(day)})
}

// same is strict: times in UTC, empty lists nil.
func same[T any](t testing.TB, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%.3000s\nwant\n%.3000s", text(got), text(want))
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
