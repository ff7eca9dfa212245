package transport

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the networks whose word about a client's address is believed.
type Proxies []netip.Prefix

// ForwarderHeader is where a service of ours that passes a request on shows its
// token (token.ServiceKey), by which the gateway believes its X-Forwarded-For.
const ForwarderHeader = "X-Internal-Forwarder"

// UnmarshalText reads networks and addresses separated by commas, such as
// "10.0.0.0/8,127.0.0.1".
func (p *Proxies) UnmarshalText(text []byte) error {
	*p = nil
	for part := range strings.SplitSeq(string(text), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(part)
		if addr, err1 := netip.ParseAddr(part); err1 == nil {
			addr = addr.Unmap()
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return fmt.Errorf("%q is no network", part)
		}
		*p = append(*p, prefix.Masked())
	}
	return nil
}

func (p Proxies) trust(a netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// Client returns the address that sent a request: the connection's, or when
// that is a trusted proxy's, the last one in X-Forwarded-For that is not.
func (p Proxies) Client(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := peer.Addr().Unmap()
	values := r.Header["X-Forwarded-For"]
	for i := len(values) - 1; i >= 0; i-- {
		rest := values[i]
		for rest != "" {
			if !p.trust(client) {
				return client
			}
			var last string
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, last = rest[:comma], rest[comma+1:]
			} else {
				rest, last = "", rest
			}
			addr, ok := parseHop(strings.TrimSpace(last))
			if !ok {
				return client // what a proxy wrote cannot be read; nothing before it is to be believed
			}
			client = addr
		}
	}
	return client
}

// Scheme is "https" for a request that came over TLS, to here or, by its
// word, to a trusted proxy.
func (p Proxies) Scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err == nil && p.trust(peer.Addr().Unmap()) && first(r.Header, "X-Forwarded-Proto") == "https" {
		return "https"
	}
	return "http"
}

// parseHop reads one entry: an address, with or without a port.
func parseHop(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		if a, err := netip.ParseAddr(s[1 : len(s)-1]); err == nil {
			return a.Unmap().WithZone(""), true
		}
	}
	return netip.Addr{}, false
}
