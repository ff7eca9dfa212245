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
	p := passage{forwarder: f, call: endpoint.From(r.Context())}
	if r.Body == nil || r.Body == http.NoBody {
		return p.send(w, r)
	}
	p.body = newClientBody(w, r, p.call, f.op.bodyMax)
	defer p.body.leave()
	err := p.body.tooLarge(r.ContentLength)
	if err == nil {
		err = p.send(w, r)
	}
	if err != nil {
		p.body.release(w.Header())
	}
	return err
}

// send sends the request on, and the answer back.
func (p *passage) send(w http.ResponseWriter, r *http.Request) error {
	rules := p.gateway.Traffic.Rules()
	p.sending = discovery.Sending{Repeats: p.op.repeats, Hedge: p.hedge, Timeout: max(time.Until(p.call.Until), 1)}
	p.sending.Version, p.sending.Except = rules.Pick(p.service, p.user(), p.call.Client, r.Header)
	span, trace := p.call.Tracer.Start(p.service, model.Client, p.call.Trace)
	if span != nil {
		defer span.Finish()
	}
	out := p.request(r, trace)
	if to, ok := rules.Shadow(p.service, p.sending.Version, r.Method); ok {
		if err := p.shadow(to, out); err != nil {
			return err
		}
	}
	err := p.mover(p.sending.Version).move(w, out)
	p.call.Instance, p.call.Attempts = p.sending.Instance, p.sending.Attempts
	if err != nil {
		return p.explain(r.Context(), err)
	}
	return nil
}

// mover is through the cache for what all callers share, unless a version of
// its own answers. A write goes through it whoever answers: it makes what is
// kept old.
func (f forwarder) mover(version string) mover {
	if f.op.shared && (version == "" || !f.op.reads()) {
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
	proto := p.gateway.Trusted.Scheme(r) // as a header says that goes now
	socket := p.body == nil && r.Method == http.MethodGet &&
		len(h["Upgrade"]) == 1 && strings.EqualFold(h["Upgrade"][0], "websocket") // h2c would be a tunnel past the gateway
	stripHops(h)
	stripSpoofable(h)
	if socket {
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	}
	said := make([]string, 0, 8) // one allocation for all
	set := func(name, value string) {
		n := len(said)
		said = append(said, value)
		h[name] = said[n : n+1 : n+1]
	}
	client := node(p.call.Client)
	set("X-Forwarded-For", client)
	set("X-Forwarded-Host", r.Host)
	set("X-Forwarded-Proto", proto)
	set("Forwarded", forwarded(client, r.Host, proto))
	set(endpoint.RequestIDHeader, p.call.RequestID)
	set(endpoint.TimeoutHeader, endpoint.Timeout(p.sending.Timeout))
	telemetry.Inject(h, trace)
	if c := p.call.Caller; c != nil {
		set("X-User-Id", c.ID)
		set("X-User-Roles", strings.Join(c.Roles, ","))
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
		if bodyErr := p.body.failure(ctx); bodyErr != nil {
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
