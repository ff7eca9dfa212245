// Package transport serves endpoints over HTTP, calls them, and documents
// them, all from one list of routes.
package transport

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	kithttp "github.com/go-kit/kit/transport/http"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
)

// Route puts an endpoint at an HTTP method and path. A path is one of
// net/http's patterns: "/v1/notes/{id}".
type Route struct {
	Method, Path string
	endpoint.Endpoint
	Status  int    // of a success
	Other   int    // of a success whose answer says so; 0 for none
	BodyMax int64  // bytes of a request's body
	Media   string // of a page, or a part of one; "" for the API
}

const defaultBodyMax = 1 << 20

func route(method, path string, e endpoint.Endpoint) Route {
	status := http.StatusOK
	if e.Response == noneType {
		status = http.StatusNoContent
	}
	return Route{Method: method, Path: path, Endpoint: e, Status: status, BodyMax: defaultBodyMax}
}

// Get, and so on, serve an endpoint at a path to requests of that method.
// Success is 200, or 204 when the endpoint answers nothing.
func Get(path string, e endpoint.Endpoint) Route    { return route(http.MethodGet, path, e) }
func Post(path string, e endpoint.Endpoint) Route   { return route(http.MethodPost, path, e) }
func Put(path string, e endpoint.Endpoint) Route    { return route(http.MethodPut, path, e) }
func Patch(path string, e endpoint.Endpoint) Route  { return route(http.MethodPatch, path, e) }
func Delete(path string, e endpoint.Endpoint) Route { return route(http.MethodDelete, path, e) }

// Created makes success 201, with the Location that the answer names. Such a
// route takes an Idempotency-Key.
func (r Route) Created() Route { r.Status = http.StatusCreated; return r }

// Accepted makes success 202. Such a route takes an Idempotency-Key.
func (r Route) Accepted() Route { r.Status = http.StatusAccepted; return r }

// NoContent makes success 204, with the headers that the answer has.
func (r Route) NoContent() Route { r.Status = http.StatusNoContent; return r }

// Or gives success another status when the answer, an endpoint.StatusCoder,
// has that one. What NoContent has said of the answer holds for it too.
func (r Route) Or(status int) Route { r.Other = status; return r }

// MaxBody takes bodies of up to n bytes, instead of 1 MiB.
func (r Route) MaxBody(n int64) Route { r.BodyMax = n; return r }

// Page says that a Raw endpoint's answer, "text/html" or another, is for
// browsers and no part of the API.
func (r Route) Page(media string) Route { r.Media = media; return r }

// idempotent tells whether the route takes an Idempotency-Key: every POST
// that creates or sends.
func (r Route) idempotent() bool {
	return r.Method == http.MethodPost && (r.Status == http.StatusCreated || r.Status == http.StatusAccepted)
}

// Options are what a handler needs beside its routes.
type Options struct {
	Stack   *endpoint.Stack
	Trusted Proxies // whose X-Forwarded-For is believed
	Keeper  Keeper  // keeps answers for Idempotency-Key; nil if no route creates or sends
}

// Handler serves the routes, each endpoint behind the stack. Paths that no
// route has and methods that a path does not take pass the same stack and
// get a problem too. An error names routes that collide.
func Handler(routes []Route, o Options) (_ http.Handler, err error) {
	defer func() { // net/http's mux panics on a bad pattern or one that another collides with
		if p := recover(); p != nil {
			err = fmt.Errorf("routes: %v", p)
		}
	}()
	byPath := map[string]*resource{}
	for _, r := range routes {
		res := byPath[r.Path]
		if res == nil {
			res = &resource{methods: map[string]http.Handler{}}
			byPath[r.Path] = res
		}
		if res.methods[r.Method] != nil {
			return nil, fmt.Errorf("routes: %s %s is there twice", r.Method, r.Path)
		}
		h, err := o.handler(r)
		if err != nil {
			return nil, fmt.Errorf("routes: %s %s: %w", r.Method, r.Path, err)
		}
		res.methods[r.Method] = h
	}
	mux := http.NewServeMux()
	for path, res := range byPath {
		if err := res.complete(o); err != nil {
			return nil, fmt.Errorf("routes: %s: %w", path, err)
		}
		mux.Handle(path, res)
	}
	unknown, err := o.handler(refusal("unmatched", errNoSuchPath))
	if err != nil {
		return nil, err
	}
	if byPath["/"] == nil {
		mux.Handle("/", unknown)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !clean(r.URL) || r.Method == http.MethodConnect { // the mux would redirect
			unknown.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}), nil
}

var errNoSuchPath = fault.New(fault.NotFound, "no_such_path", "There is nothing at this path.")

// clean tells whether a path is what it is without "//", "." and "..": the
// last two also when they are escaped ("%2e%2e"), but "a%2F%2Fb" is one segment.
func clean(u *url.URL) bool {
	p := u.Path
	if p == "" || p[0] != '/' {
		return false
	}
	if !strings.Contains(p, "//") && !strings.Contains(p, "/.") {
		return true
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "." || part == ".." {
			return false
		}
	}
	return !strings.Contains(u.EscapedPath(), "//")
}

// refusal is a route that answers every request with the same error.
func refusal(name string, err error) Route {
	e := endpoint.Do(func(context.Context, endpoint.None) error { return err }, "").Public()
	e.Name = name
	return route("", "", e)
}

// resource is what one path serves, by method.
type resource struct {
	methods map[string]http.Handler
	other   http.Handler // refuses the other methods
	allow   []string     // the Allow header
}

// complete adds HEAD to GET, and the refusal of what the path does not take.
func (res *resource) complete(o Options) (err error) {
	if get := res.methods[http.MethodGet]; get != nil && res.methods[http.MethodHead] == nil {
		res.methods[http.MethodHead] = get
	}
	takes := strings.Join(slices.Sorted(maps.Keys(res.methods)), ", ")
	res.allow = []string{takes}
	res.other, err = o.handler(refusal("method_not_allowed",
		fault.New(fault.MethodNotAllowed, "method_not_allowed", "This path takes %s.", takes)))
	return err
}

func (res *resource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := res.methods[r.Method]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	w.Header()["Allow"] = res.allow
	res.other.ServeHTTP(w, r)
}

// handler is one route behind the stack. The endpoint that the stack wraps
// takes the undecoded exchange; decoding and encoding are innermost, so that
// a caller is limited and known before their body is read, and a failure to
// encode is a failure that is logged and counted.
func (o Options) handler(r Route) (http.Handler, error) {
	e := r.Endpoint
	if e.New != nil { // else it is Raw, and takes the exchange as it is
		c, err := newCodec(r)
		if err != nil {
			return nil, err
		}
		switch {
		case !r.idempotent():
			e.Invoke = c.around(e.Invoke)
		case o.Keeper == nil:
			return nil, errors.New("creates or sends, and there is no Keeper for its Idempotency-Key")
		default:
			e.Invoke = c.idempotent(o.Keeper, e.Invoke)
		}
	}
	server := kithttp.NewServer(o.Stack.Wrap(e), undecoded, write, kithttp.ServerErrorEncoder(writeError))
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		x := newExchange(w, req, o.Trusted)
		x.in = req.WithContext(x)
		x.hurry(r.BodyMax)
		server.ServeHTTP(&x.out, x.in)
		release(x.read)
	}), nil
}

// undecoded hands the exchange itself to the endpoint.
func undecoded(ctx context.Context, _ *http.Request) (any, error) {
	return ctx.(*exchange), nil
}
