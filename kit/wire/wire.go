// Package wire guards HTTP/1 connections below net/http's parser. net/http
// takes messages that two readers may understand differently, and its handlers
// cannot see that it did: a length given twice, a folded line, a bare LF. A
// guarded connection reads the messages along with net/http, strictly by RFC
// 9112, and hands up those alone that can be read in one way.
package wire

import (
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/trellis-go/trellis/kit/fault"
)

// Bounds on what net/http does not bound, or answers in a shape of its own.
const (
	maxFields    = 100     // lines of a header
	maxTrailer   = 2 << 10 // bytes; net/http has no room for more than 4096
	maxExtension = 256     // bytes of chunk extensions in a body; nobody reads them
)

// lingerTime is how long a client whose request was refused may go on sending
// before the connection is reset, which might take the answer with it.
const lingerTime = 500 * time.Millisecond

// phase is what comes next on a connection.
type phase uint8

const (
	header phase = iota
	body
	chunked
	trailer
	anything // another protocol, no longer guarded
)

// Conn is a guarded connection. A request that breaks a rule is answered with
// a problem when the answers to those before it are sent, and is the
// connection's last; net/http sees the connection fail. A body that breaks a
// rule fails to be read, with a *fault.Error, and its handler answers.
type Conn struct {
	net.Conn
	maxHeader int

	phase phase
	head  head   // in the phases header and trailer
	left  int64  // of the body
	chunk chunks // of a chunked body

	// buf[r:w] came in and is not done with. Of it the first ready bytes may
	// be handed up, and the first given were.
	buf          []byte
	r, w         int
	ready, given int
	whole        bool // ready reaches to the phase's end

	bad     *fault.Error // what is wrong, before it is told
	err     error        // what every Read returns from now on
	refused atomic.Bool
	done    bool // the connection's last answer was written
}

// Guard returns c with its requests guarded. It takes headers of up to
// maxHeader bytes. The http.Server that serves it must have State for its
// ConnState, or connections that handlers take over are cut.
func Guard(c net.Conn, maxHeader int) *Conn { return &Conn{Conn: c, maxHeader: maxHeader} }

// State is an http.Server's ConnState: a guarded connection that a handler
// has taken over is guarded no more.
func State(c net.Conn, s http.ConnState) {
	if c, ok := c.(interface{ release() }); ok && s == http.StateHijacked {
		c.release()
	}
}

func (c *Conn) release() {
	c.r += c.given
	c.phase, c.bad, c.ready, c.given = anything, nil, 0, 0
	c.forget()
}

// forget lets go of the buffer of a connection that has come out of it and
// may last for days.
func (c *Conn) forget() {
	if c.phase == anything && c.r == c.w {
		c.buf = nil
	}
}

// peeked is how much of a request net/http waits for before the time that it
// gives to a header begins.
const peeked = 4

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	for c.err == nil && len(p) > 0 {
		// While a handler runs, net/http reads one byte to learn whether the
		// client has gone. An error would cancel the handler, who is no part of
		// what is wrong with the request behind.
		listens := len(p) == 1 && c.phase == header && c.given == 0
		if c.bad != nil && listens {
			c.ready = 1
		}
		if c.given < c.ready {
			n := copy(p, c.buf[c.r+c.given:c.r+c.ready])
			if c.given += n; c.given == c.ready {
				c.handed()
			}
			return n, nil
		}
		if c.bad != nil {
			c.refuse()
			break
		}
		if c.w > c.r {
			if c.take(); c.ready > c.given || c.bad != nil {
				continue
			}
		}
		switch c.phase {
		case header, trailer:
			if err := c.fill(); err == io.EOF && c.w > c.r && !listens {
				c.bad = errBrokenOff
			} else if err != nil {
				return 0, err
			}
		default:
			return c.through(p)
		}
	}
	return 0, c.err
}

