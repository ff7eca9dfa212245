package gateway_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// When streams are to end, event streams end as if all had been said; what is
// no stream of events finishes.
func TestStreamsEndWhenDraining(t *testing.T) {
	t.Parallel()
	draining, drain := context.WithCancel(t.Context())
	f := start(t, until(draining))
	proceed := make(chan struct{})
	defer close(proceed)
	f.service(t, "things", document("GET /v1/events "+public, "GET /v1/lines "+public), func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/events" {
			w.Header().Set("Content-Type", "Text/Event-Stream; charset=utf-8")
		}
		_, _ = io.WriteString(w, "data: one\n\n")
		_ = http.NewResponseController(w).Flush()
		if r.URL.Path == "/v1/events" {
			<-r.Context().Done()
			return
		}
		<-proceed
		_, _ = io.WriteString(w, "last")
	})
	f.known(t, "/v1/events", "/v1/lines")
	bodies := map[string]*bufio.Reader{}
	for _, path := range []string{"/v1/events", "/v1/lines"} {
		w := f.dial(t)
		w.send("GET "+path+" HTTP/1.1", "Host: x", "X-Request-Id: "+path)
		bodies[path] = bufio.NewReader(w.answer("GET").Body)
		if line, err := bodies[path].ReadString('\n'); line != "data: one\n" || err != nil {
			t.Fatalf("%q, %v", line, err)
		}
	}
	drain()
	if rest, err := io.ReadAll(bodies["/v1/events"]); string(rest) != "\n" || err != nil {
		t.Errorf("the events ended with %q, %v", rest, err)
	}
	if line := f.logged(t, "/v1/events"); line.Status != 200 {
		t.Errorf("logged as %+v", line)
	}
	proceed <- struct{}{}
	if rest, err := io.ReadAll(bodies["/v1/lines"]); string(rest) != "\nlast" || err != nil {
		t.Errorf("the other ended with %q, %v", rest, err)
	}
	if !f.Status(&f.recent).Gateway.Draining {
		t.Error("the status does not tell")
	}
}

func farewell(w *wire) {
	w.t.Helper()
	got, err := readFrame(w.in)
	if err != nil || got.first != fin|closing || len(got.payload) < 2 || binary.BigEndian.Uint16([]byte(got.payload)) != 1012 {
		w.t.Errorf("at the end came %x %.100q, %v", got.first, got.payload, err)
	}
}

// A WebSocket's client is told to come back, between two frames, and the
// gateway does not wait for ever for either side.
func TestTunnelsEndWhenDraining(t *testing.T) {
	t.Parallel()
	draining, drain := context.WithCancel(t.Context())
	f := start(t, until(draining))
	big := frame{fin | text, strings.Repeat("x", 100_000)}
	replied := make(chan frame, 1)
	f.service(t, "things", document("GET /v1/idle "+public, "GET /v1/busy "+public, "GET /v1/stuck "+public, "GET /v1/flood "+public), upgraded(func(conn *net.TCPConn, in *bufio.Reader, r *http.Request) {
		begin := big.bytes(false)
		switch r.URL.Path {
		case "/v1/idle":
			got, _ := readFrame(in)
			replied <- got
		case "/v1/busy": // amid a frame
			_, _ = conn.Write(begin[:50_000])
			<-draining.Done()
			_, _ = conn.Write(begin[50_000:])
			_, _ = io.Copy(io.Discard, in)
		case "/v1/stuck": // and for ever
			_, _ = conn.Write(begin[:50_000])
			_, _ = io.Copy(io.Discard, in)
			_, _ = conn.Read(make([]byte, 1))
		case "/v1/flood": // which nobody takes in
			_, _ = io.Copy(conn, endless{})
		}
	}))
	f.known(t, "/v1/idle", "/v1/busy", "/v1/stuck", "/v1/flood")
	idle, busy, stuck, flood := f.open(t, "/v1/idle"), f.open(t, "/v1/busy"), f.open(t, "/v1/stuck"), f.open(t, "/v1/flood")
	for _, w := range []*wire{busy, stuck, flood} { // they have begun
		if _, err := w.in.Peek(1); err != nil {
			t.Fatal(err)
		}
	}
	drain()

	farewell(idle)
	idle.push(frame{fin | closing, "\x03\xf4"})
	if got := <-replied; got.first != fin|closing { // the service hears that the client goes
		t.Errorf("the service got %v", got)
	}
	idle.Close()
	busy.pull(big)
	farewell(busy)
	busy.Close()
	late := f.open(t, "/v1/idle") // which a draining gateway may still get
	farewell(late)
	late.Close()
	<-replied
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := f.Wait(ctx); err != nil {
		t.Error("a tunnel is left:", err)
	}
	if _, err := readFrame(stuck.in); err == nil {
		t.Error("half a frame came as a whole")
	}
}
