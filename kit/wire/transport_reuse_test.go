package wire_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/wire"
)

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// counted serves answers on as many connections as are opened.
func counted(t *testing.T, answer string) (url string, conns *atomic.Int64) {
	conns = new(atomic.Int64)
	return raw(t, func(_ int, c net.Conn, in *bufio.Reader) {
		conns.Add(1)
		for {
			if _, err := hear(in); err != nil {
				return
			}
			io.WriteString(c, answer)
		}
	}), conns
}

func TestTransportKeepsConnections(t *testing.T) {
	for _, c := range []struct {
		name, method, answer string
		read                 int // bytes, all if negative
		fresh                bool
	}{
		{name: "length", answer: ok, read: -1},
		{name: "empty", answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", read: -1},
		{name: "chunks", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: 1\r\n\r\n", read: -1},
		{name: "HEAD", method: "HEAD", answer: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", read: -1},
		{name: "204", answer: "HTTP/1.1 204 No Content\r\n\r\n", read: -1},
		{name: "304", answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", read: -1},
		{name: "old, kept", answer: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", read: -1},
		{name: "interim", answer: "HTTP/1.1 103 Early Hints\r\n\r\n" + ok, read: -1},
		{name: "not read", answer: ok},
		{name: "half read", answer: ok, read: 1},
		{name: "chunks, half read", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", read: 2},
		{name: "4 KiB not read", answer: "HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n" + strings.Repeat("x", 4096)},

		{name: "close", answer: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", read: -1, fresh: true},
		{name: "old", answer: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", read: -1, fresh: true},
		{name: "more behind", answer: ok + ok, read: -1, fresh: true},
		{name: "body of a 204", answer: "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", read: -1, fresh: true},
		{name: "body of a HEAD", method: "HEAD", answer: ok, read: -1, fresh: true},
		{name: "much not read", answer: "HTTP/1.1 200 OK\r\nContent-Length: 4097\r\n\r\n" + strings.Repeat("x", 4097), fresh: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			noLeak(t)
			url, conns := counted(t, c.answer)
			rt := &wire.Transport{}
			defer rt.CloseIdleConnections()
			for range 5 {
				resp, err := rt.RoundTrip(request(t, c.method, url, nil))
				if err != nil {
					t.Fatal(err)
				}
				if c.read < 0 {
					_, err = io.Copy(io.Discard, resp.Body)
				} else {
					time.Sleep(time.Millisecond) // all of it is there
					_, err = io.ReadFull(resp.Body, make([]byte, c.read))
				}
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				resp.Body.Close()
				if n, err := resp.Body.Read(make([]byte, 1)); n > 0 || err == nil {
					t.Fatal(n, err)
				}
			}
			want := int64(1)
			if c.fresh {
				want = 5
			}
			if conns.Load() != want {
				t.Errorf("%d connections, want %d", conns.Load(), want)
			}
		})
	}
}

// A request that says Close leaves no connection.
func TestTransportRequestClose(t *testing.T) {
	url, conns := counted(t, ok)
	rt := &wire.Transport{}
	for range 3 {
		r := request(t, "GET", url, nil)
		r.Close = true
		if _, err := carry(rt, r); err != nil {
			t.Fatal(err)
		}
	}
	if conns.Load() != 3 {
		t.Error(conns.Load())
	}
}

// What a server may do with a connection on which it answered once: no POST is
// carried out twice, and none fails that was not heard.
func TestTransportStaleConnection(t *testing.T) {
	late := func(c net.Conn, in *bufio.Reader, heard func()) { // reads the request, and closes
		if _, err := hear(in); err == nil {
			heard()
		}
	}
	reset := func(c net.Conn, in *bufio.Reader, heard func()) {
		if _, err := in.Peek(1); err == nil {
			c.(*net.TCPConn).SetLinger(0)
		}
	}
	half := func(c net.Conn, in *bufio.Reader, heard func()) {
		late(c, in, heard)
		io.WriteString(c, "HTTP/1.1 2")
	}
	atOnce := func(net.Conn, *bufio.Reader, func()) {}
	unasked := func(c net.Conn, in *bufio.Reader, heard func()) {
		io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		in.Peek(1)
	}
	for _, c := range []struct {
		name, method, key string
		then              func(c net.Conn, in *bufio.Reader, heard func())
		fails             bool
		heard             int64 // of the second request
	}{
		{name: "closed while idle", method: "POST", then: atOnce, heard: 1},
		{name: "closed while idle", method: "GET", then: atOnce, heard: 1},
		{name: "unasked answer", method: "POST", then: unasked, heard: 1},
		{name: "closed when heard", method: "POST", then: late, fails: true, heard: 1},
		{name: "closed when heard", method: "PATCH", then: late, fails: true, heard: 1},
		{name: "closed when heard", method: "GET", then: late, heard: 2},
		{name: "closed when heard, with a key", method: "POST", key: "1", then: late, heard: 2},
		{name: "reset", method: "POST", then: reset, fails: true},
		{name: "reset", method: "GET", then: reset, heard: 1},
		{name: "half an answer", method: "GET", then: half, fails: true, heard: 1},
	} {
		t.Run(c.name+"/"+c.method, func(t *testing.T) {
			noLeak(t)
			var heard atomic.Int64
			url := raw(t, func(n int, conn net.Conn, in *bufio.Reader) {
				if _, err := hear(in); err != nil {
					return
				}
				if n > 0 {
					heard.Add(1)
				}
				io.WriteString(conn, ok)
				if n == 0 {
					c.then(conn, in, func() { heard.Add(1) })
					return
				}
				in.Peek(1)
			})
			rt := &wire.Transport{}
			defer rt.CloseIdleConnections()
			if _, err := carry(rt, request(t, "GET", url, nil)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Millisecond) // what happens on loopback has happened
			var body io.Reader
			if c.method != "GET" {
				body = strings.NewReader("hello")
			}
			r := request(t, c.method, url, body)
			r.GetBody = nil
			if c.key != "" {
				r.Header.Set("Idempotency-Key", c.key)
			}
			o, err := carry(rt, r)
			if c.fails != (err != nil) || heard.Load() != c.heard || err == nil && o.Body != "ok" {
				t.Errorf("%+v, %v; heard %d times", o, err, heard.Load())
			}
		})
	}
}

// A server that closes connections whenever it likes never gets a POST twice.
func TestTransportNeverTwice(t *testing.T) {
	var got sync.Map
	url := raw(t, func(n int, c net.Conn, in *bufio.Reader) {
		for i := 0; ; i++ {
			c.SetReadDeadline(time.Now().Add(time.Duration(n*37%211) * time.Microsecond * 5))
			r, err := hear(in)
			if err != nil {
				return
			}
			b, _ := io.ReadAll(r.Body)
			if _, twice := got.LoadOrStore(string(b), true); twice {
				t.Errorf("%s came twice", b)
			}
			if (n+i)%5 == 0 {
				return
			}
			io.WriteString(c, ok)
		}
	})
	rt := &wire.Transport{}
	defer rt.CloseIdleConnections()
	var failed atomic.Int64
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 300 {
				r := request(t, "POST", url, strings.NewReader(fmt.Sprint("p", w, "-", i)))
				if _, err := carry(rt, r); err != nil {
					failed.Add(1)
				}
				time.Sleep(time.Duration(i%13) * 20 * time.Microsecond)
			}
		})
	}
	all.Wait()
	t.Logf("%d of 1200 failed", failed.Load())
}

// An answer that comes, with the end of the connection, before the request is
// all sent is the answer.
func TestTransportEarlyAnswer(t *testing.T) {
	url := raw(t, func(_ int, c net.Conn, in *bufio.Reader) {
		io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
		in.Peek(1)
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, in)
	})
	o, err := carry(&wire.Transport{}, request(t, "POST", url, strings.NewReader(strings.Repeat("x", 64<<10))))
	if err != nil || o.Code != 413 || o.Body != "no" {
		t.Error(o, err)
	}
}

// So it is when the request can't be written any more.
func TestTransportAnswerBeforeReset(t *testing.T) {
	url := raw(t, func(_ int, c net.Conn, in *bufio.Reader) {
		io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
	})
	for range 100 {
		o, err := carry(&wire.Transport{}, request(t, "POST", url, strings.NewReader(strings.Repeat("x", 64<<10))))
		if err != nil || o.Code != 413 || o.Body != "no" {
			t.Fatal(o, err)
		}
	}
}

func TestTransportIdleConnectionsEnd(t *testing.T) {
	noLeak(t)
	var open atomic.Int64
	url := raw(t, func(_ int, c net.Conn, in *bufio.Reader) {
		open.Add(1)
		defer open.Add(-1)
		for {
			if _, err := hear(in); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
			io.WriteString(c, ok)
		}
	})
	many := func(rt http.RoundTripper, n int) {
		var all sync.WaitGroup
		for range n {
			all.Go(func() {
				if _, err := carry(rt, request(t, "GET", url, nil)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	is := func(n int64) bool { return within(2*time.Second, func() bool { return open.Load() == n }) }

	rt := &wire.Transport{IdleTimeout: 100 * time.Millisecond, MaxIdlePerHost: 3}
	many(rt, 8)
	if !is(3) {
		t.Errorf("%d connections are open, want 3", open.Load())
	}
	if !is(0) {
		t.Errorf("%d connections are open after the idle timeout", open.Load())
	}
	rt = &wire.Transport{}
	many(rt, 3)
	rt.CloseIdleConnections()
	if !is(0) {
		t.Errorf("%d connections are open after CloseIdleConnections", open.Load())
	}
	resp, err := rt.RoundTrip(request(t, "GET", url, nil))
	if err != nil {
		t.Fatal(err)
	}
	rt.CloseIdleConnections()
	io.Copy(io.Discard, resp.Body)
	if !is(0) {
		t.Errorf("%d connections are open that were in use at CloseIdleConnections", open.Load())
	}
}

// Close ends a Read that waits, and the connection with it.
func TestTransportCloseWhileReading(t *testing.T) {
	noLeak(t)
	gone := make(chan struct{})
	url := raw(t, func(_ int, c net.Conn, in *bufio.Reader) {
		hear(in)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
		in.Peek(1)
		close(gone)
	})
	resp, err := new(wire.Transport).RoundTrip(request(t, "GET", url, nil))
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Millisecond, func() { resp.Body.Close() })
	b, err := io.ReadAll(resp.Body)
	if string(b) != "ok" || !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Error(string(b), err)
	}
	<-gone
}
