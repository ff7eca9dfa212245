package server

import (
	"context"
	"errors"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
)

// Common is the configuration that all services of a process share.
type Common struct {
	Discovery string            `env:"DISCOVERY" default:"memory:" schemes:"memory consul consul+https" takes:"memory: (services in this process) or consul://HOST:PORT" doc:"how services find each other"`
	Events    string            `env:"EVENTS" default:"sqlite:data/events.db" schemes:"sqlite redis rediss" takes:"sqlite:FILE or redis://HOST:PORT" doc:"what carries events from service to service"`
	Secret    token.ServiceKey  `env:"SECRET" default:"" takes:"32 characters or more, the same for all services; or nothing, when they are all in one process" doc:"by which services know each other at their internal endpoints" secret:"true"`
	Issuer    URL               `env:"ISSUER" default:"http://localhost:8000" takes:"a URL" doc:"the iss of access tokens"`
	Audience  string            `env:"AUDIENCE" default:"trellis" takes:"a name" doc:"the aud of access tokens"`
	Proxies   transport.Proxies `env:"TRUSTED_PROXIES" default:"127.0.0.0/8,::1" takes:"networks, separated by commas" doc:"whose X-Forwarded-For the services believe; the gateway's addresses"`
	Zipkin    URL               `env:"ZIPKIN" default:"" takes:"a URL such as http://127.0.0.1:9411/api/v2/spans, or nothing" doc:"where spans are reported"`
	Sample    Share             `env:"TRACE_SAMPLE" default:"0.01" takes:"a share from 0 to 1" doc:"how many of the traces that begin here are reported"`
	Version   string            `env:"VERSION" default:"" takes:"a version such as 1.4.0, or nothing for the one it was built from" doc:"which version the services say they are, for the gateway to send it a share of traffic"`
	Zone      string            `env:"ZONE" default:"" takes:"a name, or nothing" doc:"where the services run; instances in the same zone are preferred"`
	Drain     time.Duration     `env:"DRAIN" default:"0s" takes:"a duration such as 2s" doc:"how long a stopping service keeps serving after it left the registry; 2s with Consul"`
}

// shared begins the names of the variables that all services share.
const shared = "TRELLIS"

func loadCommon() (c Common, err error) {
	err = load(variables(shared, reflect.TypeFor[Common]()), &c)
	return c, err
}

// share gives the services of a process that are alone a secret that nobody else has.
func (c *Common) share(apps []App) error {
	alone := strings.HasPrefix(c.Discovery, "memory:")
	switch {
	case len(c.Secret) > 0 || !alone && !internal(apps):
		return nil
	case alone:
		c.Secret = token.NewServiceKey()
		return nil
	}
	return errors.New("TRELLIS_SECRET: got nothing, takes 32 characters or more, the same for all services: with it they know each other at their internal endpoints")
}

// internal tells whether one of the services has endpoints for others alone.
func internal(apps []App) bool {
	for _, a := range apps {
		for _, r := range a.Routes {
			if r.Hidden && !r.Anonymous {
				return true
			}
		}
	}
	return false
}

// Env is what a service may ask of the process that it runs in.
type Env struct {
	Name     string
	Common   Common
	Logger   *telemetry.Logger
	Metrics  *telemetry.Metrics
	Tracer   *telemetry.Tracer
	Health   *telemetry.Health
	Registry discovery.Registry
	Others   *discovery.Balancer // calls other services: http://NAME/…
	Peers    http.RoundTripper   // calls other services, their internal endpoints too
	Store    string              // where the service keeps its data, as it may be shown
	Keys     token.Keys          // what access tokens are verified with; the auth service's, over HTTP

	// Revocations are the sessions whose tokens are refused; by default those
	// that the auth service tells of, over HTTP.
	Revocations *token.Revocations

	// Draining ends when the service is about to stop and others no longer
	// send it requests: streams are to end then, with a reason.
	Draining context.Context

	certificate *Certificate // nil for no TLS
	events      events

	endStreams context.CancelFunc
	closers    []func() error
	stack      *endpoint.Stack
}

// Where the auth service publishes its keys and tells which sessions have ended.
const (
	jwksURL        = "http://auth/.well-known/jwks.json"
	revocationsURL = "http://auth/internal/v1/auth/revocations"
)

