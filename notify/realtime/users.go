package realtime

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/notify"
)

// shardCount is a multiple of beatsARound.
const shardCount = 60

// shard is some of the users that have streams here.
type shard struct {
	mu      sync.Mutex
	streams map[uuid.UUID][]*stream
}

func (h *Hub) shard(user uuid.UUID) *shard {
	return &h.users[binary.LittleEndian.Uint16(user[14:])%shardCount] // the random end of a UUID
}

// each calls f for each stream. It may not block.
func (u *shard) each(f func(*stream)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, streams := range u.streams {
		for _, s := range streams {
			f(s)
		}
	}
}

var (
	errRestarting = fault.New(fault.Unavailable, "restarting", "This instance restarts. Come back at once.").After(time.Second)
	errFull       = fault.New(fault.Unavailable, "too_many_streams_here", "This instance serves as many streams as it can.").After(5 * time.Second)
	errTooMany    = fault.New(fault.TooMany, "too_many_streams", "You have too many streams open. Close one.").After(10 * time.Second)
)

// admit tells whether there is room for one more stream, whosever.
func (h *Hub) admit() error {
	switch {
	case h.draining.Err() != nil:
		return errRestarting
	case h.open.Load() >= int64(h.options.PerInstance):
		return errFull
	}
	return nil
}

// enter makes a stream one of its user's, from where it ends now: entries that
// come from then on are known to it, and held back. Who enters must leave.
func (h *Hub) enter(ctx context.Context, s *stream) (err error) {
	if h.options.Ended(s.session) {
		return token.ErrRevoked
	}
	s.hub, s.held, s.seenGaps, s.turn = h, true, h.gaps.Load(), rand.Uint32()
	if err := h.register(s); err != nil {
		return err
	}
	if s.at, err = h.store.Position(ctx, s.user); err != nil {
		h.leave(s)
	}
	return err
}

func (h *Hub) register(s *stream) error {
	u := h.shard(s.user)
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := h.admit(); err != nil { // within the lock: who drains comes by later
		return err
	}
	there := u.streams[s.user]
	if len(there) >= h.options.PerUser {
		return errTooMany
	}
	if len(there) == 0 {
		h.newcomers.add(s.user)
	}
	u.streams[s.user] = append(there, s)
	h.open.Add(1)
	return nil
}

func (h *Hub) leave(s *stream) {
	u := h.shard(s.user)
	u.mu.Lock()
	defer u.mu.Unlock()
	left := u.streams[s.user]
	i := slices.Index(left, s)
	if left = slices.Delete(left, i, i+1); len(left) > 0 {
		u.streams[s.user] = left
	} else {
		delete(u.streams, s.user)
	}
	if h.open.Add(-1) == 0 {
		select {
		case h.gone <- struct{}{}:
		default:
		}
	}
}

// entry is called by the store with each entry that anybody has got.
func (h *Hub) entry(user uuid.UUID, epoch string, e notify.Entry) {
	u := h.shard(user)
	u.mu.Lock()
	defer u.mu.Unlock()
	streams := u.streams[user]
	if len(streams) == 0 {
		return
	}
	m := entryMessage(epoch, e)
	for _, s := range streams {
		s.offer(m)
	}
}

// gap is called by the store when entries may have been missed.
func (h *Hub) gap() { h.gaps.Add(1) }

// newcomers are users who have just come, and of whom nobody knows yet.
type newcomers struct {
	mu    sync.Mutex
	users []uuid.UUID
	came  chan struct{} // has one when there are any
}

func (n *newcomers) add(user uuid.UUID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.users = append(n.users, user)
	select {
	case n.came <- struct{}{}:
	default:
	}
}

func (n *newcomers) take() []uuid.UUID {
	n.mu.Lock()
	defer n.mu.Unlock()
	users := n.users
	n.users = nil
	return users
}

const (
	presentAtOnce = 500
	storeTime     = 5 * time.Second // that one question to the store may take
)

// tellPresence tells the store who is there: of newcomers at once, and of all
// again before that is over.
func (h *Hub) tellPresence(ctx context.Context) {
	ticker := time.NewTicker(h.times.present)
	defer ticker.Stop()
	for {
		var users []uuid.UUID
		select {
		case <-ctx.Done():
			return
		case <-h.newcomers.came:
			users = h.newcomers.take()
		case <-ticker.C:
			users = h.everybody()
		}
		for some := range slices.Chunk(users, presentAtOnce) {
			within, cancel := context.WithTimeout(ctx, storeTime)
			if err := h.store.Present(within, some, h.times.life); err != nil && ctx.Err() == nil {
				h.warn("tell who is there", err)
			}
			cancel()
		}
	}
}

func (h *Hub) everybody() (users []uuid.UUID) {
	for i := range h.users {
		u := &h.users[i]
		u.mu.Lock()
		for user := range u.streams {
			users = append(users, user)
		}
		u.mu.Unlock()
	}
	return users
}
