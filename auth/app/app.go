// Package app assembles the auth service.
package app

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/auth/password"
	"github.com/trellis-go/trellis/auth/postgres"
	"github.com/trellis-go/trellis/auth/sqlite"
	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/kit/token"
)

type config struct {
	Store  string       `env:"STORE" default:"sqlite:data/auth.db" schemes:"sqlite postgres postgresql" takes:"sqlite:FILE or postgres://USER@HOST/DATABASE" doc:"where users, sessions and keys are kept"`
	Hashes server.Count `env:"HASHES" default:"0" takes:"a number up to 255, or 0 for one a processor" doc:"how many passwords are hashed at once, 19 MiB each"`
}

// Auth is the auth service, ready for server.Main.
var Auth = server.New(
	server.App{Name: "auth", Doc: "Knows the users and logs them in.", Addr: "127.0.0.1:8001", Routes: auth.Routes(nil)},
	assemble,
	server.Migrate(open),
	server.Import("take over the users of a legacy Django database", open, auth.Import),
)

func assemble(ctx context.Context, env *server.Env, c config) (http.Handler, error) {
	if c.Hashes == 0 {
		c.Hashes = server.Count(runtime.GOMAXPROCS(0))
	}
	store, err := open(ctx, env, c)
	if err != nil {
		return nil, err
	}
	keys, err := auth.OpenKeyring(ctx, store)
	if err != nil {
		return nil, err
	}
	feed, err := auth.OpenFeed(ctx, store, env.Draining.Done())
	if err != nil {
		return nil, err
	}
	env.Keys, env.Revocations = keys, feed.Revocations()
	env.Go(func(ctx context.Context) {
		keys.Run(ctx, func(err error) { _ = env.Logger.Log("level", "error", "msg", "signing keys", "err", err) })
	})
	env.Go(func(ctx context.Context) {
		feed.Run(ctx, func(err error) { _ = env.Logger.Log("level", "error", "msg", "ended sessions", "err", err) })
	})
	env.Go(func(ctx context.Context) { purge(ctx, env, store) })
	env.Health.Check("store", store.Ping)
	signer := token.Signer{Issuer: string(env.Common.Issuer), Audience: env.Common.Audience}
	service := auth.NewService(store, password.New(int(c.Hashes)), signer, keys, feed)
	if err := env.Publish(ctx, auth.Events, store.Outbox()); err != nil {
		return nil, err
	}
	return env.Handler(auth.Routes(service), store.Keeper())
}

// purge forgets once an hour what has been over for long.
func purge(ctx context.Context, env *server.Env, store auth.Store) {
	ticker := time.NewTicker(time.Hour)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if err := store.Purge(ctx, now.Add(-30*24*time.Hour), now.Add(-time.Hour)); err != nil && ctx.Err() == nil {
				_ = env.Logger.Log("level", "error", "msg", "purge", "err", err)
			}
		}
	}
}

// open opens the store that the configuration names, until the service stops.
func open(ctx context.Context, env *server.Env, c config) (store auth.Store, err error) {
	scheme, rest, _ := strings.Cut(c.Store, ":")
	if scheme == "sqlite" {
		store, err = sqlite.Open(ctx, rest)
	} else {
		store, err = postgres.Open(ctx, c.Store)
	}
	if err != nil {
		return nil, fmt.Errorf("AUTH_STORE: %w", err)
	}
	env.Store = server.Redacted(c.Store)
	env.OnStop(store.Close)
	return store, nil
}
