package token_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trellis-go/trellis/kit/token"
)

const endedURL = "http://auth/internal/v1/auth/revocations"

// teller stands for the auth service and the way to it: it hands each stream
// that begins to the test.
type teller struct {
	began         chan *telling
	away, refuses atomic.Bool
}

// telling is one stream.
type telling struct {
	*io.PipeWriter
	at   time.Time
	gone <-chan struct{} // closed when the listener lets it go
}

// RoundTrip implements http.RoundTripper.
func (p *teller) RoundTrip(r *http.Request) (*http.Response, error) {
	body, w := io.Pipe()
	context.AfterFunc(r.Context(), func() { w.CloseWithError(r.Context().Err()) })
	p.began <- &telling{w, time.Now(), r.Context().Done()}
	if p.away.Load() {
		return nil, errAway
	}
	status := http.StatusOK
	if p.refuses.Load() {
		status = http.StatusServiceUnavailable
	}
	if r.URL.String() != endedURL || r.Method != http.MethodGet {
		status = http.StatusNotFound
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: body, Request: r}, nil
}

func (s *telling) say(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if _, err := io.WriteString(s, line+"\n"); err != nil {
			t.Error(err)
		}
	}
	synctest.Wait()
}

// beat says for a time that there is no news.
func (s *telling) beat(t *testing.T, d time.Duration) {
	t.Helper()
	for range d / (200 * time.Millisecond) {
		s.say(t, `{}`)
		time.Sleep(200 * time.Millisecond)
	}
	s.say(t, `{}`)
}

func (s *telling) held() bool {
	synctest.Wait()
	select {
	case <-s.gone:
		return false
	default:
		return true
	}
}

// next is the stream that begins next, and how long after the last moment.
func (p *teller) next(t *testing.T) (*telling, time.Duration) {
	t.Helper()
	since := time.Now()
	select {
	case s := <-p.began:
		return s, max(s.at.Sub(since), 0)
	case <-time.After(time.Minute):
		t.Fatal("there is no other stream")
		return nil, 0
	}
}

// follow runs f with a verifier that follows a teller, in a bubble of time.
func follow(t *testing.T, f func(t *testing.T, p *teller, w *world, failures func() int)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &teller{began: make(chan *telling, 100)}
		w, r := heeding()
		var mu sync.Mutex
		failed := 0
		ctx, cancel := context.WithCancel(t.Context())
		var following sync.WaitGroup
		following.Go(func() {
			r.Follow(ctx, endedURL, p, func(err error) {
				mu.Lock()
				defer mu.Unlock()
				failed++
				if err == nil || !strings.HasPrefix(err.Error(), endedURL) {
					t.Errorf("it failed with %v", err)
				}
			})
		})
		f(t, p, w, func() int { synctest.Wait(); mu.Lock(); defer mu.Unlock(); return failed })
		cancel()
		following.Wait()
	})
}

const complete = `{"complete":true}`

func ends(session string) string { return `{"session":"` + session + `","seconds":660}` }

func TestFollow(t *testing.T) {
	follow(t, func(t *testing.T, p *teller, w *world, failures func() int) {
		s1, s2, s3 := w.of(t, "s1"), w.of(t, "s2"), w.of(t, "s3")
		first, _ := p.next(t)
		first.say(t, ends("s1"))
		verified := make(chan error)
		go func() { _, err := w.verifier.Verify(t.Context(), s2); verified <- err }()
		synctest.Wait()
		select {
		case err := <-verified:
			t.Errorf("before all was told: %v", err)
		default:
		}
		first.say(t, complete)
		if err := <-verified; err != nil {
			t.Error(err)
		}
		w.refuses(t, s1)
		w.accepts(t, s2)
		w.accepts(t, s3)
		first.say(t, ends("s2"))
		w.refuses(t, s2)
		first.beat(t, time.Minute)
		first.say(t, `{"session":"s3","seconds":660,"reason":"of a newer teller's","device":{"id":1}}`, `{"of":"another kind"}`)
		w.refuses(t, s3)
		if len(p.began) > 0 || failures() > 0 {
			t.Errorf("%d other streams, %d failures", len(p.began), failures())
		}
	})
}

