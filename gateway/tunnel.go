package gateway

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// tunnel joins a client and a service that have agreed to speak WebSocket. It
// returns when both directions have ended; one does not outlive the other for
// long. When streams are to end, it tells the client so between two frames of
// the service's.
func (c courier) tunnel(w http.ResponseWriter, out *http.Request, res *http.Response) error {
	service, ok := res.Body.(io.ReadWriteCloser)
	if !ok || len(out.Header["Upgrade"]) == 0 || !strings.EqualFold(res.Header.Get("Upgrade"), "websocket") {
		return errNoUpgrade
	}
	c.tunnels.Add(1) // before the server counts the connection no more
	defer c.tunnels.Done()
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Time{})
	if err := agree(buffered.Writer, w.Header(), res); err != nil {
		return fmt.Errorf("%w: %w", context.Canceled, err)
	}
	early := io.LimitReader(buffered.Reader, int64(buffered.Reader.Buffered())) // to read on from there would end the request's context
	cut := func() { conn.Close(); service.Close() }
	client := &socket{conn: conn}
	stop := context.AfterFunc(c.draining, func() {
		time.AfterFunc(farewellTime, cut)
		client.farewell()
	})
	defer stop()
	gone := context.AfterFunc(out.Context(), cut)
	defer gone()

	var both sync.WaitGroup
	both.Go(func() {
		copyTo(service, io.MultiReader(early, conn))
		closeWrite(service)
		time.AfterFunc(farewellTime, cut)
	})
	both.Go(func() {
		copyTo(client, service)
		if !closeWrite(conn) && !client.sentAway() {
			conn.Close()
		}
		time.AfterFunc(farewellTime, cut)
	})
	both.Wait()
	return nil
}

// agree sends the client the service's 101.
func agree(w *bufio.Writer, own http.Header, res *http.Response) error {
	h := own.Clone()
	stripHops(res.Header)
	join(h, res.Header)
	h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	if err := (&http.Response{StatusCode: res.StatusCode, ProtoMajor: 1, ProtoMinor: 1, Header: h}).Write(w); err != nil {
		return err
	}
	return w.Flush()
}

// closeWrite ends one direction of a connection, if it can.
func closeWrite(conn io.Closer) bool {
	half, ok := conn.(interface{ CloseWrite() error })
	return ok && half.CloseWrite() == nil
}

func copyTo(w io.Writer, r io.Reader) {
	buffer := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buffer)
	_, _ = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, buffer[:])
}

// farewellTime is how long one side may take to end after the other has, and
// both when streams are to end.
const farewellTime = 3 * time.Second

// socket is the way to a WebSocket's client.
type socket struct {
	conn net.Conn

	mu      sync.Mutex
	frames  frames
	leaving bool // at the next end of a frame
	left    bool
}

// restarting is a close frame with the status 1012, "service restart"
// (RFC 6455, 5.5.1, and IANA's registry of close codes).
var restarting = func() []byte {
	reason := "the gateway restarts, come back"
	frame := binary.BigEndian.AppendUint16([]byte{0x88, byte(2 + len(reason))}, 1012)
	return append(frame, reason...)
}()

// farewell tells the client to come back, now or when the frame that is
// under way has ended.
func (s *socket) farewell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = true
	if s.frames.between() {
		s.leave()
	}
}

// sentAway tells whether the client was told to come back.
func (s *socket) sentAway() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left
}

func (s *socket) leave() {
	if !s.left {
		s.left = true
		_, _ = s.conn.Write(restarting)
	}
}

// Write passes on what the service sends, until the client was sent away.
func (s *socket) Write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		return 0, net.ErrClosed
	}
	n = s.frames.pass(p, s.leaving)
	if n, err = s.conn.Write(p[:n]); err != nil {
		return n, err
	}
	if n < len(p) || s.leaving && s.frames.between() {
		s.leave()
		return n, net.ErrClosed
	}
	return n, nil
}

// frames follows the frames of a WebSocket (RFC 6455, 5.2) as they pass by.
type frames struct {
	head [14]byte
	got  int    // bytes of head
	left uint64 // bytes of the payload
}

func (f *frames) between() bool { return f.got == 0 && f.left == 0 }

// pass takes in the next bytes, with stop only up to the end of a frame, and
// returns how many.
func (f *frames) pass(p []byte, stop bool) (n int) {
	for n < len(p) {
		if f.left > 0 {
			step := min(f.left, uint64(len(p)-n))
			f.left -= step
			n += int(step)
		} else {
			f.head[f.got] = p[n]
			f.got++
			n++
			f.begin()
		}
		if stop && f.between() {
			break
		}
	}
	return n
}

// begin begins the payload when the head is complete.
func (f *frames) begin() {
	if f.got < 2 {
		return
	}
	size, length := uint64(f.head[1]&0x7f), 2
	switch size {
	case 126:
		length = 4
	case 127:
		length = 10
	}
	body := length
	if f.head[1]&0x80 != 0 {
		length += 4
	}
	if f.got < length {
		return
	}
	switch body {
	case 4:
		size = uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 10:
		size = binary.BigEndian.Uint64(f.head[2:])
	}
	f.got, f.left = 0, size
}
