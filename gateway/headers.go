package gateway

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/trellis-go/trellis/kit/endpoint"
)

// hopByHop are the headers that belong to one connection (RFC 9110, 7.6.1).
var hopByHop = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings",
}

// stripHops takes out what belongs to one connection, whatever Connection
// names included.
func stripHops(h http.Header) {
	for _, value := range h["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			if name = strings.TrimSpace(name); name != "" {
				h.Del(name)
			}
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}

// stripSpoofable takes out what says something that only the gateway may say.
func stripSpoofable(h http.Header) {
	for name := range h {
		if spoofable(name) {
			delete(h, name)
		}
	}
}

// spoofable tells whether only the gateway may say what a header says, or
// whether it would make another request of this one than was authorised.
func spoofable(name string) bool {
	if strings.IndexByte(name, '_') >= 0 {
		return folds(name)
	}
	switch name {
	case "Forwarded", "X-Forwarded", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip",
		"X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Shadow", "Proxy":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "X-User-") || strings.HasPrefix(name, "X-Internal-")
}

// folds tells whether a header with underscores is, to servers that fold them
// into dashes, one that the gateway or net/http says.
func folds(name string) bool {
	name = http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
	switch name {
	case endpoint.RequestIDHeader, endpoint.TimeoutHeader, "Content-Length":
		return true
	}
	return spoofable(name) || slices.Contains(hopByHop, name)
}

// join adds a service's header to the gateway's own, which stands where both
// say something. Only Vary they may both say.
func join(own, service http.Header) {
	for name, values := range service {
		if said := own[name]; said != nil {
			if name != "Vary" {
				continue
			}
			values = append(said, values...)
		}
		own[name] = values
	}
}

// trails tells whether a service's trailer is passed on: not what would have
// meant something in the header, to a client that takes trailers for headers
// (RFC 9110, 6.5.1).
func trails(name string) bool {
	switch name {
	case "Age", "Authorization", "Date", "Expect", "Expires", "Host", "Location", "Max-Forwards", "Pragma", "Range",
		"Retry-After", "Set-Cookie", "Vary", "Www-Authenticate":
		return false
	}
	for _, prefix := range []string{"Access-Control-", "Cache-", "Content-", "If-"} {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	return !slices.Contains(notPassed, name) && !slices.Contains(hopByHop, name) && !spoofable(name)
}

// node is an address for headers.
func node(client netip.Addr) string {
	if !client.IsValid() {
		return "unknown"
	}
	return client.String()
}

// forwarded is RFC 7239's header.
func forwarded(node, host, proto string) string {
	if strings.Contains(node, ":") {
		node = `"[` + node + `]"`
	}
	return "for=" + node + `;host="` + quoted.Replace(host) + `";proto=` + proto
}

var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
