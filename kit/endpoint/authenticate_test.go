package endpoint_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
)

// An internal endpoint is for services alone, one for users for users alone.
func TestInternal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Services = token.NewServiceKey()
	var got *token.Caller
	who := endpoint.Do(func(ctx context.Context, _ endpoint.None) error { got = endpoint.Caller(ctx); return nil }, "").Named("Who")
	routes := []transport.Route{
		transport.Get("/who", who),
		transport.Get("/internal/who", who.Internal().Named("Internal")),
		transport.Get("/internal/keys", who.Internal().Public().Named("Keys")),
	}
	h := w.handler(t, routes...)
	sign := func(key token.ServiceKey, at time.Time) string {
		text, err := key.Sign("notes", at)
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + text
	}
	user, service := "Bearer "+w.token(t, "u1"), sign(w.Services, time.Now())
	for name, tt := range map[string]struct {
		path, authorization string
		status              int
		code                string
		who                 token.Caller
	}{
		"a user":                       {"/who", user, 204, "", token.Caller{ID: "u1"}},
		"a service at a user's":        {"/who", service, 401, "token_invalid", token.Caller{}},
		"a service":                    {"/internal/who", service, 204, "", token.Caller{Service: "notes"}},
		"a user at a service's":        {"/internal/who", user, 401, "token_invalid", token.Caller{}},
		"nobody at a service's":        {"/internal/who", "", 401, "token_missing", token.Caller{}},
		"a service of another system":  {"/internal/who", sign(token.NewServiceKey(), time.Now()), 401, "token_invalid", token.Caller{}},
		"a service of an hour ago":     {"/internal/who", sign(w.Services, time.Now().Add(-time.Hour)), 401, "token_expired", token.Caller{}},
		"basic":                        {"/internal/who", "Basic " + service[len("Bearer "):], 401, "token_missing", token.Caller{}},
		"nobody at a public one":       {"/internal/keys", "", 204, "", token.Caller{}},
		"a service at a public one":    {"/internal/keys", service, 204, "", token.Caller{}},
		"with a bad one at public one": {"/internal/keys", "Bearer x", 204, "", token.Caller{}},
	} {
		got = &token.Caller{}
		rec := serve(h, request("GET", tt.path, "", "Authorization", tt.authorization))
		if rec.Code != tt.status || got.ID != tt.who.ID || got.Service != tt.who.Service {
			t.Errorf("%s: %d, the caller is %+v", name, rec.Code, got)
		}
		if line := w.log.last(t); tt.code != "" && line["code"] != tt.code {
			t.Errorf("%s: logged: %v", name, line)
		}
	}

	w.Services = nil // where services share no secret nobody is one
	h = w.handler(t, routes...)
	for _, authorization := range []string{service, user, ""} {
		if rec := serve(h, request("GET", "/internal/who", "", "Authorization", authorization)); rec.Code != http.StatusUnauthorized {
			t.Errorf("without a secret: %d", rec.Code)
		}
	}
}

// A service may call as often as it needs to.
func TestInternalRate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Services = token.NewServiceKey()
	service, err := w.Services.Sign("notes", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	h := w.handler(t, transport.Get("/internal/who", endpoint.Do(func(context.Context, endpoint.None) error { return nil }, "").Named("Who").Internal()))
	for range 500 {
		if rec := serve(h, request("GET", "/internal/who", "", "Authorization", "Bearer "+service)); rec.Code != http.StatusNoContent {
			t.Fatalf("%d: %s", rec.Code, rec.Body)
		}
	}
}
