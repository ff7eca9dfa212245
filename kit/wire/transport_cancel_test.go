package wire_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/wire"
)

// A request whose context ends is over at once, at whatever stage.
func TestTransportCancel(t *testing.T) {
	silent := func(c net.Conn, in *bufio.Reader) { io.Copy(io.Discard, in) }
	pipe := func(r *http.Request) func() {
		in, out := io.Pipe()
		r.Method, r.Body, r.ContentLength = "POST", in, 5
		return func() { out.Close() }
	}
	for _, c := range []struct {
		name   string
		serve  func(c net.Conn, in *bufio.Reader)
		change func(*http.Request) (done func())
		body   bool // it is the answer's that is not read to its end
	}{
		{name: "its body", serve: silent, change: pipe},
		{name: "no answer", serve: silent},
		{name: "in the header", serve: func(c net.Conn, in *bufio.Reader) {
			hear(in)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nX: ")
			silent(c, in)
		}},
		{name: "after an interim answer", serve: func(c net.Conn, in *bufio.Reader) {
			hear(in)
			io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\n")
			silent(c, in)
		}},
		{name: "in the body", body: true, serve: func(c net.Conn, in *bufio.Reader) {
			hear(in)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")
			silent(c, in)
		}},
		{name: "between chunks", body: true, serve: func(c net.Conn, in *bufio.Reader) {
			hear(in)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n")
			silent(c, in)
		}},
		{name: "until close", body: true, serve: func(c net.Conn, in *bufio.Reader) {
			hear(in)
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nhe")
			silent(c, in)
		}},
	} {
		for _, deadline := range []bool{false, true} {
			t.Run(c.name, func(t *testing.T) {
				noLeak(t)
				url := raw(t, func(_ int, conn net.Conn, in *bufio.Reader) { c.serve(conn, in) })
				ctx, cancel := context.WithCancel(t.Context())
				want := context.Canceled
				if deadline {
					ctx, cancel = context.WithTimeout(t.Context(), 30*time.Millisecond)
					want = context.DeadlineExceeded
				} else {
					time.AfterFunc(30*time.Millisecond, cancel)
				}
				defer cancel()
				rt := &wire.Transport{}
				r := request(t, "GET", url, nil).WithContext(ctx)
				if c.change != nil {
					defer c.change(r)()
				}
				begin := time.Now()
				o, err := carry(rt, r)
				if took := time.Since(begin); !errors.Is(err, want) || c.body != o.BodyFailed || took > 2*time.Second {
					t.Errorf("%+v, %v after %s", o, err, took)
				}
				if c.body && o.Body != "he" {
					t.Error(o.Body)
				}
			})
		}
	}
}

func TestTransportCancelledBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := request(t, "POST", "http://127.0.0.1:1", nil).WithContext(ctx)
	body := withBody(r, "hello", 5)
	if _, err := new(wire.Transport).RoundTrip(r); err != context.Canceled || !body.closed.Load() {
		t.Error(err)
	}
}

// An answer's body that nobody reads nor closes holds no connection once the
// context has ended.
func TestTransportCancelForgotten(t *testing.T) {
	noLeak(t)
	gone := make(chan struct{})
	url := raw(t, func(_ int, c net.Conn, in *bufio.Reader) {
		hear(in)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")
		in.Peek(1)
		close(gone)
	})
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := new(wire.Transport).RoundTrip(request(t, "GET", url, nil).WithContext(ctx)); err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Error("the connection is open")
	}
}

// A context that ends just as the answer does cuts no other request's connection.
func TestTransportCancelLate(t *testing.T) {
	url, _ := counted(t, ok)
	rt := &wire.Transport{}
	defer rt.CloseIdleConnections()
	for i := range 2000 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(time.Duration(i%100) * time.Microsecond)
			cancel()
		}()
		if _, err := carry(rt, request(t, "GET", url, nil).WithContext(ctx)); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if o, err := carry(rt, request(t, "POST", url, strings.NewReader("x"))); err != nil || o.Body != "ok" {
			t.Fatal(o, err)
		}
		<-done
	}
}
