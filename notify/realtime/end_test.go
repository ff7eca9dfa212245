package realtime_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/notify/realtime"
)

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, realtime.Times{Hold: time.Hour}, realtime.Options{}) // at its usual pace
	user := uuid.New()
	s, held, e, other := w.live(user, "s1"), w.dial(w.ticket(user, "s1")), w.follow(user, "s1", ""), w.live(user, "s2")
	began := time.Now()
	w.revoked.Add("s1", time.Now().Add(time.Hour))
	for _, s := range []*socket{s, held} {
		if got := s.closed(); got != "4401 session ended" {
			t.Errorf("closed with %q", got)
		}
	}
	e.end("session_ended")
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
	w.tell(user, `1`)
	expect(t, other.next, entries(1, 1)...)
}

func TestErased(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	user := uuid.New()
	s, e := w.live(user, "s1"), w.follow(user, "s1", "") // of a stream without an entry
	w.store.erase(t, user)
	w.store.set(func() { w.store.gap() })
	if got := s.closed(); got != "4401 account erased" {
		t.Errorf("closed with %q", got)
	}
	e.end("session_ended")
	user = uuid.New()
	w.tell(user, `1`)
	s = w.live(user, "s1")
	w.store.erase(t, user)
	w.store.set(func() { w.store.gap() })
	if got := s.closed(); got != "4401 account erased" {
		t.Errorf("closed with %q", got)
	}
	w.empty()
}

// A stream does not live for ever: its client comes back, if it still may, and
// misses nothing.
func TestAge(t *testing.T) {
	t.Parallel()
	times := quick
	times.Age = 2 * time.Second
	w := newWorld(t, times, realtime.Options{})
	user := uuid.New()
	began := time.Now()
	held, s, e := w.dial(w.ticket(user, "s1")), w.live(user, "s1"), w.follow(user, "s1", "")
	w.tell(user, `1`)
	expect(t, s.next, entries(1, 1)...)
	for _, s := range []*socket{held, s} {
		if got := s.closed(); got != "1012 time to come back" {
			t.Errorf("closed with %q", got)
		}
	}
	e.end("restart")
	if took := time.Since(began); took < times.Age*3/4 {
		t.Errorf("it took %v", took)
	}
	w.empty()
	w.tell(user, `2`, `3`)
	again := w.dial(w.ticket(user, "s1", "&epoch=", w.epoch(user), "&seq=1"))
	expect(t, again.next, append([]string{"hello 3"}, entries(2, 3)...)...)
	expect(t, w.follow(user, "s1", w.epoch(user)+"-1").next, append([]string{"hello 3"}, entries(2, 3)...)...)
}

// Streams that began together do not end together, nor later than they should.
func TestAgesDiffer(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	for turn := range uint32(1000) {
		age := realtime.Lifetime(time.Hour, turn<<22|turn)
		if age < 45*time.Minute || age > time.Hour {
			t.Errorf("it lives for %v", age)
		}
		seen[age.Truncate(time.Minute)] = true
	}
	if len(seen) != 15 {
		t.Errorf("%d different minutes", len(seen))
	}
}

// A service that stops sends the clients away with the reason, and is not
// held up by one that does not go.
func TestStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	user := uuid.New()
	s, held, e, stays := w.live(user, "s1"), w.dial(w.ticket(user, "s1")), w.follow(user, "s1", ""), w.live(user, "s1")
	w.tell(user, `1`)
	expect(t, s.next, entries(1, 1)...)
	expect(t, stays.next, entries(1, 1)...)
	began := time.Now()
	w.stop()
	for _, s := range []*socket{s, held} {
		if got := s.closed(); got != "1012 restarting" {
			t.Errorf("closed with %q", got)
		}
	}
	e.end("restart")
	err := <-w.stopped
	w.stopped <- err
	if took := time.Since(began); err != nil || took > 4*time.Second {
		t.Errorf("it took %v to stop, %v", took, err)
	}
	if got := stays.closed(); got != "1012 restarting" {
		t.Errorf("closed with %q", got)
	}
}

// Who takes nothing in is cut in the end.
func TestStopCuts(t *testing.T) {
	t.Parallel()
	times := quick
	times.Drain, times.Farewell = 50*time.Millisecond, 200*time.Millisecond
	w := newWorld(t, times, realtime.Options{})
	user := uuid.New()
	w.live(user, "s1")
	w.follow(user, "s1", "")
	for range 50 {
		w.tell(user, `"`+strings.Repeat("x", 100<<10)+`"`)
	}
	w.stop()
	err := <-w.stopped
	w.stopped <- err
	if err != nil {
		t.Error(err)
	}
	w.empty()
}

