package cache

import (
	"errors"
	"io"
	"sync"
)

// spool takes a body from upstream while one reader follows it. What it holds
// is bounded: past that, the reader goes on with the body itself.
type spool struct {
	body   io.ReadCloser
	length int64 // of the body, or -1

	mu     sync.Mutex
	more   sync.Cond
	held   []byte
	read   int   // of held
	end    error // how the body ended, or errLarge
	gone   error // why nobody reads any more
	closed bool
}

// errLarge means that the reader takes the rest of a body.
var errLarge = errors.New("cache: the body is too large to be held")

func newSpool(body io.ReadCloser, length int64) *spool {
	s := &spool{body: body, length: length}
	s.more.L = &s.mu
	return s
}

// fill reads the body, shows the reader what comes, and returns what it read:
// the whole body with io.EOF, more than limit bytes with errLarge, or what
// there was before another error. The last bytes are for finish to show.
func (s *spool) fill(limit int64) ([]byte, error) {
	room := s.length + 1
	if s.length < 0 {
		room = 4 << 10
	}
	buf := make([]byte, 0, min(room, limit+1))
	for {
		n, err := s.body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err != nil {
			return buf, err
		}
		if int64(len(buf)) > limit {
			return buf, errLarge
		}
		if int64(len(buf)) != s.length {
			s.show(buf)
		}
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, min(2*int64(cap(buf)), limit+1)), buf...)
		}
	}
}

func (s *spool) show(held []byte) {
	s.mu.Lock()
	s.held = held
	s.mu.Unlock()
	s.more.Signal()
}

// finish shows the rest of what was read and how the body ended. It closes
// the body when the reader will not.
func (s *spool) finish(held []byte, err error) {
	s.mu.Lock()
	s.held, s.end = held, err
	if err != errLarge || s.gone != nil {
		s.close()
	}
	s.mu.Unlock()
	s.more.Signal()
}

// close closes the body once; s.mu is held.
func (s *spool) close() {
	if !s.closed {
		s.closed = true
		s.body.Close()
	}
}

// leave ends the reading, now and in future, with an error.
func (s *spool) leave(err error) {
	s.mu.Lock()
	if s.gone == nil {
		s.gone = err
	}
	if s.end != nil {
		s.close()
	}
	s.mu.Unlock()
	s.more.Signal()
}

// Read waits for bytes of the body. It must not be called by two at a time.
func (s *spool) Read(p []byte) (int, error) {
	s.mu.Lock()
	for s.read == len(s.held) && s.end == nil && s.gone == nil {
		s.more.Wait()
	}
	held, end, gone := s.held[s.read:], s.end, s.gone
	s.read += min(len(p), len(held))
	s.mu.Unlock()
	switch {
	case gone != nil:
		return 0, gone
	case len(held) > 0:
		return copy(p, held), nil
	case end == errLarge:
		return s.body.Read(p)
	}
	return 0, end
}
