// Package servertest serves a service's routes in a test, behind the whole
// stack and over real HTTP.
package servertest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
)

// Issuer and Audience are those of tokens in tests.
const (
	Issuer   = "https://issuer.test"
	Audience = "trellis.test"
)

// Signer signs tokens in tests.
var Signer = token.Signer{Issuer: Issuer, Audience: Audience}

// Service is a service being served until its test ends.
type Service struct {
	URL  string
	Key  token.ServiceKey  // of those who may call its internal endpoints
	Over http.RoundTripper // sends requests to it, whatever service they name, as such a caller

	key token.Key
}

// Serve serves routes. Tokens are verified with keys, or if that is nil with
// one that Token signs with. Requests from loopback may say whom they are
// forwarded for.
func Serve(t testing.TB, routes []transport.Route, keeper transport.Keeper, keys token.Keys) *Service {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{Key: token.NewServiceKey(), key: token.Key{ID: "test", Private: private}}
	if keys == nil {
		keys = oneKey{s.key}
	}
	logger := telemetry.NewLogger(t.Output(), "test", t.Name())
	stack := endpoint.NewStack(logger, telemetry.NewMetrics(), &telemetry.Tracer{}, token.NewVerifier(keys, Issuer, Audience))
	stack.Services = s.Key
	handler, err := transport.Handler(routes, transport.Options{
		Stack: stack, Keeper: keeper, Trusted: transport.Proxies{netip.MustParsePrefix("127.0.0.0/8")},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	s.URL = server.URL
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.Over = transport.Peer{Name: "test", Key: s.Key, Over: over{u.Host}}
	return s
}

// Token is an access token of a user's, for a minute.
func (s *Service) Token(t testing.TB, user uuid.UUID, roles ...string) string {
	t.Helper()
	now := time.Now()
	text, err := Signer.Sign(s.key, token.Caller{ID: user.String(), Session: uuid.NewString(), Roles: roles, Expires: now.Add(time.Minute)}, now)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// As is a context in which a user calls.
func (s *Service) As(t testing.TB, user uuid.UUID) context.Context {
	t.Helper()
	return endpoint.WithToken(t.Context(), s.Token(t, user))
}

type oneKey struct{ only token.Key }

func (k oneKey) Key(_ context.Context, id string) (ed25519.PublicKey, error) {
	if id != k.only.ID {
		return nil, token.ErrInvalid
	}
	return k.only.Private.Public().(ed25519.PublicKey), nil
}

type over struct{ host string }

func (o over) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = o.host
	return http.DefaultTransport.RoundTrip(r)
}
