package transport

import (
	"net/http"
	"strings"
	"time"

	"github.com/trellis-go/trellis/kit/token"
)

// Peer is a service that calls others: at their internal endpoints it shows
// who it is.
type Peer struct {
	Name string
	Key  token.ServiceKey
	Over http.RoundTripper // finds an instance for the URL's host, which is a service's name
}

// RoundTrip sends the request on.
func (p Peer) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Path, "/internal/") {
		return p.Over.RoundTrip(r)
	}
	text, err := p.Key.Sign(p.Name, time.Now())
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+text)
	return p.Over.RoundTrip(r)
}
