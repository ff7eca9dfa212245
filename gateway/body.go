package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
)

// A client has slowGrace for the beginning of its body and then must send at
// slowRate bytes a second.
const (
	slowGrace = 10 * time.Second
	slowRate  = 4 << 10
)

// clientBody is a request's body as it streams in: bounded in size, and in
// how slowly it may come. It remembers what went wrong on the client's side,
// so that this is not taken for the service's fault.
//
// The deadline holds from the beginning, and beyond a failure: net/http itself
// reads on for a while before it closes a connection.
type clientBody struct {
	in     io.Reader
	call   *endpoint.Call
	limit  int64
	http1  bool
	start  time.Time
	closed atomic.Bool

	reading sync.Mutex // held while in is read
	read    int64

	mu    sync.Mutex // guards what follows
	conn  *http.ResponseController
	left  bool // the connection may serve another request by now
	ended bool
	err   error
}

func newClientBody(w http.ResponseWriter, r *http.Request, call *endpoint.Call, limit int64) *clientBody {
	b := &clientBody{in: r.Body, call: call, conn: http.NewResponseController(w), limit: limit, http1: r.ProtoMajor == 1, start: time.Now()}
	b.due(b.start.Add(slowGrace))
	return b
}

func (b *clientBody) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	b.due(b.start.Add(slowGrace + time.Duration(b.read)*time.Second/slowRate))
	b.call.StepAside() // how long it takes is up to the client
	n, err := b.in.Read(p)
	b.call.ComeBack()
	b.read += int64(n)
	if large := b.tooLarge(b.read); large != nil {
		err = large
	}
	switch err {
	case nil:
	case io.EOF:
		b.due(time.Time{})
		b.end(nil)
	default:
		b.end(clientFault(err))
	}
	return n, err
}

// Close leaves it to net/http to close what it made: that would wait here for
// the rest of the body, before the client has its answer.
func (b *clientBody) Close() error { b.closed.Store(true); return nil }

// due sets when the client's next bytes are late.
func (b *clientBody) due(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.left {
		_ = b.conn.SetReadDeadline(until) // unsupported only in tests
	}
}

// leave is for the end of the request: a transport may read on after it.
func (b *clientBody) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = true
}

func (b *clientBody) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = err == nil
	if b.err == nil {
		b.err = err
	}
}

func clientFault(err error) error {
	var timeout net.Error
	switch f, ok := errors.AsType[*fault.Error](err); {
	case ok:
		return f
	case errors.As(err, &timeout) && timeout.Timeout():
		return fault.New(fault.RequestTimeout, "body_too_slow", "The body came too slowly.").Because(err)
	}
	return fault.New(fault.Malformed, "body_unreadable", "The body broke off or is badly framed.").Because(err)
}

// failure is what went wrong with the body, or nil. A connection that breaks
// off under a read ends ctx before the read itself returns, so that is awaited.
func (b *clientBody) failure(ctx context.Context) error {
	if ctx.Err() != nil {
		b.reading.Lock()
		defer b.reading.Unlock()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// release is for an answer that may begin before all of the body was read,
// and has header h: it ends the connection. Else net/http would take the rest
// of the body, or wait for it, before it sends anything of the answer.
func (b *clientBody) release(h http.Header) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended && b.http1 {
		h["Connection"] = []string{"close"}
	}
}

func (b *clientBody) tooLarge(n int64) error {
	if n <= b.limit {
		return nil
	}
	return fault.New(fault.TooLarge, "body_too_large", "The body may have at most %d bytes.", b.limit)
}
