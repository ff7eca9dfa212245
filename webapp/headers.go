package webapp

import (
	"net/http"
	"strings"
)

// policy is the Content Security Policy: nothing from elsewhere, nothing
// inline but styles with the nonce of this answer.
func policy(nonce string) string {
	style := "style-src 'self'"
	if nonce != "" {
		style += " 'nonce-" + nonce + "'"
	}
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		style,
		"img-src 'self' data: blob:",
		"font-src 'self'",
		"connect-src 'self'", // WebSockets to here too (CSP 3, 6.7.2.8)
		"manifest-src 'self'",
		"worker-src 'self'",
		"object-src 'none'",
		"base-uri 'none'",
		"form-action 'self'",
		"frame-ancestors 'none'",
	}, "; ")
}

// Secure has every answer say what browsers are to keep the page from.
func Secure(next http.Handler) http.Handler {
	said := map[string][]string{
		"Content-Security-Policy":      {policy("")},
		"Cross-Origin-Opener-Policy":   {"same-origin"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
		"Permissions-Policy":           {"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"},
		"Referrer-Policy":              {"no-referrer"}, // links in mails have tokens behind "#"
		"X-Content-Type-Options":       {"nosniff"},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for name, value := range said {
			h[name] = value
		}
		next.ServeHTTP(w, r)
	})
}
