package endpoint

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/go-kit/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
)

// TimeoutHeader says in seconds, such as 0.25, how long the sender of a
// request will wait for the answer to begin.
const TimeoutHeader = "X-Request-Timeout"

var errNoTimeout = fault.New(fault.Malformed, "bad_timeout", "%s takes seconds, such as 0.25.", TimeoutHeader)

// Timeout is d as TimeoutHeader takes it.
func Timeout(d time.Duration) string {
	return strconv.FormatFloat(max(d, time.Millisecond).Seconds(), 'f', 3, 64)
}

// deadline ends the context of what is done for a caller when that one no
// longer waits. A Raw endpoint is told the time and minds it itself, for its
// answer may be a stream.
func (s *Stack) deadline(e Endpoint) endpoint.Middleware {
	timeout := cmp.Or(e.Timeout, DefaultTimeout)
	return func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, req any) (any, error) {
			call := From(ctx)
			within := timeout
			if call.Timeout != "" {
				seconds, err := strconv.ParseFloat(call.Timeout, 64)
				if err != nil || !(seconds > 0) {
					return nil, errNoTimeout
				}
				within = min(within, time.Duration(min(seconds, timeout.Seconds())*float64(time.Second)))
			}
			call.Until = call.Began.Add(within)
			if e.New == nil || call.Timeout == "" && e.Timeout == 0 {
				return next(ctx, req)
			}
			limited, cancel := context.WithDeadline(call.Context, call.Until)
			defer cancel()
			call.Context = limited // ctx is the call, which thereby has the deadline
			return next(ctx, req)
		}
	}
}
