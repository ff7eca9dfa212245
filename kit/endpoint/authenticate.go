package endpoint

import (
	"context"
	"time"

	"github.com/go-kit/kit/endpoint"
)

// authenticate lets nobody in without a valid token, unless the endpoint is
// public; there a token is not looked at, and the caller is nobody. An
// internal endpoint wants a service's token, and a user's is none.
func (s *Stack) authenticate(e Endpoint) endpoint.Middleware {
	return func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, req any) (any, error) {
			call := From(ctx)
			if e.Anonymous {
				call.Caller = nil
				return next(ctx, req)
			}
			if e.Hidden {
				caller, err := s.Services.Verify(call.Token, time.Now())
				if err != nil {
					return nil, err
				}
				call.Caller = caller
				return next(ctx, req)
			}
			if call.Caller == nil { // the limiter found no verified token
				caller, err := s.Verifier.Verify(ctx, call.Token)
				if err != nil {
					return nil, err
				}
				call.Caller = caller
			}
			return next(ctx, req)
		}
	}
}
