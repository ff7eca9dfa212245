package discovery

import (
	"context"
	"net/http"
	"time"
)

// Sending says how a request may be sent by a Balancer and, once it was, tells
// how that went. Each request has one of its own.
type Sending struct {
	// Repeats says that the request may be sent again after a failure, to
	// another instance: nothing more changes when it is carried out twice. GET,
	// HEAD and OPTIONS are so without it, and so is a request with an
	// Idempotency-Key.
	Repeats bool

	// Hedge, if not nil, lets a read be sent to a second instance when it takes
	// longer than 95 of 100 did that share the Hedge.
	Hedge *Hedge

	// Timeout is how long the answer may take to begin, all tries together; 30
	// seconds when 0. It is over already when negative.
	Timeout time.Duration

	// Version names the version whose instances are to get the request, as
	// long as one of them is in order and wasn't tried; "" is every version but
	// those in Except, which get it only when there is no other instance.
	Version string
	Except  []string

	// Avoid is the address of an instance that gets the request only when there
	// is no other.
	Avoid string

	// Copy says that the request is a copy of one that somebody else answers:
	// it goes to Version or nowhere, and is sent once.
	Copy bool

	Instance string // that answered, or was tried last: host:port
	Attempts int    // instances that were tried
}

type sendingKey struct{}

// With returns a context whose request is sent as s says.
func (s *Sending) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, sendingKey{}, s)
}

// SendingOf returns the request's Sending, or a new one that says nothing.
func SendingOf(r *http.Request) *Sending {
	if s, ok := sendingIn(r.Context()); ok {
		return s
	}
	return new(Sending)
}

func sendingIn(ctx context.Context) (s *Sending, ok bool) {
	s, ok = ctx.Value(sendingKey{}).(*Sending)
	return s, ok
}
