package wire_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/kit/wire"
)

const maxHeader = 16 << 10

// listener guards what it accepts, and reads it in pieces of a size.
type listener struct {
	net.Listener
	piece int
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return wire.Guard(pieces{c, l.piece}, maxHeader), nil
}

type pieces struct {
	net.Conn
	size int
}

func (p pieces) Read(b []byte) (int, error) { return p.Conn.Read(b[:min(len(b), p.size)]) }
func (p pieces) CloseWrite() error          { return p.Conn.(*net.TCPConn).CloseWrite() }

// serve serves h, guarded, and returns a connection to it.
func serve(t testing.TB, piece int, h http.HandlerFunc) *net.TCPConn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, ConnState: wire.State, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = s.Serve(listener{ln, piece}) }()
	t.Cleanup(func() { _ = s.Close() })
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// seen is what a server's handler was asked.
type seen struct {
	mu       sync.Mutex
	requests []string
}

func (s *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	what := fmt.Sprintf("%s %s %s", r.Method, r.URL.RequestURI(), body)
	if err != nil {
		what += "!"
		w.WriteHeader(http.StatusBadRequest)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, strings.TrimSuffix(what, " "))
}

// talk sends text and returns what the handler saw and all answers: statuses,
// and the code of a problem.
func talk(t *testing.T, piece int, text string) (requests, answers []string) {
	t.Helper()
	var s seen
	c := serve(t, piece, s.ServeHTTP)
	go func() {
		_, _ = io.WriteString(c, text)
		_ = c.CloseWrite()
	}()
	all, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("the answer cannot be read to its end: %v", err)
	}
	for in := bufio.NewReader(bytes.NewReader(all)); ; {
		if _, err := in.Peek(1); err != nil {
			break
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("no answer: %v in %q", err, all)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		answer := fmt.Sprint(res.StatusCode)
		if res.Header.Get("Content-Type") == "application/problem+json" {
			var p transport.Problem
			if err := json.Unmarshal(body, &p); err != nil || p.Status != res.StatusCode || p.Title != http.StatusText(p.Status) ||
				p.Type != "about:blank" || p.Detail == "" || res.Header.Get("Date") == "" || !res.Close {
				t.Errorf("answer %v %s: %v", res, body, err)
			}
			answer += " " + p.Code
		}
		answers = append(answers, answer)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests, answers
}

const host = "Host: x\r\n"

// cases are one request each. What is no refusal is what the handler sees.
var cases = map[string]struct{ in, want string }{
	"simple":                   {"GET /a?b=c HTTP/1.1\r\n" + host + "\r\n", "GET /a?b=c"},
	"length":                   {"POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhello", "POST / hello"},
	"length with zeros":        {"POST / HTTP/1.1\r\n" + host + "Content-Length:005\t\r\n\r\nhello", "POST / hello"},
	"chunks":                   {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: Chunked\r\n\r\n3\r\nhel\r\n02;a=b\r\nlo\r\n0\r\n\r\n", "POST / hello"},
	"chunks and trailers":      {"POST / HTTP/1.1\r\n" + host + "Trailer: Digest\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nDigest: 1\r\n\r\n", "POST / hello"},
	"an empty line before":     {"\r\nGET / HTTP/1.1\r\n" + host + "\r\n", "GET /"},
	"a method of one's own":    {"get / HTTP/1.1\r\n" + host + "\r\n", "get /"},
	"all of the server":        {"OPTIONS * HTTP/1.1\r\n" + host + "\r\n", ""},
	"an absolute target":       {"GET HTTP://x/a HTTP/1.1\r\n" + host + "\r\n", "GET /a"},
	"an absolute https target": {"GET https://X:80/a HTTP/1.1\r\nHost: x:80\r\n\r\n", "GET /a"},
	"1.0":                      {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET /"},
	"an IPv6 host":             {"GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n", "GET /"},
	"Latin-1":                  {"GET / HTTP/1.1\r\n" + host + "X: caf\xe9\r\n\r\n", "GET /"},
	"an odd query":             {"GET /?q=100%|{} HTTP/1.1\r\n" + host + "\r\n", "GET /?q=100%|{}"},
	"a dotted path":            {"GET //a/../b%2F HTTP/1.1\r\n" + host + "\r\n", "GET //a/../b%2F"},
	"expects 100":              {"GET / HTTP/1.1\r\n" + host + "Expect: 100-Continue\r\n\r\n", "GET /"},
	"a long header":            {"GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 12<<10) + "\r\n\r\n", "GET /"},
	"many lines":               {"GET / HTTP/1.1\r\n" + host + strings.Repeat("X: y\r\n", 99) + "\r\n", "GET /"},
	"an empty value":           {"GET / HTTP/1.1\r\n" + host + "X:\r\n\r\n", "GET /"},

	"CL.TE":                          {"POST / HTTP/1.1\r\n" + host + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", "400 ambiguous_framing"},
	"TE.CL":                          {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\nGPOST", "400 ambiguous_framing"},
	"an unknown coding":              {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "501 transfer_coding_not_supported"},
	"coding, space":                  {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "400 malformed_request"},
	"coding, tab":                    {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", "400 malformed_request"},
	"coding, vertical tab":           {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", "400 malformed_request"},
	"coding, folded":                 {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "501 transfer_coding_not_supported"},
	"coding, indented":               {"POST / HTTP/1.1\r\n" + host + "X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 malformed_request"},
	"coding, first and indented":     {"POST / HTTP/1.1\r\n Transfer-Encoding: chunked\r\n" + host + "\r\n0\r\n\r\n", "400 malformed_request"},
	"coding, behind a value":         {"POST / HTTP/1.1\r\n" + host + "X: X[\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 malformed_request"},
	"coding, behind a CR":            {"POST / HTTP/1.1\r\n" + host + "X: X\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 malformed_request"},
	"coding twice":                   {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n\r\n0\r\n\r\n", "400 ambiguous_framing"},
	"coding twice, the same":         {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 ambiguous_framing"},
	"chunked and identity":           {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "501 transfer_coding_not_supported"},
	"chunked and chunked":            {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "501 transfer_coding_not_supported"},
	"gzip and chunked":               {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501 transfer_coding_not_supported"},
	"identity":                       {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nx", "501 transfer_coding_not_supported"},
	"coding, quoted":                 {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", "501 transfer_coding_not_supported"},
	"coding, empty":                  {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding:\r\n\r\n", "501 transfer_coding_not_supported"},
	"coding, NUL in its name":        {"POST / HTTP/1.1\r\n" + host + "Transfer\x00Encoding: chunked\r\n\r\n", "400 malformed_request"},
	"coding, underscore":             {"POST / HTTP/1.1\r\n" + host + "Transfer_Encoding: chunked\r\n\r\n", "400 ambiguous_framing"},
	"coding in 1.0":                  {"POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 ambiguous_framing"},
	"length, underscore":             {"POST / HTTP/1.1\r\n" + host + "Content_Length: 5\r\n\r\n", "400 ambiguous_framing"},
	"lengths":                        {"POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "400 ambiguous_framing"},
	"lengths, the same":              {"POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\ncontent-length: 5\r\n\r\nhello", "400 ambiguous_framing"},
	"lengths, a list":                {"POST / HTTP/1.1\r\n" + host + "Content-Length: 5, 5\r\n\r\nhello", "400 ambiguous_framing"},
	"length, a plus":                 {"POST / HTTP/1.1\r\n" + host + "Content-Length: +5\r\n\r\nhello", "400 ambiguous_framing"},
	"length, a minus":                {"POST / HTTP/1.1\r\n" + host + "Content-Length: -0\r\n\r\n", "400 ambiguous_framing"},
	"length, a space":                {"POST / HTTP/1.1\r\n" + host + "Content-Length: 5 5\r\n\r\nhello", "400 ambiguous_framing"},
	"length, hexadecimal":            {"POST / HTTP/1.1\r\n" + host + "Content-Length: 0x5\r\n\r\nhello", "400 ambiguous_framing"},
	"length, an underscore in it":    {"POST / HTTP/1.1\r\n" + host + "Content-Length: 1_0\r\n\r\nhellohello", "400 ambiguous_framing"},
	"length, nothing":                {"POST / HTTP/1.1\r\n" + host + "Content-Length: \r\n\r\n", "400 ambiguous_framing"},
	"length, huge":                   {"POST / HTTP/1.1\r\n" + host + "Content-Length: 9223372036854775808\r\n\r\n", "400 ambiguous_framing"},
	"LF only":                        {"GET / HTTP/1.1\nHost: x\n\n", "400 malformed_request"},
	"LF after a header":              {"GET / HTTP/1.1\r\nHost: x\n\r\n", "400 malformed_request"},
	"LF at the end":                  {"GET / HTTP/1.1\r\nHost: x\r\n\n", "400 malformed_request"},
	"CR CR LF":                       {"GET / HTTP/1.1\r\r\nHost: x\r\n\r\n", "400 malformed_request"},
	"CR in a value":                  {"GET / HTTP/1.1\r\n" + host + "X: a\rb\r\n\r\n", "400 malformed_request"},
	"NUL in a value":                 {"GET / HTTP/1.1\r\n" + host + "X: a\x00b\r\n\r\n", "400 malformed_request"},
	"DEL in a value":                 {"GET / HTTP/1.1\r\n" + host + "X: a\x7fb\r\n\r\n", "400 malformed_request"},
	"a name with a parenthesis":      {"GET / HTTP/1.1\r\n" + host + "X(: a\r\n\r\n", "400 malformed_request"},
	"a name in UTF-8":                {"GET / HTTP/1.1\r\n" + host + "é: a\r\n\r\n", "400 malformed_request"},
	"no name":                        {"GET / HTTP/1.1\r\n" + host + ": a\r\n\r\n", "400 malformed_request"},
	"no colon":                       {"GET / HTTP/1.1\r\n" + host + "X\r\n\r\n", "400 malformed_request"},
	"two spaces":                     {"GET  / HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"two spaces before the version":  {"GET /  HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"a space behind":                 {"GET / HTTP/1.1 \r\n" + host + "\r\n", "400 malformed_request"},
	"a tab":                          {"GET\t/ HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"a space before":                 {" GET / HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"a space in the target":          {"GET /a b HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"no target":                      {"GET  HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"no method":                      {" / HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"a method that is none":          {"GE(T / HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"two empty lines before":         {"\r\n\r\nGET / HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"0.9":                            {"GET /\r\n", "400 malformed_request"},
	"1.2":                            {"GET / HTTP/1.2\r\n" + host + "\r\n", "505 version_not_supported"},
	"2.0":                            {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 version_not_supported"},
	"a version in small letters":     {"GET / http/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"a version with zeros":           {"GET / HTTP/1.01\r\n" + host + "\r\n", "400 malformed_request"},
	"CONNECT":                        {"CONNECT x:443 HTTP/1.1\r\n" + host + "\r\n", "501 method_not_supported"},
	"TRACE":                          {"TRACE / HTTP/1.1\r\n" + host + "\r\n", "501 method_not_supported"},
	"no host":                        {"GET / HTTP/1.1\r\n\r\n", "400 malformed_request"},
	"an empty host":                  {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "400 malformed_request"},
	"two hosts":                      {"GET / HTTP/1.1\r\n" + host + host + "\r\n", "400 malformed_request"},
	"two hosts in 1.0":               {"GET / HTTP/1.0\r\n" + host + host + "\r\n", "400 malformed_request"},
	"a list of hosts":                {"GET / HTTP/1.1\r\nHost: x y\r\n\r\n", "400 malformed_request"},
	"a host with a path":             {"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", "400 malformed_request"},
	"a host with a user":             {"GET / HTTP/1.1\r\nHost: ann@x\r\n\r\n", "400 malformed_request"},
	"a host with a name for a port":  {"GET / HTTP/1.1\r\nHost: x:http\r\n\r\n", "400 malformed_request"},
	"a host with a port too large":   {"GET / HTTP/1.1\r\nHost: x:65536\r\n\r\n", "400 malformed_request"},
	"a host in UTF-8":                {"GET / HTTP/1.1\r\nHost: é\r\n\r\n", "400 malformed_request"},
	"half an IPv6 host":              {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "400 malformed_request"},
	"no IPv6 host":                   {"GET / HTTP/1.1\r\nHost: [1.2.3.4]\r\n\r\n", "400 malformed_request"},
	"an IPv6 host with a tail":       {"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", "400 malformed_request"},
	"an IPv6 host with a zone":       {"GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n", "400 malformed_request"},
	"another host in the target":     {"GET http://y/ HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"a user in the target":           {"GET http://ann@x/ HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"another scheme":                 {"GET ftp://x/ HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"a target without a path":        {"GET http://x HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"a relative target":              {"GET a HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"an asterisk with GET":           {"GET * HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"a fragment":                     {"GET /a#b HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"a target in UTF-8":              {"GET /é HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"half a percent":                 {"GET /a%2 HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"a percent that is none":         {"GET /a%zz HTTP/1.1\r\n" + host + "\r\n", "400 malformed_request"},
	"two Authorizations":             {"GET / HTTP/1.1\r\n" + host + "Authorization: a\r\nauthorization: b\r\n\r\n", "400 malformed_request"},
	"two Content-Types":              {"GET / HTTP/1.1\r\n" + host + "Content-Type: a\r\nContent-Type: b\r\n\r\n", "400 malformed_request"},
	"another expectation":            {"GET / HTTP/1.1\r\n" + host + "Expect: payment\r\n\r\n", "417 expectation_failed"},
	"expectations, a list":           {"GET / HTTP/1.1\r\n" + host + "Expect: x, 100-continue\r\n\r\n", "417 expectation_failed"},
	"too long a header":              {"GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", maxHeader) + "\r\n\r\n", "431 header_too_large"},
	"too long a target":              {"GET /" + strings.Repeat("x", maxHeader) + " HTTP/1.1\r\n" + host + "\r\n", "431 header_too_large"},
	"too many lines":                 {"GET / HTTP/1.1\r\n" + host + strings.Repeat("X: y\r\n", 100) + "\r\n", "431 header_too_large"},
	"framing announced as a trailer": {"POST / HTTP/1.1\r\n" + host + "Trailer: Digest, Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 malformed_request"},
	"TLS":                            {"\x16\x03\x01\x00\xa5\x01\x00", "400 malformed_request"},
	"a beginning":                    {"GET / HT", "400 malformed_request"},
	"no end":                         {"GET / HTTP/1.1\r\n" + host, "400 malformed_request"},
}

// bodies are chunked ones, and what a handler reads of them before something
// is wrong.
var bodies = map[string]struct{ in, read string }{
	"a sign":                         {"+5\r\nhello\r\n0\r\n\r\n", ""},
	"a prefix":                       {"0x5\r\nhello\r\n0\r\n\r\n", ""},
	"a space before":                 {" 5\r\nhello\r\n0\r\n\r\n", ""},
	"a space behind":                 {"5 \r\nhello\r\n0\r\n\r\n", ""},
	"no size":                        {"\r\nhello\r\n0\r\n\r\n", ""},
	"no size, but an extension":      {";a\r\n\r\n", ""},
	"17 digits":                      {"00000000000000005\r\nhello\r\n0\r\n\r\n", ""},
	"too large a size":               {"8000000000000000\r\nhello", ""},
	"a size that overflows":          {"10000000000000005\r\nhello\r\n0\r\n\r\n", ""},
	"LF behind the size":             {"5\nhello\r\n0\r\n\r\n", ""},
	"CR behind the size":             {"5\rhello\r\n0\r\n\r\n", ""},
	"LF behind the data":             {"5\r\nhello\n0\r\n\r\n", "hello"},
	"CR behind the data":             {"5\r\nhello\r0\r\n\r\n", "hello"},
	"data beyond the size":           {"5\r\nhelloo\r\n0\r\n\r\n", "hello"},
	"data short of the size":         {"6\r\nhello\r\n0\r\n\r\n", "hello\r"},
	"LF in an extension":             {"5;a\nb\r\nhello\r\n0\r\n\r\n", ""},
	"NUL in an extension":            {"5;a\x00b\r\nhello\r\n0\r\n\r\n", ""},
	"CR in an extension":             {"5;a\rb\r\nhello\r\n0\r\n\r\n", ""},
	"a long extension":               {"5;" + strings.Repeat("a", 256) + "\r\nhello\r\n0\r\n\r\n", ""},
	"many extensions":                {strings.Repeat("1;aaaaaaa\r\nx\r\n", 33) + "0\r\n\r\n", strings.Repeat("x", 32)},
	"a second chunk with a sign":     {"5\r\nhello\r\n-1\r\n", "hello"},
	"LF at the end":                  {"5\r\nhello\r\n0\r\n\n", "hello"},
	"a trailer with framing":         {"5\r\nhello\r\n0\r\nContent-Length: 1\r\n\r\n", "hello"},
	"a trailer with a host":          {"5\r\nhello\r\n0\r\nHost: y\r\n\r\n", "hello"},
	"a trailer with a user":          {"5\r\nhello\r\n0\r\nAuthorization: y\r\n\r\n", "hello"},
	"a trailer with a cookie":        {"5\r\nhello\r\n0\r\nCookie: y\r\n\r\n", "hello"},
	"a trailer with no name":         {"5\r\nhello\r\n0\r\n: y\r\n\r\n", "hello"},
	"a trailer with a NUL":           {"5\r\nhello\r\n0\r\nX: \x00\r\n\r\n", "hello"},
	"a folded trailer":               {"5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n", "hello"},
	"a long trailer":                 {"5\r\nhello\r\n0\r\nX: " + strings.Repeat("y", 3<<10) + "\r\n\r\n", "hello"},
	"a body that breaks off":         {"5\r\nhel", "hel"},
	"trailers that break off":        {"5\r\nhello\r\n0\r\nX: y\r\n", "hello"},
	"another request for a last one": {"5\r\nhello\r\n0\r\nGET /admin HTTP/1.1\r\n\r\n", "hello"},
}

const (
	good   = "POST /good HTTP/1.1\r\n" + host + "Content-Length: 4\r\n\r\ngood"
	behind = "GET /behind HTTP/1.1\r\n" + host + "\r\n"
)

// each runs f for every way in which bytes may come.
func each(t *testing.T, f func(t *testing.T, piece int)) {
	for name, piece := range map[string]int{"at once": 1 << 20, "byte by byte": 1, "in threes": 3} {
		t.Run(name, func(t *testing.T) { t.Parallel(); f(t, piece) })
	}
}

func check(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// What is wrong is answered after what was right before it, and nothing
// behind it is served.
func TestRequests(t *testing.T) {
	t.Parallel()
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, piece int) {
				if tt.want == "" || tt.want[0] > '9' {
					requests, answers := talk(t, piece, good+tt.in+behind)
					want := slices.DeleteFunc([]string{"POST /good good", tt.want, "GET /behind"}, func(s string) bool { return s == "" })
					check(t, "requests", requests, want)
					check(t, "answers", slices.DeleteFunc(answers, func(s string) bool { return s == "100" }), []string{"200", "200", "200"})
					return
				}
				for _, before := range []string{"", good, good + good} {
					after := behind
					if name == "a beginning" || name == "no end" {
						after = ""
					}
					requests, answers := talk(t, piece, before+tt.in+after)
					n := len(before) / len(good)
					check(t, "requests", requests, slices.Repeat([]string{"POST /good good"}, n))
					check(t, "answers", answers, append(slices.Repeat([]string{"200"}, n), tt.want))
				}
			})
		})
	}
}

// A body in which something is wrong fails to be read, and its handler answers.
func TestBodies(t *testing.T) {
	t.Parallel()
	for name, tt := range bodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, piece int) {
				after := behind
				if strings.Contains(name, "break") {
					after = ""
				}
				requests, answers := talk(t, piece, good+"PUT /bad HTTP/1.1\r\n"+host+"Transfer-Encoding: chunked\r\n\r\n"+tt.in+after)
				check(t, "requests", requests, []string{"POST /good good", "PUT /bad " + tt.read + "!"})
				check(t, "answers", answers, []string{"200", "400"})
			})
		})
	}
}
