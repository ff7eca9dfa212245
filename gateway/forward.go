package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/openzipkin/zipkin-go/model"
	"github.com/trellis-go/trellis/gateway/traffic"
	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/telemetry"
)

// forwarder sends the requests of one route to its service. It decides what
// is sent, and how; a mover moves the bytes.
type forwarder struct {
	gateway *Gateway
	service string
	op      operation
	hedge   *discovery.Hedge // nil when the operation asks for none
}

// handle forwards one request and its answer, neither of them held whole.
// What it returns is what went wrong.
func (f forwarder) handle(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength > f.op.bodyMax {
		return fault.New(fault.TooLarge, "body_too_large", "The body may have at most %d bytes.", f.op.bodyMax)
	}
	p := passage{forwarder: f, call: endpoint.From(r.Context())}
	rules := f.gateway.Traffic.Rules()
	p.sending = discovery.Sending{Repeats: f.op.repeats, Hedge: f.hedge, Timeout: time.Until(p.call.Until)}
	p.sending.Version, p.sending.Except = rules.Pick(f.service, p.user(), p.call.Client, r.Header)
	if r.Body != nil && r.Body != http.NoBody {
		p.body = newClientBody(w, r, f.op.bodyMax)
	}
	span, trace := p.call.Tracer.Start(f.service, model.Client, p.call.Trace)
	if span != nil {
		defer span.Finish()
	}
	out := p.request(r, trace)
	if to, ok := rules.Shadow(f.service, p.sending.Version, r.Method); ok {
		if err := p.shadow(to, out); err != nil {
			return err
		}
	}
	err := f.mover(p.sending.Version).move(w, out)
	p.call.Instance, p.call.Attempts = p.sending.Instance, p.sending.Attempts
	if err != nil {
		return p.explain(r.Context(), err)
	}
	return nil
}

// mover is through the cache for what all callers share, unless a version of
// its own answers. A write goes through it too: it makes what is kept old.
func (f forwarder) mover(version string) mover {
	if version == "" && f.op.shared {
		return f.gateway.cached
	}
	return f.gateway.mover
}

// passage is one request on its way to a service and back.
type passage struct {
	forwarder
	call    *endpoint.Call
	sending discovery.Sending
	body    *clientBody // nil when the request has none
}

func (p *passage) user() string {
	if c := p.call.Caller; c != nil {
		return c.ID
	}
	return ""
}

// request makes the service's request of the client's, whose header it takes
// over. Hop-by-hop headers go first, so that a client's "Connection:
// X-User-Id" takes nothing away of what is set here. Path and query stay byte
// for byte what was routed and authorised. Trailers are dropped: they come
// when everything has been decided.
func (p *passage) request(r *http.Request, trace model.SpanContext) *http.Request {
	out := r.WithContext(p.sending.With(r.Context()))
	u := r.URL
	out.URL = &url.URL{Scheme: "http", Host: p.service, Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery, ForceQuery: u.ForceQuery}
	out.Host, out.RequestURI, out.Close, out.Trailer, out.TransferEncoding = p.service, "", false, nil, nil
	if p.body != nil {
		out.Body = p.body
	}
	h := r.Header
	socket := len(h["Upgrade"]) == 1 && strings.EqualFold(h["Upgrade"][0], "websocket") // h2c would be a tunnel past the gateway
	stripHops(h)
	stripSpoofable(h)
	if socket {
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	}
	proto := p.gateway.Trusted.Scheme(r)
	h["X-Forwarded-For"] = []string{p.call.Client.String()}
	h["X-Forwarded-Host"] = []string{r.Host}
	h["X-Forwarded-Proto"] = []string{proto}
	h["Forwarded"] = []string{forwarded(p.call.Client, r.Host, proto)}
	h[endpoint.RequestIDHeader] = []string{p.call.RequestID}
	h[endpoint.TimeoutHeader] = []string{endpoint.Timeout(p.sending.Timeout)}
	telemetry.Inject(h, trace)
	if c := p.call.Caller; c != nil {
		h["X-User-Id"] = []string{c.ID}
		h["X-User-Roles"] = []string{strings.Join(c.Roles, ",")}
	}
	if h["User-Agent"] == nil {
		h["User-Agent"] = nil // or Go names itself
	}
	return out
}

// shadow sends a copy of a request that is small enough. Its body is read
// whole for that.
func (p *passage) shadow(to traffic.Shadow, out *http.Request) error {
	if p.body == nil {
		p.gateway.Shadows.Send(to, out, nil)
		return nil
	}
	if out.ContentLength < 0 || out.ContentLength > traffic.MaxShadowBody {
		return nil
	}
	body, err := io.ReadAll(p.body)
	if err != nil {
		return p.explain(out.Context(), err)
	}
	out.Body = io.NopCloser(bytes.NewReader(body))
	p.gateway.Shadows.Send(to, out, body)
	return nil
}

var (
	errBadGateway = fault.New(fault.BadGateway, "bad_gateway", "The service broke off.").After(time.Second)
	errTimeout    = fault.New(fault.Timeout, "service_timeout", "The service did not answer in time.").After(time.Second)
)

// explain says whose fault it was: the client's, who has gone or whose body
// broke off, or the service's.
func (p *passage) explain(ctx context.Context, err error) error {
	if p.body != nil {
		if bodyErr := p.body.failure(); bodyErr != nil {
			return bodyErr
		}
	}
	var timeout net.Error
	switch f, ok := errors.AsType[*fault.Error](err); {
	case ok:
		return f
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.Canceled): // the client takes no more
		return err
	case errors.As(err, &timeout) && timeout.Timeout():
		return errTimeout.Because(err)
	}
	return errBadGateway.Because(err)
}
