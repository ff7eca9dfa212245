package transport_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/openzipkin/zipkin-go/model"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/transport"
)

// to sends every request to one server, whatever service it names.
type to struct {
	server *httptest.Server
	seen   *http.Request // the last
}

func (t *to) RoundTrip(r *http.Request) (*http.Response, error) {
	t.seen = r
	out := r.Clone(r.Context())
	out.URL.Host = strings.TrimPrefix(t.server.URL, "http://")
	return t.server.Client().Transport.RoundTrip(out)
}

func client(s *server) transport.Client {
	return transport.NewClient("things", s.routes(), &to{server: s.Server})
}

func asAlice(t *testing.T) context.Context { return endpoint.WithToken(t.Context(), alice()) }

func p[T any](v T) *T { return &v }

func TestClientParameters(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 2, 29, 1, 2, 3, 4000, time.UTC)
	for name, r := range map[string]EchoRequest{
		"none": {Word: "a"},
		"all": {
			Word: "a/b//c?d#e%2F é{number}", Number: -1 << 63, Text: "a&b=c+d é;%", Flag: true, Maybe: p(false), Count: p(0), Ref: p(uuid.New()),
			Since: at, Until: &at, Color: "red", Agent: "x/1 (é)", Match: &transport.IfMatch{Version: 7}, Session: "a.b-c_d=",
			Title: transport.Some(""), Times: transport.Some(&at), Map: map[string][]int{"a": {1, 2}, "é": {}},
			Nested: transport.Some(map[string]any{"x": []any{nil, true, 1.5, "\u2028<>&"}}),
		},
		"zero pointers":       {Word: "a", Maybe: p(true), Count: p(-1), Ref: &uuid.UUID{}, Match: &transport.IfMatch{Any: true}, Times: transport.Some[*time.Time](nil)},
		"dots in a word":      {Word: ".a..", Number: 1},
		"an escape in a word": {Word: "%2e%2e", Number: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			res, err := transport.Call[Result](asAlice(t), client(s), "Echo", r)
			if err != nil {
				t.Fatal(err)
			}
			if res.Value != r.Word {
				t.Errorf("the answer is %v", res)
			}
			if !reflect.DeepEqual(s.echoed, r) {
				t.Errorf("received\n%+v, sent\n%+v", s.echoed, r)
			}
		})
	}
}

// A value is never taken for a part of the path.
func TestClientDots(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, word := range []string{"..", ".", "", "../..", "../../v1/colors"} {
		_, err := transport.Call[Result](asAlice(t), client(s), "Echo", EchoRequest{Word: word, Number: 1})
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != "no_such_path" {
			t.Errorf("%q: %v", word, err)
		}
	}
}

func TestClientCalls(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, ctx := client(s), asAlice(t)
	made, err := transport.Call[Thing](ctx, c, "Create", CreateRequest{Name: "a", Tags: []string{"ab"}})
	if err != nil {
		t.Fatal(err)
	}
	changed, err := transport.Call[Thing](ctx, c, "Change", ChangeRequest{ID: made.ID, IfMatch: transport.IfMatch{Version: 1}, Name: transport.Some("new")})
	if err != nil || changed.Name != "new" || changed.Tags[0] != "ab" {
		t.Errorf("%+v, %v", changed, err)
	}
	if got, err := transport.Call[Thing](ctx, c, "Get", ThingRequest{made.ID}); err != nil || !reflect.DeepEqual(got, changed) {
		t.Errorf("%+v, %v", got, err)
	}
	page, err := transport.Call[transport.Page[Thing]](ctx, c, "List", ListRequest{Limit: p(1)})
	if err != nil || len(page.Data) != 1 || page.Page.HasMore {
		t.Errorf("%+v, %v", page, err)
	}
	if _, err := transport.Call[endpoint.None](ctx, c, "Remind", ThingRequest{made.ID}); err != nil {
		t.Error(err)
	}
	if _, err := transport.Call[Farewell](ctx, c, "Farewell", FarewellRequest{ID: made.ID, Status: 202}); err != nil {
		t.Error(err)
	}
	if rank, err := transport.Call[Rank](ctx, c, "Rank", ThingRequest{made.ID}); err != nil || rank != (Rank{}) {
		t.Errorf("%+v, %v", rank, err)
	}
	if _, err := transport.Call[endpoint.None](ctx, c, "Delete", DeleteRequest{made.ID, transport.IfMatch{Version: 2}}); err != nil {
		t.Error(err)
	}
	if _, err := transport.Call[Palette](t.Context(), c, "Colors", endpoint.None{}); err != nil {
		t.Error(err)
	}
}

func TestClientProblems(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for how, want := range map[string]*fault.Error{
		"wrapped":      fault.New(fault.Conflict, "taken", "It is taken."),
		"too many":     fault.New(fault.TooMany, "slow_down", "Slow down.").After(2 * time.Second),
		"unavailable":  fault.New(fault.Unavailable, "away", "Away.").After(time.Second),
		"unclassified": fault.New(fault.Internal, "internal", "Something went wrong on our side."),
		"fields":       failures["fields"].(*fault.Error),
		"stale": errStale.With(map[string]any{"id": uuid.Nil.String(), "name": "now", "color": "", "size": 0.0,
			"tags": []any{}, "due_at": nil, "version": 0.0}),
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			_, err := transport.Call[Result](t.Context(), client(s), "Fail", FailRequest{how})
			if !reflect.DeepEqual(err, error(want)) {
				t.Errorf("the error is\n%#v, want\n%#v", err, want)
			}
		})
	}
	if _, err := transport.Call[transport.Page[Thing]](t.Context(), client(s), "List", ListRequest{}); fault.Of(err).Code != "token_missing" {
		t.Errorf("without a token: %v", err)
	}
}

func TestClientWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	call := func(ctx context.Context, h http.HandlerFunc) error {
		s := httptest.NewServer(h)
		defer s.Close()
		_, err := transport.Call[Thing](ctx, transport.NewClient("things", newThings().routes(), &to{server: s}), "Get", ThingRequest{})
		return err
	}
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		kind   fault.Kind
		code   string
	}{
		"HTML":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, fault.BadGateway, "broken_answer"},
		"nothing": {func(http.ResponseWriter, *http.Request) {}, fault.BadGateway, "broken_answer"},
		"half": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = w.Write([]byte("{}"))
		}, fault.BadGateway, "broken_answer"},
		"another type": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"name":1}`)) }, fault.BadGateway, "broken_answer"},
		"no problem":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, fault.BadGateway, "broken_answer"},
		"another problem": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			_, _ = w.Write([]byte(`{"error":"x"}`))
		}, fault.BadGateway, "broken_answer"},
		"cut":             {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fault.Unavailable, "unreachable"},
		"more than known": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"name":"a","later":1}`)) }, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := call(t.Context(), tt.answer)
			if tt.kind == 0 && err == nil {
				return
			}
			if f, ok := errors.AsType[*fault.Error](err); !ok || f.Kind != tt.kind || f.Code != tt.code {
				t.Errorf("the error is %v", err)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		s := httptest.NewServer(nil)
		s.Close()
		_, err := transport.Call[Thing](t.Context(), transport.NewClient("things", newThings().routes(), &to{server: s}), "Get", ThingRequest{})
		if f := fault.Of(err); f.Kind != fault.Unavailable || f.Code != "unreachable" || f.RetryAfter == 0 || strings.Contains(f.Message, "127.0.0.1") {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("what the round tripper says", func(t *testing.T) {
		t.Parallel()
		want := fault.New(fault.Unavailable, "no_instance", "None.")
		c := transport.NewClient("things", newThings().routes(), roundTripper(func(*http.Request) (*http.Response, error) { return nil, want }))
		if _, err := transport.Call[Thing](t.Context(), c, "Get", ThingRequest{}); !reflect.DeepEqual(err, error(want)) {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("the caller has gone", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		err := call(ctx, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
		if fault.Of(err).Kind != fault.Canceled {
			t.Errorf("the error is %v", err)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestClientHandsOn(t *testing.T) {
	t.Parallel()
	s := serve(t)
	tracer, err := telemetry.NewTracer("caller", "127.0.0.1:0", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	over := &to{server: s.Server}
	c := transport.NewClient("things", s.routes(), over)
	trace := model.SpanContext{TraceID: model.TraceID{High: 1, Low: 2}, ID: 3}
	call := &endpoint.Call{Context: t.Context(), RequestID: "r-7", Token: alice(), Trace: trace, Tracer: tracer}
	if _, err := transport.Call[Result](context.WithValue(call, testKey{}, 1), c, "Echo", EchoRequest{Word: "a"}); err != nil {
		t.Fatal(err)
	}
	if s.call.RequestID != "r-7" || s.call.Token != alice() || s.call.Caller.ID != "alice" || s.call.Trace.TraceID != trace.TraceID || s.call.Trace.ID == trace.ID {
		t.Errorf("handed on: %+v", s.call)
	}
	if got := over.seen.Header.Get("Traceparent"); !strings.HasPrefix(got, "00-00000000000000010000000000000002-") || strings.Contains(got, "-0000000000000003-") {
		t.Errorf("traceparent is %s", got)
	}
	if over.seen.URL.Host != "things" {
		t.Errorf("the host is %s", over.seen.URL.Host)
	}
	// A public endpoint has no use for the token.
	if _, err := transport.Call[Palette](call, c, "Colors", endpoint.None{}); err != nil || over.seen.Header["Authorization"] != nil {
		t.Errorf("%v, Authorization is %q", err, over.seen.Header["Authorization"])
	}
}

type testKey struct{}

func TestClientMisuse(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, ctx := client(s), asAlice(t)
	errs := map[string]error{}
	_, errs["no such endpoint"] = transport.Call[Thing](ctx, c, "Nothing", ThingRequest{})
	_, errs["a stream"] = transport.Call[endpoint.None](ctx, c, "Stream", endpoint.None{})
	_, errs["another request"] = transport.Call[Thing](ctx, c, "Get", DeleteRequest{})
	_, errs["a pointer"] = transport.Call[Thing](ctx, c, "Get", &ThingRequest{})
	_, errs["no request"] = transport.Call[Thing](ctx, c, "Get", nil)
	_, errs["another answer"] = transport.Call[Result](ctx, c, "Get", ThingRequest{})
	_, errs["not JSON"] = transport.Call[Thing](ctx, c, "Create", CreateRequest{Name: "a", Extra: make(chan int)})
	_, errs["a broken header"] = transport.Call[Result](ctx, c, "Echo", EchoRequest{Word: "a", Agent: "a\r\nX: b"})
	_, errs["a broken cookie"] = transport.Call[Result](ctx, c, "Echo", EchoRequest{Word: "a", Session: "a;b"})
	for what, err := range errs {
		if _, ok := errors.AsType[*fault.Error](err); err == nil || ok || !strings.Contains(err.Error(), "things") {
			t.Errorf("%s: %v", what, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a client of routes that cannot be is made")
		}
	}()
	transport.NewClient("x", []transport.Route{transport.Get("/", endpoint.New(method[int], ""))}, nil)
}
