package realtime

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
)

// stream is a user's stream on its way to one client. One goroutine at a time
// writes it, in pump, while there is something to write.
type stream struct {
	hub     *Hub
	user    uuid.UUID
	session string
	opened  time.Time
	turn    uint32      // which of the rounds is its own
	heard   atomic.Bool // from the client, since the last ping

	mu   sync.Mutex
	sink sink            // nil before it is open, and when it is over
	busy bool            // pump runs, or is about to
	at   notify.Position // behind what was sent

	next    *message         // to be sent as it is
	held    bool             // until it is known where the client is
	from    *notify.Position // where it is, when that has been told
	sent    bool             // an entry, or a resync
	spoken  bool             // the client has
	settled bool             // it was up to date once
	behind  bool             // the store may have more
	missed  bool             // and the hub may not have heard of it

	seenGaps   uint32
	ping       bool   // is due
	pong       []byte // the same; nil for none
	unanswered uint8
	failures   uint8     // of the store, one after the other
	retry      time.Time // the store not before then

	end   *ending
	ended time.Time
}

// sink is the client. Only pump calls what may block: send, ping and farewell.
type sink interface {
	wake()              // sees to it that pump is called
	deadline(time.Time) // of what is written
	send(...*message) error
	ping(ping bool, pong []byte) error
	farewell(*ending)
	cut()          // fails what is under way and what comes
	answers() bool // to pings
}

// ending is why a stream ends: as a WebSocket's close code and reason, and as
// an event, "" for none.
type ending struct {
	code          uint16
	event, reason string
	label         string // in the metrics
}

var (
	restarting   = &ending{1012, "restart", "restarting", "restarting"}
	aged         = &ending{1012, "restart", "time to come back", "aged"}
	sessionEnded = &ending{4401, "session_ended", "session ended", "session"}
	erased       = &ending{4401, "session_ended", "account erased", "erased"}
	tooSlow      = &ending{1013, "", "too slow", "slow"}
	silent       = &ending{1001, "", "no answer to pings", "silent"}
	left         = &ending{label: "left"}

	notText     = &ending{1003, "", "only text is expected", "unexpected"}
	notJSON     = &ending{1007, "", "this is no JSON", "unexpected"}
	notPosition = &ending{1008, "", "expected {} or an epoch and a seq", "unexpected"}
	again       = &ending{1008, "", "no second message is expected", "unexpected"}
	tooLate     = &ending{1008, "", "too late to resume: say it in the query", "unexpected"}
)

// offer tells of an entry that was added.
func (s *stream) offer(m *message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.end != nil, s.held:
	case m.at.Epoch == s.at.Epoch && m.at.Seq <= s.at.Seq: // it was in what the store had
	case s.busy, s.behind, m.at.Epoch != s.at.Epoch, m.at.Seq != s.at.Seq+1:
		s.behind = true
		s.rouse()
	default:
		s.next = m
		s.rouse()
	}
}

// open lets the stream begin with a hello. From is where the client is, if
// that is known.
func (s *stream) open(to sink, from *notify.Position, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened, s.sink, s.next = time.Now(), to, positionMessage("hello", s.at)
	s.next.marks = from == nil // else it would resume from where it has not been
	if known {
		s.begin(from)
	}
	s.rouse()
}

// begin ends the time in which nothing is sent. The lock is held.
func (s *stream) begin(from *notify.Position) {
	s.held, s.from, s.behind = false, from, true
	s.rouse()
}

// resume is called with what the client has sent, which it may do once: where
// it is, or nil for where the hello was. If it was late to say so, that holds as
// long as nothing was sent.
func (s *stream) resume(from *notify.Position) *ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.end != nil:
	case s.spoken:
		return again
	case s.held:
		s.begin(from)
	case from != nil && s.sent:
		return tooLate
	case from != nil:
		s.from, s.behind = from, true
		s.rouse()
	}
	s.spoken = true
	return nil
}

// rouse sees to it that somebody writes. The lock is held.
func (s *stream) rouse() {
	if !s.busy && s.sink != nil {
		s.busy = true
		s.sink.wake()
	}
}

// finish ends the stream, with the first reason that there is.
func (s *stream) finish(e *ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finishLocked(e)
}

func (s *stream) finishLocked(e *ending) {
	if s.end != nil {
		return
	}
	s.end, s.ended = e, time.Now()
	if s.busy && s.sink != nil { // somebody writes who must not take long now
		s.sink.deadline(s.ended.Add(s.hub.times.farewell))
	}
	s.rouse()
}

// cut ends it without a word.
func (s *stream) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finishLocked(left)
	if s.sink != nil {
		s.sink.cut()
	}
}

// close is called when the client has gone, and before the stream leaves the hub.
func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == nil {
		s.end = left
	}
	s.sink = nil
	s.hub.metrics.ended(s.end)
}
