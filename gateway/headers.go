package gateway

import (
	"net/http"
	"net/netip"
	"strings"
)

// hopByHop are the headers that belong to one connection (RFC 9110, 7.6.1).
var hopByHop = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade",
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

// spoofable tells whether only the gateway may say what a header says. Some
// servers fold underscores into dashes, so both spellings count.
func spoofable(name string) bool {
	if strings.IndexByte(name, '_') >= 0 {
		name = http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
	}
	switch name {
	case "Forwarded", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override", "X-Shadow", "Proxy":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "X-User-") || strings.HasPrefix(name, "X-Internal-")
}

// forwarded is RFC 7239's header.
func forwarded(client netip.Addr, host, proto string) string {
	node := client.String()
	if client.Is6() {
		node = `"[` + node + `]"`
	}
	return "for=" + node + `;host="` + quoted.Replace(host) + `";proto=` + proto
}

var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
