package endpoint

import (
	"context"
	"strconv"

	"github.com/go-kit/kit/endpoint"
	"github.com/openzipkin/zipkin-go/model"
)

// trace continues the caller's trace, or begins one, with a span named after the endpoint.
func (s *Stack) trace(e Endpoint) endpoint.Middleware {
	return func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, req any) (any, error) {
			call := From(ctx)
			call.Tracer = s.Tracer
			call.Span, call.Trace = s.Tracer.Start(e.Name, model.Server, call.Trace)
			resp, err := next(ctx, req)
			if call.Span != nil {
				status := Status(resp, err)
				call.Span.Tag("http.status_code", strconv.Itoa(status))
				call.Span.Tag("request_id", call.RequestID)
				if status >= 500 {
					call.Span.Tag("error", strconv.Itoa(status))
				}
				call.Span.Finish()
			}
			return resp, err
		}
	}
}
