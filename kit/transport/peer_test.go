package transport_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
)

// A peer shows who it is at internal endpoints, and only there.
func TestPeer(t *testing.T) {
	t.Parallel()
	key := token.NewServiceKey()
	for url, internal := range map[string]bool{
		"http://notes/internal/v1/account/1": true,
		"http://notes/internal/":             true,
		"http://notes/v1/notes":              false,
		"http://notes/internals":             false,
		"http://internal/v1/notes":           false,
		"http://notes/v1/internal/":          false,
		"http://notes/v1?x=/internal/":       false,
	} {
		var sent *http.Request
		peer := transport.Peer{Name: "auth", Key: key, Over: roundTripper(func(r *http.Request) (*http.Response, error) {
			sent = r
			return httptest.NewRecorder().Result(), nil
		})}
		r := httptest.NewRequestWithContext(t.Context(), "GET", url, nil)
		r.Header.Set("Authorization", "Bearer user's")
		r.Header.Set("X-Request-Id", "1")
		if _, err := peer.RoundTrip(r); err != nil {
			t.Fatal(err)
		}
		if r.Header.Get("Authorization") != "Bearer user's" {
			t.Errorf("%s: the caller's request is changed", url)
		}
		text, _ := strings.CutPrefix(sent.Header.Get("Authorization"), "Bearer ")
		caller, err := key.Verify(text, time.Now())
		if internal && (err != nil || caller.Service != "auth" || sent.Header.Get("X-Request-Id") != "1" || len(sent.Header["Authorization"]) != 1) {
			t.Errorf("%s: %v, %+v, %v", url, sent.Header, caller, err)
		}
		if !internal && text != "user's" {
			t.Errorf("%s is sent %q", url, text)
		}
	}
}

func TestPeerWithoutSecret(t *testing.T) {
	t.Parallel()
	peer := transport.Peer{Name: "auth", Over: roundTripper(func(r *http.Request) (*http.Response, error) {
		return httptest.NewRecorder().Result(), nil
	})}
	if _, err := peer.RoundTrip(httptest.NewRequestWithContext(t.Context(), "GET", "http://notes/internal/v1/x", nil)); err == nil {
		t.Error("it calls an internal endpoint")
	}
	if _, err := peer.RoundTrip(httptest.NewRequestWithContext(t.Context(), "GET", "http://notes/v1/x", nil)); err != nil {
		t.Error(err)
	}
}
