package wire_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/wire"
)

// script is a connection whose client has sent all it has to say. It is read
// in pieces.
type script struct {
	in     []byte
	pieces []byte // their sizes, by turns; none is as much as asked for
	turn   int
	out    bytes.Buffer
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	size := len(p)
	if len(s.pieces) > 0 {
		size = min(size, int(s.pieces[s.turn%len(s.pieces)])+1)
		s.turn++
	}
	n := copy(p[:size], s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error)    { return s.out.Write(p) }
func (*script) Close() error                     { return nil }
func (*script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*script) SetDeadline(time.Time) error      { return nil }
func (*script) SetReadDeadline(time.Time) error  { return nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }

const fuzzHeader = 1 << 10

// understood is the requests in a stream of bytes, and whether all of it is
// understood.
type understood struct {
	requests []string
	all      bool
}

// netHTTP is how net/http understands what passes the guard, and how the guard
// ends it.
func netHTTP(t *testing.T, in, pieces []byte) (u understood, refusal string) {
	t.Helper()
	s := &script{in: in, pieces: pieces}
	b := bufio.NewReader(wire.Guard(s, fuzzHeader))
	for {
		r, err := http.ReadRequest(b)
		if err == nil {
			var body []byte
			if body, err = io.ReadAll(r.Body); err == nil {
				u.requests = append(u.requests, fmt.Sprintf("%s %s %s %q", r.Method, r.RequestURI, r.Host, body))
				continue
			}
		}
		var refused *net.OpError
		switch {
		case s.out.Len() > 0: // the guard has answered; net/http may see the beginning of a line
			_, refusal, _ = strings.Cut(s.out.String(), "\r\n\r\n")
		case err == io.EOF:
			u.all = true
		case errors.As(err, &refused) && refused.Op == "read":
			f, _ := errors.AsType[*fault.Error](refused)
			refusal = fmt.Sprint(int(f.Kind), f.Code, f.Message)
		case errors.Is(err, io.ErrUnexpectedEOF), err.Error() == "http: unexpected EOF reading trailer": // in a body
			refusal = "EOF"
		default:
			t.Fatalf("the guard lets pass what net/http does not take: %v", err)
		}
		return u, refusal
	}
}

// The reference reads all at once, by expressions.
var (
	headRule  = regexp.MustCompile(`^(?:\r\n)?([!#$%&'*+\-.^_` + "`" + `|~0-9A-Za-z]+) ([!-"$-~]+) HTTP/1\.([01])\r\n((?:[!#$%&'*+\-.^_` + "`" + `|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n)*)\r\n`)
	hostRule  = regexp.MustCompile(`^(?:[\w\-.~!$&'()*+,;=]+|\[([0-9A-Fa-f:.]+)\])(?::([0-9]+))?$`)
	urlRule   = regexp.MustCompile(`^(?i:https?)://([^/]*)(/.*)$`)
	pathRule  = regexp.MustCompile(`^/([^%?]|%[0-9A-Fa-f]{2})*(\?.*)?$`)
	chunkRule = regexp.MustCompile(`^([0-9A-Fa-f]{1,16})(;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n`)
	trailRule = regexp.MustCompile(`^((?:[!#$%&'*+\-.^_` + "`" + `|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n)*)\r\n`)
)

func fieldsOf(text string) (fields [][2]string) {
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields = append(fields, [2]string{strings.ToLower(name), strings.Trim(value, " \t")})
		}
	}
	return fields
}

func validHost(host string) bool {
	m := hostRule.FindStringSubmatch(host)
	if m == nil {
		return false
	}
	if m[1] != "" {
		if ip, err := netip.ParseAddr(m[1]); err != nil || !ip.Is6() {
			return false
		}
	}
	if m[2] == "" {
		return true
	}
	port, err := strconv.Atoi(m[2])
	return err == nil && port < 1<<16
}

func mayTrail(name string) bool {
	return !slices.Contains(strings.Fields("host authorization content-type content_type content-length content_length transfer-encoding "+
		"transfer_encoding expect trailer cache-control connection content-encoding content-range cookie forwarded if-match "+
		"if-modified-since if-none-match if-range if-unmodified-since keep-alive max-forwards origin pragma proxy-authorization "+
		"proxy-connection range set-cookie te upgrade"), name)
}

