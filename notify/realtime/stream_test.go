package realtime_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/notify/realtime"
)

func TestLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	user, other := uuid.New(), uuid.New()
	w.tell(user, `1`, `2`)
	s, e := w.live(user, "s1"), w.follow(user, "s1", "")
	expect(t, e.next, "hello 2")
	w.tell(other, `"not yours"`)
	w.tell(user, `{"a": [1, "x\ny"]}`)
	n := notify.Notification{ID: uuid.New(), User: user, Category: notify.System, Title: "A\nB", Data: jsontext.Value(`{}`), CreatedAt: time.Now()}
	if _, _, err := w.store.Publish(t.Context(), n, notify.Keys{}); err != nil {
		t.Fatal(err)
	}
	for _, next := range []func() said{s.next, e.next} {
		if m := next(); m.String() != "note.changed 3" || string(m.Data) != `{"a":[1,"x\ny"]}` || m.Unread != 0 {
			t.Errorf("%+v", m)
		}
		if m := next(); m.String() != "notification 4" || !strings.Contains(string(m.Data), `"title":"A\nB"`) || m.Unread != 1 {
			t.Errorf("%+v", m)
		}
	}
	if e.id != w.epoch(user)+"-4" {
		t.Errorf("the last event's id is %q", e.id)
	}
}

// entries are messages as expect takes them.
func entries(from, to int) (all []string) {
	for i := from; i <= to; i++ {
		all = append(all, fmt.Sprint("note.changed ", i))
	}
	return all
}

// What comes between the hello and the client's word on where it resumes is
// held back, and comes then, once and in order.
func TestResume(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	for frame, want := range map[string][]string{
		`{}`:                        entries(6, 7),
		`{"epoch":null,"seq":null}`: entries(6, 7),
		`{"epoch":"NOW","seq":2}`:   entries(3, 7),
		`{"seq":0,"epoch":"NOW"}`:   entries(1, 7),
		`{"seq":0,"epoch":""}`:      entries(1, 7), // where the stream was before it began
		`{"epoch":"NOW","seq":7}`:   nil,
		`{"epoch":"NOW","seq":8}`:   {"resync 7"},
		`{"epoch":"other","seq":2}`: {"resync 7"},
		`{"epoch":"","seq":2}`:      {"resync 7"},
		` {"epoch":"NOW","seq":6}`:  entries(7, 7),
	} {
		t.Run(frame, func(t *testing.T) {
			t.Parallel()
			user := uuid.New()
			w.tell(user, `1`, `2`, `3`, `4`, `5`)
			s := w.dial(w.ticket(user, "s1"))
			expect(t, s.next, "hello 5")
			w.tell(user, `6`, `7`)
			s.send(final|text, strings.Replace(frame, "NOW", w.epoch(user), 1))
			expect(t, s.next, want...)
			w.tell(user, `8`)
			if m := s.next(); m.Seq != 8 || m.Epoch != w.epoch(user) {
				t.Errorf("then comes %+v", m)
			}
		})
	}
}

func TestResumeByRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	for at, want := range map[string][]string{
		"NOW 5":   nil,
		"NOW 3":   entries(4, 5),
		"NOW 0":   entries(1, 5),
		" 0":      entries(1, 5),
		"NOW 6":   {"resync 5"},
		"other 5": {"resync 5"},
		"a-b 5":   {"resync 5"},
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			user := uuid.New()
			w.tell(user, `1`, `2`, `3`, `4`, `5`)
			epoch, seq, _ := strings.Cut(strings.Replace(at, "NOW", w.epoch(user), 1), " ")
			s, e := w.dial(w.ticket(user, "s1", "&epoch=", epoch, "&seq=", seq)), w.follow(user, "s1", epoch+"-"+seq)
			expect(t, e.next, "hello 5")
			if e.id != epoch+"-"+seq {
				t.Errorf("the hello makes a client skip what it has not got: its last event is now %s", e.id)
			}
			expect(t, e.next, want...)
			expect(t, s.next, append([]string{"hello 5"}, want...)...)
			w.tell(user, `6`)
			expect(t, s.next, entries(6, 6)...)
			expect(t, e.next, entries(6, 6)...)
			if e.id != w.epoch(user)+"-6" {
				t.Errorf("the last event is %s", e.id)
			}
		})
	}
}

// A client that comes after a long time gets all of it.
func TestFarBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	user := uuid.New()
	for range 130 {
		w.tell(user, `1`)
	}
	s, e := w.dial(w.ticket(user, "s1", "&epoch=&seq=0")), w.follow(user, "s1", "-0")
	expect(t, s.next, append([]string{"hello 130"}, entries(1, 130)...)...)
	expect(t, e.next, append([]string{"hello 130"}, entries(1, 130)...)...)
}

