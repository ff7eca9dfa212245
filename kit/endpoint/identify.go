package endpoint

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
	"time"

	"github.com/go-kit/kit/endpoint"
)

// RequestIDHeader names a request in logs, answers and calls to other services.
const RequestIDHeader = "X-Request-Id"

// identify sees to it that the request has an id, which the answer tells, and
// notes when it began.
func (s *Stack) identify(Endpoint) endpoint.Middleware {
	return func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, req any) (any, error) {
			call := From(ctx)
			call.Began = time.Now()
			if !plain(call.RequestID) {
				call.RequestID = newRequestID()
			}
			call.Answer[RequestIDHeader] = []string{call.RequestID}
			return next(ctx, req)
		}
	}
}

// plain tells whether an id from outside is fit for logs and headers.
func plain(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func newRequestID() string {
	var b [16]byte
	for i, r := 0, rand.Uint64(); i < 8; i, r = i+1, r>>8 {
		b[i] = byte(r)
	}
	for i, r := 8, rand.Uint64(); i < 16; i, r = i+1, r>>8 {
		b[i] = byte(r)
	}
	var text [32]byte
	hex.Encode(text[:], b[:])
	return string(text[:])
}
