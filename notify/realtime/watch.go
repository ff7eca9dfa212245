package realtime

import "time"

// beatsARound is in how many beats each stream is looked at: twice a second,
// a fifth of them at a time.
const beatsARound = 5

// watch looks at all streams again and again, until the hub drains. There is
// no timer but this one.
func (h *Hub) watch() {
	ticker := time.NewTicker(h.times.beat)
	defer ticker.Stop()
	look := look{gaps: h.gaps.Load()}
	look.pings, look.comments = h.rounds(h.times.ping), h.rounds(h.times.comment)
	for beat := uint32(0); ; beat++ {
		select {
		case <-h.draining.Done():
			return
		case look.now = <-ticker.C:
		}
		look.round, look.gaps = beat/beatsARound, h.gaps.Load()
		for i := beat % beatsARound; i < shardCount; i += beatsARound {
			h.users[i].each(func(s *stream) { s.look(look) })
		}
		h.metrics.open.Set(float64(h.open.Load()))
	}
}

// rounds is how many rounds take d.
func (h *Hub) rounds(d time.Duration) uint32 { return max(1, uint32(d/(beatsARound*h.times.beat))) }

// look is what is known when a stream is looked at.
type look struct {
	now             time.Time
	round           uint32
	gaps            uint32
	pings, comments uint32 // rounds from one to the next
}

// gapRounds is over how many rounds the streams ask the store what they missed.
const gapRounds = 2

func (s *stream) look(l look) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sink == nil { // not opened yet, or gone
		return
	}
	if s.end != nil {
		if l.now.Sub(s.ended) > 3*s.hub.times.farewell {
			s.sink.cut()
		}
		return
	}
	if s.hub.options.Ended(s.session) {
		s.finishLocked(sessionEnded)
		return
	}
	if l.now.Sub(s.opened) >= s.lifetime() {
		s.finishLocked(aged)
		return
	}
	if s.held && l.now.Sub(s.opened) >= s.hub.times.hold {
		s.begin(nil)
	}
	if s.seenGaps != l.gaps && s.turn%gapRounds == l.round%gapRounds {
		s.seenGaps, s.missed = l.gaps, true
		s.behind = true
	}
	s.pingDue(l)
	if s.behind && !s.held && !l.now.Before(s.retry) {
		s.rouse()
	}
}

// lifetime is from three quarters of the greatest age on, so that streams that
// began together do not end together.
func (s *stream) lifetime() time.Duration {
	const parts = 1000
	return s.hub.times.age * time.Duration(3*parts+s.turn%parts) / (4 * parts)
}

func (s *stream) pingDue(l look) {
	every := l.pings
	if !s.sink.answers() {
		every = l.comments
	}
	if (s.turn/gapRounds)%every != l.round%every {
		return
	}
	if s.heard.Swap(false) || !s.sink.answers() {
		s.unanswered = 0
	} else if s.unanswered++; s.unanswered == maxUnanswered {
		s.finishLocked(silent)
		return
	}
	s.ping = true
	s.rouse()
}

// maxUnanswered is how many pings a client may leave without an answer before it is dead.
const maxUnanswered = 2
