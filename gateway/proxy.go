package gateway

import (
	"errors"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/openzipkin/zipkin-go/model"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/telemetry"
)

// forwarder sends the requests of one route to its service.
type forwarder struct {
	gateway *Gateway
	service string
	bodyMax int64
}

// handle forwards one request and its answer, neither of them held whole.
// What it returns is what went wrong before any of the answer was sent.
func (f forwarder) handle(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength > f.bodyMax {
		return fault.New(fault.TooLarge, "body_too_large", "The body may have at most %d bytes.", f.bodyMax)
	}
	if up := r.Header["Upgrade"]; len(up) != 1 || !strings.EqualFold(up[0], "websocket") {
		delete(r.Header, "Upgrade") // h2c would be a tunnel past the gateway
	}
	p := passage{forwarder: f, call: endpoint.From(r.Context())}
	if r.Body != nil && r.Body != http.NoBody {
		p.body = newClientBody(w, r, f.bodyMax)
		r.Body = p.body
	}
	span, trace := p.call.Tracer.Start(f.service, model.Client, p.call.Trace)
	if span != nil {
		defer span.Finish()
	}
	p.trace = trace
	proxy := httputil.ReverseProxy{
		Rewrite:        p.rewrite,
		Transport:      f.gateway.Services,
		ModifyResponse: p.trim,
		ErrorHandler:   p.fail,
		BufferPool:     copyBuffers,
		ErrorLog:       silent,
	}
	proxy.ServeHTTP(&relay{ResponseWriter: w, header: http.Header{}}, r)
	return p.err
}

// relay takes the service's answer. Its header is apart from the gateway's own
// until the answer is sent, because ReverseProxy empties it after each
// informational answer; those are not passed on (net/http sends 100 itself).
type relay struct {
	http.ResponseWriter
	header http.Header
}

func (r *relay) Unwrap() http.ResponseWriter { return r.ResponseWriter }
func (r *relay) Header() http.Header         { return r.header }

func (r *relay) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	own := r.ResponseWriter.Header()
	for name, values := range r.header {
		own[name] = append(own[name], values...)
	}
	r.header = own // what comes now are trailers
	r.ResponseWriter.WriteHeader(status)
}

// silent takes what ReverseProxy would log: the stack logs each request once.
var silent = stdlog.New(io.Discard, "", 0)

// passage is one request on its way to a service and back.
type passage struct {
	forwarder
	call  *endpoint.Call
	trace model.SpanContext
	body  *clientBody // nil when the request has none
	err   error
}

// rewrite makes the service's request of the client's. It comes after
// ReverseProxy removed hop-by-hop headers, so that a client's "Connection:
// X-User-Id" takes nothing away of what is set here. Path and query stay
// byte for byte what was routed and authorised.
func (p *passage) rewrite(r *httputil.ProxyRequest) {
	out := r.Out
	out.URL.Scheme, out.URL.Host, out.Host = "http", p.service, p.service
	out.URL.RawQuery = r.In.URL.RawQuery // ReverseProxy drops what it cannot parse
	for name := range out.Header {
		if spoofable(name) {
			delete(out.Header, name)
		}
	}
	proto := p.gateway.Trusted.Scheme(r.In)
	h := out.Header
	h["X-Forwarded-For"] = []string{p.call.Client.String()}
	h["X-Forwarded-Host"] = []string{r.In.Host}
	h["X-Forwarded-Proto"] = []string{proto}
	h["Forwarded"] = []string{forwarded(p.call.Client, r.In.Host, proto)}
	h[endpoint.RequestIDHeader] = []string{p.call.RequestID}
	telemetry.Inject(h, p.trace)
	if c := p.call.Caller; c != nil {
		h["X-User-Id"] = []string{c.ID}
		h["X-User-Roles"] = []string{strings.Join(c.Roles, ",")}
	}
	if h["User-Agent"] == nil {
		h["User-Agent"] = nil // or Go names itself
	}
}

// spoofable tells whether a header says something that only the gateway may
// say. Some servers fold underscores into dashes, so both spellings count.
func spoofable(name string) bool {
	if strings.IndexByte(name, '_') >= 0 {
		name = http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
	}
	switch name {
	case "Forwarded", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override", "Proxy":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "X-User-") || strings.HasPrefix(name, "X-Internal-")
}

// forwarded is RFC 7239's header.
func forwarded(client netip.Addr, host, proto string) string {
	node := client.String()
	if client.Is6() {
		node = `"[` + node + `]"`
	}
	return "for=" + node + `;host="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(host) + `";proto=` + proto
}

// trim takes out of the answer what the gateway says itself.
func (p *passage) trim(res *http.Response) error {
	for _, name := range []string{endpoint.RequestIDHeader, "Ratelimit", "Ratelimit-Policy", "Server"} {
		delete(res.Header, name)
	}
	return nil
}

var (
	errBadGateway = fault.New(fault.BadGateway, "bad_gateway", "The service broke off.").After(time.Second)
	errTimeout    = fault.New(fault.Timeout, "service_timeout", "The service did not answer in time.").After(time.Second)
)

// fail says whose fault it was that there is no answer: the client's, whose
// body broke off, or the service's.
func (p *passage) fail(_ http.ResponseWriter, r *http.Request, err error) {
	if p.body != nil {
		if bodyErr := p.body.failure(); bodyErr != nil {
			p.err = bodyErr
			return
		}
	}
	var timeout net.Error
	switch f, ok := errors.AsType[*fault.Error](err); {
	case ok:
		p.err = f
	case r.Context().Err() != nil:
		p.err = r.Context().Err()
	case errors.As(err, &timeout) && timeout.Timeout():
		p.err = errTimeout.Because(err)
	default:
		p.err = errBadGateway.Because(err)
	}
}

type bufferPool struct{ sync.Pool }

const copySize = 32 << 10

var copyBuffers = &bufferPool{sync.Pool{New: func() any { return new([copySize]byte) }}}

func (p *bufferPool) Get() []byte  { return p.Pool.Get().(*[copySize]byte)[:] }
func (p *bufferPool) Put(b []byte) { p.Pool.Put((*[copySize]byte)(b)) }
