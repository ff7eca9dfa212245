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
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/kit/wire"
)

// Certificate is a chain of certificates and its key, in two PEM files that
// may be replaced at any time.
type Certificate struct {
	chain, key string // the files
	logger     log.Logger
	seen       [2][]byte // what was in them the last time
	pair       atomic.Pointer[tls.Certificate]
}

func openCertificate(chain, key string, logger log.Logger) (*Certificate, error) {
	c := &Certificate{chain: chain, key: key, logger: logger}
	seen, err := c.read()
	if err != nil {
		return nil, err
	}
	return c, c.take(seen)
}

func (c *Certificate) read() (seen [2][]byte, err error) {
	if seen[0], err = os.ReadFile(c.chain); err == nil {
		seen[1], err = os.ReadFile(c.key)
	}
	return seen, err
}

func (c *Certificate) take(seen [2][]byte) error {
	c.seen = seen
	pair, err := tls.X509KeyPair(seen[0], seen[1])
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
// file is replaced before the other, so a pair that doesn't match may be right
// a moment later, and is told of only if it stays.
func (c *Certificate) run(ctx context.Context) {
	ticker := time.NewTicker(reloadEvery)
	defer ticker.Stop()
	var waiting [2][]byte
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		seen, err := c.read()
		same := func(other [2][]byte) bool { return bytes.Equal(seen[0], other[0]) && bytes.Equal(seen[1], other[1]) }
		switch {
		case err == nil && same(c.seen):
			continue
		case !same(waiting): // once more, lest it be half written
			waiting = seen
			continue
		case err == nil:
			err = c.take(seen)
		default:
			c.seen = seen
		}
		if err != nil {
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
	maxHandshakes    = 512 // at once; more wait in the kernel's queue
)

// secureListener speaks TLS. The handshake comes before Accept, because the
// guard must stand above TLS for HTTP/1, while net/http wants a *tls.Conn for
// HTTP/2.
type secureListener struct {
	net.Listener
	config *tls.Config
	ready  chan net.Conn
	failed chan error
	closed chan struct{}
	close  sync.Once
}

func secure(ln net.Listener, c *Certificate) net.Listener {
	l := &secureListener{
		Listener: ln, config: c.config(),
		ready: make(chan net.Conn), failed: make(chan error, 1), closed: make(chan struct{}),
	}
	go l.accept()
	return l
}

func (l *secureListener) accept() {
	places := make(chan struct{}, maxHandshakes)
	for {
		conn, err := l.Listener.Accept()
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			continue
		}
		if err != nil {
			l.failed <- err
			return
		}
		places <- struct{}{}
		go func() {
			defer func() { <-places }()
			l.greet(conn)
		}()
	}
}

func (l *secureListener) greet(conn net.Conn) {
	secured := tls.Server(conn, l.config)
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	if secured.HandshakeContext(ctx) != nil {
		conn.Close()
		return
	}
	var ready net.Conn = secured
	if state := secured.ConnectionState(); state.NegotiatedProtocol != "h2" {
		ready = &securedConn{wire.Guard(secured, maxHeader), state}
	}
	select {
	case l.ready <- ready:
	case <-l.closed:
		conn.Close()
	}
}

func (l *secureListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case err := <-l.failed:
		l.failed <- err
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *secureListener) Close() error {
	l.close.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// securedConn is a guarded connection over TLS, to which net/http is blind.
type securedConn struct {
	*wire.Conn
	state tls.ConnectionState
}

type stateKey struct{}

func connContext(ctx context.Context, c net.Conn) context.Context {
	if c, ok := c.(*securedConn); ok {
		return context.WithValue(ctx, stateKey{}, &c.state)
	}
	return ctx
}

// tellTLS makes a request over a securedConn say so.
func tellTLS(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if state, ok := r.Context().Value(stateKey{}).(*tls.ConnectionState); ok {
			r.TLS = state
		}
		h.ServeHTTP(w, r)
	})
}

// http2 bounds what a client may ask of a connection (CVE-2023-44487 and
// CVE-2023-45288 are what net/http does beyond that).
var http2 = &http.HTTP2Config{
	MaxConcurrentStreams: 100,
	SendPingTimeout:      30 * time.Second,
	PingTimeout:          15 * time.Second,
	WriteByteTimeout:     writeTimeout,
}
