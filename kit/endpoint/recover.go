package endpoint

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/go-kit/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
)

var errPanic = fault.New(fault.Internal, "internal", "Something went wrong on our side.")

// ErrAborted means that the answer broke off half-way: the connection must go
// too, or the client would take the part for the whole.
var ErrAborted = fault.New(fault.Internal, "aborted", "The answer broke off.")

// aborted is ErrAborted, and no failure when it was the caller who broke off.
func aborted(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fault.Of(err).Because(ErrAborted)
	}
	return ErrAborted
}

// recover turns a panic into an error with the stack in its cause, so that it
// is logged, measured and answered like any failure.
func (s *Stack) recover(Endpoint) endpoint.Middleware {
	return func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, req any) (resp any, err error) {
			defer func() {
				switch p := recover(); p {
				case nil:
				case http.ErrAbortHandler:
					resp, err = nil, aborted(ctx)
				default:
					resp, err = nil, errPanic.Because(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
				}
			}()
			return next(ctx, req)
		}
	}
}
