package server

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Console serves pages for those who run the system, with a Content Security
// Policy. They need no login, so they belong on an address that nobody else
// reaches; Console guards them against pages elsewhere that make an operator's
// browser ask: it answers to no host but IP addresses, "localhost" and hosts,
// and to no script or frame of another origin.
func Console(pages http.Handler, policy string, hosts ...string) http.Handler {
	hosts = append([]string{"localhost"}, hosts...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		switch {
		case !addressed(r.Host, hosts):
			http.Error(w, "This host is not known here: use an IP address, "+strings.Join(hosts, " or ")+".", http.StatusForbidden)
		case foreign(r.Header):
			http.Error(w, "Not for pages from elsewhere.", http.StatusForbidden)
		default:
			pages.ServeHTTP(w, r)
		}
	})
}

// addressed tells whether the request was meant for us. A page whose name was
// rebound to our address still sends that name.
func addressed(host string, known []string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	return slices.ContainsFunc(known, func(name string) bool { return strings.EqualFold(name, host) })
}

// foreign tells whether a page of another origin asks. It may link here.
func foreign(h http.Header) bool {
	switch h.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	return h.Get("Sec-Fetch-Mode") != "navigate" || h.Get("Sec-Fetch-Dest") != "document"
}
