package endpoint

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/go-kit/kit/endpoint"
	"github.com/openzipkin/zipkin-go/model"
	"github.com/trellis-go/trellis/kit/fault"
)

// Status is the HTTP status that an endpoint's outcome becomes.
func Status(resp any, err error) int {
	if err != nil {
		return int(fault.Of(err).Kind)
	}
	if s, ok := resp.(StatusCoder); ok {
		return s.StatusCode()
	}
	return 200
}

// line is what the log says of one request. Its fields are logged by pointer,
// so that nothing is boxed; lines are reused.
type line struct {
	level, endpoint, request, user, session, code, err, instance string

	status, attempts int

	bytes  int64
	took   time.Duration
	trace  model.TraceID
	client netip.Addr

	pairs []any
}

var linePool = sync.Pool{New: func() any { return &line{pairs: make([]any, 0, 32)} }}

// log writes one line a request: what was called, by whom, what came of it
// and how long it took. A failure's cause is told here and nowhere else.
func (s *Stack) log(e Endpoint) endpoint.Middleware {
	return func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, req any) (any, error) {
			resp, err := next(ctx, req)
			l := linePool.Get().(*line)
			l.fill(e, From(ctx), resp, err)
			_ = s.Logger.Log(l.pairs...) // a log that cannot be written must not fail the request
			linePool.Put(l)
			return resp, err
		}
	}
}

func (l *line) fill(e Endpoint, call *Call, resp any, err error) {
	l.level, l.endpoint, l.request, l.took = "info", e.Name, call.RequestID, time.Since(call.Began)
	l.trace, l.client = call.Trace.TraceID, call.Client
	if l.status = Status(resp, err); l.status >= 500 {
		l.level = "error"
	}
	l.pairs = append(l.pairs[:0], "level", &l.level, "endpoint", &l.endpoint, "status", &l.status,
		"took", &l.took, "request_id", &l.request, "trace_id", &l.trace)
	if s, ok := resp.(Sizer); ok && err == nil {
		l.bytes = s.Size()
		l.pairs = append(l.pairs, "bytes", &l.bytes)
	}
	if l.client.IsValid() {
		l.pairs = append(l.pairs, "client", &l.client)
	}
	if call.Instance != "" {
		l.instance, l.attempts = call.Instance, call.Attempts
		l.pairs = append(l.pairs, "instance", &l.instance, "attempts", &l.attempts)
	}
	if call.Caller != nil {
		l.user, l.session = call.Caller.ID, call.Caller.Session
		l.pairs = append(l.pairs, "user", &l.user, "session", &l.session)
	}
	if err != nil {
		f := fault.Of(err)
		l.code = f.Code
		l.pairs = append(l.pairs, "code", &l.code)
		if f.Cause != nil {
			l.err = f.Cause.Error()
			l.pairs = append(l.pairs, "err", &l.err)
		}
	}
}
