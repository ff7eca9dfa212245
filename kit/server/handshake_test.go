package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/kit/server"
)

// said is what a logger was told.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) count(part string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.text.String(), part)
}

// A new pair is taken within seconds, a wrong one never; either is told of once.
func TestCertificateFollowsItsFiles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, dir := newAuthority(t), t.TempDir()
		file := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
		point := func(at string) { // as Kubernetes mounts a secret: all of it changes with one link
			link(t, at, file("new"))
			if err := os.Rename(file("new"), file("data")); err != nil {
				t.Error(err)
			}
		}
		for i, name := range []string{"first", "second"} {
			if err := os.Mkdir(file(name), 0o700); err != nil {
				t.Fatal(err)
			}
			a.write(t, int64(1+i), file(name, "chain"), file(name, "key"))
		}
		point("first")
		link(t, "data/chain", file("chain"))
		link(t, "data/key", file("key"))
		wrong, _ := a.pair(t, 3)
		_, otherKey := a.pair(t, 4)
		expired := a
		expired.life = -time.Minute

		var told said
		c, err := server.OpenCertificate(file("chain"), file("key"), log.NewLogfmtLogger(&told))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go c.Run(ctx)
		for _, step := range []struct {
			name              string
			do                func()
			serial            int64
			infos, errs, warn int
		}{
			{"nothing", func() {}, 1, 0, 0, 0},
			{"another link", func() { point("second") }, 2, 1, 0, 0},
			{"another's chain", func() { replace(t, file("chain"), wrong) }, 2, 1, 1, 0},
			{"another's chain and key", func() { replace(t, file("key"), otherKey) }, 2, 1, 2, 0},
			{"no key", func() { _ = os.Remove(file("key")) }, 2, 1, 3, 0},
			{"no PEM", func() { replace(t, file("key"), []byte("key")) }, 2, 1, 4, 0},
			{"a right pair", func() { a.write(t, 5, file("chain"), file("key")) }, 5, 2, 4, 0},
			{"an expired pair", func() { expired.write(t, 6, file("chain"), file("key")) }, 6, 3, 4, 1},
		} {
			step.do()
			time.Sleep(5 * time.Second)
			if got := c.Serial(); got != step.serial {
				t.Errorf("%s: certificate %d is shown, want %d", step.name, got, step.serial)
			}
			if i, e, w := told.count("level=info"), told.count("level=error"), told.count("level=warn"); i != step.infos || e != step.errs || w != step.warn {
				t.Errorf("%s: %d infos, %d errors, %d warnings, want %d, %d, %d", step.name, i, e, w, step.infos, step.errs, step.warn)
			}
		}
	})
}

func link(t *testing.T, to, name string) {
	t.Helper()
	if err := os.Symlink(to, name); err != nil {
		t.Error(err)
	}
}

