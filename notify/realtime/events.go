package realtime

import (
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/notify"
)

// Events serves the caller's stream as server-sent events.
func (h *Hub) Events(w http.ResponseWriter, r *http.Request) error {
	caller := endpoint.Caller(r.Context())
	user, err := uuid.Parse(caller.ID)
	if err != nil {
		return err
	}
	_, from, err := parseQuery(r)
	if err != nil {
		return err
	}
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		if from, err = parseLastEvent(id); err != nil {
			return err
		}
	}
	s := &stream{user: user, session: caller.Session}
	e := &events{w: w, control: http.NewResponseController(w), due: make(chan struct{}, 1)}
	if r.Method == http.MethodHead {
		e.begin()
		return nil
	}
	if err := h.enter(r.Context(), s); err != nil {
		return err
	}
	defer h.leave(s)
	defer s.close()
	h.metrics.opened("events")
	e.begin()
	s.open(e, from, true)
	for {
		select {
		case <-e.due:
			if !s.pump() {
				return nil
			}
		case <-r.Context().Done():
			return nil
		}
	}
}

// events is a stream's client by server-sent events. The handler's goroutine
// pumps.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
	due     chan struct{} // has one when pump is to be called
	buf     []byte
}

func (e *events) begin() {
	h := e.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	e.buf = []byte("retry: 1000\n\n")
}

func (e *events) wake() {
	select {
	case e.due <- struct{}{}:
	default:
	}
}

func (e *events) deadline(t time.Time) { _ = e.control.SetWriteDeadline(t) }
func (e *events) cut()                 { e.deadline(time.Unix(1, 0)) }
func (e *events) answers() bool        { return false }

func (e *events) send(messages ...*message) error {
	for _, m := range messages {
		e.buf = m.event(e.buf)
	}
	return e.flush()
}

func (e *events) ping(bool, []byte) error {
	e.buf = append(e.buf, ":\n\n"...)
	return e.flush()
}

// flush takes the deadline back in the end: over HTTP/2 it would end a stream
// on which nothing is written.
func (e *events) flush() error {
	_, err := e.w.Write(e.buf)
	if e.buf = e.buf[:0]; cap(e.buf) > maxWrite {
		e.buf = nil
	}
	if err == nil {
		err = e.control.Flush()
	}
	if err == nil {
		err = e.control.SetWriteDeadline(time.Time{})
	}
	return err
}

// farewell leaves the deadline, for what net/http still has to write.
func (e *events) farewell(end *ending) {
	if end.event != "" {
		m := newMessage(notify.Position{}, end.event, struct {
			Type string `json:"type"`
		}{end.event})
		_, _ = e.w.Write(m.event(e.buf))
		_ = e.control.Flush()
	}
}
