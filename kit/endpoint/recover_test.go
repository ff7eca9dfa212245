package endpoint_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/transport"
)

func TestPanic(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"text": "hunter2", "error": errors.New("hunter2"), "nil": nil, "uncomparable": []string{"hunter2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			h := w.handler(t, transport.Get("/v1/notes/{id}",
				endpoint.New(func(context.Context, noteID) (answer, error) { panic(value) }, "").Named("Get").Public()))
			rec := serve(h, request("GET", "/v1/notes/1", ""))
			if p := problem(t, rec); rec.Code != 500 || p.Code != "internal" || p.Detail != "Something went wrong on our side." {
				t.Errorf("answer is %d %+v", rec.Code, p)
			}
			if body := rec.Body.String(); strings.Contains(body, "hunter2") || strings.Contains(body, "goroutine") {
				t.Errorf("the answer shows the cause: %s", body)
			}
			line := w.log.last(t)
			cause, _ := line["err"].(string)
			if line["level"] != "error" || line["status"] != 500. || line["code"] != "internal" ||
				!strings.Contains(cause, "panic: ") || !strings.Contains(cause, "recover_test.go:") {
				t.Errorf("logged: %v", line)
			}
			if value != nil && !strings.Contains(cause, "hunter2") {
				t.Errorf("what was panicked with is not logged: %s", cause)
			}
			if got := w.metric(`trellis_request_seconds_count{endpoint="Get",status="5xx"}`); got != "1" {
				t.Errorf("measured as 5xx: %q", got)
			}
			if got := w.metric("trellis_requests_in_flight"); got != "0" {
				t.Errorf("%s requests are in flight", got)
			}
		})
	}
}

// A handler that gives up half-way has the connection cut: the client must
// not take a part for the whole.
func TestAbort(t *testing.T) {
	t.Parallel()
	for name, abort := range map[string]func(http.ResponseWriter) error{
		"panic":              func(http.ResponseWriter) error { panic(http.ErrAbortHandler) },
		"panic after a part": func(w http.ResponseWriter) error { _, _ = io.WriteString(w, "part"); panic(http.ErrAbortHandler) },
		"failure after a part": func(w http.ResponseWriter) error {
			_, _ = io.WriteString(w, "part")
			return errors.New("the source broke off")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			server := httptest.NewServer(w.handler(t, transport.Get("/stream", transport.Raw("Stream", "",
				func(w http.ResponseWriter, _ *http.Request) error { return abort(w) }).Public())))
			t.Cleanup(server.Close)
			res, err := server.Client().Get(server.URL + "/stream")
			if err == nil {
				_, err = io.ReadAll(res.Body)
				res.Body.Close()
			}
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("the client sees %v, not that the connection broke", err)
			}
			if line := w.log.last(t); line["code"] != "aborted" {
				t.Errorf("logged: %v", line)
			}
		})
	}
}
