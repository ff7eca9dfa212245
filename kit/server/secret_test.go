package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
)

// Services in one process need no secret from anybody; several processes with
// internal endpoints do.
func TestSecret(t *testing.T) {
	t.Parallel()
	do := endpoint.Do(func(context.Context, endpoint.None) error { return nil }, "").Named("Do")
	users, services, keys := transport.Get("/v1/do", do), transport.Get("/internal/do", do.Internal()), transport.Get("/internal/keys", do.Internal().Public())
	given := token.NewServiceKey()
	for name, tt := range map[string]struct {
		discovery string
		secret    token.ServiceKey
		routes    []transport.Route
		want      string // "given", "made", "none" or "refused"
	}{
		"in one process":                      {"memory:", nil, []transport.Route{users, services}, "made"},
		"in one process, given":               {"memory:", given, []transport.Route{users, services}, "given"},
		"in several":                          {"consul://127.0.0.1:8500", nil, []transport.Route{users, services}, "refused"},
		"in several, over TLS":                {"consul+https://127.0.0.1:8500", nil, []transport.Route{services}, "refused"},
		"in several, given":                   {"consul://127.0.0.1:8500", given, []transport.Route{users, services}, "given"},
		"in several, for users alone":         {"consul://127.0.0.1:8500", nil, []transport.Route{users}, "none"},
		"in several, internal for all":        {"consul://127.0.0.1:8500", nil, []transport.Route{users, keys}, "none"},
		"in several, with nothing (gateway)":  {"consul://127.0.0.1:8500", nil, nil, "none"},
		"in several, where two have a secret": {"consul://127.0.0.1:8500", given, nil, "given"},
	} {
		c := server.Common{Discovery: tt.discovery, Secret: tt.secret}
		err := server.ShareSecret(&c, server.App{Name: "first", Routes: []transport.Route{users}}, server.App{Name: "thing", Routes: tt.routes})
		got := "given"
		switch {
		case err != nil:
			got = "refused"
			if !strings.HasPrefix(err.Error(), "TRELLIS_SECRET: got nothing, takes 32 characters or more") {
				t.Errorf("%s: %v", name, err)
			}
		case len(c.Secret) == 0:
			got = "none"
		case string(c.Secret) != string(given):
			got = "made"
			if len(c.Secret) < token.MinServiceKey {
				t.Errorf("%s: it has %d characters", name, len(c.Secret))
			}
		}
		if got != tt.want {
			t.Errorf("%s: it is %s, not %s", name, got, tt.want)
		}
		if text := fmt.Sprintf("%v %+v %#v", c, c, c); len(c.Secret) > 0 && strings.Contains(text, string(c.Secret)) {
			t.Errorf("%s: the secret is shown: %s", name, text)
		}
	}
}