// A teller that falls silent is left for another at once. It is let go only
// then: the balancer is not to pick it again.
func TestSilentTeller(t *testing.T) {
	follow(t, func(t *testing.T, p *teller, w *world, failures func() int) {
		s1, s2, s3 := w.of(t, "s1"), w.of(t, "s2"), w.of(t, "s3")
		first, _ := p.next(t)
		first.say(t, complete)
		first.beat(t, 2*time.Second)
		second, after := p.next(t)
		if after > 700*time.Millisecond || !first.held() {
			t.Errorf("it went elsewhere after %v, holding the first: %v", after, first.held())
		}
		w.accepts(t, s1) // what was known stands
		second.say(t, ends("s1"))
		w.refuses(t, s1)
		if !first.held() {
			t.Error("it let the first go before the second was complete")
		}
		second.say(t, complete)
		if first.held() {
			t.Error("it holds the first for ever")
		}

		third, _ := p.next(t) // which says nothing at all, and so does a fourth
		fourth, after := p.next(t)
		if after > 700*time.Millisecond || !third.held() || second.held() {
			t.Errorf("it left the third after %v; holding the second: %v, the third: %v", after, second.held(), third.held())
		}
		fifth, after := p.next(t)
		if after > 700*time.Millisecond || !fourth.held() || third.held() {
			t.Errorf("it left the fourth after %v; holding the third: %v, the fourth: %v", after, third.held(), fourth.held())
		}
		fourth.say(t, ends("s2")) // it wakes up, and what it says is true
		w.refuses(t, s2)
		fifth.say(t, complete, ends("s3"))
		w.refuses(t, s3)
		if fourth.held() || failures() != 1 {
			t.Errorf("it holds the fourth: %v; it told of %d failures", fourth.held(), failures())
		}
	})
}

// A stream that ends is begun again at once; one that does not last, with
// growing pauses.
func TestStreamEnds(t *testing.T) {
	follow(t, func(t *testing.T, p *teller, w *world, failures func() int) {
		s, _ := p.next(t)
		for range 3 {
			s.say(t, complete)
			s.beat(t, 2*time.Second)
			s.Close()
			var after time.Duration
			if s, after = p.next(t); after != 0 {
				t.Errorf("begun again after %v", after)
			}
		}
		s.say(t, complete)
		if failures() != 3 {
			t.Errorf("told of %d failures, want 3", failures())
		}
		for i := range 20 { // as of an instance that drains
			s.Close()
			var after time.Duration
			if s, after = p.next(t); after > 400*time.Millisecond || after < 25*time.Millisecond || i > 5 && after < 200*time.Millisecond {
				t.Errorf("the %d-th pause is %v", i, after)
			}
			s.say(t, ends(fmt.Sprint("s", i)), complete)
			w.refuses(t, w.of(t, fmt.Sprint("s", i)))
		}
		s.beat(t, time.Second)
		s.Close()
		if _, after := p.next(t); after != 0 || failures() != 4 {
			t.Errorf("begun again after %v; told of %d failures, want 4", after, failures())
		}
	})
}

// While nobody answers, what is known stands; whoever knows nothing lets nobody in.
func TestTellerAway(t *testing.T) {
	for name, fails := range map[string]func(*teller) *atomic.Bool{
		"away":     func(p *teller) *atomic.Bool { return &p.away },
		"refusing": func(p *teller) *atomic.Bool { return &p.refuses },
	} {
		t.Run(name, func(t *testing.T) {
			follow(t, func(t *testing.T, p *teller, w *world, failures func() int) {
				s1, s2 := w.of(t, "s1"), w.of(t, "s2")
				s, _ := p.next(t)
				s.say(t, ends("s1"), complete)
				s.beat(t, time.Second)
				fails(p).Store(true)
				s.Close()
				for range 100 {
					_, _ = p.next(t)
					w.refuses(t, s1)
					w.accepts(t, s2)
				}
				if failures() != 1 {
					t.Errorf("told of %d failures, want 1", failures())
				}
				fails(p).Store(false)
				s, _ = p.next(t)
				s.say(t, ends("s2"))
				w.refuses(t, s2)
			})
		})
	}
}

// What makes no sense ends the stream, and leaves what is known as it is.
func TestNonsenseIsTold(t *testing.T) {
	for name, line := range map[string]string{
		"no JSON":             `<html>`,
		"nothing":             ``,
		"half":                `{"session":"s1"`,
		"two":                 `{} {}`,
		"a list":              `[]`,
		"a text":              `"s1"`,
		"a number for text":   `{"session":1,"seconds":1}`,
		"a fraction":          `{"session":"s1","seconds":1.5}`,
		"no time":             `{"session":"s1"}`,
		"no time left":        `{"session":"s1","seconds":0}`,
		"time before":         `{"session":"s1","seconds":-1}`,
		"a lifetime":          `{"session":"s1","seconds":86401}`,
		"more than an int":    `{"session":"s1","seconds":9223372036854775808}`,
		"a session too long":  `{"session":"` + strings.Repeat("s", 65) + `","seconds":1}`,
		"a line too long":     `{"session":"s1","seconds":1` + strings.Repeat(" ", 8<<10) + `}`,
		"a line without end":  strings.Repeat("x", 1<<20),
		"complete, and wrong": `{"session":"s1","complete":true}`,
	} {
		t.Run(name, func(t *testing.T) {
			follow(t, func(t *testing.T, p *teller, w *world, failures func() int) {
				first, _ := p.next(t)
				go func() { _, _ = io.WriteString(first, line+"\n") }() // it may not be read to its end
				second, _ := p.next(t)
				if first.held() || failures() != 1 {
					t.Errorf("the first is held: %v; it told of %d failures", first.held(), failures())
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				defer cancel()
				if _, err := w.verifier.Verify(ctx, w.of(t, "s1")); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("before all was told: %v", err)
				}
				second.say(t, complete)
				w.accepts(t, w.of(t, "s1"))
			})
		})
	}
}

