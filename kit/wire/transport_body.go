package wire

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
)

// kind is how a body's end is known.
type kind uint8

const (
	byLength kind = iota
	inChunks
	untilClose
)

// maxDrain is how much of a body is read when it is closed before its end, so
// that its connection serves again.
const maxDrain = 4 << 10

// answerBody reads an answer's body from its connection, which it leaves at
// its end. Close may be called while Read is, and ends that.
type answerBody struct {
	resp *http.Response
	ctx  context.Context
	stop func() bool // cutting the connection when ctx ends
	keep bool        // the connection may serve again

	kind  kind
	left  int64
	chunk chunks

	mu      sync.Mutex
	conn    *clientConn // nil when the body has left it
	reading bool
	closed  bool
	err     error // what every Read returns from now on
}

// Read implements io.Reader.
func (b *answerBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	if err := b.err; err != nil || len(p) == 0 {
		b.mu.Unlock()
		return 0, err
	}
	b.reading = true
	b.mu.Unlock()

	n, err := b.next(b.conn, p)

	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	switch {
	case b.closed: // meanwhile
		err = b.err
		b.release(false)
	case err == io.EOF:
		b.release(b.keep)
	case err == nil:
	default:
		if b.ctx.Err() != nil {
			err = b.ctx.Err()
		}
		b.release(false)
	}
	b.err = err
	return n, err
}

// release gives the connection up. b.mu is held.
func (b *answerBody) release(good bool) {
	c := b.conn
	b.conn = nil
	stopped := b.stop()
	c.leave(good && stopped)
}

// Close implements io.Closer. It waits for nothing.
func (b *answerBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	b.err = http.ErrBodyReadAfterClose
	switch {
	case b.conn == nil:
	case b.reading:
		b.conn.cut() // Read leaves it
	default:
		b.release(b.keep && b.drain(b.conn))
	}
	return nil
}

// drain reads the rest of the body if that is short and has come in.
func (b *answerBody) drain(c *clientConn) bool {
	if b.kind == untilClose || b.left > maxDrain {
		return false
	}
	c.hurry = true
	var scratch [maxDrain]byte
	for rest := scratch[:]; len(rest) > 0; {
		n, err := b.next(c, rest)
		if err != nil {
			return err == io.EOF
		}
		rest = rest[n:]
	}
	return false
}

// next reads a part of the body. It returns io.EOF at its end only, perhaps
// with the last of it.
func (b *answerBody) next(c *clientConn, p []byte) (n int, err error) {
	switch b.kind {
	case byLength:
		n, err = c.read(p[:min(int64(len(p)), b.left)])
		if b.left -= int64(n); b.left == 0 {
			return n, io.EOF
		}
	case inChunks:
		return b.nextChunks(c, p)
	default:
		return c.read(p)
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// nextChunks reads from as many chunks as have come in, or from one that is
// waited for.
func (b *answerBody) nextChunks(c *clientConn, p []byte) (n int, err error) {
	k := &b.chunk
	for {
		switch {
		case k.state == inData && k.left == 0: // the last one
			if n > 0 && !c.trailed() {
				return n, nil
			}
			return n, b.trailers(c)
		case n > 0 && (c.r == c.w || k.state == inData && n == len(p)):
			return n, nil
		case k.state == inData:
			m, err := c.read(p[n:][:min(uint64(len(p)-n), k.left)])
			n += m
			if k.left -= uint64(m); k.left == 0 {
				k.state = afterData
			}
			if err != nil {
				return n, broken(err)
			}
		default:
			if c.r == c.w {
				if err := c.fill(bufferSize); err != nil {
					return n, broken(err)
				}
			}
			if bad := k.step(c.buf[c.r]); bad != nil {
				return n, badAnswer(bad)
			}
			c.r++
		}
	}
}

func broken(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// trailed tells whether all of the trailers have come in.
func (c *clientConn) trailed() bool {
	in := c.buf[c.r:c.w]
	return bytes.HasPrefix(in, []byte("\r\n")) || bytes.Contains(in, []byte("\r\n\r\n"))
}

// trailers reads what is behind the chunks. When all is well it returns io.EOF.
func (b *answerBody) trailers(c *clientConn) error {
	end, err := c.lines(maxTrailer)
	if err != nil {
		return broken(err)
	}
	in := c.buf[c.r : c.r+end]
	c.r += end
	var all http.Header
	for {
		line, rest, _ := bytes.Cut(in, []byte("\r\n"))
		if len(line) == 0 {
			break
		}
		var h head
		if bad := h.trailer(line); bad != nil {
			return badAnswer(bad)
		}
		if all == nil {
			all = http.Header{}
		}
		name, value, _ := bytes.Cut(line, []byte{':'})
		key := http.CanonicalHeaderKey(string(name))
		all[key] = append(all[key], string(bytes.Trim(value, " \t")))
		in = rest
	}
	if b.resp.Trailer == nil {
		b.resp.Trailer = all
		return io.EOF
	}
	for key, values := range all {
		b.resp.Trailer[key] = values
	}
	return io.EOF
}
