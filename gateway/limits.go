package gateway

import (
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/transport"
)

// limit makes what the traffic file says hold for the routes, and tells what
// in it names nothing that is known.
func (g *Gateway) limit(documents map[string][]byte, routes []transport.Route) {
	rules := g.Traffic.Rules()
	limits := &endpoint.Limits{User: rules.User(), Address: rules.Address(), Endpoints: map[string]endpoint.RouteLimits{}}
	known := map[string]bool{}
	for i, r := range routes {
		path := unpattern(r.Path)
		rule, ok := rules.Route(r.Method, path)
		if !ok {
			continue
		}
		known[r.Method+" "+path] = true
		limits.Endpoints[r.Name] = endpoint.RouteLimits{Caller: rule.Limit, Route: rule.Total}
		if rule.Timeout > 0 {
			routes[i].Timeout = rule.Timeout
		}
	}
	g.Stack.Limits.Store(limits)
	for method, path := range rules.Routes() {
		if !known[method+" "+path] && len(documents) > 0 {
			_ = g.Logger.Log("level", "warn", "msg", "the traffic file names a route that there isn't", "route", method+" "+path)
		}
	}
	for _, service := range rules.Services() {
		if documents[service] == nil && len(documents) > 0 {
			_ = g.Logger.Log("level", "warn", "msg", "the traffic file names a service that isn't known", "service", service)
		}
	}
}
