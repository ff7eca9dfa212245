package gateway

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/trellis-go/trellis/kit/transport"
)

// ours is where a request comes from that a service of ours passed on: an
// address that no connection has, and that is trusted as a proxy's.
var ours = netip.MustParsePrefix("0.0.0.0/32")

// introduce sees whether a service of ours has passed the request on, as the
// webapp does, wherever it runs.
func (g *Gateway) introduce(r *http.Request) {
	shown := r.Header[transport.ForwarderHeader]
	if len(shown) != 1 {
		return
	}
	if _, err := g.Stack.Services.Verify(shown[0], time.Now()); err == nil {
		r.RemoteAddr = netip.AddrPortFrom(ours.Addr(), 0).String()
	}
}
