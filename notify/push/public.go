package push

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// errNotPublic is the error of a connection to an address that only we could
// reach: a browser's endpoint must not be a way into our network.
var errNotPublic = errors.New("push: not a public address")

// publicClient reaches public addresses only, whatever names lead to.
func publicClient() http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: func(_, addr string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(addr) // resolved by now
		if err != nil || !public(to.Addr()) {
			return fmt.Errorf("%w: %s", errNotPublic, addr)
		}
		return nil
	}}
	return http.Client{
		Transport: &http.Transport{ // without a proxy, which would dial for us
			DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 5 * time.Second,
			MaxResponseHeaderBytes: 64 << 10, MaxIdleConns: 50, MaxConnsPerHost: 20, IdleConnTimeout: time.Minute,
		},
	}
}

// reserved are the networks of the IANA special-purpose registries that
// netip's own questions leave out.
var reserved = func() (list []netip.Prefix) {
	for _, text := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/8", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
	} {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}()

func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, network := range reserved {
		if network.Contains(a) {
			return false
		}
	}
	return true
}