// take looks at what has come in.
func (c *Conn) take() {
	in := c.buf[c.r:c.w]
	switch c.phase {
	case header, trailer:
		var n int
		if c.phase == header && c.given == 0 && c.head.emptyLine(in) {
			c.r += 2
			in = in[2:]
		}
		limit := c.maxHeader
		if c.phase == trailer {
			limit = maxTrailer
		}
		switch n, c.bad = c.head.scan(in, limit, c.phase == trailer); {
		case c.bad != nil:
		case n > 0:
			c.ready, c.whole = n, true
		case c.phase == header && c.head.begun(in):
			c.ready = min(len(in), peeked)
		}
	case body:
		c.ready = int(min(int64(len(in)), c.left))
		c.left -= int64(c.ready)
		c.whole = c.left == 0
	case chunked:
		c.ready, c.whole, c.bad = c.chunk.scan(in)
	case anything:
		c.ready = len(in)
	}
}

// handed is called when all that was ready is handed up. The beginning of a
// header stays for as long as it is read.
func (c *Conn) handed() {
	if c.whole || c.phase != header {
		c.r += c.ready
		c.ready, c.given = 0, 0
		c.forget()
	}
	if c.whole {
		c.next()
	}
}

// next begins the phase after the one that has ended.
func (c *Conn) next() {
	c.whole = false
	switch c.phase {
	case header:
		switch {
		case c.head.chunked:
			c.phase, c.chunk = chunked, chunks{}
		case c.head.length > 0:
			c.phase, c.left = body, c.head.length
		}
	case body, trailer:
		c.phase = header
	case chunked:
		c.phase = trailer
	}
	c.head = head{}
}

// through reads a body straight into p.
func (c *Conn) through(p []byte) (n int, err error) {
	switch c.phase {
	case body:
		n, err = c.Conn.Read(p[:min(int64(len(p)), c.left)])
		if c.left -= int64(n); c.left == 0 {
			c.next()
		}
	case chunked:
		var end bool
		n, err = c.Conn.Read(p)
		in := p[:n]
		n, end, c.bad = c.chunk.scan(in)
		if end {
			c.keep(in[n:])
			c.next()
		}
		if n == 0 && c.bad != nil {
			c.refuse()
			err = c.err
		}
	default:
		n, err = c.Conn.Read(p)
	}
	return n, err
}

// bufferSize is enough for most headers, and what net/http asks for.
const bufferSize = 4 << 10

// fill reads more of a header.
func (c *Conn) fill() error {
	if c.r == c.w {
		c.r, c.w = 0, 0
		if len(c.buf) > bufferSize { // of a large header that is done with
			c.buf = nil
		}
	}
	switch {
	case c.buf == nil:
		c.buf = make([]byte, bufferSize)
	case c.w < len(c.buf):
	case c.r > 0:
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	default:
		c.buf = append(c.buf, make([]byte, len(c.buf))...)
	}
	n, err := c.Conn.Read(c.buf[c.w:])
	c.w += n
	if n > 0 {
		return nil
	}
	return err
}

// keep puts what came in behind a body where the next header is read from.
func (c *Conn) keep(rest []byte) {
	if len(c.buf) < len(rest) {
		c.buf = make([]byte, max(bufferSize, len(rest)))
	}
	c.r, c.w = 0, copy(c.buf, rest)
}

// refuse ends the connection for what is bad. In a header nobody else can
// answer, and whatever came before it is answered.
func (c *Conn) refuse() {
	c.refused.Store(true)
	c.err = &net.OpError{Op: "read", Net: "http", Addr: c.RemoteAddr(), Err: c.bad} // one for which net/http sends nothing
	if c.phase == header {
		c.done = true
		_ = Answer(c.Conn, c.bad, c.head.instance(c.buf[c.r:c.w]))
	}
}

// Write implements net.Conn. What net/http has to say of a request that was
// refused, and of which it saw the beginning, is not sent.
func (c *Conn) Write(p []byte) (int, error) {
	if c.done {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn. Who was refused is given the time to read why.
func (c *Conn) Close() error {
	if !c.refused.CompareAndSwap(true, false) {
		return c.Conn.Close()
	}
	_ = c.CloseWrite()
	_ = c.SetReadDeadline(time.Now().Add(lingerTime))
	go func() {
		_, _ = io.CopyN(io.Discard, c.Conn, 1<<20)
		_ = c.Conn.Close()
	}()
	return nil
}

// CloseWrite tells the client that no more will come, where that is possible.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
