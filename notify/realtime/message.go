package realtime

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/notify"
)

// message is something to send, as it goes to every client that gets it.
type message struct {
	at    notify.Position // of the stream
	moves bool            // the client to there
	marks bool            // that as where a client of events resumes
	kind  string
	text  []byte // JSON
	frame []byte // a WebSocket's, with the text in it
}

// headRoom is for a frame's header, at its longest (RFC 6455, 5.2).
const headRoom = 10

// lenient is for what others wrote, which is passed on.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

func newMessage(at notify.Position, kind string, v any) *message {
	var out bytes.Buffer
	out.Grow(256)
	out.Write(make([]byte, headRoom))
	if err := json.MarshalWrite(&out, v, lenient); err != nil {
		panic(err) // the types below can be encoded, and entryMessage has looked at the data
	}
	b := out.Bytes()
	m := &message{at: at, kind: kind, text: b[headRoom:]}
	var head []byte
	switch n := len(m.text); {
	case n < 126:
		head = []byte{final | textFrame, byte(n)}
	case n < 1<<16:
		head = binary.BigEndian.AppendUint16([]byte{final | textFrame, 126}, uint16(n))
	default:
		head = binary.BigEndian.AppendUint64([]byte{final | textFrame, 127}, uint64(n))
	}
	m.frame = b[headRoom-len(head):]
	copy(m.frame, head)
	return m
}

func entryMessage(epoch string, e notify.Entry) *message {
	data := e.Data
	if !data.IsValid(lenient) {
		data = nil // which is null
	}
	m := newMessage(notify.Position{Epoch: epoch, Seq: e.Seq}, e.Type, struct {
		Epoch  string         `json:"epoch"`
		Seq    int64          `json:"seq"`
		Type   string         `json:"type"`
		Data   jsontext.Value `json:"data"`
		Unread int            `json:"unread"`
	}{epoch, e.Seq, e.Type, data, e.Unread})
	m.moves, m.marks = true, true
	return m
}

// positionMessage is a hello or a resync: it tells where the user's stream is.
func positionMessage(kind string, at notify.Position) *message {
	return newMessage(at, kind, struct {
		Type string `json:"type"`
		notify.Position
	}{kind, at})
}

// event appends the message as a server-sent event.
func (m *message) event(b []byte) []byte {
	if m.marks {
		b = append(append(b, "id: "...), m.at.Epoch...)
		b = append(strconv.AppendInt(append(b, '-'), m.at.Seq, 10), '\n')
	}
	b = append(append(b, "event: "...), m.kind...)
	b = append(append(b, "\ndata: "...), m.text...)
	return append(b, "\n\n"...)
}

const maxEpoch = 64 // bytes; of a stream that has not begun it is ""

// parseFrame reads the one message that a client may send: where it resumes,
// or nil for where the stream is.
func parseFrame(text []byte) (*notify.Position, *ending) {
	var got struct {
		Epoch *string `json:"epoch"`
		Seq   *int64  `json:"seq"`
	}
	switch err := json.Unmarshal(text, &got, json.RejectUnknownMembers(true)); {
	case err != nil && !jsontext.Value(text).IsValid():
		return nil, notJSON
	case err != nil, jsontext.Value(text).Kind() != '{':
		return nil, notPosition
	}
	switch {
	case got.Epoch == nil && got.Seq == nil:
		return nil, nil
	case got.Epoch == nil || got.Seq == nil || len(*got.Epoch) > maxEpoch || *got.Seq < 0:
		return nil, notPosition
	}
	return &notify.Position{Epoch: *got.Epoch, Seq: *got.Seq}, nil
}

// parseQuery reads where a stream resumes, or nil, beside what else is asked for.
func parseQuery(r *http.Request) (q url.Values, from *notify.Position, err error) {
	if q, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return nil, nil, fault.New(fault.Malformed, "query_malformed", "The query is not well-formed.") // without the cause, which might quote a ticket
	}
	if !q.Has("epoch") && !q.Has("seq") {
		return q, nil, nil
	}
	from, err = parsePosition("epoch", q["epoch"], "seq", q["seq"])
	return q, from, err
}

// parseLastEvent reads an event's id, as a client has kept it.
func parseLastEvent(id string) (*notify.Position, error) {
	const header = "Last-Event-ID"
	if i := strings.LastIndexByte(id, '-'); i >= 0 {
		return parsePosition(header, []string{id[:i]}, header, []string{id[i+1:]})
	}
	return parsePosition(header, nil, header, nil)
}

func parsePosition(epochName string, epoch []string, seqName string, seq []string) (*notify.Position, error) {
	var wrong []fault.Field
	if len(epoch) != 1 || len(epoch[0]) > maxEpoch {
		wrong = append(wrong, fault.Field{Parameter: epochName, Code: "malformed", Detail: "has no epoch"})
	}
	n, err := strconv.ParseUint(strings.Join(seq, ","), 10, 63)
	if err != nil {
		wrong = append(wrong, fault.Field{Parameter: seqName, Code: "malformed", Detail: "has no number of an entry"})
	}
	if wrong != nil {
		return nil, fault.Breaks(wrong...)
	}
	return &notify.Position{Epoch: epoch[0], Seq: int64(n)}, nil
}
