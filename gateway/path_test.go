package gateway_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"unicode"
)

// The paths of a service, the more particular first, and what each asks for.
var guarded = []struct {
	path  string
	token bool
}{
	{"/v1/slash/", false},
	{"/v1/secret", true},
	{"/v1/{id}", false},
	{"/v1/secret/{id}", true},
	{"/v1/files/{id}/raw", false},
	{"/{a}/{b}/{c}/{d}", false},
	{"/{a}", false},
}

func guard(t testing.TB) (*front, <-chan string) {
	f := start(t)
	seen := make(chan string, 1)
	var lines, paths []string
	for _, g := range guarded {
		lines, paths = append(lines, "GET "+g.path+" "+map[bool]string{true: personal, false: public}[g.token]), append(paths, g.path)
	}
	lines = append(lines, "GET /metrics "+public, "GET /internal/{a} "+public, "GET /v1/hidden "+having(public, `"x-internal":true`))
	f.service(t, "things", document(lines...), func(_ http.ResponseWriter, r *http.Request) { seen <- r.RequestURI })
	f.known(t, paths...)
	return f, seen
}

// permitted is what ought to become of a request for a path: the status, and
// the target that the service sees.
func permitted(u *url.URL) (status int, target string) {
	escaped := u.EscapedPath()
	if u.ForceQuery || u.RawQuery != "" {
		target = "?" + u.RawQuery
	}
	var segments []string
	for part := range strings.SplitSeq(strings.TrimPrefix(escaped, "/"), "/") {
		text, err := url.PathUnescape(part)
		if err != nil || text == "." || text == ".." || strings.ContainsAny(text, `/\`) || strings.ContainsFunc(text, unicode.IsControl) {
			return 404, ""
		}
		segments = append(segments, text)
	}
	if strings.Contains(strings.ToLower(u.RawPath), "%2f") { // beside what isn't encoded, and then decoded with it
		return 404, ""
	}
	if !strings.HasPrefix(escaped, "/") || strings.Contains(escaped, "//") || segments[0] == "internal" || u.Path == "/metrics" {
		return 404, ""
	}
	for _, g := range guarded {
		if fits(strings.Split(g.path[1:], "/"), segments) {
			if g.token {
				return 401, ""
			}
			return 200, escaped + target
		}
	}
	return 404, ""
}

func fits(pattern, segments []string) bool {
	if len(pattern) != len(segments) {
		return false
	}
	for i, p := range pattern {
		if strings.HasPrefix(p, "{") && segments[i] == "" || !strings.HasPrefix(p, "{") && p != segments[i] {
			return false
		}
	}
	return true
}

// checkPath sends a request with a target as it is, and tells what it came to.
func checkPath(t *testing.T, f *front, seen <-chan string, target string) (status int, got string) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n")))
	if err != nil || r.RequestURI != target {
		return 400, "" // before the gateway sees anything
	}
	if own[r.URL.Path] {
		return 0, ""
	}
	n := clients.Add(1)
	r.RemoteAddr = fmt.Sprintf("11.%d.%d.%d:1234", byte(n>>16), byte(n>>8), byte(n)) // each has a limit
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	select {
	case got = <-seen:
	default:
	}
	if wantStatus, want := permitted(r.URL); w.Code != wantStatus || got != want {
		t.Errorf("%q: %d, the service sees %q, want %d %q", target, w.Code, got, wantStatus, want)
	}
	return w.Code, got
}

var clients atomic.Uint32

// own are the paths that the gateway answers itself.
var own = map[string]bool{"/": true, "/livez": true, "/readyz": true, "/openapi.json": true, "/docs": true}

// What is authorised is what is forwarded, byte for byte, or nothing is.
func TestPaths(t *testing.T) {
	t.Parallel()
	f, seen := guard(t)
	for _, tt := range []struct {
		target string
		status int
		sees   string // as sent, unless it says otherwise
	}{
		{"/v1/7", 200, ""},
		{"/v1/7?", 200, ""},
		{"/v1/7?a=1;b&c=%zz&d=%2f../&%00#e", 200, ""},
		{"/v1/7??", 200, ""},
		{"/v1/a%20c", 200, ""},
		{"/v1/%41", 200, ""},
		{"/v1/%E2%82%ac", 200, ""},
		{"/v1/a;b=c", 200, ""},
		{"/v1/secret;b=c", 200, ""},
		{"/v1/a:b@c!$&'()*+,=", 200, ""},
		{"/v1/...", 200, ""},
		{"/v1/.a", 200, ""},
		{"/v1/%252f", 200, ""},
		{"/v1/%252e%252e", 200, ""},
		{"/v1/%3f%23", 200, ""},
		{"/v1/Secret", 200, ""},
		{"/v1/%73ecret%20", 200, ""},
		{"/v1/\u20ac", 200, "/v1/%E2%82%AC"}, // what isn't encoded is, as it must be
		{"/v1/\xff", 200, "/v1/%FF"},
		{"/v1/a|b", 200, "/v1/a%7Cb"},
		{"/v1/a#b", 200, "/v1/a%23b"},
		{"/v1/secret", 401, ""},
		{"/v1/%73ecret", 401, ""},
		{"/v1/secre%74/raw", 401, ""},
		{"/v1/files/%2B/raw", 200, ""},
		{"/v1/a%2Fb", 404, ""},
		{"/v1/a%2fb", 404, ""},
		{"/v1/a|%2fb", 404, ""},
		{"/v1/a%5Cb", 404, ""},
		{"/v1/a%5cb", 404, ""},
		{`/v1/a\b`, 404, ""},
		{`/v1/a\..\secret`, 404, ""},
		{"/v1/a%00b", 404, ""},
		{"/v1/a%0d%0ab", 404, ""},
		{"/v1/%7f", 404, ""},
		{"/v1/%c2%85", 404, ""}, // a control character beyond ASCII
		{"/v1/", 404, ""},
		{"/v1//raw", 404, ""},
		{"//v1/7", 404, ""},
		{"/v1/7/", 404, ""},
		{"/v1/./7", 404, ""},
		{"/v1/../v1/7", 404, ""},
		{"/v1/%2e%2e/raw", 404, ""},
		{"/v1/%2E%2e", 404, ""},
		{"/v1/%2e", 404, ""},
		{"/v1/.%2e", 404, ""},
		{"/v1/slash/", 200, ""},
		{"/v1/slash/x", 404, ""},
		{"/v1/slash", 200, ""},  // an {id}
		{"/v1/hidden", 200, ""}, // one too: the service's own row for it counts for nothing here
		{"/a/b/c/d", 200, ""},
		{"/internal/a/b/c", 404, ""},
		{"/%69nternal/a/b/c", 404, ""},
		{"/internal", 404, ""},
		{"/metrics", 404, ""},
		{"/%6detrics", 404, ""},
		{"/metrics?", 404, ""},
		{"/a%2", 400, ""},
		{"/a b", 400, ""},
		{"v1/7", 400, ""},
		{"*", 404, ""},
	} {
		status, sees := checkPath(t, f, seen, tt.target)
		want := tt.sees
		if want == "" && tt.status == 200 {
			want = tt.target
		}
		if status != tt.status || sees != want {
			t.Errorf("%q: %d, the service sees %q; want %d %q", tt.target, status, sees, tt.status, want)
		}
	}
}

func FuzzPaths(f *testing.F) {
	for _, seed := range []string{
		"/v1/7", "/v1/secret", "/v1/%73ecret?x", "/v1/files/a%2fb/raw", "//v1/..", "/%2e%2e/v1/secret", "/v1/slash/", `/v1\secret`, "/internal/%00/c/d", "http://x/v1/7", "/v1/a;b?c#d", "/\u20ac/b/c/%252f",
	} {
		f.Add(seed)
	}
	front, seen := guard(f)
	f.Fuzz(func(t *testing.T, target string) {
		if strings.ContainsAny(target, "\r\n") {
			return
		}
		checkPath(t, front, seen, target)
	})
}

// Paths that no document may claim.
func TestPathsThatAreNobodys(t *testing.T) {
	t.Parallel()
	f := start(t)
	var lines []string
	for i, path := range []string{"/livez", "/docs", "/openapi.json", "/internal", "/internal/v1/x", "/v1/../secret", "/v1/{a}{b}", "/v1/{a...}", "/v1/a%2fb", "v1", "/v1/a b"} {
		lines = append(lines, fmt.Sprintf(`GET %s {"security":[],"operationId":"n%d"}`, strings.ReplaceAll(path, " ", "\u00a0"), i))
	}
	f.service(t, "things", document(append(lines, "GET /v1/known "+public)...), func(http.ResponseWriter, *http.Request) { t.Error("the service was reached") })
	f.known(t, "/v1/known")
	if _, text := f.do(t, "GET", "/openapi.json", nil); strings.Contains(text, "things.n") {
		t.Error(text)
	}
	if res, body := f.do(t, "GET", "/livez", nil); res.StatusCode != 200 || body != "ok\n" {
		t.Errorf("/livez: %s %s", res.Status, body)
	}
}
