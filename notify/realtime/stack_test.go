package realtime_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notify/realtime"
)

// behind serves a world's streams in another way: behind a stack that logs to
// a logger, over TLS and HTTP/2 if so asked.
func (w *world) behind(logger log.Logger, times realtime.Times, tls bool) *httptest.Server {
	w.t.Helper()
	hub := realtime.NewHub(w.store, realtime.Options{Ended: w.revoked.Ended, Logger: logger})
	hub.Hurry(times)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan struct{})
	go func() { defer close(ran); hub.Run(ctx) }()
	stack := endpoint.NewStack(logger, telemetry.NewMetrics(), &telemetry.Tracer{}, token.NewVerifier(w, "http://localhost:8000", "trellis"))
	handler, err := transport.Handler(rows(hub), transport.Options{Stack: stack})
	if err != nil {
		w.t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(handler)
	s.EnableHTTP2 = tls
	if tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	w.t.Cleanup(func() { cancel(); <-ran; s.Close() })
	return s
}

// A ticket opens a stream, and is nothing for the log.
func TestLogKeepsNoTicket(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	var mu sync.Mutex
	var lines []string
	server := w.behind(log.LoggerFunc(func(pairs ...any) error {
		mu.Lock()
		defer mu.Unlock()
		line := ""
		for _, v := range pairs {
			if s, ok := v.(*string); ok {
				v = *s
			}
			line += fmt.Sprint(v, " ")
		}
		lines = append(lines, line)
		return nil
	}), quick, false)
	w.addr = strings.TrimPrefix(server.URL, "http://")
	user := uuid.New()
	path := w.ticket(user, "s1")
	_, secret, _ := strings.Cut(path, "=")
	for i, more := range []string{"&epoch=e", "&x=%zz", "", ""} {
		w.shake(path+more, handshake, "")
		testenv.Eventually(t, "a line is logged", func() bool { mu.Lock(); defer mu.Unlock(); return len(lines) > i })
	}
	mu.Lock()
	defer mu.Unlock()
	for _, line := range lines {
		if strings.Contains(line, secret) {
			t.Error("the log tells a ticket: ", line)
		}
	}
	if !strings.Contains(lines[2], user.String()) || !strings.Contains(lines[2], "s1") {
		t.Errorf("the log does not tell who has opened a stream: %s", lines[2])
	}
}

// Over HTTP/2 a write's deadline, when it passes, ends a stream on which
// nothing is written.
func TestEventsOverHTTP2(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, realtime.Options{})
	times := quick
	times.Patience, times.Comment = 500*time.Millisecond, time.Second
	server := w.behind(log.NewNopLogger(), times, true)
	user := uuid.New()
	r, err := http.NewRequest("GET", server.URL+"/v1/realtime/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.token(user, "s1"))
	res, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.ProtoMajor != 2 || res.StatusCode != 200 {
		t.Fatalf("%s %s", res.Proto, res.Status)
	}
	e := &source{t: t, body: res.Body, in: bufio.NewReader(res.Body)}
	if _, err := e.event(); err != nil { // retry
		t.Fatal(err)
	}
	expect(t, e.next, "hello 0")
	for range 3 {
		if got, err := e.event(); got != (event{}) || err != nil {
			t.Fatalf("%+v, %v, want a comment", got, err)
		}
	}
	w.tell(user, `1`)
	expect(t, e.next, entries(1, 1)...)
	w.revoked.Add("s1", time.Now().Add(time.Hour))
	e.end("session_ended")
}
