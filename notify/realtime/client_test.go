package realtime_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// said is a message as a client gets it.
type said struct {
	Epoch  string         `json:"epoch"`
	Seq    int64          `json:"seq"`
	Type   string         `json:"type"`
	Data   jsontext.Value `json:"data"`
	Unread int            `json:"unread"`
}

// String is what tells a message from others: "hello 3".
func (s said) String() string { return fmt.Sprint(s.Type, " ", s.Seq) }

// socket is a client that does what a test wants, which no library's would.
type socket struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

// Opcodes (RFC 6455, 5.2), with the bit that says that the frame is a message's last.
const final, continuation, text, binaryFrame, closing, pinging, ponging = 0x80, 0, 1, 2, 8, 9, 10

const handshake = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// dialer's connections hold little that is not read, so that a client is soon slow.
var dialer = net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
	return errors.Join(c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 32<<10) }), err)
}}

// shake sends a request for a WebSocket, with more headers, and what is behind it.
func (w *world) shake(path, headers, behind string) (*socket, *http.Response) {
	w.t.Helper()
	conn, err := dialer.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n%s", path, w.addr, headers, behind)
	s := newSocket(w.t, conn)
	res, err := http.ReadResponse(s.in, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return s, res
}

func newSocket(t testing.TB, conn net.Conn) *socket {
	return &socket{t, conn, bufio.NewReader(conn)}
}

// dial opens a WebSocket.
func (w *world) dial(path string) *socket {
	w.t.Helper()
	s, res := w.shake(path, handshake, "")
	if res.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(res.Body)
		w.t.Fatalf("%s: %s", res.Status, body)
	}
	return s
}

// live opens a WebSocket that has begun.
func (w *world) live(user uuid.UUID, session string) *socket {
	w.t.Helper()
	s := w.dial(w.ticket(user, session))
	s.send(final|text, "{}")
	if m := s.next(); m.Type != "hello" {
		w.t.Fatalf("the first message is %v", m)
	}
	return s
}

// send sends a frame, masked with zeros.
func (s *socket) send(first byte, payload string) {
	s.t.Helper()
	if _, err := s.conn.Write(frame(first, payload)); err != nil {
		s.t.Fatal(err)
	}
}

