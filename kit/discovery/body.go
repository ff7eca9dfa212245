package discovery

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// maxReplay is how much of a request's body is kept for sending it again.
const maxReplay = 64 << 10

// replay lends a request's body to one try after another of sending it. What
// a try reads is kept for the next, as long as it isn't more than maxReplay.
// The body itself stays open until close, or after settle until the last try
// is done with it.
type replay struct {
	mu   sync.Mutex // held while the body is read, which may take as long as the client likes
	src  io.ReadCloser
	kept []byte
	read int   // of src
	err  error // that ended the body

	lost    atomic.Bool // more was read than is kept
	closed  atomic.Bool
	current atomic.Pointer[loan]
}

// lend returns the body from its beginning, and takes it back from whoever
// has it, even while that one reads.
func (b *replay) lend() io.ReadCloser {
	l := &loan{body: b}
	b.current.Store(l)
	return l
}

// again tells whether the body can be sent once more from its beginning. If
// it is being read, that may cease to be so; the next loan's reader is told then.
func (b *replay) again() bool { return !b.lost.Load() }

// failed tells whether the body broke off: its reader's fault, nobody else's.
func (b *replay) failed() bool {
	if !b.mu.TryLock() {
		return false // it is being read
	}
	defer b.mu.Unlock()
	return b.err != nil && b.err != io.EOF
}

// close closes the body: no other try will be made.
func (b *replay) close() {
	b.current.Store(nil)
	b.closeSource()
}

// settle leaves the body to the last try, with which it closes.
func (b *replay) settle() {
	if l := b.current.Load(); l != nil && l.state.Swap(lastLoan) == loanClosed {
		b.closeSource()
	}
}

func (b *replay) closeSource() {
	if b.closed.CompareAndSwap(false, true) {
		b.src.Close()
	}
}

// loan is the body as one try sees it.
type loan struct {
	body  *replay
	at    int
	state atomic.Int32
}

const (
	loanOpen int32 = iota
	loanClosed
	lastLoan
)

var (
	errTakenBack = errors.New("discovery: the request is sent elsewhere by now")
	errNotKept   = errors.New("discovery: the body is too large to be sent again")
)

func (l *loan) Read(p []byte) (n int, err error) {
	b := l.body
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.current.Load() != l:
		return 0, errTakenBack
	case l.at < len(b.kept):
		n = copy(p, b.kept[l.at:])
		l.at += n
		return n, nil
	case l.at < b.read:
		return 0, errNotKept
	case b.err != nil:
		return 0, b.err
	}
	n, b.err = b.src.Read(p)
	b.read += n
	l.at = b.read
	if b.read > maxReplay {
		b.kept = nil
		b.lost.Store(true)
	} else {
		b.kept = append(b.kept, p[:n]...)
	}
	return n, b.err
}

// Close is called by a transport, perhaps long after it returned.
func (l *loan) Close() error {
	if !l.state.CompareAndSwap(loanOpen, loanClosed) && l.state.Load() == lastLoan {
		l.body.closeSource()
	}
	return nil
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}

// answerBody ends a request's try when the answer has been read. That of a
// switched protocol stays writable.
func answerBody(body io.ReadCloser, t *try) io.ReadCloser {
	if body == nil || body == http.NoBody {
		t.over()
		return body
	}
	if w, ok := body.(io.Writer); ok {
		return &switchedBody{readBody{body, t}, w}
	}
	t.answer = readBody{body, t}
	return &t.answer
}

type readBody struct {
	io.ReadCloser
	try *try
}

func (b *readBody) Close() error {
	err := b.ReadCloser.Close()
	b.try.over()
	return err
}

type switchedBody struct {
	readBody
	io.Writer
}

// CloseWrite is there because a tunnel ends one direction at a time.
func (b *switchedBody) CloseWrite() error {
	if w, ok := b.Writer.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return http.ErrNotSupported
}
