package endpoint

import (
	"context"

	"github.com/go-kit/kit/endpoint"
)

// authenticate lets nobody in without a valid token, unless the endpoint is
// public; there a token is not looked at, and the caller is nobody.
func (s *Stack) authenticate(e Endpoint) endpoint.Middleware {
	return func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, req any) (any, error) {
			call := From(ctx)
			if e.Anonymous {
				call.Caller = nil
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
