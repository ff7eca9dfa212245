package realtime

import (
	"cmp"
	"net"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
)

// Times are how long things take, where that is not what is usual.
type Times struct {
	Beat, Hold, Ping, Comment, Patience, Farewell, Present, Life, Drain, Retry, Age time.Duration
}

// Hurry makes things take another time. Call it before Run.
func (h *Hub) Hurry(t Times) {
	u := &h.times
	u.beat, u.hold = cmp.Or(t.Beat, u.beat), cmp.Or(t.Hold, u.hold)
	u.ping, u.comment = cmp.Or(t.Ping, u.ping), cmp.Or(t.Comment, u.comment)
	u.patience, u.farewell = cmp.Or(t.Patience, u.patience), cmp.Or(t.Farewell, u.farewell)
	u.present, u.life = cmp.Or(t.Present, u.present), cmp.Or(t.Life, u.life)
	u.drain, u.retry = cmp.Or(t.Drain, u.drain), cmp.Or(t.Retry, u.retry)
	u.age = cmp.Or(t.Age, u.age)
}

// Open is how many streams there are.
func (h *Hub) Open() int { return int(h.open.Load()) }

// Adopt serves a WebSocket over a connection, for a user who has opened it.
// It returns when the connection has ended.
func (h *Hub) Adopt(conn net.Conn, user uuid.UUID) error {
	s := &socket{Conn: conn, stream: stream{user: user}}
	r := &http.Request{Method: http.MethodGet, ProtoMajor: 1, Header: http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="},
	}}
	if err := h.enter(h.reading, &s.stream); err != nil {
		return err
	}
	if err := s.greet(r); err != nil {
		return err
	}
	s.stream.open(s, nil, false)
	s.serve()
	return nil
}

// Lifetime is how long a stream lives.
func Lifetime(age time.Duration, turn uint32) time.Duration {
	return (&stream{hub: &Hub{times: times{age: age}}, turn: turn}).lifetime()
}

// ParseFrame and ParseLastEvent read what clients say.
func ParseFrame(text []byte) (at *notify.Position, taken bool) {
	at, wrong := parseFrame(text)
	return at, wrong == nil
}
func ParseLastEvent(id string) (*notify.Position, error) { return parseLastEvent(id) }
