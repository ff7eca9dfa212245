package endpoint

import (
	"context"
	"errors"
	"time"

	"github.com/go-kit/kit/endpoint"
	"github.com/sony/gobreaker"
	"github.com/trellis-go/trellis/kit/fault"
)

// How a breaker behaves: it opens when half of at least minRequests in a
// window failed, and after a pause lets one request try.
const (
	breakerWindow = 10 * time.Second
	breakerPause  = 5 * time.Second
	minRequests   = 20
)

// breaker stops calling a method that keeps failing. A refusal is an answer:
// only an error whose kind is a failure counts, and a caller who went away
// does not. (go-kit's circuitbreaker.Gobreaker is the same closure, but links
// two other breakers into the binary.)
func (s *Stack) breaker(e Endpoint) endpoint.Middleware {
	cb := gobreaker.NewCircuitBreaker(gobreaker.Settings{
		Name:     e.Name,
		Interval: breakerWindow,
		Timeout:  breakerPause,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return c.Requests >= minRequests && c.TotalFailures*2 >= c.Requests
		},
		IsSuccessful: func(err error) bool {
			if err == nil || errors.Is(err, context.Canceled) { // whatever it broke off
				return true
			}
			kind := fault.Of(err).Kind // Unavailable is quick already, and somebody further in says when to come back
			return !kind.Failure() || kind == fault.Unavailable
		},
		OnStateChange: func(_ string, from, to gobreaker.State) {
			_ = s.Logger.Log("level", "warn", "msg", "breaker", "endpoint", e.Name, "from", from, "to", to)
		},
	})
	return func(next endpoint.Endpoint) endpoint.Endpoint {
		next = s.recover(e)(next) // a panic would count, even that of a proxy whose client hung up
		return func(ctx context.Context, req any) (any, error) {
			resp, err := cb.Execute(func() (any, error) { return next(ctx, req) })
			if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
				err = fault.New(fault.Unavailable, "breaker_open", "This is failing just now. Try again in a moment.").After(breakerPause).Because(err)
			}
			return resp, err
		}
	}
}