func TestDrain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	user := uuid.New()
	s := w.live(user, "s1")
	w.hub.Drain()
	if got := s.closed(); got != "1012 restarting" {
		t.Errorf("closed with %q", got)
	}
	path := w.ticket(user, "s1")
	for range 2 { // the ticket is for another instance
		_, res := w.shake(path, handshake, "")
		refused(t, res, 503, "restarting")
	}
	refused(t, w.ask("GET", "/v1/realtime/events", w.token(user, "s1")), 503, "restarting")
}

func TestPings(t *testing.T) {
	t.Parallel()
	times := quick
	times.Ping, times.Comment = 60*time.Millisecond, 30*time.Millisecond
	w := newWorld(t, times, realtime.Options{})
	user := uuid.New()
	e := w.follow(user, "s1", "")
	expect(t, e.next, "hello 0")
	for range 3 {
		if got, err := e.event(); got != (event{}) || err != nil {
			t.Fatalf("%+v, %v, want a comment", got, err)
		}
	}

	// A client that answers stays, and any frame is an answer.
	s := w.live(user, "s1")
	for i := range 5 {
		first, payload, err := s.frame()
		if first != final|pinging || len(payload) > 0 || err != nil {
			t.Fatalf("%x %q %v, want a ping", first, payload, err)
		}
		if i%2 == 0 {
			s.send(final|ponging, "")
			continue
		}
		s.send(final|pinging, "are you there?")
		if first, payload, err := s.frame(); first != final|ponging || string(payload) != "are you there?" || err != nil {
			t.Fatalf("%x %q %v, want a pong", first, payload, err)
		}
	}

	// One that does not is dead after the second.
	began := time.Now()
	if got := s.closed(); got != "1001 no answer to pings" {
		t.Errorf("closed with %q", got)
	}
	if took := time.Since(began); took < times.Ping {
		t.Errorf("dead after %v", took)
	}
	e.body.Close()
	w.empty()
}

// A client that closes gets its close frame back.
func TestClientCloses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	for sent, want := range map[string]string{
		"":                 `""`,
		"\x03\xe8":         "1000",
		"\x03\xe9bye":      "1000",
		"\x0f\xa0":         "4000",
		"\x03":             "1002", // half a code
		"\x03\xed":         "1002", // one that may not be sent
		"\x00\x01":         "1002",
		"\x03\xe8\xff\xfe": "1007",
	} {
		s := w.live(uuid.New(), "s1")
		s.send(final|closing, sent)
		if got := s.closed(); got != want {
			t.Errorf("%q is answered with %s, want %s", sent, got, want)
		}
	}
	w.live(uuid.New(), "s1").conn.Close()
	w.empty()
}

// Who comes is told at once, and again and again for as long as they are there.
func TestPresence(t *testing.T) {
	t.Parallel()
	often := quick
	often.Present, often.Life = 50*time.Millisecond, 123*time.Millisecond
	for times, life := range map[realtime.Times]time.Duration{quick: 45 * time.Second, often: often.Life} {
		w := newWorld(t, times, realtime.Options{})
		user, other := uuid.New(), uuid.New()
		w.live(user, "s1")
		w.live(user, "s1")
		told := func(want ...uuid.UUID) {
			t.Helper()
			p := <-w.store.present
			for _, u := range want {
				if len(p.users) != len(want) || !slices.Contains(p.users, u) || p.life != life {
					t.Errorf("present: %+v, want %v", p, want)
				}
			}
		}
		told(user)
		if times == often {
			told(user)
			told(user)
			continue
		}
		w.live(other, "s2")
		told(other)
	}
}

// What the metrics tell.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	user := uuid.New()
	s := w.live(user, "s1")
	w.follow(user, "s1", "").body.Close()
	w.tell(user, `1`)
	s.next()
	s.send(final|text, "?")
	s.closed()
	w.empty()
	for _, want := range []string{
		`trellis_streams_opened_total{over="websocket"} 1`, `trellis_streams_opened_total{over="events"} 1`,
		`trellis_streams_ended_total{reason="left"} 1`, `trellis_streams_ended_total{reason="unexpected"} 1`,
		`trellis_streams 0`,
	} {
		testenv.Eventually(t, want, func() bool {
			res := w.ask(http.MethodGet, "/metrics", "")
			text := new(strings.Builder)
			_, _ = fmt.Fprint(text, readAll(res))
			return strings.Contains(text.String(), want+"\n")
		})
	}
}
