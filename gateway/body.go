package gateway

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

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
type clientBody struct {
	in    io.ReadCloser
	conn  *http.ResponseController
	limit int64
	start time.Time

	read int64
	mu   sync.Mutex
	err  error
}

func newClientBody(w http.ResponseWriter, r *http.Request, limit int64) *clientBody {
	return &clientBody{in: r.Body, conn: http.NewResponseController(w), limit: limit, start: time.Now()}
}

func (b *clientBody) Read(p []byte) (int, error) {
	_ = b.conn.SetReadDeadline(b.start.Add(slowGrace + time.Duration(b.read)*time.Second/slowRate)) // unsupported only in tests
	n, err := b.in.Read(p)
	b.read += int64(n)
	if b.read > b.limit {
		err = fault.New(fault.TooLarge, "body_too_large", "The body may have at most %d bytes.", b.limit)
	}
	if err != nil {
		_ = b.conn.SetReadDeadline(time.Time{})
		if err != io.EOF {
			b.fail(err)
		}
	}
	return n, err
}

func (b *clientBody) Close() error { return b.in.Close() }

func (b *clientBody) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var timeout net.Error
	switch _, ok := errors.AsType[*fault.Error](err); {
	case ok, errors.Is(err, http.ErrBodyReadAfterClose):
		b.err = err
	case errors.As(err, &timeout) && timeout.Timeout():
		b.err = fault.New(fault.RequestTimeout, "body_too_slow", "The body came too slowly.").Because(err)
	default:
		b.err = fault.New(fault.Malformed, "body_unreadable", "The body broke off or is badly framed.").Because(err)
	}
}

// failure is what went wrong with the body, or nil.
func (b *clientBody) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}
