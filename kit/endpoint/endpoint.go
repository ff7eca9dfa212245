// Package endpoint turns a service method into a go-kit endpoint that knows
// its types, and wraps it in the middleware that every endpoint must pass.
package endpoint

import (
	"context"
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/go-kit/kit/endpoint"
)

// Endpoint is one service method, ready to be wrapped and served.
type Endpoint struct {
	Name      string // the method's name: its span, its metric, its operationId
	Doc       string // one sentence
	Anonymous bool   // callers need no token
	Hidden    bool   // not reachable through the gateway
	Vital     bool   // served in overload too
	Rate      Rate
	Timeout   time.Duration // in which the answer must begin; 0 means DefaultTimeout
	Repeats   bool          // may be sent twice, though it is no read
	Hedges    bool          // a late answer is asked for a second time, elsewhere
	Shares    bool          // the answer is the same for all callers
	Request   reflect.Type
	Response  reflect.Type
	New       func() any        // makes the request that Invoke takes: a pointer to a zero Request
	Invoke    endpoint.Endpoint // calls the method
}

// Rate bounds how often one caller may call an endpoint of one instance: a user
// whose token is known already, else an address; of a public endpoint always an
// address.
type Rate struct {
	PerSecond float64 // sustained; 0 means no bound
	Burst     int     // at once
}

// DefaultTimeout is how long an endpoint may take, unless its row or its
// caller says less.
const DefaultTimeout = 30 * time.Second

// DefaultRate holds for an endpoint whose row says nothing else.
var DefaultRate = Rate{PerSecond: 50, Burst: 100}

// New makes an endpoint of a service method.
func New[Req, Resp any](method func(context.Context, Req) (Resp, error), doc string) Endpoint {
	return Endpoint{
		Name:     nameOf(method),
		Doc:      doc,
		Rate:     DefaultRate,
		Request:  reflect.TypeFor[Req](),
		Response: reflect.TypeFor[Resp](),
		New:      func() any { return new(Req) },
		Invoke: func(ctx context.Context, req any) (any, error) {
			return method(ctx, *req.(*Req))
		},
	}
}

// None is a request or an answer with nothing in it.
type None struct{}

// Do makes an endpoint of a service method that answers nothing but success.
func Do[Req any](method func(context.Context, Req) error, doc string) Endpoint {
	e := New(func(ctx context.Context, r Req) (None, error) { return None{}, method(ctx, r) }, doc)
	e.Name = nameOf(method)
	return e
}

// Public lets callers in without a token.
func (e Endpoint) Public() Endpoint { e.Anonymous = true; return e }

// Internal keeps the endpoint away from the gateway: other services may call
// it, as often as they need to, the world may not. Unless it is public, too, they must show
// a service's token (token.ServiceKey).
func (e Endpoint) Internal() Endpoint { e.Hidden, e.Rate = true, Rate{}; return e }

// Essential serves the endpoint in overload too, when others are refused: for
// what operators need then, and for what costs more when it fails.
func (e Endpoint) Essential() Endpoint { e.Vital = true; return e }

// Named gives the endpoint another name than its method's, for a method that
// is served at two paths.
func (e Endpoint) Named(name string) Endpoint { e.Name = name; return e }

// Limit allows each caller so many requests a second, and twice that at once.
func (e Endpoint) Limit(perSecond float64) Endpoint {
	e.Rate = Rate{PerSecond: perSecond, Burst: max(1, int(2*perSecond))}
	return e
}

// Within gives the endpoint so long to answer, instead of DefaultTimeout.
func (e Endpoint) Within(d time.Duration) Endpoint { e.Timeout = d; return e }

// Repeatable says that a second run of the same request changes nothing more.
// Reads are so anyway, and so is what comes with an Idempotency-Key.
func (e Endpoint) Repeatable() Endpoint { e.Repeats = true; return e }

// Hedged lets a read that takes longer than 95 of 100 be sent to a second
// instance: the first answer counts (Dean and Barroso, "The Tail at Scale", 2013).
func (e Endpoint) Hedged() Endpoint { e.Hedges = true; return e }

// Shared says that all callers get the same answer: the gateway may keep it as
// long as its Cache-Control allows, and ask once for those who wait together.
func (e Endpoint) Shared() Endpoint { e.Shares = true; return e }

// nameOf returns the name of a method value: "notes.(*Service).Create-fm" is
// "Create", and so is the function "notes.Create[...]".
func nameOf(method any) string {
	name := runtime.FuncForPC(reflect.ValueOf(method).Pointer()).Name()
	name = strings.TrimSuffix(strings.TrimSuffix(name, "-fm"), "[...]")
	return name[strings.LastIndexByte(name, '.')+1:]
}