// A stream begins with a user's first entry, and whoever was there before
// gets that, also when it resumes from there.
func TestFirstEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	user := uuid.New()
	s, e, gone := w.live(user, "s1"), w.follow(user, "s1", ""), w.follow(user, "s1", "")
	expect(t, e.next, "hello 0")
	expect(t, gone.next, "hello 0")
	gone.body.Close()
	w.tell(user, `1`, `2`)
	expect(t, s.next, entries(1, 2)...)
	expect(t, e.next, entries(1, 2)...)
	gone = w.follow(user, "s1", gone.id)
	expect(t, gone.next, append([]string{"hello 2"}, entries(1, 2)...)...)
}

// Who says nothing begins where the hello was, after a while.
func TestSilentClientBegins(t *testing.T) {
	t.Parallel()
	times := quick
	times.Hold = 20 * time.Millisecond
	w := newWorld(t, times, realtime.Options{})
	user := uuid.New()
	s := w.dial(w.ticket(user, "s1"))
	expect(t, s.next, "hello 0")
	w.tell(user, `1`)
	expect(t, s.next, entries(1, 1)...)
	s.send(final|text, `{}`) // late, and without a difference
	w.tell(user, `2`)
	expect(t, s.next, entries(2, 2)...)
	s.send(final|text, `{}`)
	if got := s.closed(); got != "1008 no second message is expected" {
		t.Errorf("closed with %q", got)
	}

	first := fmt.Sprintf(`{"epoch":%q,"seq":1}`, w.epoch(user))
	s = w.dial(w.ticket(user, "s1"))
	expect(t, s.next, "hello 2")
	w.tell(user, `3`)
	expect(t, s.next, entries(3, 3)...)
	s.send(final|text, first)
	if got := s.closed(); got != "1008 too late to resume: say it in the query" {
		t.Errorf("closed with %q", got)
	}

	reads := w.store.count(&w.store.reads)
	s = w.dial(w.ticket(user, "s1"))
	expect(t, s.next, "hello 3")
	testenv.Eventually(t, "the reading has begun", func() bool { return w.store.count(&w.store.reads) >= reads+2 }) // it has begun
	s.send(final|text, first)                                                                                       // late too, but nothing was sent
	expect(t, s.next, entries(2, 3)...)
}

// A client may send its frame along with the request.
func TestEarlyFrame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	user := uuid.New()
	w.tell(user, `1`)
	s, _ := w.shake(w.ticket(user, "s1"), handshake, string(frame(final|text, `{"epoch":"","seq":0}`)))
	expect(t, s.next, "hello 1", "note.changed 1")
}

// Whatever happens to connections and to what the store tells, a client that
// resumes gets every entry once, in order.
func TestExactlyOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	w.store.set(func() { w.store.flaky = true })
	const count = 300
	for _, name := range []string{"WebSocket", "events"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user, got := uuid.New(), int64(0)
			w.tell(user, `1`)
			epoch := w.epoch(user)
			var telling sync.WaitGroup
			telling.Go(func() {
				for range count - 1 {
					w.tell(user, `1`)
				}
			})
			defer telling.Wait()
			for got < count {
				next, hangUp := w.resuming(name, user, epoch, got)
				for n := rand.IntN(50); n >= 0 && got < count; n-- {
					if m := next(); m.Type != "note.changed" || m.Epoch != epoch || m.Seq != got+1 {
						t.Fatalf("after %d comes %v", got, m)
					}
					got++
				}
				hangUp()
			}
		})
	}
}

// resuming is a client that resumes behind an entry.
func (w *world) resuming(over string, user uuid.UUID, epoch string, behind int64) (next func() said, hangUp func()) {
	if over == "events" {
		e := w.follow(user, "s1", fmt.Sprint(epoch, "-", behind))
		e.next()
		return e.next, func() { e.body.Close() }
	}
	s := w.dial(w.ticket(user, "s1"))
	s.next()
	s.send(final|text, fmt.Sprintf(`{"epoch":%q,"seq":%d}`, epoch, behind))
	return s.next, func() { s.conn.Close() }
}

// What the store did not tell is asked for when it says that it may have
// missed something.
func TestGap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	user := uuid.New()
	s, e := w.live(user, "s1"), w.follow(user, "s1", "")
	expect(t, e.next, "hello 0")
	w.tell(user, `1`)
	expect(t, s.next, entries(1, 1)...)
	w.unheard(func() { w.tell(user, `2`, `3`) }, 2)
	expect(t, s.next, entries(2, 3)...)
	expect(t, e.next, entries(1, 3)...)

	// So much was missed that the stream does not go back so far.
	w.store.forward(t, user)
	w.unheard(func() {}, 0)
	expect(t, s.next, "resync 1003")
	expect(t, e.next, "resync 1003")
	w.tell(user, `1`)
	expect(t, s.next, entries(1004, 1004)...)
	expect(t, e.next, entries(1004, 1004)...)

	// The store has lost the stream, which begins anew.
	before := w.epoch(user)
	w.store.forget(t, user)
	w.tell(user, `1`)
	for _, next := range []func() said{s.next, e.next} {
		if m := next(); m.String() != "resync 1" || m.Epoch != w.epoch(user) || m.Epoch == before {
			t.Errorf("got %+v", m)
		}
	}
	w.tell(user, `2`)
	expect(t, s.next, entries(2, 2)...)
	expect(t, e.next, entries(2, 2)...)
}

