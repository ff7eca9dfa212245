package webapp

import (
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/transport"
)

// pages are the paths at which the page shows something; it knows what.
var pages = []string{
	"/index.html", "/notes", "/notes/{id}", "/archive", "/archive/{id}", "/trash", "/trash/{id}", "/shared", "/shared/{id}",
	"/tags/{tag}", "/tags/{tag}/{id}", "/inbox", "/account", "/account/{page}",
	"/login", "/signup", "/forgot", "/reset", "/verify", "/receipt",
}

// Routes is what is at the page's origin. Behind the gateway that is the
// page; here it is the API too, which the internal rows let through to it.
func Routes(s *Site, g *Gateway) []transport.Route {
	routes := []transport.Route{
		transport.Get("/", transport.Raw("page /", "Show the page.", s.Home).Public()).Page("text/html"),
		transport.Get("/assets/{file}", transport.Raw("asset", "Get a part of the page, whose name has its hash.", s.File).Public().Limit(500).Shared()).Page("*/*"),
		transport.Get("/icons/{file}", transport.Raw("icon", "Get an icon of the page.", s.File).Public()).Page("image/*"),
		transport.Get("/manifest.webmanifest", transport.Raw("manifest", "Read what the page is when it is installed.", s.File).Public()).Page("application/manifest+json"),
		transport.Get("/push.js", transport.Raw("push", "Get what shows messages that are pushed.", s.File).Public()).Page("text/javascript"),
		transport.Get("/sw.js", transport.Raw("worker", "Get what runs beside the page, and without it.", s.File).Public()).Page("text/javascript"),
		transport.Get("/.well-known/jwks.json", transport.Raw("pass keys", "Let through to the gateway.", g.Pass).Public().Internal()),
	}
	for _, path := range pages {
		routes = append(routes, transport.Get(path, transport.Raw("page "+path, "Show the page.", s.Page).Public()).Page("text/html"))
	}
	for _, method := range []func(string, endpoint.Endpoint) transport.Route{transport.Get, transport.Post, transport.Put, transport.Patch, transport.Delete} {
		r := method("/v1/{path...}", transport.Raw("", "Let through to the gateway.", g.Pass).Public().Internal())
		r.Name = "pass " + r.Method
		routes = append(routes, r)
	}
	return routes
}
