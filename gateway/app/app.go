// Package app assembles the gateway.
package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/trellis-go/trellis/gateway"
	"github.com/trellis-go/trellis/gateway/status"
	"github.com/trellis-go/trellis/gateway/traffic"
	"github.com/trellis-go/trellis/kit/redis"
	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/kit/transport"
)

type config struct {
	Traffic string            `env:"TRAFFIC" default:"" takes:"a YAML file, or nothing" doc:"which version gets which share of requests, shadows, timeouts and limits; read again when it changes"`
	Redis   string            `env:"REDIS" default:"" schemes:"redis rediss unix" takes:"redis://HOST:PORT, rediss://…, or nothing" doc:"where limits are kept that hold across gateways; without it each gateway has its own"`
	TLSCert string            `env:"TLS_CERT" default:"" takes:"a PEM file, or nothing" doc:"the chain of certificates with which the gateway speaks TLS and HTTP/2; read again when it changes"`
	TLSKey  string            `env:"TLS_KEY" default:"" takes:"a PEM file, or nothing" doc:"its key"`
	Admin   server.Address    `env:"ADMIN" default:"127.0.0.1:9000" takes:"HOST:PORT" doc:"where the gateway's status page and /metrics are, away from the world"`
	Proxies transport.Proxies `env:"TRUSTED_PROXIES" default:"" takes:"networks, separated by commas, or nothing" doc:"whose X-Forwarded-For the gateway believes: those of a load balancer before it"`
	Origins gateway.Origins   `env:"CORS_ORIGINS" default:"" takes:"origins such as https://notes.example, separated by commas, or nothing" doc:"pages elsewhere that may call the API"`
}

// Gateway is the gateway, ready for server.Main.
var Gateway = server.New(
	server.App{Name: "gateway", Doc: "The one door: the API, with /docs to read it.", Addr: "127.0.0.1:8000"},
	assemble,
)

func assemble(_ context.Context, env *server.Env, c config) (http.Handler, error) {
	var recent status.Recent
	stack := env.Stack()
	stack.Logger = recent.Logger(env.Logger)
	if c.Redis != "" {
		client, err := redis.Open(c.Redis)
		if err != nil {
			return nil, fmt.Errorf("GATEWAY_REDIS: %w", err)
		}
		env.OnStop(client.Close)
		stack.Limiter = redis.NewLimiter(client, stack.Limiter, env.Logger)
	}
	rules, err := openTraffic(env, c.Traffic)
	if err != nil {
		return nil, err
	}
	shadows := traffic.NewShadows(env.Others, env.Metrics, env.Logger)
	env.OnStop(func() error {
		return within(closing, func(ctx context.Context) error { shadows.Close(ctx); return nil })
	})
	g, err := gateway.New(gateway.Options{
		Registry: env.Registry, Services: env.Others, Stack: stack, Health: env.Health, Logger: env.Logger,
		Trusted: c.Proxies, Origins: c.Origins, Traffic: rules, Shadows: shadows, Draining: env.Draining,
	})
	if err != nil {
		return nil, err
	}
	env.OnStop(func() error { return within(closing, g.Wait) })
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return nil, errors.New("GATEWAY_TLS_CERT and GATEWAY_TLS_KEY: one is given without the other")
	}
	if c.TLSCert != "" {
		if err := env.ServeTLS(c.TLSCert, c.TLSKey); err != nil {
			return nil, fmt.Errorf("GATEWAY_TLS_CERT and GATEWAY_TLS_KEY: %w", err)
		}
	}
	if err := serveAdmin(env, string(c.Admin), g, &recent); err != nil {
		return nil, err
	}
	env.Go(g.Run)
	return g, nil
}

// closing is how long what outlives requests may take to end.
const closing = 5 * time.Second

func within(d time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return f(ctx)
}

func openTraffic(env *server.Env, path string) (*traffic.File, error) {
	if path == "" {
		return nil, nil
	}
	f, err := traffic.Open(path, env.Logger)
	if err != nil {
		return nil, fmt.Errorf("GATEWAY_TRAFFIC: %w", err)
	}
	return f, nil
}

// serveAdmin serves what operators ask for, apart from the API.
func serveAdmin(env *server.Env, addr string, g *gateway.Gateway, recent *status.Recent) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("GATEWAY_ADMIN: %w", err)
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("GATEWAY_ADMIN: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", status.Handler(func() status.Snapshot { return g.Status(recent) }, host))
	mux.Handle("GET /metrics", env.Metrics.Handler())
	mux.HandleFunc("GET /livez", env.Health.Live)
	mux.HandleFunc("GET /readyz", env.Health.Readiness)
	admin := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	env.Go(func(ctx context.Context) {
		go func() { <-ctx.Done(); _ = admin.Close() }()
		if err := admin.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			_ = env.Logger.Log("level", "error", "msg", "admin", "err", err)
		}
	})
	return nil
}
