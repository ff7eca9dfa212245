package traffic

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/go-kit/kit/metrics"
	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/telemetry"
)

const (
	// MaxShadowBody is how many bytes the body of a request may have that is copied.
	MaxShadowBody = 64 << 10

	// ShadowHeader is "1" in a copy, for the service to tell it by.
	ShadowHeader = "X-Shadow"

	maxShadows   = 64 // in flight
	shadowWithin = 5 * time.Second
	shadowAnswer = 1 << 20 // bytes that are read, for the connection to be used again
)

// Shadows sends copies of requests and throws the answers away, but for what
// they were, which is a metric. It holds nobody up: when there are too many
// copies in flight, or one is too large, it goes missing.
type Shadows struct {
	send   http.RoundTripper
	logger log.Logger
	copies metrics.Counter
	slots  chan struct{} // as many as there are copies in flight
	ctx    context.Context
	cancel context.CancelFunc
}

// NewShadows returns a sender through send, which sends http://NAME/… to an
// instance of the service as the request's discovery.Sending says.
func NewShadows(send http.RoundTripper, m *telemetry.Metrics, logger log.Logger) *Shadows {
	s := &Shadows{
		send:   send,
		logger: logger,
		copies: m.Counter("trellis_shadow_copies_total", `Copies of requests, by the status class of the answer, "failed" or "dropped".`, "service", "version", "outcome"),
		slots:  make(chan struct{}, maxShadows),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Send sends a copy of r to the shadow, and doesn't wait for it. body is the
// whole of r's body, which the caller has read; it is not to be written to any
// more. r itself may be changed when Send returns, and may be done with.
//
// The copy has all of r's header: the Authorization too, without which the
// shadow couldn't do what the service does. So a shadow is to be trusted as
// the service is. Left out is the Idempotency-Key, lest the service find in a
// store that it shares the shadow's answer for its own. No copy is made of a
// request that would switch protocols.
func (s *Shadows) Send(to Shadow, r *http.Request, body []byte) {
	if len(r.Header["Upgrade"]) > 0 || len(body) > MaxShadowBody || s.ctx.Err() != nil {
		s.count(to, "dropped")
		return
	}
	select {
	case s.slots <- struct{}{}:
	default:
		s.count(to, "dropped")
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, shadowWithin)
	out := shadowOf(ctx, to, r, body)
	go func() {
		defer func() { <-s.slots }()
		defer cancel()
		s.count(to, s.outcome(out))
	}()
}

func (s *Shadows) count(to Shadow, outcome string) {
	s.copies.With("service", to.Service, "version", to.Version, "outcome", outcome).Add(1)
}

// shadowOf makes the copy. Its context knows nothing of r's, which ends before.
func shadowOf(ctx context.Context, to Shadow, r *http.Request, body []byte) *http.Request {
	sending := &discovery.Sending{Version: to.Version, Copy: true}
	out := r.Clone(sending.With(ctx))
	out.URL.Scheme, out.URL.Host, out.Host, out.RequestURI = "http", to.Service, to.Service, ""
	out.Header.Del("Idempotency-Key")
	out.Header.Del("Expect")
	out.Header.Set(ShadowHeader, "1")
	out.TransferEncoding, out.Trailer, out.Close = nil, nil, false
	out.Body, out.GetBody, out.ContentLength = http.NoBody, nil, int64(len(body))
	if len(body) > 0 {
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		out.Body, _ = out.GetBody()
	}
	return out
}

// outcome sends a copy and tells what came of it.
func (s *Shadows) outcome(r *http.Request) (outcome string) {
	defer func() {
		if p := recover(); p != nil { // it would end the process, with all real requests in it
			outcome = "failed"
			_ = s.logger.Log("level", "error", "msg", "a shadow copy", "err", fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	res, err := s.send.RoundTrip(r)
	if err != nil {
		return "failed"
	}
	defer res.Body.Close()
	if _, err := io.CopyN(io.Discard, res.Body, shadowAnswer); err != nil && err != io.EOF {
		return "failed"
	}
	return strconv.Itoa(res.StatusCode/100) + "xx"
}

// Close sends no more copies, and waits for those in flight; when ctx ends they
// are broken off. Calling it again is harmless.
func (s *Shadows) Close(ctx context.Context) {
	defer s.cancel()
	for range maxShadows {
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return
		case <-s.ctx.Done():
			return
		}
	}
}
