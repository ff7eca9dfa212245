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
	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/kit/transport"
)

type config struct {
	Admin   server.Address    `env:"ADMIN" default:"127.0.0.1:9000" takes:"HOST:PORT" doc:"where the gateway's own /metrics are, away from the world"`
	Proxies transport.Proxies `env:"TRUSTED_PROXIES" default:"" takes:"networks, separated by commas, or nothing" doc:"whose X-Forwarded-For the gateway believes: those of a load balancer before it"`
	Origins gateway.Origins   `env:"CORS_ORIGINS" default:"" takes:"origins such as https://notes.example, separated by commas, or nothing" doc:"pages elsewhere that may call the API"`
}

// Gateway is the gateway, ready for server.Main.
var Gateway = server.New(
	server.App{Name: "gateway", Doc: "The one door: the API, with /docs to read it.", Addr: "127.0.0.1:8000"},
	assemble,
)

func assemble(_ context.Context, env *server.Env, c config) (http.Handler, error) {
	g, err := gateway.New(gateway.Options{
		Registry: env.Registry, Services: env.Others, Stack: env.Stack(), Health: env.Health,
		Logger: env.Logger, Trusted: c.Proxies, Origins: c.Origins,
	})
	if err != nil {
		return nil, err
	}
	if err := serveAdmin(env, string(c.Admin)); err != nil {
		return nil, err
	}
	env.Go(g.Run)
	return g, nil
}

// serveAdmin serves what operators ask for, apart from the API.
func serveAdmin(env *server.Env, addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("GATEWAY_ADMIN: %w", err)
	}
	mux := http.NewServeMux()
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
