package transport

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strconv"

	kit "github.com/go-kit/kit/endpoint"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
)

// codec turns an exchange into a route's typed request, and the typed answer
// into a response.
type codec struct {
	route Route
	plan  *plan
	check checker
}

func newCodec(r Route) (*codec, error) {
	p, err := planFor(r.Request)
	if err != nil {
		return nil, err
	}
	c := &codec{route: r, plan: p}
	if p.checked {
		if c.check, err = newChecker(r.Request); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// around returns an endpoint that takes an exchange and calls the typed one.
func (c *codec) around(next kit.Endpoint) kit.Endpoint {
	return func(ctx context.Context, req any) (any, error) {
		x := req.(*exchange)
		typed, err := c.decode(x)
		if err != nil {
			return nil, err
		}
		return c.answer(ctx, x, typed, next)
	}
}

// answer calls the typed endpoint and encodes what it answers.
func (c *codec) answer(ctx context.Context, x *exchange, typed any, next kit.Endpoint) (any, error) {
	result, err := next(ctx, typed)
	if err != nil {
		return nil, err
	}
	return c.encode(x, result)
}

func (c *codec) decode(x *exchange) (any, error) {
	req := c.route.New()
	if c.plan.hasBody {
		body, err := x.body(c.route.BodyMax)
		if err != nil {
			return nil, err
		}
		if len(body) > 0 {
			if !takes(x.in) {
				return nil, fault.New(fault.Unsupported, "unsupported_media_type", "The body must be application/json in UTF-8.")
			}
			if err := unmarshal(body, req); err != nil {
				return nil, err
			}
		}
	}
	if len(c.plan.params) > 0 {
		if err := c.plan.fill(reflect.ValueOf(req).Elem(), x.in); err != nil {
			return nil, err
		}
	}
	if c.plan.checked {
		if err := c.check.check(req); err != nil {
			return nil, err
		}
	}
	return req, nil
}

// What an answer may have beside its JSON. Headerer is go-kit's.
type (
	tagged   interface{ ETag() string }
	located  interface{ Location() string }
	headerer interface{ Headers() http.Header }
	pager    interface{ nextCursor() string }
)

// response is an encoded answer. Its buffer goes back to the pool once it is written.
type response struct {
	status int
	header http.Header // nil when there is nothing beside the content type
	body   *bytes.Buffer
}

func (r *response) StatusCode() int { return r.status }
func (r *response) Size() int64 {
	if r.body == nil {
		return 0
	}
	return int64(r.body.Len())
}

func (c *codec) encode(x *exchange, result any) (any, error) {
	res := &response{status: c.route.Status}
	if err := c.describe(x, res, result); err != nil {
		return nil, err
	}
	if c.route.Status == http.StatusNoContent || res.status == http.StatusNoContent || res.status == http.StatusNotModified || c.route.Response == noneType {
		return res, nil
	}
	res.body = buffers.Get().(*bytes.Buffer)
	res.body.Reset()
	if err := marshal(res.body, result); err != nil {
		release(res.body)
		return nil, fmt.Errorf("encode the answer of %s: %w", c.route.Name, err)
	}
	return res, nil
}

// describe sets the headers that the answer's type asks for.
func (c *codec) describe(x *exchange, res *response, result any) error {
	set := func(name, value string) {
		if res.header == nil {
			res.header = make(http.Header, 2)
		}
		res.header[name] = []string{value}
	}
	if h, ok := result.(headerer); ok {
		for name, values := range h.Headers() {
			if res.header == nil {
				res.header = make(http.Header, 2)
			}
			res.header[name] = values
		}
	}
	if s, ok := result.(endpoint.StatusCoder); ok && c.route.Other != 0 && s.StatusCode() == c.route.Other {
		res.status = c.route.Other
	}
	if t, ok := result.(tagged); ok {
		tag := t.ETag()
		set("Etag", tag)
		if c.route.Method == http.MethodGet && Unchanged(x.in, tag) {
			res.status = http.StatusNotModified
		}
	}
	if c.route.Status == http.StatusCreated {
		if l, ok := result.(located); ok {
			set("Location", l.Location())
		}
	}
	if p, ok := result.(pager); ok && p.nextCursor() != "" {
		u := *x.in.URL
		q := u.Query()
		q.Set("cursor", p.nextCursor())
		u.RawQuery = q.Encode()
		set("Link", "<"+u.RequestURI()+`>; rel="next"`)
	}
	return nil
}

var (
	jsonType   = []string{"application/json; charset=utf-8"}
	noStore    = []string{"no-store"}
	revalidate = []string{"private, no-cache"}
	sniffless  = []string{"nosniff"}
)

// write sends what the stack returned: an encoded response, or nothing more
// when a Raw endpoint has written already.
func write(ctx context.Context, w http.ResponseWriter, result any) error {
	res, ok := result.(*response)
	if !ok {
		return nil
	}
	h := w.Header()
	for name, values := range res.header {
		h[name] = values
	}
	if h["Cache-Control"] == nil { // an answer is somebody's; it says so itself when it is everybody's
		h["Cache-Control"] = noStore
		if h["Etag"] != nil {
			h["Cache-Control"] = revalidate
		}
	}
	if res.body == nil {
		w.WriteHeader(res.status)
		return nil
	}
	if h["Content-Type"] == nil {
		h["Content-Type"] = jsonType
	}
	h["X-Content-Type-Options"] = sniffless
	if res.body.Len() > 2048 { // net/http counts shorter ones itself
		h["Content-Length"] = []string{strconv.Itoa(res.body.Len())}
	}
	w.WriteHeader(res.status)
	_, _ = w.Write(res.body.Bytes()) // the client has gone; the log has its line already
	release(res.body)
	return nil
}

var _ endpoint.Sizer = (*response)(nil)