// A line that broke off is not taken, even where it would make sense.
func TestLineBreaksOff(t *testing.T) {
	follow(t, func(t *testing.T, p *teller, w *world, _ func() int) {
		s, _ := p.next(t)
		s.say(t, complete)
		go func() { _, _ = io.WriteString(s, ends("s1")); s.Close() }()
		_, _ = p.next(t)
		w.accepts(t, w.of(t, "s1"))
	})
}

// More than there is room for is told of once, and does not end the stream.
func TestMoreThanThereIsRoomFor(t *testing.T) {
	t.Parallel()
	w, r := heeding()
	r.Room(1)
	ctx, cancel := context.WithCancel(t.Context())
	failures := 0
	told := strings.Join([]string{ends("s1"), ends("s2"), ends("s3"), ends("s1"), complete, ""}, "\n")
	r.Follow(ctx, endedURL, once{told, cancel}, func(error) { failures++ })
	w.refuses(t, w.of(t, "s1"))
	w.accepts(t, w.of(t, "s2"))
	if failures != 1 {
		t.Errorf("told of %d failures, want 1", failures)
	}
}

// Over real HTTP: the listener hears what is told while the answer goes on,
// and goes when it is told to.
func TestFollowOverHTTP(t *testing.T) {
	t.Parallel()
	lines, left := make(chan string), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(left)
		_, _ = io.WriteString(w, complete+"\n")
		beat := time.NewTicker(100 * time.Millisecond)
		defer beat.Stop()
		for line := ""; ; {
			if err := http.NewResponseController(w).Flush(); err != nil {
				return
			}
			select {
			case line = <-lines:
			case <-beat.C:
				line = `{}`
			case <-r.Context().Done():
				return
			}
			_, _ = io.WriteString(w, line+"\n")
		}
	}))
	t.Cleanup(server.Close)
	w, r := heeding()
	ctx, cancel := context.WithCancel(t.Context())
	var following sync.WaitGroup
	following.Go(func() { r.Follow(ctx, server.URL, server.Client().Transport, func(err error) { t.Log(err) }) })
	text := w.of(t, "s1")
	w.accepts(t, text)
	lines <- ends("s1")
	for w.verifier.Cached(text) != nil {
		select {
		case <-t.Context().Done():
			t.Fatal("the end of a session is not heard")
		case <-time.After(time.Millisecond):
		}
	}
	w.refuses(t, text)
	cancel()
	following.Wait()
	<-left
}

// Whatever is told: what is refused was told to have ended, and nobody is let
// in before all was told.
func FuzzFollow(f *testing.F) {
	f.Add(ends("s1") + "\n" + complete + "\n" + `{}` + "\n")
	f.Add(complete + "\n" + `{"session":"s1","seconds":1e2}` + "\n")
	f.Add(`{"SESSION":"s1","seconds":1}` + "\n")
	f.Add(`{"session":"s1","session":"s2","seconds":1}` + "\n" + complete + "\r\n")
	f.Add("\n\x00{}\n" + complete)
	w := newWorld()
	text := w.of(f, "s1")
	f.Fuzz(func(t *testing.T, told string) {
		w.forget()
		r := token.NewRevocations()
		w.verifier.Heed(r)
		ctx, cancel := context.WithCancel(t.Context())
		r.Follow(ctx, endedURL, once{told, cancel}, func(error) {})
		done, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := w.verifier.Verify(done, text)
		ended, all := false, false
		for line := range strings.Lines(told) {
			var one token.Revocation
			if !strings.HasSuffix(line, "\n") || json.Unmarshal([]byte(line), &one) != nil {
				break
			}
			ended = ended || one.Session == "s1" && one.Seconds > 0 && one.Seconds <= 86400
			all = all || one.Complete
		}
		switch {
		case err == nil && (ended || !all), errors.Is(err, token.ErrRevoked) && !ended:
			t.Errorf("%q: %v", told, err)
		case err != nil && !errors.Is(err, token.ErrRevoked) && !errors.Is(err, context.Canceled):
			t.Errorf("%q: %v", told, err)
		}
	})
}

// once tells a text, and at its end stops the listener.
type once struct {
	text string
	stop func()
}

func (o once) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: struct {
		io.Reader
		io.Closer
	}{strings.NewReader(o.text), closer(o.stop)}}, nil
}

type closer func()

func (c closer) Close() error { c(); return nil }
