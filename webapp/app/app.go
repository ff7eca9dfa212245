// Package app assembles the webapp.
package app

import (
	"context"
	"net/http"

	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/webapp"
)

// Webapp is the page, ready for server.Main.
var Webapp = server.New(
	server.App{Name: "webapp", Doc: "The page.", Addr: "127.0.0.1:3000", Routes: webapp.Routes(nil, nil)},
	assemble,
)

func assemble(_ context.Context, env *server.Env, _ struct{}) (http.Handler, error) {
	site, err := webapp.New(webapp.Built(), env.Common.Proxies)
	if err != nil {
		return nil, err
	}
	env.Revocations = token.NewRevocations() // it lets in everybody, so it need not follow whose session has ended
	handler, err := env.Handler(webapp.Routes(site, &webapp.Gateway{
		Services: env.Others, Key: env.Common.Secret, Trusted: env.Common.Proxies, Draining: env.Draining,
	}), nil)
	return webapp.Secure(handler), err
}
