package realtime_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify/realtime"
)

func readAll(res *http.Response) string {
	b, _ := io.ReadAll(res.Body)
	return string(b)
}

// What a client may not send ends the stream with the reason, which it can
// read though it goes on sending.
func TestBadFrames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	unmasked := []byte{final | text, 2, '{', '}'}
	for name, tt := range map[string]struct{ sent, want string }{
		"no JSON":          {string(frame(final|text, "?")), "1007 this is no JSON"},
		"nothing":          {string(frame(final|text, "")), "1007 this is no JSON"},
		"twice":            {string(frame(final|text, "{}{}")), "1007 this is no JSON"},
		"same name twice":  {string(frame(final|text, `{"seq":1,"seq":1,"epoch":"x"}`)), "1007 this is no JSON"},
		"no UTF-8":         {string(frame(final|text, "{\"epoch\":\"\xff\",\"seq\":1}")), "1007 gws: invalid text encoding"},
		"null":             {string(frame(final|text, "null")), "1008 expected {} or an epoch and a seq"},
		"array":            {string(frame(final|text, "[]")), "1008 expected {} or an epoch and a seq"},
		"other field":      {string(frame(final|text, `{"type":"ping"}`)), "1008 expected {} or an epoch and a seq"},
		"other case":       {string(frame(final|text, `{"Epoch":"e","seq":1}`)), "1008 expected {} or an epoch and a seq"},
		"epoch alone":      {string(frame(final|text, `{"epoch":"e"}`)), "1008 expected {} or an epoch and a seq"},
		"seq alone":        {string(frame(final|text, `{"seq":1}`)), "1008 expected {} or an epoch and a seq"},
		"null seq":         {string(frame(final|text, `{"epoch":"e","seq":null}`)), "1008 expected {} or an epoch and a seq"},
		"negative":         {string(frame(final|text, `{"epoch":"e","seq":-1}`)), "1008 expected {} or an epoch and a seq"},
		"fraction":         {string(frame(final|text, `{"epoch":"e","seq":1.5}`)), "1008 expected {} or an epoch and a seq"},
		"large seq":        {string(frame(final|text, `{"epoch":"e","seq":9223372036854775808}`)), "1008 expected {} or an epoch and a seq"},
		"two messages":     {string(frame(final|text, `{}`)) + string(frame(final|text, `{}`)), "1008 no second message is expected"},
		"long epoch":       {string(frame(final|text, `{"epoch":"`+strings.Repeat("x", 65)+`","seq":1}`)), "1008 expected {} or an epoch and a seq"},
		"binary":           {string(frame(final|binaryFrame, "{}")), "1003 only text is expected"},
		"too large":        {string(frame(final|text, strings.Repeat(" ", 4097))) + strings.Repeat("x", 512<<10), "1009 gws: message too large"},
		"too many parts":   {string(frame(text, strings.Repeat(" ", 4000))) + string(frame(continuation, strings.Repeat(" ", 4000))), "1009 gws: message too large"},
		"claims 2^63":      {"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", "1009 message too large"},
		"claims 2^62":      {"\x81\xff\x40\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "1009 gws: message too large"},
		"not masked":       {string(unmasked), "1002 gws: protocol error"},
		"reserved bit":     {string(frame(final|0x40|text, "{}")), "1002 gws: protocol error"},
		"reserved opcode":  {string(frame(final|3, "{}")), "1002 gws: unexpected opcode 3"},
		"lone rest":        {string(frame(final|continuation, "{}")), "1002 gws: protocol error"},
		"interleaved":      {string(frame(text, "{")) + string(frame(final|text, "{}")), "1002 gws: protocol error"},
		"ping in parts":    {string(frame(pinging, "x")), "1002 gws: protocol error"},
		"long ping":        {string(frame(final|pinging, strings.Repeat("x", 126))), "1002 gws: protocol error"},
		"half a character": {string(frame(final|text, "{\"epoch\":\"\xc3")), "1007 gws: invalid text encoding"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := w.dial(w.ticket(uuid.New(), "s1"))
			s.next()
			go func() { _, _ = io.WriteString(s.conn, tt.sent) }()
			if got := s.closed(); got != tt.want {
				t.Errorf("closed with %q, want %q", got, tt.want)
			}
		})
	}
}

