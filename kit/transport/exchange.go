package transport

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/telemetry"
)

// exchange is one request and its answer on their way through the stack. It
// is the request's context too.
type exchange struct {
	endpoint.Call
	in   *http.Request
	out  answer
	read *bytes.Buffer // the body, once it was read

	timed bool // the body has until a deadline
}

func newExchange(w http.ResponseWriter, r *http.Request, trusted Proxies) *exchange {
	x := &exchange{}
	x.out.ResponseWriter = w
	x.Call = endpoint.Call{
		Context:   r.Context(),
		RequestID: first(r.Header, endpoint.RequestIDHeader),
		Client:    trusted.Client(r),
		Token:     bearer(r.Header),
		Timeout:   first(r.Header, endpoint.TimeoutHeader),
		Trace:     telemetry.Extract(r.Header),
		Answer:    w.Header(),
	}
	return x
}

// first returns a header's value, which must be in canonical form; "" when it
// is not there exactly once.
func first(h http.Header, name string) string {
	if v := h[name]; len(v) == 1 {
		return v[0]
	}
	return ""
}

func bearer(h http.Header) string {
	v := first(h, "Authorization")
	if len(v) > 7 && strings.EqualFold(v[:7], "Bearer ") {
		return strings.TrimSpace(v[7:])
	}
	return ""
}

// answer is the way out: it remembers what was sent. http.ResponseController
// finds the connection through Unwrap, so streams and upgrades work.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
	call   *endpoint.Call // of a Raw endpoint: it leaves when the answer begins
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// begin notes the status, once.
func (a *answer) begin(status int) {
	if a.status != 0 {
		return
	}
	a.status = status
	if a.call != nil {
		a.call.Leave()
	}
}

func (a *answer) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		a.begin(status)
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	a.begin(http.StatusOK)
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// FlushError sends what was written, as http.ResponseController asks for.
func (a *answer) FlushError() error {
	a.begin(http.StatusOK)
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Hijack gives the connection away, as for a WebSocket.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err == nil {
		a.begin(http.StatusSwitchingProtocols)
	}
	return conn, rw, err
}

// StatusCode and Size make the answer of a Raw endpoint what the log and the metrics see.
func (a *answer) StatusCode() int { return a.status }
func (a *answer) Size() int64     { return a.bytes }

// Raw makes an endpoint of an HTTP handler, for what is not one JSON answer
// to one request: a stream, a WebSocket, a proxy. It passes the same stack as
// any other. An error that it returns before it wrote anything becomes a
// problem; after that the connection is cut.
func Raw(name, doc string, handle func(http.ResponseWriter, *http.Request) error) endpoint.Endpoint {
	return endpoint.Endpoint{
		Name: name, Doc: doc, Rate: endpoint.DefaultRate,
		Invoke: func(ctx context.Context, req any) (any, error) {
			x := req.(*exchange)
			x.calm()
			x.out.call = &x.Call
			r := x.in
			if r.Context() != ctx {
				r = r.WithContext(ctx)
			}
			if err := handle(&x.out, r); err != nil {
				if x.out.status != 0 && fault.Of(err).Kind != fault.Canceled { // else nobody failed
					return nil, endpoint.ErrAborted.Because(err)
				}
				return nil, err
			}
			if x.out.status == 0 {
				x.out.WriteHeader(http.StatusOK)
			}
			return &x.out, nil
		},
	}
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keepable is how large a buffer may have grown to be kept for the next request.
const keepable = 64 << 10

func release(b *bytes.Buffer) {
	if b != nil && b.Cap() <= keepable {
		b.Reset()
		buffers.Put(b)
	}
}

// A client has slowGrace for the beginning of a body and then must send at
// slowRate bytes a second.
const (
	slowGrace = 10 * time.Second
	slowRate  = 16 << 10
)

// hurry gives the client until a deadline to send a body of up to limit bytes.
// It holds for one that nobody reads, too: net/http reads on for a while, to
// keep the connection, before it sends an answer.
func (x *exchange) hurry(limit int64) {
	if x.in.ContentLength == 0 {
		return
	}
	if n := x.in.ContentLength; n > 0 {
		limit = min(n, limit)
	}
	until := time.Now().Add(slowGrace + time.Duration(limit/slowRate)*time.Second)
	x.timed = http.NewResponseController(x.out.ResponseWriter).SetReadDeadline(until) == nil
}

// calm takes the deadline back; net/http's own watch for the client's going needs none.
func (x *exchange) calm() {
	if x.timed {
		x.timed = false
		_ = http.NewResponseController(x.out.ResponseWriter).SetReadDeadline(time.Time{})
	}
}

// body reads the request's body, up to limit bytes, once.
func (x *exchange) body(limit int64) ([]byte, error) {
	if x.read != nil {
		return x.read.Bytes(), nil
	}
	if x.in.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	if x.in.Body == nil || x.in.Body == http.NoBody {
		return nil, nil
	}
	buf := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	x.StepAside() // how long it takes is up to the client
	_, err := buf.ReadFrom(io.LimitReader(x.in.Body, limit+1))
	x.ComeBack()
	switch {
	case err == nil && int64(buf.Len()) > limit:
		release(buf)
		return nil, tooLarge(limit)
	case err != nil:
		release(buf)
		return nil, unreadable(err)
	}
	x.calm()
	x.read = buf
	return buf.Bytes(), nil
}

func tooLarge(limit int64) error {
	return fault.New(fault.TooLarge, "body_too_large", "The body may have at most %d bytes.", limit)
}

func unreadable(err error) error {
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fault.New(fault.RequestTimeout, "body_too_slow", "The body came too slowly.").Because(err)
	}
	return fault.New(fault.Malformed, "body_unreadable", "The body broke off or is badly framed.").Because(err)
}
