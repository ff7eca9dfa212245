package server_test

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/kit/server"
)

// pipes is a listener without a network: in a bubble of time its connections
// wait as long as they like.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// serve runs f as a client of h, with a connection at its disposal.
func serve(t *testing.T, h http.HandlerFunc, f func(t *testing.T, conn net.Conn)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		s := server.Serve(p, h, log.NewNopLogger())
		client, conn := net.Pipe()
		p.conns <- conn
		f(t, client)
		client.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

const simple = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// A client that does not take in its answer is cut, and the handler is freed.
func TestSlowReader(t *testing.T) {
	var freed chan error
	serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.WriteString(w, strings.Repeat("x", 1<<20))
		freed <- err
	}, func(t *testing.T, conn net.Conn) {
		began := time.Now()
		freed = make(chan error, 1) // of this bubble
		send(t, conn, simple)
		if _, err := io.ReadFull(conn, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		if err := <-freed; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the handler's write: %v", err)
		}
		if took := time.Since(began); took < 15*time.Second || took > 31*time.Second {
			t.Errorf("cut after %v, want about 30 s", took)
		}
	})
}

// So is one that took in an answer before: net/http takes deadlines back when
// an answer has ended.
func TestSlowReaderOfASecondAnswer(t *testing.T) {
	var freed chan error
	serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		_, err := io.WriteString(w, strings.Repeat("x", 1<<20))
		freed <- err
	}, func(t *testing.T, conn net.Conn) {
		freed = make(chan error, 1)
		send(t, conn, simple)
		if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || res.StatusCode != http.StatusNoContent {
			t.Fatal(res, err)
		}
		began := time.Now()
		send(t, conn, strings.Replace(simple, "/", "/large", 1))
		if err := <-freed; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the handler's write: %v", err)
		}
		if took := time.Since(began); took > 31*time.Second {
			t.Errorf("cut after %v, want about 30 s", took)
		}
	})
}

// A handler's own deadline holds, and taken back it gives way to the usual one.
func TestDeadlineOfAHandler(t *testing.T) {
	for name, tt := range map[string]struct{ own, after time.Duration }{
		"shorter":    {time.Second, time.Second},
		"longer":     {time.Minute, time.Minute},
		"taken back": {0, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			var freed chan error
			serve(t, func(w http.ResponseWriter, _ *http.Request) {
				_ = http.NewResponseController(w).Flush() // which sets the usual one
				if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(cmp.Or(tt.own, time.Second))); err != nil {
					t.Error(err)
				}
				if tt.own == 0 {
					if err := http.NewResponseController(w).SetWriteDeadline(time.Time{}); err != nil {
						t.Error(err)
					}
				}
				_, err := io.WriteString(w, strings.Repeat("x", 1<<20))
				freed <- err
			}, func(t *testing.T, conn net.Conn) {
				freed = make(chan error, 1)
				send(t, conn, simple)
				if _, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				if err := <-freed; !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("the handler's write: %v", err)
				}
				if took := time.Since(began).Round(time.Second); took != tt.after {
					t.Errorf("cut after %v, want %v", took, tt.after)
				}
			})
		})
	}
}

// A stream may go on for as long as its client listens, with pauses.
func TestStreamIsNotCut(t *testing.T) {
	serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 100 {
			time.Sleep(20 * time.Second)
			if _, err := io.WriteString(w, strings.Repeat("x", 4<<10)); err != nil {
				t.Error(err)
				return
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
				return
			}
		}
	}, func(t *testing.T, conn net.Conn) {
		send(t, conn, simple)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, res.Body); n != 400<<10 || err != nil {
			t.Errorf("the client got %d bytes, %v", n, err)
		}
	})
}

func TestSlowSender(t *testing.T) {
	for name, tt := range map[string]struct {
		text  string
		after time.Duration
	}{
		"half a header":         {"GET / HTTP/1.1\r\nHost: x\r\n", 10 * time.Second},
		"nothing":               {"", 10 * time.Second},
		"half after another":    {simple + "GET / HTTP/1.1\r\nHost", 10 * time.Second},
		"nothing after another": {simple, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, func(t *testing.T, conn net.Conn) {
				began := time.Now()
				send(t, conn, tt.text)
				if _, err := io.Copy(io.Discard, conn); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took.Round(time.Second) != tt.after {
					t.Errorf("cut after %v, want %v", took, tt.after)
				}
			})
		})
	}
}

func TestLargeHeader(t *testing.T) {
	serve(t, func(http.ResponseWriter, *http.Request) { t.Error("it is served") }, func(t *testing.T, conn net.Conn) {
		go func() {
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 64<<10)+"\r\n\r\n")
		}()
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("answer is %v, %v", res, err)
		}
		_, _ = io.Copy(io.Discard, conn)
	})
}
