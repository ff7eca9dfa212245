package realtime

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/lxzan/gws"
)

// Of frames (RFC 6455, 5.2).
const (
	final      = 0x80
	textFrame  = 0x1
	closeFrame = 0x8
	pingFrame  = 0x9
	pongFrame  = 0xA

	maxFrame   = 4 << 10 // bytes that a client may send at once
	readBuffer = 256     // bytes; few clients ever send that much
)

// socket is a stream over a WebSocket. As a net.Conn it is gws's way to the
// client.
type socket struct {
	net.Conn
	stream stream
	ws     *gws.Conn
	early  []byte      // what came in behind the request
	more   http.Header // of the answer to it, until it is sent

	writing sync.Mutex // a frame
	broken  bool       // nothing may follow what was written
	theirs  bool       // the client has closed
}

func (s *socket) upgrade(w http.ResponseWriter, r *http.Request) error {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	s.Conn, s.more = conn, w.Header()
	if n := buffered.Reader.Buffered(); n > 0 { // the reader itself would be 4 KiB to keep
		early, _ := buffered.Reader.Peek(n)
		s.early = slices.Clone(early)
	}
	return s.greet(r)
}

// greet answers the handshake.
func (s *socket) greet(r *http.Request) (err error) {
	s.stream.heard.Store(true)
	r.Header["Connection"], r.Header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"} // gws reads no lists
	if s.ws, err = s.stream.hub.upgrader.UpgradeFromConn(s, bufio.NewReaderSize(s, readBuffer), r); err != nil {
		_ = s.Conn.Close()
		return context.Canceled // the client has gone; all else was checked
	}
	return nil
}

// serve reads until the connection ends.
func (s *socket) serve() {
	defer s.stream.hub.leave(&s.stream)
	defer s.stream.close()
	defer s.Conn.Close()
	s.read()
	if !s.theirs { // the client may be writing still, and would not read why this ends if it were cut
		_ = s.Conn.SetReadDeadline(time.Now().Add(s.stream.hub.times.farewell))
		_, _ = io.CopyN(io.Discard, s.Conn, 1<<20)
	}
}

// read lets gws read, which panics at a frame that claims to be longer than
// 2^63 bytes.
func (s *socket) read() {
	defer func() {
		if p := recover(); p != nil {
			s.stream.hub.warn("read a frame", fmt.Errorf("panic: %v", p))
			_ = s.ws.WriteClose(1009, []byte("message too large"))
		}
	}()
	s.ws.ReadLoop()
}

// Read and Write are gws's. It writes its answer to the handshake, whole, and
// close frames.
func (s *socket) Read(b []byte) (n int, err error) {
	if len(s.early) > 0 {
		n = copy(b, s.early)
		if s.early = s.early[n:]; len(s.early) == 0 {
			s.early = nil
		}
		return n, nil
	}
	n, err = s.Conn.Read(b)
	if n > 0 {
		s.stream.heard.Store(true)
	}
	return n, err
}

func (s *socket) Write(b []byte) (int, error) {
	if s.more != nil {
		var answer bytes.Buffer
		answer.Write(b[:len(b)-len("\r\n")])
		_ = s.more.Write(&answer)
		answer.WriteString("\r\n")
		s.more = nil
		_, err := s.Conn.Write(answer.Bytes())
		return len(b), err
	}
	if b[0] == final|closeFrame {
		_ = s.Conn.SetWriteDeadline(time.Now().Add(s.stream.hub.times.farewell))
	}
	return s.write(b)
}

// write writes whole frames.
func (s *socket) write(b []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.broken {
		return 0, net.ErrClosed
	}
	n, err := s.Conn.Write(b)
	s.broken = err != nil && n > 0 || b[0] == final|closeFrame
	return n, err
}

// Close is gws's, after its close frame. The client may answer that.
func (s *socket) Close() error {
	if half, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	return s.Conn.SetReadDeadline(time.Now().Add(s.stream.hub.times.farewell))
}

func (s *socket) wake()                { go s.stream.pump() }
func (s *socket) deadline(t time.Time) { _ = s.Conn.SetWriteDeadline(t) }
func (s *socket) cut()                 { _ = s.Conn.SetDeadline(time.Unix(1, 0)) }
func (s *socket) answers() bool        { return true }

func (s *socket) send(messages ...*message) (err error) {
	if len(messages) == 1 {
		_, err = s.write(messages[0].frame)
		return err
	}
	var frames []byte
	for _, m := range messages {
		frames = append(frames, m.frame...)
	}
	_, err = s.write(frames)
	return err
}

func (s *socket) ping(ping bool, pong []byte) error {
	var frames []byte
	if pong != nil {
		frames = append(append(frames, final|pongFrame, byte(len(pong))), pong...)
	}
	if ping {
		frames = append(frames, final|pingFrame, 0)
	}
	_, err := s.write(frames)
	return err
}

func (s *socket) farewell(e *ending) {
	if e.code == 0 {
		s.cut()
		return
	}
	_ = s.ws.WriteClose(e.code, []byte(e.reason)) // and Close, whatever becomes of it
}

// reader is what gws tells what it reads.
type reader struct{ gws.BuiltinEventHandler }

func newUpgrader() *gws.Upgrader {
	return gws.NewUpgrader(reader{}, &gws.ServerOption{
		ReadMaxPayloadSize: maxFrame, CheckUtf8Enabled: true, ParallelGolimit: 1,
		NewSession: func() gws.SessionStorage { return nil },
	})
}

func of(c *gws.Conn) *stream { return &c.NetConn().(*socket).stream }

func (reader) OnMessage(c *gws.Conn, m *gws.Message) {
	s := of(c)
	defer m.Close()
	if m.Opcode != gws.OpcodeText {
		s.finish(notText)
		return
	}
	from, wrong := parseFrame(m.Bytes())
	if wrong == nil {
		wrong = s.resume(from)
	}
	if wrong != nil {
		s.finish(wrong)
	}
}

func (reader) OnPing(c *gws.Conn, payload []byte) {
	s := of(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pong = append([]byte{}, payload...)
	s.rouse()
}

func (reader) OnClose(c *gws.Conn, err error) {
	_, ok := errors.AsType[*gws.CloseError](err)
	c.NetConn().(*socket).theirs = ok
}