// strictly reads one request off b.
func strictly(b string) (request, rest string, ok bool) {
	m := headRule.FindStringSubmatch(b)
	if m == nil || len(strings.TrimPrefix(m[0], "\r\n")) > fuzzHeader || m[1] == "CONNECT" || m[1] == "TRACE" {
		return "", "", false
	}
	rest = b[len(m[0]):]
	one := map[string]string{}
	fields := fieldsOf(m[4])
	for _, f := range fields {
		switch f[0] {
		case "host", "content-length", "transfer-encoding", "authorization", "content-type", "expect":
			if _, twice := one[f[0]]; twice {
				return "", "", false
			}
			one[f[0]] = f[1]
		case "content_length", "transfer_encoding", "content_type":
			return "", "", false
		case "trailer":
			for name := range strings.SplitSeq(strings.ToLower(f[1]), ",") {
				if !mayTrail(strings.Trim(name, " \t")) {
					return "", "", false
				}
			}
		}
	}
	host, hosted := one["host"]
	expects, expecting := one["expect"]
	if len(fields) > 100 || !hosted && m[3] == "1" || hosted && !validHost(host) || expecting && strings.ToLower(expects) != "100-continue" {
		return "", "", false
	}
	path := m[2]
	if u := urlRule.FindStringSubmatch(path); u != nil {
		if !validHost(u[1]) || hosted && !strings.EqualFold(u[1], host) {
			return "", "", false
		}
		path, host = u[2], u[1]
	}
	if !pathRule.MatchString(path) && (path != "*" || m[1] != "OPTIONS") {
		return "", "", false
	}
	length, fixed := one["content-length"]
	coding, chunked := one["transfer-encoding"]
	body := ""
	switch {
	case chunked && (fixed || m[3] == "0" || strings.ToLower(coding) != "chunked"):
		return "", "", false
	case chunked:
		if body, rest, ok = dechunked(rest); !ok {
			return "", "", false
		}
	case fixed:
		n, err := strconv.ParseUint(length, 10, 63)
		if err != nil || uint64(len(rest)) < n {
			return "", "", false
		}
		body, rest = rest[:n], rest[n:]
	}
	return fmt.Sprintf("%s %s %s %q", m[1], m[2], host, body), rest, true
}

func dechunked(b string) (body, rest string, ok bool) {
	for extensions := 0; ; {
		m := chunkRule.FindStringSubmatch(b)
		if m == nil {
			return "", "", false
		}
		b = b[len(m[0]):]
		n, err := strconv.ParseUint(m[1], 16, 63)
		if extensions += len(m[2]); err != nil || extensions > 256 {
			return "", "", false
		}
		if n == 0 {
			break
		}
		if uint64(len(b)) < n+2 || b[n:n+2] != "\r\n" {
			return "", "", false
		}
		body, b = body+b[:n], b[n+2:]
	}
	m := trailRule.FindStringSubmatch(b)
	if m == nil || len(m[0]) > 2<<10 {
		return "", "", false
	}
	for _, f := range fieldsOf(m[1]) {
		if !mayTrail(f[0]) {
			return "", "", false
		}
	}
	return body, b[len(m[0]):], true
}

func reference(in string) (u understood) {
	for in != "" && in != "\r\n" {
		request, rest, ok := strictly(in)
		if !ok {
			return u
		}
		u.requests, in = append(u.requests, request), rest
	}
	u.all = true
	return u
}

// Whatever comes, net/http behind the guard and a strict reading agree on
// what was asked, and so they do however the bytes are split.
func FuzzGuard(f *testing.F) {
	for _, tt := range cases {
		if len(tt.in) < 300 {
			f.Add([]byte(good+tt.in+behind), []byte{0, 2})
		}
	}
	for _, tt := range bodies {
		if len(tt.in) < 400 {
			f.Add([]byte("POST /bad HTTP/1.1\r\n"+host+"Transfer-Encoding: chunked\r\n\r\n"+tt.in+behind), []byte{7})
		}
	}
	f.Fuzz(func(t *testing.T, in, pieces []byte) {
		got, refusal := netHTTP(t, in, nil)
		want := reference(string(in))
		if !slices.Equal(got.requests, want.requests) || got.all != want.all {
			t.Errorf("net/http and the guard: %q, all %t, %s; strictly: %q, all %t", got.requests, got.all, refusal, want.requests, want.all)
		}
		split, splitRefusal := netHTTP(t, in, append(slices.Clip(pieces), 0))
		if !slices.Equal(got.requests, split.requests) || refusal != splitRefusal {
			t.Errorf("in pieces %q, %s; at once %q, %s", split.requests, splitRefusal, got.requests, refusal)
		}
	})
}
