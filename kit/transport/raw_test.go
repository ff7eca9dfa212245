package transport_test

import (
	"bufio"
	"errors"
	"io"
	"testing"

	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/kit/transport"
)

func TestStream(t *testing.T) {
	t.Parallel()
	s := serve(t)
	res, err := s.Client().Get(s.URL + "/v1/streams/events")
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(res.Body).ReadString('\n') // though the handler goes on
	if err != nil || line != "data: first\n" || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("X-Request-Id") == "" {
		t.Errorf("%q, %v, %v", line, err, res.Header)
	}
	res.Body.Close() // and the handler ends, or the server could not be closed
}

func TestRaw(t *testing.T) {
	t.Parallel()
	s := serve(t)
	if a := s.do("GET", "/v1/streams/nothing", "").is(t, 200); a.body != "" {
		t.Errorf("nothing is %q", a.body)
	}
	s.do("GET", "/v1/streams/refused", "").refused(t, 410, "resync")
	s.do("GET", "/v1/streams/other", "").refused(t, 404, "no_such_thing")
	s.do("GET", "/v1/socket", "", "Authorization:").refused(t, 401, "token_missing")
	for _, how := range []string{"broken", "flushed", "panicked", "aborted"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			res, err := s.Client().Get(s.URL + "/v1/streams/" + how)
			if err == nil {
				defer res.Body.Close()
				var got []byte
				got, err = io.ReadAll(res.Body)
				if len(got) > len("half") {
					t.Errorf("the client got %q", got)
				}
			}
			if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
				t.Errorf("the client takes the half for the whole: %v", err)
			}
		})
	}
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	s := serve(t)
	conn := s.dial()
	defer conn.Close()
	if _, err := io.WriteString(conn, head("GET /v1/socket", "Connection: Upgrade", "Upgrade: lines")); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || line != "HTTP/1.1 101 Switching Protocols\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	for _, word := range []string{"one", "two"} {
		_, _ = io.WriteString(conn, word+"\n")
		if line, err := in.ReadString('\n'); err != nil || line != map[string]string{"one": "ONE\n", "two": "TWO\n"}[word] {
			t.Errorf("%q, %v", line, err)
		}
	}
}

// What a raw endpoint wrote is what the log tells.
func TestRawIsLogged(t *testing.T) {
	t.Parallel()
	things := newThings()
	lines := make(chan map[string]any, 10)
	stack := newStack(log.LoggerFunc(func(pairs ...any) error {
		line := map[string]any{}
		for i := 0; i+1 < len(pairs); i += 2 {
			line[pairs[i].(string)] = value(pairs[i+1])
		}
		lines <- line
		return nil
	}))
	h, err := transport.Handler(unlimited(things.routes()), transport.Options{Stack: stack, Keeper: forgetful{}})
	if err != nil {
		t.Fatal(err)
	}
	s := serveBehind(t, things, h)
	for how, status := range map[string]int{"nothing": 200, "refused": 410, "broken": 500, "panicked": 500, "aborted": 500} {
		res, err := s.Client().Get(s.URL + "/v1/streams/" + how)
		if err == nil {
			res.Body.Close()
		}
		if line := <-lines; line["status"] != status || line["endpoint"] != "Stream" {
			t.Errorf("%s is logged as %v, want %d", how, line, status)
		}
	}
	conn := s.dial()
	_, _ = io.WriteString(conn, head("GET /v1/socket"))
	if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
		t.Error(err)
	}
	conn.Close()
	if line := <-lines; line["status"] != 101 {
		t.Errorf("an upgrade is logged as %v", line)
	}
}

// value is what a logged value points at; lines are used again once they are written.
func value(v any) any {
	switch v := v.(type) {
	case *string:
		return *v
	case *int:
		return *v
	}
	return v
}
