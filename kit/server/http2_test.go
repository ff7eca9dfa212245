package server_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// frame is a frame of HTTP/2 (RFC 9113, 4.1).
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = append(b, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(b, payload...)
}

const (
	headersFrame, resetFrame, settingsFrame, continuationFrame = 1, 3, 4, 9

	endStream, endHeaders = 1, 4
)

// request is the header of GET / in HPACK, from the static table but for the host.
var request = append([]byte{0x82, 0x87, 0x84, 0x41, 1}, 'x')

// preface is what a client says first.
var preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + string(frame(settingsFrame, 0, 0, nil))

// literal is a field in HPACK, as it is.
func literal(name, value string) []byte {
	b := append([]byte{0, byte(len(name))}, name...)
	return append(append(b, byte(len(value))), value...)
}

func (s secured) http2(t *testing.T) *tls.Conn {
	t.Helper()
	conn := s.dial(t, &tls.Config{NextProtos: []string{"h2"}})
	if p := conn.ConnectionState().NegotiatedProtocol; p != "h2" {
		t.Fatalf("speaks %q", p)
	}
	send(t, conn, preface)
	return conn
}

// Streams that are opened and reset at once (CVE-2023-44487) run no more
// handlers than a client may have, and nobody else waits for them.
func TestRapidReset(t *testing.T) {
	t.Parallel()
	var running, most atomic.Int64
	s := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/other" {
			return
		}
		now := running.Add(1)
		defer running.Add(-1)
		for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
		}
		<-r.Context().Done()
	})
	conn := s.http2(t)
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	cancel := binary.BigEndian.AppendUint32(nil, 8)
	for i := range uint32(20_000) {
		b := append(frame(headersFrame, endStream|endHeaders, 2*i+1, request), frame(resetFrame, 0, 2*i+1, cancel)...)
		if _, err := conn.Write(b); err != nil {
			break // it was sent away
		}
	}
	res, err := s.client(t, true).Get("https://" + s.addr + "/other")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if n := most.Load(); n > 100 {
		t.Errorf("%d handlers ran for one connection", n)
	}
}

// A header that never ends (CVE-2023-45288) is not read for ever.
func TestContinuationFlood(t *testing.T) {
	t.Parallel()
	s := serveTLS(t, echo)
	conn := s.http2(t)
	gone := make(chan struct{})
	go func() { defer close(gone); _, _ = io.Copy(io.Discard, conn) }()
	send(t, conn, string(frame(headersFrame, endStream, 1, request)))
	more := frame(continuationFrame, 0, 1, bytes.Repeat(literal("x", strings.Repeat("v", 100)), 150))
	sent := 0
	for sent < 256<<20 {
		n, err := conn.Write(more)
		if sent += n; err != nil {
			break
		}
	}
	if sent >= 256<<20 {
		t.Error("256 MB of one header were read")
	}
	<-gone
}

// next reads frames up to one of a stream's, and returns its kind and payload.
func next(t *testing.T, conn io.Reader, stream uint32) (kind byte, payload []byte) {
	t.Helper()
	for {
		var head [9]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			t.Fatal(err)
		}
		payload = make([]byte, binary.BigEndian.Uint32(head[:])>>8)
		if _, err := io.ReadFull(conn, payload); err != nil {
			t.Fatal(err)
		}
		if binary.BigEndian.Uint32(head[5:]) == stream {
			return head[3], payload
		}
	}
}

// What HTTP/2 forbids (RFC 9113, 8.2), and a header that is too large, is
// refused before a handler sees it; the connection goes on.
func TestHTTP2Refusals(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	s := serveTLS(t, func(http.ResponseWriter, *http.Request) { served.Add(1) })
	for name, tt := range map[string]struct {
		header []byte
		kind   byte
	}{
		"connection":        {slices.Concat(request, literal("connection", "close")), headersFrame},
		"transfer-encoding": {slices.Concat(request, literal("transfer-encoding", "chunked")), headersFrame},
		"upgrade":           {slices.Concat(request, literal("upgrade", "h2c")), headersFrame},
		"te":                {slices.Concat(request, literal("te", "gzip")), headersFrame},
		"a large letter":    {slices.Concat(request, literal("X-Name", "x")), resetFrame},
		"CR LF in a value":  {slices.Concat(request, literal("x", "a\r\nb: c")), resetFrame},
		"no path":           {[]byte{0x82, 0x87}, resetFrame},
		"too large":         {slices.Concat(request, bytes.Repeat(literal("x", strings.Repeat("v", 100)), 300)), headersFrame},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := s.http2(t)
			for flags, kind, rest := byte(endStream), byte(headersFrame), tt.header; ; flags, kind = 0, continuationFrame {
				n := min(len(rest), 16<<10)
				if n == len(rest) {
					flags |= endHeaders
				}
				send(t, conn, string(frame(kind, flags, 1, rest[:n])))
				if rest = rest[n:]; len(rest) == 0 {
					break
				}
			}
			if kind, payload := next(t, conn, 1); kind != tt.kind {
				t.Errorf("answered with a frame of kind %d: %q", kind, payload)
			}
			send(t, conn, string(frame(headersFrame, endStream|endHeaders, 3, request)))
			if kind, payload := next(t, conn, 3); kind != headersFrame {
				t.Errorf("the next request is answered with a frame of kind %d: %q", kind, payload)
			}
		})
	}
	t.Cleanup(func() {
		if n := served.Load(); n != 8 {
			t.Errorf("%d requests are served, want the good ones: 8", n)
		}
	})
}
