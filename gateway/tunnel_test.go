package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/gateway"
)

// frame is one of a WebSocket's (RFC 6455, 5.2). first has the FIN bit and the opcode.
type frame struct {
	first   byte
	payload string
}

const (
	text, binaryFrame, continuation, closing, ping, fin = 1, 2, 0, 8, 9, 0x80
)

func (f frame) bytes(masked bool) []byte {
	b, mask := []byte{f.first, 0}, byte(0)
	if masked {
		mask = 0x80
	}
	switch n := len(f.payload); {
	case n < 126:
		b[1] = mask | byte(n)
	case n < 1<<16:
		b[1] = mask | 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = mask | 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	if !masked {
		return append(b, f.payload...)
	}
	key := []byte{1, 2, 3, 4}
	b = append(b, key...)
	for i := range len(f.payload) {
		b = append(b, f.payload[i]^key[i%4])
	}
	return b
}

func readFrame(in *bufio.Reader) (f frame, err error) {
	var head [2]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return f, err
	}
	n := uint64(head[1] & 0x7f)
	if size := map[uint64]int{126: 2, 127: 8}[n]; size > 0 {
		long := make([]byte, 8)
		if _, err := io.ReadFull(in, long[8-size:]); err != nil {
			return f, io.ErrUnexpectedEOF
		}
		n = binary.BigEndian.Uint64(long)
	}
	var key [4]byte
	if head[1]&0x80 != 0 {
		if _, err := io.ReadFull(in, key[:]); err != nil {
			return f, io.ErrUnexpectedEOF
		}
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(in, payload); err != nil {
		return f, io.ErrUnexpectedEOF
	}
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return frame{head[0], string(payload)}, nil
}

// upgraded answers a WebSocket's handshake and hands it to serve.
func upgraded(serve func(conn *net.TCPConn, in *bufio.Reader, r *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" {
			http.Error(w, "no upgrade", http.StatusUpgradeRequired)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade, X-Hop\r\nX-Hop: 1\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
		serve(conn.(*net.TCPConn), rw.Reader, r)
	}
}

// echo sends back every frame; after the client's last, "bye".
func echo(conn *net.TCPConn, in *bufio.Reader, _ *http.Request) {
	for {
		f, err := readFrame(in)
		if err != nil {
			_, _ = conn.Write(frame{fin | text, "bye"}.bytes(false))
			return
		}
		if _, err := conn.Write(f.bytes(false)); err != nil || f.first == fin|closing {
			return
		}
	}
}

// open opens a WebSocket.
func (f *front) open(t testing.TB, path string, headers ...string) *wire {
	t.Helper()
	w := f.dial(t)
	w.send(append([]string{"GET " + path + " HTTP/1.1", "Host: x", "Connection: keep-alive, Upgrade", "Upgrade: WebSocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}, headers...)...)
	res := w.answer("GET")
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-Websocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" ||
		res.Header.Get("Connection") != "Upgrade" || res.Header.Get("Upgrade") != "websocket" || res.Header.Get("X-Hop") != "" || res.Header.Get("X-Request-Id") == "" {
		t.Fatalf("%s %v", res.Status, res.Header)
	}
	return w
}

func (w *wire) push(f frame) {
	w.t.Helper()
	w.say(string(f.bytes(true)))
}

func (w *wire) pull(want frame) {
	w.t.Helper()
	if got, err := readFrame(w.in); err != nil || got != want {
		w.t.Errorf("came %x of %d bytes, %v; want %x of %d", got.first, len(got.payload), err, want.first, len(want.payload))
	}
}

// ended waits for the end of what comes.
func (w *wire) ended() {
	w.t.Helper()
	if rest, err := io.ReadAll(w.in); len(rest) > 0 || errors.As(err, new(net.Error)) && err.(net.Error).Timeout() {
		w.t.Errorf("came %q, %v", rest, err)
	}
}

func TestTunnel(t *testing.T) {
	t.Parallel()
	f := start(t)
	seen := make(chan http.Header, 1)
	f.service(t, "things", document("GET /v1/ws "+personal), upgraded(func(conn *net.TCPConn, in *bufio.Reader, r *http.Request) {
		seen <- r.Header
		echo(conn, in, r)
	}))
	f.known(t, "/v1/ws")
	w := f.open(t, "/v1/ws", "Authorization: Bearer "+f.token(t), "X-User-Id: root", "X-Request-Id: mine")
	if h := <-seen; uuid.Validate(h.Get("X-User-Id")) != nil || h.Get("X-Forwarded-For") != "127.0.0.1" || h.Get("Upgrade") != "websocket" {
		t.Errorf("forwarded: %v", h)
	}
	for _, frames := range [][]frame{
		{{fin | text, "hi"}},
		{{fin | text, ""}},
		{{fin | binaryFrame, strings.Repeat("0123456789", 20_000)}},
		{{fin | text, strings.Repeat("x", 125)}, {fin | text, strings.Repeat("x", 126)}, {fin | text, strings.Repeat("x", 1<<16-1)}, {fin | text, strings.Repeat("x", 1<<16)}},
		{{text, "frag"}, {fin | ping, "?"}, {continuation, "men"}, {fin | continuation, "ted"}},
	} {
		for _, one := range frames {
			w.push(one)
		}
		for _, one := range frames {
			w.pull(one)
		}
	}
	_ = w.CloseWrite() // one direction ends before the other
	w.pull(frame{fin | text, "bye"})
	w.ended()
	if line := f.logged(t, "mine"); line.Status != 101 {
		t.Errorf("logged as %+v", line)
	}
}

func TestTunnelEnds(t *testing.T) {
	t.Parallel()
	f := start(t)
	over := make(chan error, 1)
	f.service(t, "things", document("GET /v1/reads "+public, "GET /v1/leaves "+public, "GET /v1/deaf "+public), upgraded(func(conn *net.TCPConn, in *bufio.Reader, r *http.Request) {
		switch r.URL.Path {
		case "/v1/leaves":
			_, _ = conn.Write(frame{fin | text, "so long"}.bytes(false))
			_ = conn.SetLinger(0)
		case "/v1/deaf": // to the end of what the client sends
			_, _ = io.Copy(io.Discard, in)
			_ = conn.SetReadDeadline(time.Time{})
			_, err := io.Copy(conn, endless{})
			over <- err
		default:
			_, err := readFrame(in)
			over <- err
		}
	}))
	f.known(t, "/v1/reads", "/v1/leaves", "/v1/deaf")

	w := f.open(t, "/v1/reads") // the client vanishes
	_ = w.SetLinger(0)
	w.Close()
	if err := <-over; err == nil {
		t.Error("the service heard nothing")
	}
	w = f.open(t, "/v1/leaves") // the service does
	if got, err := readFrame(w.in); err == nil && got.payload != "so long" {
		t.Errorf("%v", got)
	}
	w.ended()
	w = f.open(t, "/v1/deaf") // the client says that it is done, and the service goes on for ever
	_ = w.CloseWrite()
	_, _ = io.Copy(io.Discard, w.in)
	if err := <-over; err == nil {
		t.Error("the service could go on")
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := f.Wait(ctx); err != nil {
		t.Error("a tunnel is left:", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	return copy(p, frame{fin | text, "again"}.bytes(false)), nil
}

// What is no WebSocket is no tunnel.
func TestNoTunnel(t *testing.T) {
	t.Parallel()
	f := start(t)
	seen := make(chan *http.Request, 1)
	f.service(t, "things", document("GET /v1/ws "+public, "POST /v1/ws "+public, "GET /v1/mine "+personal), func(w http.ResponseWriter, r *http.Request) {
		seen <- r
		if r.URL.Query().Has("switch") {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+r.URL.Query().Get("switch")+"\r\n\r\n")
				conn.Close()
			}
			return
		}
		w.WriteHeader(http.StatusUpgradeRequired)
	})
	f.known(t, "/v1/ws", "/v1/mine")
	for _, tt := range []struct {
		line    string
		headers []string
		status  int
		upgrade string // as the service sees it
	}{
		{"GET /v1/nothing", []string{"Upgrade: websocket"}, 404, ""},
		{"GET /v1/mine", []string{"Upgrade: websocket"}, 401, ""},
		{"GET /v1/ws", []string{"Upgrade: websocket"}, 426, "websocket"},
		{"GET /v1/ws", []string{"Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"}, 426, ""},
		{"GET /v1/ws", []string{"Upgrade: websocket, h2c"}, 426, ""},
		{"GET /v1/ws", []string{"Upgrade: websocket", "Upgrade: h2c"}, 426, ""},
		{"POST /v1/ws", []string{"Upgrade: websocket", "Content-Length: 0"}, 426, ""},
		{"GET /v1/ws", []string{"Upgrade: websocket", "Content-Length: 2"}, 426, ""},
		{"GET /v1/ws?switch=h2c", []string{"Upgrade: h2c"}, 502, ""},
		{"GET /v1/ws?switch=websocket", []string{"Upgrade: h2c"}, 502, ""},
		{"GET /v1/ws?switch=h2c", []string{"Upgrade: websocket"}, 502, "websocket"},
	} {
		w := f.dial(t)
		w.send(append([]string{tt.line + " HTTP/1.1", "Host: x", "Connection: Upgrade, HTTP2-Settings"}, tt.headers...)...)
		if tt.headers[len(tt.headers)-1] == "Content-Length: 2" {
			w.say("hi")
		}
		if res := w.answer("GET"); res.StatusCode != tt.status {
			t.Errorf("%s %q: %s", tt.line, tt.headers, res.Status)
		}
		if tt.status == 404 || tt.status == 401 {
			continue
		}
		if r := <-seen; r.Header.Get("Upgrade") != tt.upgrade || r.Header.Get("Http2-Settings") != "" {
			t.Errorf("%s %q: forwarded %v", tt.line, tt.headers, r.Header)
		}
	}
}

// The split of bytes into frames must not depend on how they come.
func FuzzFrames(f *testing.F) {
	all := bytes.Join([][]byte{
		frame{fin | text, "hi"}.bytes(true), frame{text, strings.Repeat("x", 126)}.bytes(false), frame{fin | ping, ""}.bytes(true),
		{0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0, 3, 'a', 'b', 'c'}, frame{fin | closing, "\x03\xe8"}.bytes(false),
	}, nil)
	f.Add(all, []byte{1, 2, 3, 200}, byte(3))
	f.Add([]byte{0x81, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, []byte{5}, byte(1))
	f.Add([]byte{0x81, 0xfe, 0, 0, 1, 2, 3, 4, 0x88, 0}, []byte{1}, byte(0))
	f.Fuzz(gateway.CheckFrames)
}
