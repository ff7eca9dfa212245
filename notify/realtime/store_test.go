package realtime_test

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/notify/sqlite"
)

// store is a store in a file that can be made to misbehave.
type store struct {
	*sqlite.Store
	present chan presence // what Present is told

	mu     sync.Mutex
	deaf   bool // Live hears of nothing
	flaky  bool // of some, and then that there may have been others
	broken bool // nothing can be read
	lost   int  // entries that Live did not hear of
	reads  int
	gap    func() // once Live has begun
}

type presence struct {
	users []uuid.UUID
	life  time.Duration
}

func newStore(t testing.TB) *store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "notify.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Writer.Exec(`pragma synchronous = off`); err != nil { // the machine's power will not fail
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &store{Store: s, present: make(chan presence, 1000)}
}

// set changes something of the store's.
func (s *store) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// count is a figure of the store's.
func (s *store) count(of *int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *of
}

func (s *store) Live(ctx context.Context, entry func(uuid.UUID, string, notify.Entry), gap func()) {
	s.Store.Live(ctx, func(user uuid.UUID, epoch string, e notify.Entry) {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case s.deaf:
			s.lost++
		case s.flaky && rand.IntN(20) == 0:
			gap()
		default:
			entry(user, epoch, e)
		}
	}, func() {
		gap()
		s.set(func() { s.gap = gap })
	})
}

var errBroken = errors.New("the store is broken")

func (s *store) fails() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if s.broken {
		return errBroken
	}
	return nil
}

func (s *store) Since(ctx context.Context, user uuid.UUID, p notify.Position, most int) ([]notify.Entry, notify.Position, error) {
	if err := s.fails(); err != nil {
		return nil, notify.Position{}, err
	}
	return s.Store.Since(ctx, user, p, most)
}

func (s *store) Position(ctx context.Context, user uuid.UUID) (notify.Position, error) {
	if err := s.fails(); err != nil {
		return notify.Position{}, err
	}
	return s.Store.Position(ctx, user)
}

func (s *store) Present(_ context.Context, users []uuid.UUID, life time.Duration) error {
	select {
	case s.present <- presence{slices.Clone(users), life}:
	default:
	}
	return nil
}

// erase removes a user.
func (s *store) erase(t testing.TB, user uuid.UUID) {
	t.Helper()
	if _, err := s.Erase(context.Background(), user); err != nil {
		t.Fatal(err)
	}
}

// forget loses a user's stream: the next entry begins another.
func (s *store) forget(t testing.TB, user uuid.UUID) {
	t.Helper()
	s.exec(t, user, `delete from entries where user = ?`, `delete from streams where user = ?`)
}

// forward is as if a user's stream had gone on further than it goes back.
func (s *store) forward(t testing.TB, user uuid.UUID) {
	t.Helper()
	s.exec(t, user, `update streams set seq = seq + 1000 where user = ?`, `delete from entries where user = ?`)
}

func (s *store) exec(t testing.TB, user uuid.UUID, statements ...string) {
	t.Helper()
	err := s.Tx(context.Background(), func(tx *sql.Tx) (err error) {
		for _, st := range statements {
			_, e := tx.Exec(st, user[:])
			err = errors.Join(err, e)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
