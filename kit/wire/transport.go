package wire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// What a Transport does unless its fields say otherwise.
const (
	dialTimeout = time.Second
	idleTimeout = 90 * time.Second // less than servers keep a connection
	maxIdle     = 256
)

// maxWhole is how large a request's body may be that is read before anything
// is sent.
const maxWhole = 64 << 10

// Transport is a round tripper for services on the local network that is
// cheaper than an http.Transport: who calls RoundTrip writes the request and
// reads the answer's header, who reads the body reads the connection, and
// nothing waits in between. Its zero value is ready, and it may be used by
// several goroutines at once.
//
// It carries requests of plain HTTP/1.1 without a body, or with one of a known
// length of at most 64 KiB, which it reads whole before it takes a connection.
// Any other request, and any that asks for something unusual (Connection,
// Upgrade, Expect, trailers, an httptrace), goes to an http.Transport that it
// owns, and so does one that isn't well-formed, for the error. Neither follows
// proxies, nor compresses.
//
// To callers it is like an http.Transport, except that:
//   - it names no User-Agent of its own;
//   - it takes answers only that can be read in one way, as Guard does
//     requests, with a header of up to 64 KiB and 100 lines, and after up to
//     five interim ones;
//   - an answer of 101 is an error;
//   - a connection that is being opened for one request serves no other;
//   - it repeats a request when an idle connection breaks, as far as that is
//     safe, though Body has no GetBody.
//
// An error in opening a connection is a *net.OpError whose Op is "dial". When
// the request's context ends, the connection is cut, and RoundTrip or the
// body's Read returns the context's Err.
type Transport struct {
	DialTimeout    time.Duration // for opening a connection; a second if zero
	IdleTimeout    time.Duration // how long a connection may be idle; 90 seconds if zero
	MaxIdlePerHost int           // connections; 256 if zero

	once   sync.Once
	dialer net.Dialer
	rest   http.Transport
	idle   pool
}

func (t *Transport) init() {
	t.dialer = net.Dialer{Timeout: cmp.Or(t.DialTimeout, dialTimeout), KeepAlive: 30 * time.Second}
	t.idle.timeout = cmp.Or(t.IdleTimeout, idleTimeout)
	t.idle.most = cmp.Or(t.MaxIdlePerHost, maxIdle)
	t.rest.DialContext = t.dialer.DialContext
	t.rest.MaxIdleConnsPerHost = t.idle.most
	t.rest.IdleConnTimeout = t.idle.timeout
	t.rest.DisableCompression = true // a body passes as it is
	t.rest.WriteBufferSize = bufferSize
	t.rest.ReadBufferSize = bufferSize
	t.rest.ExpectContinueTimeout = time.Second
}

// CloseIdleConnections closes the connections that are not in use. One that
// is closes when it is done, unless another request was made since.
func (t *Transport) CloseIdleConnections() {
	t.once.Do(t.init)
	t.idle.close()
	t.rest.CloseIdleConnections()
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.once.Do(t.init)
	ctx := r.Context()
	m := messages.Get().(*message)
	if !m.compose(r) {
		messages.Put(m)
		return t.rest.RoundTrip(r)
	}
	if err := ctx.Err(); err != nil {
		messages.Put(m)
		closeBody(r)
		return nil, err
	}
	if m.body > 0 {
		if err := m.readBody(ctx, r.Body); err != nil {
			return nil, err // who reads the body may have m yet
		}
	} else {
		closeBody(r)
	}
	resp, err := t.send(ctx, r, m)
	if cap(m.buf) <= 2*maxWhole {
		messages.Put(m)
	}
	return resp, err
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}

// send sends a message, and sends it again over a new connection if one that
// was idle turns out to be dead.
func (t *Transport) send(ctx context.Context, r *http.Request, m *message) (*http.Response, error) {
	if c := t.idle.get(r.URL.Host); c != nil {
		resp, err, repeat := c.exchange(ctx, r, m.buf)
		if err == nil || !repeat || ctx.Err() != nil {
			return resp, err
		}
	}
	c, err := t.dial(ctx, r.URL.Host)
	if err != nil {
		return nil, err
	}
	resp, err, _ := c.exchange(ctx, r, m.buf)
	return resp, err
}

