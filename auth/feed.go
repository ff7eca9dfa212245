package auth

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/token"
)

// How ended sessions are found: the store is asked again and again, because
// another instance may have ended them. An end is in the store later than its
// own time says, by what its transaction took, and by what that instance's
// clock is behind; so each look goes back by overlap, and now and then one
// goes back as far as tokens live.
const (
	lookEvery   = 200 * time.Millisecond // a third of the silence at which token.Follow goes elsewhere
	lookTimeout = 2 * time.Second
	overlap     = 15 * time.Second
	farEvery    = 10 * time.Second

	toldFor = accessLife + time.Minute // clocks differ
)

// Feed knows which sessions have ended while tokens of theirs may still live.
type Feed struct {
	store    Store
	draining <-chan struct{}
	known    *token.Revocations
	woken    chan struct{}
	far      time.Time // when the last look as far as tokens live began

	mu      sync.Mutex
	found   []ending // in the order in which they were found
	dropped int      // how many were before found[0]
	have    map[uuid.UUID]struct{}
	looked  time.Time     // when the last look that succeeded began
	next    chan struct{} // closed when the next one has
}

type ending struct {
	session uuid.UUID
	expires time.Time // the last of its tokens
}

// OpenFeed returns a feed that knows what the store has. Who follows it is
// sent away when draining is closed.
func OpenFeed(ctx context.Context, store Store, draining <-chan struct{}) (*Feed, error) {
	f := &Feed{
		store: store, draining: draining, known: token.NewRevocations(), woken: make(chan struct{}, 1),
		have: map[uuid.UUID]struct{}{}, next: make(chan struct{}),
	}
	if err := f.look(ctx); err != nil {
		return nil, err
	}
	f.known.Complete()
	return f, nil
}

// Revocations are the sessions that have ended: this instance need not ask
// itself over HTTP.
func (f *Feed) Revocations() *token.Revocations { return f.known }

// Run keeps the feed up to date until ctx ends. It tells failed when the store
// does not answer: once, until it does.
func (f *Feed) Run(ctx context.Context, failed func(error)) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for failing := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-f.woken:
		}
		err := f.look(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			failed(err)
		}
		failing = err != nil
	}
}

// wake makes the feed look at once: this instance has ended sessions.
func (f *Feed) wake() {
	select {
	case f.woken <- struct{}{}:
	default:
	}
}

func (f *Feed) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	now := time.Now()
	after, far := f.looked.Add(-overlap), now.Sub(f.far) >= farEvery
	if far {
		after = now.Add(-toldFor)
	}
	ended, err := f.store.Ended(ctx, after)
	if err != nil {
		return err
	}
	if far {
		f.far = now
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range ended {
		f.add(e, now)
	}
	for len(f.found) > 0 && !now.Before(f.found[0].expires) {
		delete(f.have, f.found[0].session)
		f.found = f.found[1:]
		f.dropped++
	}
	f.looked = now
	close(f.next)
	f.next = make(chan struct{})
	return nil
}

func (f *Feed) add(e Ended, now time.Time) {
	if _, ok := f.have[e.ID]; ok {
		return
	}
	if e.At.After(now) { // by another's clock
		e.At = now
	}
	expires := e.At.Add(toldFor)
	f.have[e.ID] = struct{}{}
	f.found = append(f.found, ending{e.ID, expires})
	f.known.Add(e.ID.String(), expires)
}

// after returns what was found after the first n findings, how many there are
// now, when the store was asked last, and a channel that is closed when it was
// asked again.
func (f *Feed) after(n int) (found []ending, total int, looked time.Time, next <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.found[max(n-f.dropped, 0):], f.dropped + len(f.found), f.looked, f.next
}
