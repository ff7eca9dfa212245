package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/wire"
)

// Certificate is a chain of certificates and its key, in two PEM files that
// may be replaced at any time.
type Certificate struct {
	chain, key string // the files
	logger     log.Logger
	taken      look
	pair       atomic.Pointer[tls.Certificate]
}

// look is what was in the two files at one time.
type look struct {
	chain, key []byte
	err        error
}

func (l look) same(other look) bool {
	return bytes.Equal(l.chain, other.chain) && bytes.Equal(l.key, other.key) && (l.err == nil) == (other.err == nil)
}

func openCertificate(chain, key string, logger log.Logger) (*Certificate, error) {
	c := &Certificate{chain: chain, key: key, logger: logger}
	return c, c.take(c.look())
}

func (c *Certificate) look() (l look) {
	if l.chain, l.err = os.ReadFile(c.chain); l.err == nil {
		l.key, l.err = os.ReadFile(c.key)
	}
	return l
}

// take serves with what was found, if that is right.
func (c *Certificate) take(l look) error {
	c.taken = l
	if l.err != nil {
		return l.err
	}
	pair, err := tls.X509KeyPair(l.chain, l.key)
	if err != nil {
		return fmt.Errorf("%s and %s: %w", c.chain, c.key, err)
	}
	if now := time.Now(); now.After(pair.Leaf.NotAfter) || now.Before(pair.Leaf.NotBefore) {
		_ = c.logger.Log("level", "warn", "msg", "the certificate is not valid now", "from", pair.Leaf.NotBefore, "to", pair.Leaf.NotAfter)
	}
	c.pair.Store(&pair)
	return nil
}

// reloadEvery is how often the files are looked at. Their content is, because
// a link that changes, or a second write within one second, shows nowhere else.
const reloadEvery = time.Second

// run takes a new pair when it is right; until then the old one serves. One
// file is replaced before the other, so what is new is judged when it has not
// changed from one look to the next, and is told of once.
func (c *Certificate) run(ctx context.Context) {
	ticker := time.NewTicker(reloadEvery)
	defer ticker.Stop()
	for last := c.taken; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := c.look()
		settled := now.same(last)
		last = now
		if !settled || now.same(c.taken) {
			continue
		}
		if err := c.take(now); err != nil {
			_ = c.logger.Log("level", "error", "msg", "the new certificate is refused, the old one serves", "err", err)
		} else {
			_ = c.logger.Log("level", "info", "msg", "new certificate", "until", c.pair.Load().Leaf.NotAfter)
		}
	}
}

func (c *Certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.pair.Load(), nil },
	}
}

// Bounds on what a client may take before it has shown that it speaks TLS.
const (
	handshakeTimeout = 10 * time.Second
	maxHandshakes    = 1024 // at once
	patience         = time.Second
)

// secureListener speaks TLS. The handshake comes before Accept, because the
// guard must stand above TLS for HTTP/1, while net/http wants a *tls.Conn for
// HTTP/2.
type secureListener struct {
	net.Listener
	config   *tls.Config
	accepted chan accepted
	open     context.Context // ends when the listener is closed
	end      context.CancelFunc
}

type accepted struct {
	conn net.Conn
	err  error
}

func secure(ln net.Listener, c *Certificate) net.Listener {
	l := &secureListener{Listener: ln, config: c.config(), accepted: make(chan accepted)}
	l.open, l.end = context.WithCancel(context.Background())
	go l.accept()
	return l
}

// greeting is a handshake that is under way, or over.
type greeting struct {
	context.Context
	cancel context.CancelFunc
	began  time.Time
}

// accept begins a handshake with each client. When there are too many, the
// first of them has patience before it is cut, so that those who say nothing
// keep nobody out for longer.
func (l *secureListener) accept() {
	var latest [maxHandshakes]greeting
	for n := 0; l.open.Err() == nil; n++ {
		conn, err := l.Listener.Accept()
		if err != nil {
			l.hand(nil, err) // net/http waits a while and asks again, or ends
			continue
		}
		g := &latest[n%maxHandshakes]
		if g.cancel != nil {
			select {
			case <-g.Done():
			case <-time.After(patience - time.Since(g.began)):
			}
			g.cancel()
		}
		g.began = time.Now()
		g.Context, g.cancel = context.WithTimeout(l.open, handshakeTimeout)
		go l.greet(*g, conn)
	}
}

// hand gives a connection or an error to Accept, unless nobody asks any more.
func (l *secureListener) hand(conn net.Conn, err error) bool {
	select {
	case l.accepted <- accepted{conn, err}:
		return true
	case <-l.open.Done():
		return false
	}
}

var errPlain = fault.New(fault.Malformed, "tls_required", "This port speaks HTTPS.")

func (l *secureListener) greet(g greeting, conn net.Conn) {
	secured := tls.Server(conn, l.config)
	err := secured.HandshakeContext(g)
	g.cancel()
	if err != nil {
		// No record of TLS begins with a letter, and every request does.
		if plain, ok := errors.AsType[tls.RecordHeaderError](err); ok && plain.Conn != nil && plain.RecordHeader[0] >= 'A' {
			_ = wire.Answer(plain.Conn, errPlain, "")
		}
		conn.Close()
		return
	}
	var ready net.Conn = secured
	if secured.ConnectionState().NegotiatedProtocol != "h2" {
		ready = securedConn{wire.Guard(secured, maxHeader), secured}
	}
	if !l.hand(ready, nil) {
		conn.Close()
	}
}

func (l *secureListener) Accept() (net.Conn, error) {
	select {
	case a := <-l.accepted:
		return a.conn, a.err
	case <-l.open.Done():
		return nil, net.ErrClosed
	}
}

func (l *secureListener) Close() error {
	l.end()
	return l.Listener.Close()
}

// securedConn is a guarded connection over TLS. Its ConnectionState is what
// net/http makes a request's TLS of.
type securedConn struct {
	*wire.Conn
	tls *tls.Conn
}

func (c securedConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// http2 bounds what a client may ask of a connection. How fast it may reset
// streams, and how long its headers may go on, net/http bounds itself.
var http2 = &http.HTTP2Config{
	MaxConcurrentStreams:          100,
	MaxDecoderHeaderTableSize:     4 << 10,
	MaxEncoderHeaderTableSize:     4 << 10,
	MaxReadFrameSize:              16 << 10,
	MaxReceiveBufferPerConnection: 1 << 20,
	MaxReceiveBufferPerStream:     256 << 10,
	SendPingTimeout:               30 * time.Second,
	PingTimeout:                   15 * time.Second,
	WriteByteTimeout:              writeTimeout,
}