func (t *Transport) dial(ctx context.Context, host string) (*clientConn, error) {
	addr := host
	if _, _, err := net.SplitHostPort(host); err != nil {
		addr = host + ":80"
	}
	nc, err := t.dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if until, ok := ctx.Deadline(); ok && !time.Now().Before(until) { // the dialer keeps it too, and may be the first to see it
			return nil, context.DeadlineExceeded
		}
		return nil, err
	}
	return newClientConn(nc, host, &t.idle), nil
}

// exchange sends a request and reads the header of its answer, whose body has
// the connection from then on. After an error it is closed, and repeat tells
// whether the request may be sent again: the connection had been idle, nothing
// came back, and nothing was written, or doing it twice does no harm.
func (c *clientConn) exchange(ctx context.Context, r *http.Request, text []byte) (resp *http.Response, err error, repeat bool) {
	stop := neverStarted
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, c.cut)
	}
	n, writeErr := c.Conn.Write(text)
	unsent := writeErr != nil && n == 0 && c.reused
	a := &answer{}
	heard := false
	if err = writeErr; !unsent { // a server may answer, and close, without reading it all
		var readErr error
		if heard, readErr = c.readHead(a, r.Method); heard || err == nil {
			err = readErr
		}
	}
	if err != nil {
		stop()
		c.cut()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err(), false
		case !heard:
			err = fmt.Errorf("wire: no answer: %w", err)
		}
		return nil, err, c.reused && !heard && (unsent || repeatable(r))
	}
	resp = &a.Response
	resp.Request = r
	keep := writeErr == nil && !resp.Close && !r.Close && !a.odd
	if a.none {
		resp.Body = http.NoBody
		stopped := stop()
		c.leave(keep && stopped)
		return resp, nil, false
	}
	a.body.conn, a.body.ctx, a.body.stop, a.body.keep, a.body.resp = c, ctx, stop, keep, resp
	resp.Body = &a.body
	return resp, nil, false
}

func neverStarted() bool { return true }

// repeatable tells whether it does no harm to carry out a request twice.
func repeatable(r *http.Request) bool {
	return slices.Contains([]string{"", http.MethodGet, http.MethodHead, http.MethodOptions}, r.Method) ||
		r.Header["Idempotency-Key"] != nil || r.Header["X-Idempotency-Key"] != nil
}

// clientConn is a connection to a server. It is held by one request at a time,
// or is idle.
type clientConn struct {
	net.Conn
	host string
	pool *pool
	cut  func() // closes it
	now  *prober

	reused bool
	since  time.Time // it is idle
	hurry  bool      // take only what has come in already

	buf  []byte // buf[r:w] came in and is not done with
	r, w int
}

func newClientConn(nc net.Conn, host string, p *pool) *clientConn {
	return &clientConn{Conn: nc, host: host, pool: p, cut: func() { nc.Close() }, now: newProber(nc)}
}

// leave gives the connection up when its answer is done with, for another
// request if it is good for that.
func (c *clientConn) leave(good bool) {
	if !good || c.r != c.w {
		c.cut()
		return
	}
	c.r, c.w, c.hurry = 0, 0, false
	if len(c.buf) > bufferSize {
		c.buf = nil
	}
	c.pool.put(c)
}

// errNotYet is that what is asked for has not come in.
var errNotYet = errors.New("wire: nothing has come in")

func (c *clientConn) receive(p []byte) (int, error) {
	if c.hurry {
		return c.now.read(p)
	}
	return c.Conn.Read(p)
}

// fill reads into a buffer that may grow up to a limit.
func (c *clientConn) fill(limit int) error {
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	switch {
	case c.buf == nil:
		c.buf = make([]byte, bufferSize)
	case c.w < len(c.buf):
	case c.r > 0:
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	case len(c.buf) < limit:
		c.buf = append(c.buf, make([]byte, len(c.buf))...)
	default:
		return errAnswerLarge
	}
	n, err := c.receive(c.buf[c.w:])
	c.w += n
	if n > 0 {
		return nil
	}
	return cmp.Or(err, io.ErrNoProgress)
}

// read reads a part of a body.
func (c *clientConn) read(p []byte) (int, error) {
	if c.r == c.w {
		if len(p) >= bufferSize {
			return c.receive(p)
		}
		if err := c.fill(bufferSize); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.buf[c.r:c.w])
	c.r += n
	return n, nil
}