func newEnv(name, addr string, common Common, registry discovery.Registry, others *discovery.Balancer, bus *bus) (*Env, error) {
	tracer, err := telemetry.NewTracer(name, addr, string(common.Zipkin), float64(common.Sample))
	if err != nil {
		return nil, err
	}
	env := &Env{
		Name: name, Common: common, Registry: registry, Others: others, Tracer: tracer, events: events{bus: bus},
		Peers:   transport.Peer{Name: name, Key: common.Secret, Over: others},
		Logger:  telemetry.NewLogger(os.Stderr, "service", name),
		Metrics: telemetry.NewMetrics(),
		Health:  &telemetry.Health{},
		Keys:    token.NewRemote(jwksURL, others),
	}
	env.Draining, env.endStreams = context.WithCancel(context.Background())
	env.OnStop(tracer.Close)
	return env, nil
}

// OnStop calls f when the last request has been served; the last f first.
func (e *Env) OnStop(f func() error) { e.closers = append(e.closers, f) }

// Go runs work, which ends with its context, until the service stops.
func (e *Env) Go(work func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); work(ctx) }()
	e.OnStop(func() error { cancel(); <-done; return nil })
}

// ServeTLS makes the service speak TLS, and HTTP/2 with who wants to, with the
// certificates in two PEM files. They are read again when they change. Call it
// while the service is assembled.
func (e *Env) ServeTLS(chain, key string) (err error) {
	if e.certificate, err = openCertificate(chain, key, e.Logger); err != nil {
		return err
	}
	e.Go(e.certificate.run)
	return nil
}

func (e *Env) close() error {
	e.endStreams()
	var errs []error
	for _, f := range slices.Backward(e.closers) {
		errs = append(errs, f())
	}
	e.closers = nil
	return errors.Join(errs...)
}

// Stack returns the middleware around the service's endpoints. Set Keys and
// Revocations before, if at all.
func (e *Env) Stack() *endpoint.Stack {
	if e.stack == nil {
		if e.Revocations == nil {
			e.Revocations = token.NewRevocations()
			e.Go(func(ctx context.Context) {
				e.Revocations.Follow(ctx, revocationsURL, e.Others, func(err error) {
					_ = e.Logger.Log("level", "warn", "msg", "ended sessions", "err", err)
				})
			})
		}
		verifier := token.NewVerifier(e.Keys, string(e.Common.Issuer), e.Common.Audience)
		verifier.Heed(e.Revocations)
		e.stack = endpoint.NewStack(e.Logger, e.Metrics, e.Tracer, verifier)
		e.stack.Services = e.Common.Secret
	}
	return e.stack
}

// Handler serves the routes behind the stack, and beside them what every
// service has: /livez, /readyz, /metrics, /openapi.json and, if it tells of or
// handles events, /asyncapi.json.
func (e *Env) Handler(routes []transport.Route, keeper transport.Keeper) (http.Handler, error) {
	doc, err := transport.OpenAPI(e.Name, routes)
	if err != nil {
		return nil, err
	}
	api, err := transport.Handler(routes, transport.Options{Stack: e.Stack(), Trusted: e.Common.Proxies, Keeper: keeper})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", e.Health.Live)
	mux.HandleFunc("GET /readyz", e.Health.Readiness)
	mux.Handle("GET /metrics", e.Metrics.Handler())
	mux.HandleFunc("GET /openapi.json", document(doc))
	if len(e.events.tells)+len(e.events.handles) > 0 {
		doc, err := event.AsyncAPI(e.Name, e.events.tells, e.events.handles)
		if err != nil {
			return nil, err
		}
		mux.HandleFunc("GET /asyncapi.json", document(doc))
	}
	return operations{mux, api}, nil
}

func document(text []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = w.Write(text)
	}
}

// operations keeps what operators ask for out of the API's way: its paths
// pass no stack, and the API's requests pass one mux only.
type operations struct {
	mux *http.ServeMux
	api http.Handler
}

func (o operations) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/livez", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json":
		o.mux.ServeHTTP(w, r)
	default:
		o.api.ServeHTTP(w, r)
	}
}
