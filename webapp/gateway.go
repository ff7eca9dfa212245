package webapp

import (
	"context"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
)

// Gateway is the way to the gateway.
type Gateway struct {
	Services http.RoundTripper // finds it by its name
	Key      token.ServiceKey  // by which it believes whose calls these are; it may be empty
	Trusted  transport.Proxies // whose word for TLS is believed
	Draining context.Context   // ends when streams are to
}

// patience is more than the gateway has, which knows how long each call may take.
const patience = 2 * time.Hour

// Pass lets a call through to the gateway, whose answer it is: a stream too, or a WebSocket.
func (g *Gateway) Pass(w http.ResponseWriter, r *http.Request) (err error) {
	call := endpoint.From(r.Context())
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if r.Header.Get("Upgrade") != "" || strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		defer context.AfterFunc(g.Draining, cancel)()
	}
	defer func() {
		switch p := recover(); {
		case p == http.ErrAbortHandler && ctx.Err() != nil: // a stream that was ended, by whomever
			err = ctx.Err()
		case p != nil:
			panic(p)
		}
	}()
	proxy := httputil.ReverseProxy{
		Transport: g.Services,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", "gateway"
			p.Out.URL.RawQuery = p.In.URL.RawQuery // as it came
			g.introduce(p.Out.Header, call, p.In)
		},
		ModifyResponse: func(*http.Response) error { clear(w.Header()); return nil },
		ErrorHandler:   func(_ http.ResponseWriter, _ *http.Request, cause error) { err = explain(ctx, cause) },
	}
	sending := discovery.Sending{Timeout: patience}
	proxy.ServeHTTP(w, r.WithContext(sending.With(ctx)))
	return err
}

// introduce tells the gateway whose call it gets, and which.
func (g *Gateway) introduce(h http.Header, call *endpoint.Call, in *http.Request) {
	h.Set("X-Forwarded-For", call.Client.String())
	h.Set("X-Forwarded-Proto", g.Trusted.Scheme(in))
	h.Set(endpoint.RequestIDHeader, call.RequestID)
	telemetry.Inject(h, call.Trace)
	h.Del(transport.ForwarderHeader)
	if text, err := g.Key.Sign("webapp", time.Now()); err == nil {
		h.Set(transport.ForwarderHeader, text)
	}
}

func explain(ctx context.Context, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if fault.Of(cause).Kind != fault.Internal {
		return cause
	}
	return fault.New(fault.BadGateway, "bad_gateway", "The gateway broke off.").Because(cause).After(time.Second)
}