// bubble runs f with a service that speaks TLS over pipes, in a bubble of
// time. Dial is a new connection to it.
func bubble(t *testing.T, h http.HandlerFunc, f func(t *testing.T, a authority, p *pipes, dial func() net.Conn)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, dir := newAuthority(t), t.TempDir()
		a.write(t, 1, filepath.Join(dir, "chain"), filepath.Join(dir, "key"))
		c, err := server.OpenCertificate(filepath.Join(dir, "chain"), filepath.Join(dir, "key"), log.NewNopLogger())
		if err != nil {
			t.Fatal(err)
		}
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		s := server.ServeTLS(p, c, h, log.NewNopLogger())
		var clients []net.Conn
		f(t, a, p, func() net.Conn {
			client, conn := net.Pipe()
			clients = append(clients, client)
			p.conns <- conn
			return client
		})
		for _, c := range clients {
			c.Close()
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

func (a authority) client(conn net.Conn, protocol string) *tls.Conn {
	return tls.Client(conn, &tls.Config{RootCAs: a.pool, ServerName: "127.0.0.1", NextProtos: []string{protocol}})
}

// Whoever opens connections and says nothing is cut, and until then keeps
// others out for no longer than a moment.
func TestTLSSilentClients(t *testing.T) {
	bubble(t, func(http.ResponseWriter, *http.Request) {}, func(t *testing.T, a authority, _ *pipes, dial func() net.Conn) {
		began := time.Now()
		first := dial()
		for range 1500 {
			dial()
		}
		if err := a.client(dial(), "http/1.1").Handshake(); err != nil {
			t.Errorf("handshake: %v", err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("a client among silent ones waits %v", took)
		}
		last := dial()
		for _, c := range []net.Conn{first, last} {
			if n, err := io.Copy(io.Discard, c); n > 0 || err != nil {
				t.Errorf("a silent client gets %d bytes, %v", n, err)
			}
		}
		if took := time.Since(began); took > 12*time.Second {
			t.Errorf("a silent client is cut after %v", took)
		}
	})
}

// failing fails to accept, as when the process has no more files, and then recovers.
type failing struct {
	net.Listener
	times int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.times--; f.times >= 0 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept", syscall.EMFILE)}
	}
	return f.Listener.Accept()
}

func TestTLSAcceptRecovers(t *testing.T) {
	t.Parallel()
	a, dir := newAuthority(t), t.TempDir()
	a.write(t, 1, filepath.Join(dir, "chain"), filepath.Join(dir, "key"))
	c, err := server.OpenCertificate(filepath.Join(dir, "chain"), filepath.Join(dir, "key"), log.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := server.ServeTLS(&failing{ln, 3}, c, http.HandlerFunc(echo), log.NewNopLogger())
	defer s.Close()
	conn, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{RootCAs: a.pool})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// A header must come in whole in its time, over HTTP/1 and HTTP/2, also when
// it is not the first of its connection.
func TestTLSSlowHeader(t *testing.T) {
	half := map[string]struct {
		text  string
		after time.Duration
	}{
		"http/1.1": {simple + "GET / HTTP/1.1\r\nHost", 10 * time.Second},
		"h2":       {preface + string(frame(headersFrame, endStream, 1, request)), 45 * time.Second},
	}
	for protocol, tt := range half {
		t.Run(protocol, func(t *testing.T) {
			bubble(t, func(http.ResponseWriter, *http.Request) {}, func(t *testing.T, a authority, _ *pipes, dial func() net.Conn) {
				conn := a.client(dial(), protocol)
				if err := conn.Handshake(); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				go func() { _, _ = io.WriteString(conn, tt.text) }()
				_, _ = io.Copy(io.Discard, conn)
				if took := time.Since(began).Round(time.Second); took > tt.after {
					t.Errorf("cut after %v, want %v", took, tt.after)
				}
			})
		})
	}
}

// Who speaks HTTP where TLS is spoken is told so.
func TestPlainHTTPToTLS(t *testing.T) {
	bubble(t, func(http.ResponseWriter, *http.Request) { t.Error("it is served") }, func(t *testing.T, _ authority, _ *pipes, dial func() net.Conn) {
		conn := dial()
		send(t, conn, simple)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusBadRequest {
			t.Fatalf("answer %v, %v", res, err)
		}
		if text, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(text), "tls_required") {
			t.Errorf("answer %s, %v", text, err)
		}
	})
}

// A connection that a handler takes over is guarded no more, over TLS as without.
func TestTLSHijack(t *testing.T) {
	bubble(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, both, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.CopyN(conn, both, 5)
	}, func(t *testing.T, a authority, _ *pipes, dial func() net.Conn) {
		conn := a.client(dial(), "http/1.1")
		send(t, conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		in := bufio.NewReader(conn)
		if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("answer %v, %v", res, err)
		}
		send(t, conn, "\x81\x00\n\r\n")
		if text, err := io.ReadAll(in); err != nil || string(text) != "\x81\x00\n\r\n" {
			t.Errorf("it echoes %q, %v", text, err)
		}
	})
}
