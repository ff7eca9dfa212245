// Package gateway is the one door to the services. It learns from discovery
// where they are and from their OpenAPI documents what they serve, and knows
// no other thing about them.
package gateway

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/go-json-experiment/json"
	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/transport"
)

// Options are what a gateway needs.
type Options struct {
	Registry discovery.Registry
	Services http.RoundTripper // sends http://NAME/… to an instance of the service
	Stack    *endpoint.Stack
	Health   *telemetry.Health
	Logger   log.Logger
	Trusted  transport.Proxies
	Origins  Origins // browsers' pages that may call from elsewhere
}

// Gateway routes requests to services.
type Gateway struct {
	Options
	table atomic.Pointer[table]
}

// table is what is served until the services' documents change.
type table struct {
	handler http.Handler
	openAPI []byte
	docs    []byte
}

// New returns a gateway that knows no service yet; Run finds them.
func New(o Options) (*Gateway, error) {
	g := &Gateway{Options: o}
	return g, g.rebuild(nil)
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.Origins.handle(w, r) {
		return
	}
	t := g.table.Load()
	switch r.URL.Path {
	case "/livez":
		g.Health.Live(w, r)
	case "/readyz":
		g.Health.Readiness(w, r)
	case "/openapi.json":
		serve(w, r, "application/json; charset=utf-8", t.openAPI)
	case "/docs":
		w.Header().Set("Content-Security-Policy", docsCSP)
		serve(w, r, "text/html; charset=utf-8", t.docs)
	default:
		t.handler.ServeHTTP(w, r)
	}
}

// own are the paths that the gateway answers itself, whatever a service says.
var own = map[string]bool{"/livez": true, "/readyz": true, "/metrics": true, "/openapi.json": true, "/docs": true}

func serve(w http.ResponseWriter, r *http.Request, media string, body []byte) {
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(body)
}

// rebuild makes the table of what the services' documents say.
func (g *Gateway) rebuild(documents map[string][]byte) error {
	routes := g.routes(documents)
	handler, err := transport.Handler(routes, transport.Options{Stack: g.Stack, Trusted: g.Trusted})
	if err != nil {
		return err
	}
	merged, err := merge(documents)
	if err != nil {
		_ = g.Logger.Log("level", "warn", "msg", "merge", "err", err)
	}
	var page page
	if err := renderDocs(&page, merged); err != nil {
		return err
	}
	g.table.Store(&table{handler, merged, page})
	return nil
}

type page []byte

func (p *page) Write(b []byte) (int, error) { *p = append(*p, b...); return len(b), nil }

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
	forward := forwarder{gateway: g, service: service, bodyMax: op.bodyMax}
	e := transport.Raw(service+"."+op.id, "", forward.handle)
	e.Anonymous, e.Rate = op.public, op.rate
	return transport.Route{Method: op.method, Path: op.path, Endpoint: e}
}

// Run follows the registry until ctx ends.
func (g *Gateway) Run(ctx context.Context) { newWatch(g).run(ctx) }
