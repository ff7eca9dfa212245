package transport

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/openzipkin/zipkin-go/model"
	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/telemetry"
)

// Client calls a service by the same routes that it serves.
type Client struct {
	service string
	routes  map[string]clientRoute
	http    *http.Client
}

type clientRoute struct {
	Route
	plan  *plan
	hedge *discovery.Hedge
}

// patience is how long a call may take, unless its context says less.
const patience = 30 * time.Second

// maxAnswer bounds what a client reads of an answer.
const maxAnswer = 64 << 20

// NewClient returns a client of the named service. The round tripper finds an
// instance for the URL's host, which is the service's name; for internal
// endpoints it is one that shows who calls, a Peer. It panics on routes that
// Handler would refuse.
func NewClient(service string, routes []Route, over http.RoundTripper) Client {
	c := Client{service: service, routes: map[string]clientRoute{}, http: &http.Client{Transport: over, Timeout: patience}}
	for _, r := range routes {
		if r.New == nil {
			continue // a stream has no typed call
		}
		p, err := planFor(r.Request)
		if err != nil {
			panic(fmt.Sprintf("client of %s: %s: %v", service, r.Name, err))
		}
		route := clientRoute{Route: r, plan: p}
		if r.Hedges {
			route.hedge = new(discovery.Hedge)
		}
		c.routes[r.Name] = route
	}
	return c
}

// Call calls the endpoint of that name with a request of its type, in the
// name of ctx's caller and within its trace. A problem comes back as the
// fault.Error it was made of; a service that cannot be reached is Unavailable.
// The service is told how long the call waits. A call that creates something
// has an Idempotency-Key, so that it may be sent again like a read.
func Call[Resp any](ctx context.Context, c Client, name string, req any) (resp Resp, err error) {
	route, ok := c.routes[name]
	if !ok || route.Request != reflect.TypeOf(req) || route.Response != reflect.TypeFor[Resp]() {
		return resp, fmt.Errorf("%s has no endpoint %s that takes %T and answers %T", c.service, name, req, resp)
	}
	r, err := c.request(ctx, route, req)
	if err != nil {
		return resp, err
	}
	call := endpoint.From(ctx)
	if call.Tracer != nil {
		span, trace := call.Tracer.Start(c.service+" "+name, model.Client, call.Trace)
		telemetry.Inject(r.Header, trace)
		if span != nil {
			defer span.Finish()
		}
	}
	res, err := c.http.Do(r)
	if err != nil {
		if f, ok := errors.AsType[*fault.Error](err); ok || ctx.Err() != nil {
			if ok {
				return resp, f
			}
			return resp, err
		}
		return resp, fault.New(fault.Unavailable, "unreachable", "%s cannot be reached.", c.service).After(time.Second).Because(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return resp, fault.New(fault.BadGateway, "broken_answer", "%s broke off its answer.", c.service).Because(err)
	}
	if res.StatusCode >= 400 {
		return resp, faultOf(res, body)
	}
	if route.Response != noneType && route.Status != http.StatusNoContent && res.StatusCode != http.StatusNoContent && res.StatusCode != http.StatusNotModified {
		if err := json.Unmarshal(body, &resp); err != nil {
			return resp, fault.New(fault.BadGateway, "broken_answer", "%s gave an answer that cannot be read.", c.service).Because(err)
		}
	}
	return resp, nil
}

func (c Client) request(ctx context.Context, route clientRoute, req any) (*http.Request, error) {
	var body io.Reader
	if route.plan.hasBody {
		text, err := json.Marshal(req)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", c.service, route.Name, err)
		}
		body = bytes.NewReader(text)
	}
	sending := &discovery.Sending{Repeats: route.Repeats, Hedge: route.hedge, Timeout: route.Timeout}
	r, err := http.NewRequestWithContext(sending.With(ctx), route.Method, "http://"+c.service+"/", body)
	if err != nil {
		return nil, err
	}
	if err := route.plan.put(reflect.ValueOf(req), route.Path, r); err != nil {
		return nil, fmt.Errorf("%s %s: %w", c.service, route.Name, err)
	}
	if body != nil {
		r.Header["Content-Type"] = []string{"application/json"}
	}
	within := cmp.Or(route.Timeout, patience)
	if until, ok := ctx.Deadline(); ok {
		within = min(within, time.Until(until))
	}
	r.Header[endpoint.TimeoutHeader] = []string{endpoint.Timeout(within)}
	if route.idempotent() {
		r.Header["Idempotency-Key"] = []string{uuid.NewString()}
	}
	call := endpoint.From(ctx)
	if call.Token != "" && !route.Anonymous && !route.Hidden {
		r.Header["Authorization"] = []string{"Bearer " + call.Token}
	}
	if call.RequestID != "" {
		r.Header[endpoint.RequestIDHeader] = []string{call.RequestID}
	}
	return r, nil
}

// faultOf is the error that a problem was made of, as far as it was told.
func faultOf(res *http.Response, body []byte) error {
	var p Problem
	if json.Unmarshal(body, &p) != nil || p.Code == "" {
		return fault.New(fault.BadGateway, "broken_answer", "Another service gave an answer that cannot be read.").
			Because(fmt.Errorf("status %s", res.Status))
	}
	f := &fault.Error{Kind: fault.Kind(res.StatusCode), Code: p.Code, Message: p.Detail, Fields: p.Errors, Current: p.Current}
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
		f.RetryAfter = time.Duration(s) * time.Second
	}
	return f
}
