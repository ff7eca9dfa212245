package transport

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
)

// Problem is the one shape of an error (RFC 9457).
type Problem struct {
	Type      string        `json:"type"`
	Title     string        `json:"title"`
	Status    int           `json:"status"`
	Detail    string        `json:"detail"`
	Instance  string        `json:"instance,omitempty"`
	Code      string        `json:"code"`
	RequestID string        `json:"request_id,omitempty"`
	Errors    []fault.Field `json:"errors,omitempty"`
	Current   any           `json:"current,omitempty"` // with 412: what is there now
}

const problemType = "application/problem+json"

// newProblem is what err looks like from outside.
func newProblem(f *fault.Error, path, requestID string) Problem {
	return Problem{
		Type: "about:blank", Title: title(f.Kind), Status: int(f.Kind), Detail: f.Message,
		Instance: path, Code: f.Code, RequestID: requestID, Errors: f.Fields, Current: f.Current,
	}
}

func title(k fault.Kind) string {
	if t := http.StatusText(int(k)); t != "" {
		return t
	}
	return "Client Closed Request"
}

// problemResponse encodes err as a response.
func problemResponse(err error, path, requestID string) *response {
	f := fault.Of(err)
	res := &response{status: int(f.Kind), header: http.Header{"Content-Type": {problemType}}, body: new(bytes.Buffer)}
	p := newProblem(f, path, requestID)
	lenient := json.JoinOptions(json.Deterministic(true), jsontext.AllowInvalidUTF8(true)) // a message may quote what it complains of
	if json.MarshalWrite(res.body, p, lenient) != nil {                                    // a Current that cannot be encoded
		p.Current = nil
		res.body.Reset()
		_ = json.MarshalWrite(res.body, p, lenient)
	}
	if f.Kind == fault.Unauthenticated {
		res.header["Www-Authenticate"] = []string{challenge(f)}
	}
	after := f.RetryAfter
	if after <= 0 && (f.Kind == fault.TooMany || f.Kind >= fault.BadGateway) {
		after = time.Second
	}
	if after > 0 {
		res.header["Retry-After"] = []string{strconv.Itoa(int(math.Ceil(after.Seconds())))}
	}
	return res
}

// challenge is RFC 6750's: a token that was given and refused is named so.
func challenge(f *fault.Error) string {
	switch f.Code {
	case "token_invalid", "token_expired", "session_ended":
		return `Bearer error="invalid_token"`
	}
	return "Bearer"
}

// writeError answers with a problem. An answer that broke off has no other
// way to say so than to cut the connection.
func writeError(ctx context.Context, err error, w http.ResponseWriter) {
	x := ctx.(*exchange)
	if x.out.status != 0 || errors.Is(err, endpoint.ErrAborted) {
		panic(http.ErrAbortHandler)
	}
	_ = write(ctx, w, problemResponse(err, x.in.URL.EscapedPath(), x.RequestID))
}
