package endpoint_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
)

type service struct{}

func (service) Create(context.Context, note) (answer, error)   { return answer{}, nil }
func (*service) Get(_ context.Context, n note) (answer, error) { return answer{Title: n.Title}, nil }
func (*service) Delete(_ context.Context, n note) error        { return errors.New(n.Title) }
func list(context.Context, note) (answer, error)               { return answer{}, nil }
func generic[T any](context.Context, note) (answer, error)     { return answer{}, nil }

type keeper[T any] struct{}

func (*keeper[T]) Keep(context.Context, note) (answer, error) { return answer{}, nil }

type getter interface {
	Get(context.Context, note) (answer, error)
}

func TestNames(t *testing.T) {
	t.Parallel()
	s := &service{}
	for want, e := range map[string]endpoint.Endpoint{
		"Create":  endpoint.New(service{}.Create, ""),
		"Get":     endpoint.New(s.Get, ""),
		"Delete":  endpoint.Do(s.Delete, ""),
		"list":    endpoint.New(list, ""),
		"generic": endpoint.New(generic[int], ""),
		"Keep":    endpoint.New((&keeper[map[string]int]{}).Keep, ""),
		"Other":   endpoint.New(s.Get, "").Named("Other"),
	} {
		if e.Name != want {
			t.Errorf("the name is %q, want %q", e.Name, want)
		}
	}
	if e := endpoint.New(getter(s).Get, ""); e.Name != "Get" {
		t.Errorf("an interface's method is %q", e.Name)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	e := endpoint.New((&service{}).Get, "Get a note.")
	if e.Doc != "Get a note." || e.Anonymous || e.Hidden || e.Rate != endpoint.DefaultRate ||
		e.Request != reflect.TypeFor[note]() || e.Response != reflect.TypeFor[answer]() {
		t.Errorf("endpoint is %+v", e)
	}
	req := e.New()
	req.(*note).Title = "milk"
	if got, err := e.Invoke(t.Context(), req); err != nil || got != (answer{Title: "milk"}) {
		t.Errorf("Invoke = %v, %v", got, err)
	}

	d := endpoint.Do((&service{}).Delete, "Delete a note.")
	if d.Response != reflect.TypeFor[endpoint.None]() || d.Request != reflect.TypeFor[note]() {
		t.Errorf("endpoint is %+v", d)
	}
	if _, err := d.Invoke(t.Context(), req); err == nil || err.Error() != "milk" {
		t.Errorf("Invoke: %v", err)
	}
}

func TestRow(t *testing.T) {
	t.Parallel()
	e := endpoint.New(list, "")
	if p := e.Public(); !p.Anonymous || p.Hidden || e.Anonymous {
		t.Error("Public is not a public copy")
	}
	if i := e.Internal(); !i.Hidden || i.Anonymous || e.Hidden {
		t.Error("Internal is not an internal copy")
	}
	for perSecond, want := range map[float64]endpoint.Rate{
		10: {PerSecond: 10, Burst: 20}, 0.5: {PerSecond: 0.5, Burst: 1}, 0.1: {PerSecond: 0.1, Burst: 1},
	} {
		if got := e.Limit(perSecond).Rate; got != want {
			t.Errorf("Limit(%g) = %v, want %v", perSecond, got, want)
		}
	}
	if e.Rate != endpoint.DefaultRate {
		t.Error("Limit changed the original")
	}
}

func TestOutsideOfACall(t *testing.T) {
	t.Parallel()
	ctx := context.WithValue(t.Context(), key{}, "v")
	call := endpoint.From(ctx)
	if call.RequestID != "" || call.Caller != nil || call.Value(key{}) != "v" {
		t.Errorf("call is %+v", call)
	}
	if c := endpoint.Caller(ctx); c == nil || c.ID != "" || c.Is("admin") {
		t.Errorf("the caller is %+v", c)
	}
	id, err := endpoint.NewID(ctx)
	if err != nil || id.Version() != 7 {
		t.Errorf("NewID = %v, %v", id, err)
	}
	if again, _ := endpoint.NewID(ctx); again == id {
		t.Error("NewID is not new")
	}
}

type key struct{}

func TestWithinACall(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("0197c2a1-7d60-7c3e-8f57-0a1b2c3d4e5f")
	call := &endpoint.Call{Context: t.Context(), RequestID: "req-1", Token: "old", Caller: &token.Caller{ID: "u1"}, NewID: id}
	ctx, cancel := context.WithCancel(context.WithValue(call, key{}, "v"))
	if endpoint.From(ctx) != call || endpoint.Caller(ctx).ID != "u1" {
		t.Error("a derived context has lost the call")
	}
	if got, err := endpoint.NewID(ctx); got != id || err != nil {
		t.Errorf("NewID = %v, %v; %v was set aside", got, err, id)
	}

	other := endpoint.WithToken(ctx, "new")
	if c := endpoint.From(other); c.Token != "new" || c.RequestID != "req-1" || c.Caller.ID != "u1" {
		t.Errorf("call with another token is %+v", c)
	}
	if call.Token != "old" {
		t.Error("WithToken changed the call")
	}
	if other.Value(key{}) != "v" {
		t.Error("WithToken lost the context's values")
	}
	if cancel(); other.Err() == nil {
		t.Error("WithToken lost the context's end")
	}
	if c := endpoint.From(endpoint.WithToken(t.Context(), "new")); c.Token != "new" {
		t.Errorf("outside of a call: %+v", c)
	}
}

// Who is calling is what the verified token says; at a public endpoint nobody
// is, whatever token is sent.
func TestCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var got *token.Caller
	who := endpoint.Do(func(ctx context.Context, _ endpoint.None) error { got = endpoint.Caller(ctx); return nil }, "").Named("Who")
	h := w.handler(t, transport.Get("/who", who), transport.Get("/public", who.Public().Named("Public")))
	valid := w.token(t, "u1")
	for _, tt := range []struct {
		path, authorization string
		status              int
		user                string
	}{
		{"/who", "Bearer " + valid, 204, "u1"},
		{"/who", "Bearer " + valid, 204, "u1"}, // from the cache
		{"/who", "bearer  " + valid, 204, "u1"},
		{"/who", valid, 401, ""},
		{"/who", "Basic " + valid, 401, ""},
		{"/who", "Bearer", 401, ""},
		{"/who", "", 401, ""},
		{"/public", "Bearer " + valid, 204, ""},
		{"/public", "Bearer " + tokenOf("k1"), 204, ""},
		{"/public", "", 204, ""},
	} {
		got = nil
		rec := serve(h, request("GET", tt.path, "", "Authorization", tt.authorization))
		if rec.Code != tt.status || tt.status == 204 && got.ID != tt.user {
			t.Errorf("%s with %.20q: %d, caller %+v", tt.path, tt.authorization, rec.Code, got)
		}
		if tt.user != "" && (got.Session != "s-u1" || !got.Is("admin") || got.Is("root")) {
			t.Errorf("the caller is %+v", got)
		}
		if line := w.log.last(t); tt.user == "" && line["user"] != nil {
			t.Errorf("%s: logged: %v", tt.path, line)
		}
	}
	if got := w.asked.Load(); got != 1 {
		t.Errorf("%d signatures were checked, want 1", got)
	}
	rec := serve(h, request("GET", "/who", "", "Authorization", "Bearer "+valid, "Authorization", "Bearer "+valid))
	if rec.Code != 401 {
		t.Errorf("two tokens at once: %d", rec.Code)
	}
	if got := rec.Header().Get("Www-Authenticate"); got != "Bearer" {
		t.Errorf("challenge is %q", got)
	}
}
