package token_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/token"
)

// heeding is a world whose verifier heeds a set of ended sessions.
func heeding() (*world, *token.Revocations) {
	w, r := newWorld(), token.NewRevocations()
	w.verifier.Heed(r)
	return w, r
}

// of is a token of a session's, for an hour.
func (w *world) of(t testing.TB, session string) string {
	return w.sign(t, token.Caller{ID: "u1", Session: session, Expires: time.Now().Add(time.Hour)})
}

// accepts and refuses say what becomes of a token, seen before or not.
func (w *world) accepts(t *testing.T, text string) {
	t.Helper()
	if c, err := w.verifier.Verify(t.Context(), text); err != nil || c.ID != "u1" || w.verifier.Cached(text) != c {
		t.Errorf("Verify: %+v, %v; Cached: %v", c, err, w.verifier.Cached(text))
	}
}

func (w *world) refuses(t *testing.T, text string) {
	t.Helper()
	c, err := w.verifier.Verify(t.Context(), text)
	if f := fault.Of(err); c != nil || !errors.Is(err, token.ErrRevoked) || f.Kind != fault.Unauthenticated || f.Code != "session_ended" {
		t.Errorf("Verify: %+v, %v", c, err)
	}
	if c := w.verifier.Cached(text); c != nil {
		t.Errorf("Cached: %+v", c)
	}
}

func TestRevoked(t *testing.T) {
	t.Parallel()
	w, r := heeding()
	r.Add("s1", time.Now().Add(time.Hour))
	if !r.Ended("s1") || r.Ended("s2") || r.Ended("") {
		t.Error("Ended does not know which session has")
	}
	r.Complete()
	r.Complete()
	early, seen, other, none := w.of(t, "s1"), w.of(t, "s2"), w.of(t, "s3"), w.of(t, "")
	w.refuses(t, early)
	w.accepts(t, seen)
	if !r.Add("s2", time.Now().Add(time.Hour)) || !r.Add("s2", time.Now()) {
		t.Error("there was no room")
	}
	for range 2 {
		w.refuses(t, seen)
		w.accepts(t, other)
		w.accepts(t, none)
	}
	if w.asked.Load() != 4 {
		t.Errorf("%d signatures were checked, want one for each token", w.asked.Load())
	}
}

// As long as nobody knows which sessions have ended, nobody gets in; what is
// wrong with a token in itself is told at once.
func TestUnknownWhatHasEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := heeding()
		text := w.of(t, "s1")
		began := time.Now()
		_, err := w.verifier.Verify(t.Context(), text)
		if f := fault.Of(err); f.Kind != fault.Unavailable || f.Code != "revocations_unavailable" || f.RetryAfter <= 0 {
			t.Errorf("error is %v", err)
		}
		if took := time.Since(began); took != 2*time.Second || w.verifier.Cached(text) != nil {
			t.Errorf("after %v; in the cache: %v", took, w.verifier.Cached(text) != nil)
		}
		began = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := w.verifier.Verify(ctx, text); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a caller who goes: %v", err)
		}
		if _, err := w.verifier.Verify(t.Context(), text+"x"); !errors.Is(err, token.ErrInvalid) || time.Since(began) > time.Millisecond {
			t.Errorf("a bad token: %v after %v", err, time.Since(began))
		}
		go func() {
			time.Sleep(time.Second)
			r.Add("s2", time.Now().Add(time.Hour))
			r.Complete()
		}()
		w.accepts(t, text)
		w.refuses(t, w.of(t, "s2"))
	})
}

// The set is bounded, and has room again when tokens have expired.
func TestRoomForRevocations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := heeding()
		r.Complete()
		const room = 100
		r.Room(room)
		for i := range room {
			life := time.Minute
			if i == 0 {
				life = time.Hour
			}
			if !r.Add(fmt.Sprint(i), time.Now().Add(life)) {
				t.Fatalf("no room for the %d-th", i)
			}
		}
		for range 2 {
			if r.Add("late", time.Now().Add(time.Hour)) {
				t.Error("it is not bounded")
			}
			if !r.Add("1", time.Now().Add(time.Minute)) {
				t.Error("there is no room for what is there")
			}
		}
		w.refuses(t, w.of(t, "0"))
		w.refuses(t, w.of(t, fmt.Sprint(room-1)))
		w.accepts(t, w.of(t, "late"))
		time.Sleep(2 * time.Minute)
		if !r.Add("late", time.Now().Add(time.Hour)) {
			t.Error("there is no room after all have expired")
		}
		w.refuses(t, w.of(t, "late"))
		w.refuses(t, w.of(t, "0"))
		w.accepts(t, w.of(t, "1"))
	})
}
