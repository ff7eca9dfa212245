package discovery

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-kit/kit/endpoint"
)

// aside is for how long an instance that could not be connected to is left alone.
const aside = time.Second

// target is one instance, as requests are sent to it.
type target struct {
	addr     string
	via      http.RoundTripper
	endpoint endpoint.Endpoint // send, and what is to surround it
	inFlight atomic.Int64
	aside    atomic.Int64 // until when, in Unix nanoseconds; 0 when it isn't
}

func newTarget(addr string, via http.RoundTripper) *target {
	t := &target{addr: addr, via: via}
	t.endpoint = t.send
	return t
}

// unsentError says that no connection was made. It is the one failure after
// which even a POST may go elsewhere: the request's body is whole, and open.
type unsentError struct{ error }

func (e *unsentError) Unwrap() error { return e.error }

// send is an endpoint.Endpoint from *http.Request to *http.Response. It obeys
// http.RoundTripper's contract, but for unsentError.
func (t *target) send(ctx context.Context, request any) (any, error) {
	r := request.(*http.Request)
	out := r.WithContext(ctx)
	u := *r.URL
	u.Host = t.addr
	out.URL = &u
	out.Host = cmp.Or(r.Host, r.URL.Host) // http.Client leaves Host empty when it follows a redirect

	var lent *heldBody
	switch {
	case r.Body == nil || r.Body == http.NoBody:
	case r.GetBody != nil: // an http.Transport sends a bytes.Reader in one packet with the header, if it sees it
		body, err := r.GetBody()
		if err != nil {
			r.Body.Close()
			return nil, err
		}
		out.Body = body
	default:
		lent = &heldBody{ReadCloser: r.Body}
		out.Body = lent
	}

	t.inFlight.Add(1)
	resp, err := t.via.RoundTrip(out)
	if err != nil {
		t.inFlight.Add(-1)
		if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" && ctx.Err() == nil {
			t.aside.Store(time.Now().Add(aside).UnixNano())
			if lent == nil || !lent.read.Load() {
				return nil, &unsentError{err}
			}
		}
	}
	if lent != nil {
		lent.release()
	} else {
		closeBody(r)
	}
	if err != nil {
		return nil, err
	}
	resp.Body = counted(resp.Body, t)
	return resp, nil
}
