package token

import (
	"context"
	"sync"
	"time"

	"github.com/trellis-go/trellis/kit/fault"
)

// Revocations are the sessions that have ended while tokens of theirs may
// still live. Until it is complete for the first time nobody can tell whether
// a session has ended, and a Verifier that heeds it lets nobody in.
type Revocations struct {
	ended sync.Map      // string → int64: session → Unix time at which the last of its tokens has expired
	known chan struct{} // closed by Complete

	mu    sync.Mutex // guards writing
	room  int
	count int
	swept time.Time
}

const (
	maxRevoked = 1 << 18 // sessions, some 50 MB
	sweepEvery = time.Minute
	patience   = 2 * time.Second // that a token's bearer has with us
)

var errUnknown = fault.New(fault.Unavailable, "revocations_unavailable", "Access tokens cannot be verified just now.").After(time.Second)

// NewRevocations returns an empty set that is not complete.
func NewRevocations() *Revocations { return &Revocations{known: make(chan struct{}), room: maxRevoked} }

// Add adds a session whose last token expires at until. It tells whether
// there was room.
func (r *Revocations) Add(session string, until time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.Sub(r.swept) >= sweepEvery {
		r.sweep(now)
	}
	last, found := r.ended.Load(session)
	switch {
	case found && last.(int64) > until.Unix():
		return true
	case found:
	case r.count == r.room:
		return false
	default:
		r.count++
	}
	r.ended.Store(session, until.Unix()+1)
	return true
}

func (r *Revocations) sweep(now time.Time) {
	r.swept = now
	r.ended.Range(func(session, until any) bool {
		if until.(int64) <= now.Unix() {
			r.ended.Delete(session)
			r.count--
		}
		return true
	})
}

// Complete says that all sessions which had ended were added.
func (r *Revocations) Complete() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.known:
	default:
		close(r.known)
	}
}

// wait waits until the set is complete. A nil one is.
func (r *Revocations) wait(ctx context.Context) error {
	if r == nil {
		return nil
	}
	select {
	case <-r.known:
		return nil
	default:
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-r.known:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timeout.C:
		return errUnknown
	}
}

// Ended tells whether a session has ended.
func (r *Revocations) Ended(session string) bool { return r.has(session) }

// has tells whether a session, a string, has ended. A caller that has it as
// an interface spares the allocation.
func (r *Revocations) has(session any) bool {
	if r == nil {
		return false
	}
	_, ended := r.ended.Load(session)
	return ended
}
