package wire

import (
	"bytes"
	"net/netip"

	"github.com/trellis-go/trellis/kit/fault"
)

// target looks at what is asked for: a path, or a URL of http with one, as
// clients send it to a proxy, or with OPTIONS the server itself.
func (h *head) target(b []byte, t span, options bool) *fault.Error {
	text := b[t.from:t.to]
	if string(text) == "*" && options {
		return nil
	}
	if !only(text, targetByte) {
		return errTarget
	}
	if text[0] != '/' {
		scheme := len("http://")
		if !begins(text, "http://") {
			if scheme++; !begins(text, "https://") {
				return errTarget
			}
		}
		slash := bytes.IndexByte(text[scheme:], '/')
		if slash < 0 || !isHost(text[scheme:scheme+slash]) {
			return errTarget
		}
		h.authority = span{t.from + scheme, t.from + scheme + slash}
		t.from = h.authority.to
		text = b[t.from:t.to]
	}
	if query := bytes.IndexByte(text, '?'); query >= 0 {
		text = text[:query]
	}
	h.path = span{t.from, t.from + len(text)}
	for {
		i := bytes.IndexByte(text, '%')
		if i < 0 {
			return nil
		}
		if i+2 >= len(text) || unhex(text[i+1]) > 15 || unhex(text[i+2]) > 15 {
			return errTarget
		}
		text = text[i+3:]
	}
}

func begins(b []byte, s string) bool { return len(b) >= len(s) && same(b[:len(s)], s) }

// isHost tells whether b is a name, an IPv4 address or an IPv6 address in
// brackets, and perhaps a port. Names with percent signs are none: no DNS has them.
func isHost(b []byte) bool {
	host, port := b, -1
	if len(b) > 0 && b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		if end < 0 || bytes.IndexByte(b, '%') >= 0 {
			return false
		}
		if ip, err := netip.ParseAddr(string(b[1:end])); err != nil || !ip.Is6() {
			return false
		}
		if end+1 < len(b) {
			port = end + 1
		}
	} else {
		if port = bytes.IndexByte(b, ':'); port >= 0 {
			host = b[:port]
		}
		if len(host) == 0 || !only(host, hostByte) {
			return false
		}
	}
	if port < 0 {
		return true
	}
	n, ok := number(b[port+1:])
	return b[port] == ':' && ok && n < 1<<16
}
