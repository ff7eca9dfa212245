package discovery

import (
	"io"
	"net/http"
	"sync/atomic"
)

// heldBody lends a request's body to one try of sending it. A transport closes
// the body even when it couldn't connect and never looked at it; as long as
// it is held, the body itself stays open for the next try.
type heldBody struct {
	io.ReadCloser
	state atomic.Int32
	read  atomic.Bool
}

const (
	held int32 = iota
	heldClosed
	released
)

func (b *heldBody) Read(p []byte) (int, error) {
	b.read.Store(true)
	return b.ReadCloser.Read(p)
}

func (b *heldBody) Close() error {
	if b.state.CompareAndSwap(held, heldClosed) || b.state.Load() == heldClosed {
		return nil
	}
	return b.ReadCloser.Close()
}

// release makes Close close the body, which a transport may do long after it returned.
func (b *heldBody) release() {
	if b.state.Swap(released) == heldClosed {
		b.ReadCloser.Close()
	}
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}

// counted returns body such that closing it ends the request that is in
// flight to t. That of a switched protocol stays writable.
func counted(body io.ReadCloser, t *target) io.ReadCloser {
	if body == nil || body == http.NoBody {
		t.inFlight.Add(-1)
		return body
	}
	if w, ok := body.(io.Writer); ok {
		return &switchedBody{countedBody{ReadCloser: body, target: t}, w}
	}
	return &countedBody{ReadCloser: body, target: t}
}

type countedBody struct {
	io.ReadCloser
	target *target
	closed atomic.Bool
}

func (b *countedBody) Close() error {
	if b.closed.CompareAndSwap(false, true) {
		b.target.inFlight.Add(-1)
	}
	return b.ReadCloser.Close()
}

type switchedBody struct {
	countedBody
	io.Writer
}

// CloseWrite is there because httputil.ReverseProxy looks for it.
func (b *switchedBody) CloseWrite() error {
	if w, ok := b.Writer.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return http.ErrNotSupported
}
