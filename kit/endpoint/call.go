package endpoint

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/google/uuid"
	"github.com/openzipkin/zipkin-go"
	"github.com/openzipkin/zipkin-go/model"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/token"
)

// Call is one request on its way through the stack: what the transport saw
// of it and what the middleware learnt. It is itself the request's context,
// so that all of this costs one allocation.
type Call struct {
	context.Context

	Began     time.Time  // when the stack was entered
	RequestID string     // as the caller gave it, or made by the stack
	Client    netip.Addr // who sent it, behind whatever proxies are trusted
	Token     string     // the bearer token, not verified
	Timeout   string     // as TimeoutHeader says it, not verified
	Until     time.Time  // when the caller stops waiting for the answer to begin
	Caller    *token.Caller
	Trace     model.SpanContext // at first the caller's span, then this call's own
	Span      zipkin.Span       // nil unless the trace is sampled
	Tracer    *telemetry.Tracer
	Answer    http.Header // what the answer will carry beside its body
	NewID     uuid.UUID   // what a repeatable request names what it creates; else zero
	Instance  string      // of another service that the request was passed on to, for the log
	Attempts  int         // how many instances it was sent to

	place place // at the gate
}

type callKey struct{}

// Value finds the call itself, and what its parent context holds.
func (c *Call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// From returns the call that ctx belongs to. Outside of any it is an empty one.
func From(ctx context.Context) *Call {
	if c, ok := ctx.(*Call); ok {
		return c
	}
	if c, ok := ctx.Value(callKey{}).(*Call); ok {
		return c
	}
	return &Call{Context: ctx}
}

// Caller returns who is calling; nobody has the ID "".
func Caller(ctx context.Context) *token.Caller {
	if c := From(ctx).Caller; c != nil {
		return c
	}
	return &token.Caller{}
}

// NewID returns the id for what this request creates: a new UUIDv7, or the one
// that was set aside under the request's Idempotency-Key, so that a request
// repeated after a crash finds what its first run made.
func NewID(ctx context.Context) (id uuid.UUID, err error) {
	if id := From(ctx).NewID; id != uuid.Nil {
		return id, nil
	}
	return uuid.NewV7()
}

// WithToken returns a context in which other services are called with the token.
func WithToken(ctx context.Context, token string) context.Context {
	call := *From(ctx)
	call.Context, call.Token, call.place = ctx, token, place{}
	return &call
}

// StatusCoder is an answer that knows its HTTP status; it is go-kit's.
type StatusCoder interface{ StatusCode() int }

// Sizer is an answer that knows how many bytes its body has.
type Sizer interface{ Size() int64 }
