package server

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	stdlog "log"

	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/kit/wire"
)

// Bounds on what a client may take of a server.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	writeTimeout  = 30 * time.Second // for the client to take in what was written
	maxHeader     = 32 << 10         // bytes
)

// listen opens a service's address.
func listen(service, addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s wants %s, but something is listening there already; stop it, or set %s_ADDR", service, addr, App{Name: service}.prefix())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", service, err)
	}
	return slowListener{ln}, nil
}

func newServer(h http.Handler, logger log.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		HTTP2:             http2,
		ConnState:         wire.State,
		ErrorLog:          stdlog.New(log.NewStdlibAdapter(logger), "", 0),
	}
}

// slowListener's connections fail a write that the client does not take in
// within writeTimeout, or until a deadline that a handler has set instead.
// http.Server's own WriteTimeout is for the whole answer, and would cut streams.
type slowListener struct{ net.Listener }

func (l slowListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &slowConn{Conn: c}, nil
}

// guardedListener's connections hand up only requests that can be read in one way.
type guardedListener struct{ net.Listener }

func (l guardedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return wire.Guard(c, maxHeader), nil
}

type slowConn struct {
	net.Conn

	mu     sync.Mutex
	until  time.Time // the deadline that is set; zero for none, or theirs
	theirs bool
}

// SetWriteDeadline sets a deadline that holds until the next one. None at all,
// which is what net/http sets after every answer, gives way to writeTimeout.
func (c *slowConn) SetWriteDeadline(t time.Time) error { return c.set(t, c.Conn.SetWriteDeadline) }

// SetDeadline sets SetWriteDeadline's, and one for reading.
func (c *slowConn) SetDeadline(t time.Time) error { return c.set(t, c.Conn.SetDeadline) }

func (c *slowConn) set(t time.Time, set func(time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until, c.theirs = time.Time{}, !t.IsZero()
	return set(t)
}

// hurry sets the deadline of a write, but not at every write: it costs a lock
// and a timer.
func (c *slowConn) hurry() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.theirs || c.until.Sub(now) >= writeTimeout/2 {
		return nil
	}
	c.until = now.Add(writeTimeout)
	return c.Conn.SetWriteDeadline(c.until)
}

// CloseWrite tells the client that no more will come.
func (c *slowConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// writePiece is how much the client must take in within writeTimeout.
const writePiece = 64 << 10

func (c *slowConn) Write(b []byte) (n int, err error) {
	for {
		if err := c.hurry(); err != nil {
			return n, err
		}
		wrote, err := c.Conn.Write(b[:min(len(b), writePiece)])
		n, b = n+wrote, b[wrote:]
		if err != nil || len(b) == 0 {
			return n, err
		}
	}
}