func frame(first byte, payload string) []byte {
	b := []byte{first, 0x80}
	switch n := len(payload); {
	case n < 126:
		b[1] |= byte(n)
	case n < 1<<16:
		b[1] |= 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] |= 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

// frame reads the next frame.
func (s *socket) frame() (first byte, payload []byte, err error) {
	_ = s.conn.SetDeadline(time.Now().Add(patience))
	var head [2]byte
	if _, err := io.ReadFull(s.in, head[:]); err != nil {
		return 0, nil, err
	}
	size := uint64(head[1])
	var more [8]byte
	switch head[1] {
	case 126:
		_, err = io.ReadFull(s.in, more[6:])
		size = binary.BigEndian.Uint64(more[:])
	case 127:
		_, err = io.ReadFull(s.in, more[:])
		size = binary.BigEndian.Uint64(more[:])
	}
	if err != nil || size > 1<<24 {
		return 0, nil, fmt.Errorf("a frame of %d bytes, %w", size, err)
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(s.in, payload)
	return head[0], payload, err
}

// next is the next message. Pings are answered.
func (s *socket) next() (m said) {
	s.t.Helper()
	for {
		first, payload, err := s.frame()
		if err != nil {
			s.t.Fatalf("no message comes: %v", err)
		}
		switch first {
		case final | text:
			if err := json.Unmarshal(payload, &m, json.RejectUnknownMembers(true)); err != nil {
				s.t.Fatalf("%q: %v", payload, err)
			}
			return m
		case final | pinging:
			s.send(final|ponging, string(payload))
		default:
			s.t.Fatalf("no message comes, but %x %q", first, payload)
		}
	}
}

// closed is how the server closes, such as "1008 too late": other frames may
// come before that. The client answers, and sees the connection end.
func (s *socket) closed() string {
	s.t.Helper()
	for {
		first, payload, err := s.frame()
		if err != nil {
			s.t.Fatalf("it is not closed: %v", err)
		}
		if first != final|closing {
			continue
		}
		_, _ = s.conn.Write(frame(final|closing, string(payload)))
		if rest, err := io.ReadAll(s.in); len(rest) > 0 || err != nil {
			s.t.Errorf("behind the close frame comes %q, %v", rest, err)
		}
		s.conn.Close()
		return closeText(payload)
	}
}

func closeText(payload []byte) string {
	if len(payload) < 2 {
		return fmt.Sprintf("%q", payload)
	}
	return strings.TrimSpace(fmt.Sprint(binary.BigEndian.Uint16(payload), " ", string(payload[2:])))
}

// expect sees that the next messages are these.
func expect(t testing.TB, next func() said, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := next().String(); got != w {
			t.Fatalf("got %q, want %q", got, w)
		}
	}
}

// source is a client of server-sent events.
type source struct {
	t    testing.TB
	body io.ReadCloser
	in   *bufio.Reader
	id   string // the last one, as a browser keeps it
}

// event is one of them, or a comment, whose type is "".
type event struct{ id, kind, data string }

// ask asks for events. Headers are "Name: value".
func (w *world) ask(method, path, token string, headers ...string) *http.Response {
	w.t.Helper()
	r, err := http.NewRequest(method, "http://"+w.addr+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	res, err := (&http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { res.Body.Close() })
	return res
}

// follow opens a stream of events; last is the id that it resumes from, or "".
func (w *world) follow(user uuid.UUID, session, last string) *source {
	w.t.Helper()
	var headers []string
	if last != "" {
		headers = []string{"Last-Event-ID: " + last}
	}
	res := w.ask("GET", "/v1/realtime/events", w.token(user, session), headers...)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		body, _ := io.ReadAll(res.Body)
		w.t.Fatalf("%s %v: %s", res.Status, res.Header, body)
	}
	s := &source{t: w.t, body: res.Body, in: bufio.NewReader(res.Body), id: last}
	if line, err := s.in.ReadString('\n'); line != "retry: 1000\n" || err != nil {
		w.t.Fatalf("it begins with %q, %v", line, err)
	}
	if line, err := s.in.ReadString('\n'); line != "\n" || err != nil {
		w.t.Fatalf("it begins with %q, %v", line, err)
	}
	return s
}

// event is the next one, or an error.
func (s *source) event() (e event, err error) {
	stop := time.AfterFunc(patience, func() { s.body.Close() })
	defer stop.Stop()
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			return e, err
		}
		switch name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); name {
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			e.data = value
		case "":
			if e.id != "" {
				s.id = e.id
			}
			return e, nil
		case ":":
		case "retry":
		default:
			return e, fmt.Errorf("what is %q?", line)
		}
	}
}

// next is the next message.
func (s *source) next() (m said) {
	s.t.Helper()
	for {
		e, err := s.event()
		if err != nil {
			s.t.Fatalf("no event comes: %v", err)
		}
		if e.kind == "" {
			continue
		}
		if err := json.Unmarshal([]byte(e.data), &m, json.RejectUnknownMembers(true)); err != nil || m.Type != e.kind {
			s.t.Fatalf("%+v: %v", e, err)
		}
		return m
	}
}

// end sees that no more comes but one event.
func (s *source) end(kind string) {
	s.t.Helper()
	var last event
	for {
		e, err := s.event()
		if err == io.EOF {
			break
		}
		if err != nil {
			s.t.Fatalf("it does not end well: %v", err)
		}
		last = e
	}
	if last.kind != kind || last.id != "" || kind != "" && last.data != `{"type":"`+kind+`"}` {
		s.t.Errorf("it ends with %+v, want %q", last, kind)
	}
}