// A message may come in parts, with a ping between them.
func TestParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	user := uuid.New()
	w.tell(user, `1`)
	s := w.dial(w.ticket(user, "s1"))
	expect(t, s.next, "hello 1")
	s.send(text, `{"epoch":`)
	s.send(final|pinging, "x")
	if first, payload, err := s.frame(); first != final|ponging || string(payload) != "x" || err != nil {
		t.Errorf("%x %q %v, want a pong", first, payload, err)
	}
	s.send(continuation, "")
	s.send(final|continuation, `"","seq":0}`)
	expect(t, s.next, entries(1, 1)...)
}

// FuzzConnection sends a connection anything: it ends well, and whatever it
// says is right.
func FuzzConnection(f *testing.F) {
	f.Add(frame(final|text, `{}`))
	f.Add(frame(final|text, `{"epoch":"e-1","seq":1}`))
	f.Add(append(frame(text, `{`), frame(final|continuation, `}`)...))
	f.Add(append(frame(final|pinging, `x`), frame(final|closing, "\x03\xe8bye")...))
	f.Add([]byte("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00"))
	f.Add([]byte("\x81"))
	f.Add(frame(final|binaryFrame, strings.Repeat("x", 5000)))
	store := newStore(f)
	hub := realtime.NewHub(store, realtime.Options{PerUser: 1000})
	hub.Hurry(realtime.Times{Farewell: 50 * time.Millisecond})
	user := uuid.New()
	for range 3 {
		if err := store.Signal(f.Context(), user, "note.changed", nil, ""); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		server, client := net.Pipe()
		_ = client.SetDeadline(time.Now().Add(patience))
		served := make(chan error, 1)
		go func() { served <- hub.Adopt(server, user) }()
		go func() {
			_, _ = client.Write(sent)
			_, _ = client.Write(frame(final|closing, "\x03\xe8"))
			_, _ = client.Write(make([]byte, 5000)) // the rest of any frame that is not complete, and what ends it all
		}()
		s := newSocket(t, client)
		if _, err := http.ReadResponse(s.in, nil); err != nil {
			t.Fatal(err)
		}
		closed := false
		for {
			first, payload, err := s.frame()
			if err != nil {
				break
			}
			switch {
			case closed:
				t.Errorf("behind the close frame comes %x %q", first, payload)
			case first == final|text:
				var m said
				if err := json.Unmarshal(payload, &m, json.RejectUnknownMembers(true)); err != nil {
					t.Errorf("%q: %v", payload, err)
				}
			case first == final|closing:
				if closed = true; len(payload) == 1 || len(payload) > 2 && !utf8.Valid(payload[2:]) {
					t.Errorf("it closes with %q", payload)
				}
			case first != final|ponging || !bytes.Contains(sent, []byte{0x89}) && !bytes.Contains(sent, []byte{0x09}):
				t.Errorf("what is %x %q?", first, payload)
			}
		}
		client.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// FuzzFrame reads anything as a client's message: what is taken is what the
// client said.
func FuzzFrame(f *testing.F) {
	for _, s := range []string{`{}`, `{"epoch":"e-1","seq":1}`, `{"seq":0,"epoch":"x"}`, `null`, `[]`, `{"epoch":"x"}`, `{"epoch":"","seq":-1}`, ``, `{"seq":1e3,"epoch":"x"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		at, taken := realtime.ParseFrame(text)
		if !taken {
			return
		}
		var m map[string]any
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatalf("%q is taken: %v", text, err)
		}
		if at == nil && (m == nil || m["seq"] != nil || m["epoch"] != nil) || at != nil && (m["epoch"] != at.Epoch || len(m) != 2 || at.Seq < 0 || len(at.Epoch) > 64) {
			t.Errorf("%q is taken for %+v", text, at)
		}
	})
}

// FuzzLastEvent reads anything as an id: what is taken is an event's.
func FuzzLastEvent(f *testing.F) {
	for _, s := range []string{"e-1-5", "0198b7a2-7c11-7d6e-9f00-000000000000-17", "-1", "x-", "x--1", "", "x-+1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if at, err := realtime.ParseLastEvent(id); err == nil && (at.Seq < 0 || len(at.Epoch) > 64 || !strings.HasPrefix(id, at.Epoch+"-")) {
			t.Errorf("%q is taken for %+v", id, at)
		}
	})
}
