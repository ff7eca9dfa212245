package realtime

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/trellis-go/trellis/notify"
)

// Bounds on what is read from the store and written at once.
const (
	maxRead  = 50       // entries
	maxWrite = 16 << 10 // bytes, or one message
)

// job is the next thing to write.
type job struct {
	to     sink
	end    *ending
	next   *message
	ping   bool
	pong   []byte
	read   bool // from the store
	missed bool
}

// pump writes what there is to write, and tells whether there may be more,
// some time later.
func (s *stream) pump() bool {
	for {
		j, ok := s.job()
		var err error
		switch {
		case !ok:
			return true
		case j.end != nil:
			j.to.farewell(j.end)
			return false
		case j.next != nil:
			err = s.send(j.to, j.next)
		case j.read:
			err = s.catchUp(j.to, j.missed)
		default:
			if s.hurry(j.to) {
				err = j.to.ping(j.ping, j.pong)
			}
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.finish(tooSlow)
		case err != nil:
			s.finish(left)
		}
	}
}

func (s *stream) job() (j job, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.to = s.sink; j.to == nil {
		return j, false
	}
	if s.from != nil && s.sent { // in the meantime
		s.finishLocked(tooLate)
	}
	switch {
	case s.end != nil:
		s.sink.deadline(time.Now().Add(s.hub.times.farewell))
		j.end = s.end
	case s.next != nil:
		j.next, s.next = s.next, nil
	case s.ping || s.pong != nil:
		j.ping, j.pong, s.ping, s.pong = s.ping, s.pong, false, nil
	case s.behind && !s.held && !time.Now().Before(s.retry):
		if s.from != nil {
			s.at, s.from, s.settled = *s.from, nil, false
		}
		j.read, j.missed, s.behind, s.missed = true, s.missed, false, false
	default:
		s.busy = false
		return j, false
	}
	return j, true
}

// hurry gives the client its time for the next write, unless the stream is to end.
func (s *stream) hurry(to sink) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end != nil {
		return false
	}
	to.deadline(time.Now().Add(s.hub.times.patience))
	return true
}

// send sends messages, and notes where the client is then.
func (s *stream) send(to sink, all ...*message) error {
	for len(all) > 0 {
		n, size := 1, len(all[0].frame)
		for n < len(all) && size+len(all[n].frame) <= maxWrite {
			size += len(all[n].frame)
			n++
		}
		if !s.hurry(to) {
			return nil
		}
		if err := to.send(all[:n]...); err != nil {
			return err
		}
		if last := all[n-1]; last.moves {
			s.mu.Lock()
			s.at, s.sent = last.at, true
			s.mu.Unlock()
		}
		s.hub.metrics.messages.Add(float64(n))
		all = all[n:]
	}
	return nil
}

// catchUp sends what the store has behind the client's position.
func (s *stream) catchUp(to sink, missed bool) error {
	var entries []notify.Entry
	var now notify.Position
	err := s.hub.read(func(ctx context.Context) (err error) {
		entries, now, err = s.hub.store.Since(ctx, s.user, s.at, maxRead)
		return err
	})
	if errors.Is(err, notify.ErrResync) {
		err = s.hub.read(func(ctx context.Context) (err error) {
			now, err = s.hub.store.Position(ctx, s.user)
			return err
		})
		if err == nil {
			return s.resync(to, now, missed)
		}
	}
	switch {
	case errors.Is(err, notify.ErrForgotten):
		s.finish(erased)
		return nil
	case err != nil:
		s.putOff(missed)
		s.hub.warn("read what came", err)
		return nil
	}
	messages := make([]*message, len(entries))
	for i, e := range entries {
		messages[i] = entryMessage(now.Epoch, e)
	}
	s.mu.Lock()
	s.failures, s.retry = 0, time.Time{}
	if n := len(entries); n > 0 && entries[n-1].Seq < now.Seq {
		s.behind = true
	} else {
		s.settled = true
	}
	s.mu.Unlock()
	return s.send(to, messages...)
}

// resync sends a client on that cannot be told what it missed. If it was up
// to date, nothing kept the hub from telling it but the client itself, who
// would fall behind again.
func (s *stream) resync(to sink, now notify.Position, missed bool) error {
	if s.settled && !missed && s.at.Epoch == now.Epoch {
		s.finish(tooSlow)
		return nil
	}
	m := positionMessage("resync", now)
	m.moves, m.marks = true, true
	s.mu.Lock()
	s.failures, s.retry, s.behind = 0, time.Time{}, true
	s.mu.Unlock()
	return s.send(to, m)
}

// putOff waits before the store is asked again, ever longer.
func (s *stream) putOff(missed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind, s.missed = true, s.missed || missed
	s.retry = time.Now().Add(s.hub.times.retry << s.failures)
	s.failures = min(s.failures+1, 4)
}

// read asks the store something; there is a bound to how many do at once.
func (h *Hub) read(ask func(context.Context) error) error {
	select {
	case h.reads <- struct{}{}:
	case <-h.reading.Done():
		return h.reading.Err()
	}
	defer func() { <-h.reads }()
	ctx, cancel := context.WithTimeout(h.reading, storeTime)
	defer cancel()
	return ask(ctx)
}
