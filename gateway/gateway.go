// Package gateway is the one door to the services. It learns from discovery
// where they are and from their OpenAPI documents what they serve, and knows
// no other thing about them.
package gateway

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/gateway/cache"
	"github.com/trellis-go/trellis/gateway/traffic"
	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/transport"
)

// Options are what a gateway needs.
type Options struct {
	Registry discovery.Registry
	Services *discovery.Balancer
	Stack    *endpoint.Stack
	Health   *telemetry.Health
	Logger   log.Logger
	Trusted  transport.Proxies
	Origins  Origins          // browsers' pages that may call from elsewhere
	Traffic  *traffic.File    // nil for one that says nothing
	Shadows  *traffic.Shadows // nil where Traffic is
	Draining context.Context  // ends when streams are to; nil for never
}

// Gateway routes requests to services.
type Gateway struct {
	Options
	mover    mover
	cached   mover // through the cache
	tunnels  sync.WaitGroup
	table    atomic.Pointer[table]
	began    time.Time
	complete atomic.Bool // every service has told what it serves, or had its time to
}

// table is what is served until the services' documents change.
type table struct {
	operations map[string]int // by service
	handler    http.Handler
	nothing    http.Handler // to which every path is unknown
	later      http.Handler // for which it is too early
}

// New returns a gateway that knows no service yet; Run finds them. It is not
// ready before they have told what they serve.
func New(o Options) (*Gateway, error) {
	g := &Gateway{Options: o, began: time.Now()}
	g.Trusted = append(slices.Clip(g.Trusted), ours)
	if g.Draining == nil {
		g.Draining = context.Background()
	}
	g.mover = courier{o.Services, g.Draining, &g.tunnels}
	g.cached = courier{timely{cache.New(apart{o.Services}, cacheSize, time.Now)}, g.Draining, &g.tunnels}
	o.Health.Check("a service's OpenAPI document", func(context.Context) error {
		if !g.complete.Load() {
			return errStarting
		}
		return nil
	})
	return g, g.rebuild(nil)
}

// cacheSize is how many bytes of shared answers are kept.
const cacheSize = 32 << 20

// apart gives each request a Sending of its own: what the cache asks for may
// be for several callers, and outlive the one whose request it is.
type apart struct{ http.RoundTripper }

func (a apart) RoundTrip(r *http.Request) (*http.Response, error) {
	own := *discovery.SendingOf(r)
	return a.RoundTripper.RoundTrip(r.WithContext(own.With(r.Context())))
}

// timely gives up on an answer that does not begin by when the request's
// Sending says: in the cache it may wait for one that others asked for.
type timely struct{ http.RoundTripper }

func (t timely) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	timer := time.AfterFunc(discovery.SendingOf(r).Timeout, cancel)
	res, err := t.RoundTripper.RoundTrip(r.WithContext(ctx))
	if timer.Stop() {
		return res, err
	}
	if err == nil {
		res.Body.Close()
	}
	return nil, errTimeout
}

var errStarting = fault.New(fault.Unavailable, "starting", "The gateway is still learning what there is.").After(time.Second)

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.Origins.handle(w, r) {
		return
	}
	g.introduce(r)
	t := g.table.Load()
	switch {
	case r.URL.Path == "/livez":
		g.Health.Live(w, r)
	case r.URL.Path == "/readyz":
		g.Health.Readiness(w, r)
	case ambiguous(r.URL) || private(r.URL.Path):
		t.nothing.ServeHTTP(w, r)
	case g.complete.Load() || own[r.URL.Path]:
		t.handler.ServeHTTP(w, r)
	default: // a 404 now would be a lie
		t.later.ServeHTTP(w, r)
	}
}