// unheard does what adds n entries, of which the hub hears only that there was
// something.
func (w *world) unheard(add func(), n int) {
	w.t.Helper()
	w.store.set(func() { w.store.deaf, w.store.lost = true, 0 })
	add()
	testenv.Eventually(w.t, "the store is lost", func() bool { return w.store.count(&w.store.lost) == n })
	w.store.set(func() { w.store.deaf = false; w.store.gap() })
}

// A store that fails is asked again, and nothing is lost meanwhile.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	user := uuid.New()
	s, e := w.live(user, "s1"), w.follow(user, "s1", "")
	expect(t, e.next, "hello 0")
	w.store.set(func() { w.store.broken = true })
	w.unheard(func() { w.tell(user, `1`) }, 1)
	reads := w.store.count(&w.store.reads)
	testenv.Eventually(t, "the store is read again", func() bool { return w.store.count(&w.store.reads) > reads+5 })
	w.tell(user, `2`)
	if _, res := w.shake(w.ticket(user, "s1"), handshake, ""); res.StatusCode != http.StatusInternalServerError {
		t.Errorf("opening a stream: %s", res.Status)
	}
	if res := w.ask("GET", "/v1/realtime/events", w.token(user, "s1")); res.StatusCode != http.StatusInternalServerError {
		t.Errorf("opening a stream: %s", res.Status)
	}
	w.store.set(func() { w.store.broken = false })
	expect(t, s.next, entries(1, 2)...)
	expect(t, e.next, entries(1, 2)...)
	s.conn.Close()
	e.body.Close()
	w.empty()
}

// A client that takes nothing in is cut, and nobody else notices.
func TestSlow(t *testing.T) {
	t.Parallel()
	times := quick
	times.Patience = 200 * time.Millisecond
	w := newWorld(t, times, realtime.Options{})
	user := uuid.New()
	slow, slower := w.live(user, "s1"), w.follow(user, "s1", "")
	expect(t, slower.next, "hello 0")
	s := w.live(user, "s1")
	large := `"` + strings.Repeat("x", 100<<10) + `"`
	for i := 1; w.hub.Open() > 1; i++ {
		w.tell(user, large)
		expect(t, s.next, entries(i, i)...)
	}
	got, err := io.ReadAll(slow.in)
	if len(got) == 0 || bytes.Contains(got, []byte("\x03\xf5")) { // 1013 would be part of the entry that broke off
		t.Errorf("the slow client got %d bytes, %v", len(got), err)
	}
	if _, err := io.Copy(io.Discard, slower.body); err == nil {
		t.Error("the slow client takes what it got for all")
	}
}

// A client that falls behind further than the stream goes is sent away with
// the reason.
func TestFallsBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	user := uuid.New()
	slow, slower, quick := w.live(user, "s1"), w.follow(user, "s1", ""), w.live(user, "s1")
	w.tell(user, `1`)
	expect(t, slow.next, entries(1, 1)...)
	expect(t, slower.next, "hello 0", "note.changed 1")
	large := `"` + strings.Repeat("x", 100<<10) + `"`
	for range 50 { // more than the connection holds
		w.tell(user, large)
	}
	expect(t, quick.next, entries(1, 51)...) // and the hub has heard of all
	w.store.forward(t, user)
	w.tell(user, `1`)
	if got := slow.closed(); got != "1013 too slow" {
		t.Errorf("closed with %q", got)
	}
	for last := 1; ; {
		e, err := slower.event()
		if err == io.EOF {
			break
		}
		if e == (event{}) && err == nil {
			continue
		}
		if last++; err != nil || e.id != fmt.Sprint(w.epoch(user), "-", last) {
			t.Fatalf("%q, %v, want the entry %d", e.id, err, last)
		}
	}
	w.empty()
}

// Entries are written at once, whoever else is slow to take theirs.
func TestNobodyWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	stuck, user := uuid.New(), uuid.New()
	w.live(stuck, "s1")
	s := w.live(user, "s1")
	large := `"` + strings.Repeat("x", 20<<10) + `"`
	ctx, stop := context.WithCancel(context.Background())
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for n := 0; n < 300 && ctx.Err() == nil; n++ {
			w.tell(stuck, large)
		}
	})
	for i := range 100 {
		w.tell(user, `1`)
		expect(t, s.next, entries(i+1, i+1)...)
	}
	stop()
	publishing.Wait()
}