// ambiguous tells whether a path may be read in two ways: a service that
// decodes it before it routes would see more segments than were authorised here.
func ambiguous(u *url.URL) bool {
	if strings.ContainsFunc(u.Path, unicode.IsControl) || strings.Contains(u.Path, `\`) {
		return true
	}
	return u.RawPath != "" && strings.Contains(strings.ToLower(u.RawPath), "%2f")
}

// private tells whether a path is never reached from outside, whatever
// pattern of a service's would take it.
func private(path string) bool {
	return path == "/metrics" || path == "/internal" || strings.HasPrefix(path, "/internal/")
}

// everything is a route for every method and path.
func everything(name string, handle func(http.ResponseWriter, *http.Request) error) (routes []transport.Route) {
	for _, method := range methods {
		routes = append(routes, transport.Route{Method: method, Path: "/", Endpoint: transport.Raw(name, "", handle).Public()})
	}
	return routes
}

// own are the paths that the gateway answers itself, whatever a service says.
var own = map[string]bool{"/livez": true, "/readyz": true, "/metrics": true, "/openapi.json": true, "/docs": true}

// page is a route of the gateway's own.
func page(path, name, media string, body []byte, headers ...string) transport.Route {
	e := transport.Raw(name, "", func(w http.ResponseWriter, _ *http.Request) error {
		h := w.Header()
		for i := 0; i < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		h.Set("Content-Type", media)
		h.Set("Cache-Control", "no-cache")
		h.Set("X-Content-Type-Options", "nosniff")
		_, err := w.Write(body)
		return err
	})
	return transport.Get(path, e.Public())
}

// toDocs is what is at "/" when no service is there.
func toDocs(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/docs", http.StatusFound)
	return nil
}

// rebuild makes the table of what the services' documents say.
func (g *Gateway) rebuild(documents map[string][]byte) error {
	merged, err := merge(documents)
	if err != nil {
		_ = g.Logger.Log("level", "warn", "msg", "merge", "err", err)
	}
	var docs bytes.Buffer
	if err := renderDocs(&docs, merged); err != nil {
		return err
	}
	operations := g.routes(documents)
	g.limit(documents, operations)
	routes := append(operations,
		page("/openapi.json", "openapi", "application/json; charset=utf-8", merged),
		page("/docs", "docs", "text/html; charset=utf-8", docs.Bytes(), "Content-Security-Policy", docsCSP))
	if home := pattern("/"); !slices.ContainsFunc(operations, func(r transport.Route) bool { return r.Path == home }) {
		routes = append(routes, transport.Get(home, transport.Raw("home", "", toDocs).Public()))
	}
	options := transport.Options{Stack: g.Stack, Trusted: g.Trusted}
	handler, err := transport.Handler(routes, options)
	if err != nil {
		return err
	}
	nothing, err := transport.Handler(nil, options)
	if err != nil {
		return err
	}
	later, err := transport.Handler(everything("starting", func(http.ResponseWriter, *http.Request) error { return errStarting }), options)
	if err != nil {
		return err
	}
	g.table.Store(&table{count(documents), handler, nothing, later})
	return nil
}

// routes are the operations of all documents. Of two that claim the same
// requests, the first by the service's name gets them, and the log tells.
func (g *Gateway) routes(documents map[string][]byte) (routes []transport.Route) {
	claims := newClaims()
	for service, text := range sorted(documents) {
		var d document
		if err := json.Unmarshal(text, &d); err != nil {
			continue // Run lets in only what can be read
		}
		for _, op := range d.operations() {
			if err := claims.take(op); err != nil {
				_ = g.Logger.Log("level", "warn", "msg", "a path is claimed twice", "refused", service, "operation", op.id, "err", err)
				continue
			}
			routes = append(routes, g.route(service, op))
		}
	}
	return routes
}

func (g *Gateway) route(service string, op operation) transport.Route {
	forward := forwarder{gateway: g, service: service, op: op}
	if op.hedges {
		forward.hedge = new(discovery.Hedge)
	}
	e := transport.Raw(service+"."+op.id, "", forward.handle)
	e.Anonymous, e.Rate, e.Timeout = op.public, op.rate, op.timeout
	return transport.Route{Method: op.method, Path: pattern(op.path), Endpoint: e}
}

// Run follows the registry and the traffic file until ctx ends.
func (g *Gateway) Run(ctx context.Context) {
	var reading sync.WaitGroup
	defer reading.Wait()
	if g.Traffic != nil {
		reading.Go(func() { g.Traffic.Run(ctx) })
	}
	newWatch(g).run(ctx)
}

// Wait returns when all WebSockets are closed, or ctx ends: to net/http's
// server they are no requests any more.
func (g *Gateway) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() { g.tunnels.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
