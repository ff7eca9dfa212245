package cache_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// step is one request, and what comes of it.
type step struct {
	later  time.Duration // before it
	answer string        // that the service gives from now on
	do     string        // "" is GET /
	with   string
	want   string // status and body, or a part of the error
	status string // Cache-Status after "trellis; "
	sent   string // "Name: value" of the request that reached the service
	age    string
}

const s = time.Second

var semantics = []struct {
	name  string
	steps []step
}{
	{"9111 3: kept as long as it says", []step{
		{answer: "200 a\nCache-Control: max-age=10", want: "200 a", status: "fwd=uri-miss; stored"},
		{later: 9 * s, answer: "200 b\nCache-Control: max-age=10", want: "200 a", status: "hit; ttl=1", age: "9"},
		{later: 1 * s, want: "200 b", status: "fwd=stale; stored"},
	}},
	{"9111 3: only what says so", []step{
		{answer: "200 a", want: "200 a", status: "fwd=uri-miss"},
		{answer: "200 b\nExpires: Fri, 01 Jan 2100 00:00:00 GMT", want: "200 b", status: "fwd=uri-miss"},
		{answer: "200 c\nCache-Control: public\nEtag: \"c\"", want: "200 c", status: "fwd=uri-miss"},
	}},
	{"9111 3: only 200", []step{
		{answer: "404 a\nCache-Control: max-age=10", want: "404 a", status: "fwd=uri-miss; fwd-status=404"},
		{answer: "301 b\nCache-Control: max-age=10\nLocation: /x", want: "301 b", status: "fwd=uri-miss; fwd-status=301"},
		{answer: "200 c\nCache-Control: max-age=10", want: "200 c", status: "fwd=uri-miss; stored"},
	}},
	{"9111 3: a 404 takes the place of what was", []step{
		{answer: "200 a\nCache-Control: max-age=1, stale-if-error=99", want: "200 a"},
		{later: 2 * s, answer: "404 b", want: "404 b"},
		{answer: "503 c", want: "503 c", status: "fwd=uri-miss; fwd-status=503"},
	}},
	{"9111 3.1: what is for one request or connection is not kept", []step{
		{answer: "200 a\nCache-Control: max-age=9\nX-Request-Id: r\nRatelimit: l\nTraceparent: t\nX-B3-Traceid: b\nConnection: X-Hop\nX-Hop: h\nCache-Status: inner; hit", want: "200 a"},
		{want: "200 a", status: "hit; ttl=9"},
	}},
	{"9111 3.2: a 304 changes the headers", []step{
		{answer: "200 a\nCache-Control: max-age=1\nEtag: \"1\"\nX-Left: 1", want: "200 a"},
		{later: 2 * s, answer: "304\nCache-Control: max-age=5\nEtag: \"1\"", want: "200 a", status: "fwd=stale; fwd-status=304", sent: `If-None-Match: "1"`, age: "0"},
		{later: 4 * s, want: "200 a", status: "hit; ttl=1", age: "4"},
	}},
	{"9111 3.5: Authorization passes, and keeps nobody out", []step{
		{with: "Authorization: Bearer a", answer: "200 a\nCache-Control: max-age=9", want: "200 a", sent: "Authorization: Bearer a"},
		{with: "Authorization: Bearer b", want: "200 a", status: "hit; ttl=9"},
	}},
	{"9111 4.1: Vary", []step{
		{with: "Accept-Language: de, en", answer: "200 de\nCache-Control: max-age=9\nVary: accept-language, Accept", want: "200 de"},
		{with: "Accept-Language: de,  en", answer: "200 en\nCache-Control: max-age=9\nVary: Accept-Language, Accept", want: "200 de", status: "hit; ttl=9"},
		{with: "Accept-Language: de\nAccept-Language: en", want: "200 de", status: "hit; ttl=9"},
		{with: "Accept-Language: en", want: "200 en", status: "fwd=vary-miss; stored"},
		{with: "Accept-Language: en", want: "200 en", status: "hit; ttl=9"},
		{with: "Accept-Language: de, en", want: "200 de", status: "hit; ttl=9"},
		{answer: "200 none\nCache-Control: max-age=9\nVary: Accept-Language, Accept", want: "200 none", status: "fwd=vary-miss; stored"},
	}},
	{"9111 4.1: Vary: *", []step{
		{answer: "200 a\nCache-Control: max-age=9\nVary: Accept, *", want: "200 a", status: "fwd=uri-miss"},
		{want: "200 a", status: "fwd=uri-miss"},
	}},
	{"9111 4.1: Vary by who asks", []step{
		{answer: "200 a\nCache-Control: max-age=9\nVary: Authorization", want: "200 a", status: "fwd=uri-miss"},
		{answer: "200 a\nCache-Control: max-age=9\nVary: Cookie", want: "200 a", status: "fwd=uri-miss"},
		{answer: "200 a\nCache-Control: max-age=9\nVary: X-User-Id", want: "200 a", status: "fwd=uri-miss"},
		{answer: "200 a\nCache-Control: max-age=9\nVary: X-Forwarded-For", want: "200 a", status: "fwd=uri-miss"},
	}},
	{"9111 4: the key", []step{
		{do: "GET /a?x=1&y=2", answer: "200 a\nCache-Control: max-age=9", want: "200 a", status: "fwd=uri-miss; stored"},
		{do: "GET /a?y=2&x=1", want: "200 a", status: "fwd=uri-miss; stored"},
		{do: "GET /a?x=%31&y=2", want: "200 a", status: "fwd=uri-miss; stored"},
		{do: "GET /%61?x=1&y=2", want: "200 a", status: "fwd=uri-miss; stored"},
		{do: "GET /a", want: "200 a", status: "fwd=uri-miss; stored"},
		{do: "GET /a?", want: "200 a", status: "fwd=uri-miss; stored"},
		{do: "GET /a?x=1&y=2", want: "200 a", status: "hit; ttl=9"},
	}},
	{"9111 4.2.1: s-maxage before max-age", []step{
		{answer: "200 a\nCache-Control: max-age=1\nCache-Control: S-MaxAge=\"5\"", want: "200 a"},
		{later: 4 * s, want: "200 a", status: "hit; ttl=1"},
		{later: 1 * s, answer: "200 b\nCache-Control: s-maxage=0, max-age=9", want: "200 b", status: "fwd=stale"},
	}},
	{"9111 4.2.1: the smaller of two, and nonsense is stale", []step{
		{answer: "200 a\nCache-Control: max-age=9, max-age=2", want: "200 a"},
		{want: "200 a", status: "hit; ttl=2"},
		{later: 2 * s, answer: "200 b\nCache-Control: max-age=-1", want: "200 b", status: "fwd=stale"},
	}},
	{"9111 1.2.2: a number too large is large", []step{
		{answer: "200 a\nCache-Control: max-age=99999999999999999999999", want: "200 a"},
		{want: "200 a", status: "hit; ttl=2147483648"},
	}},
	{"9111 4.2.3: Age of the caches before", []step{
		{answer: "200 a\nCache-Control: max-age=10\nAge: 4", want: "200 a", age: "4"},
		{later: 5 * s, want: "200 a", status: "hit; ttl=1", age: "9"},
		{later: 1 * s, answer: "200 b\nCache-Control: max-age=10", want: "200 b", status: "fwd=stale; stored"},
	}},
	{"9111 4.2.3: Date in the past", []step{
		{answer: "200 a\nCache-Control: max-age=10\nDate: Wed, 02 Jan 2030 03:04:00 GMT", want: "200 a", age: "5"},
		{want: "200 a", status: "hit; ttl=5", age: "5"},
	}},
	{"9111 4.3.1: validators are sent, the client's are not", []step{
		{with: `If-None-Match: "0"`, answer: "200 a\nCache-Control: no-cache\nEtag: W/\"1\"\nLast-Modified: Wed, 02 Jan 2030 03:04:00 GMT", want: "200 a", sent: "If-None-Match: "},
		{with: `If-None-Match: "0"`, answer: "304", want: "200 a", status: "fwd=stale; fwd-status=304", sent: `If-None-Match: W/"1"`},
		{answer: "304", want: "200 a", sent: "If-Modified-Since: Wed, 02 Jan 2030 03:04:00 GMT"},
		{answer: "200 b\nCache-Control: no-cache\nEtag: \"2\"", want: "200 b", status: "fwd=stale; stored"},
		{with: `If-None-Match: "2"`, answer: "304", want: "304 ", status: "fwd=stale; fwd-status=304"},
	}},
	{"9111 4.3.2: If-None-Match", []step{
		{with: `If-None-Match: "1"`, answer: "200 a\nCache-Control: max-age=9\nEtag: W/\"1\"\nContent-Language: de", want: "304 ", status: "fwd=uri-miss; stored"},
		{with: `If-None-Match: "0, 1", "1"`, want: "304 ", status: "hit; ttl=9", age: "0"},
		{with: "If-None-Match: \"0\"\nIf-None-Match: W/\"1\"", want: "304 "},
		{with: "If-None-Match: *", want: "304 "},
		{with: `If-None-Match: "0, 1", "2"`, want: "200 a"},
		{with: "If-None-Match: 1", want: "200 a"},
		{with: "If-None-Match: \"2\"\nIf-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT", want: "200 a"},
		{do: "HEAD /", with: `If-None-Match: "1"`, want: "304 "},
	}},
	{"9111 4.3.2: If-Modified-Since", []step{
		{answer: "200 a\nCache-Control: max-age=9\nLast-Modified: Wed, 02 Jan 2030 03:04:00 GMT", want: "200 a"},
		{with: "If-Modified-Since: Wed, 02 Jan 2030 03:04:00 GMT", want: "304 "},
		{with: "If-Modified-Since: Wed, 02 Jan 2030 03:03:59 GMT", want: "200 a"},
		{with: "If-Modified-Since: yesterday", want: "200 a"},
	}},
	{"9110 13: conditions of an answer that is not kept", []step{
		{with: `If-None-Match: "1"`, answer: "200 a\nEtag: \"1\"", want: "304 ", status: "fwd=uri-miss"},
	}},
	{"9111 4.3.4: a 304 about something else", []step{
		{answer: "200 a\nCache-Control: max-age=1\nEtag: \"1\"", want: "200 a"},
		{later: 2 * s, answer: "304\nEtag: \"2\"", want: "304 ", status: "fwd=stale; fwd-status=304", sent: "If-None-Match: "},
	}},
	{"9111 4.3.4: a 304 that forbids to keep on", []step{
		{answer: "200 a\nCache-Control: max-age=1\nEtag: \"1\"", want: "200 a"},
		{later: 2 * s, answer: "304\nCache-Control: no-store", want: "200 a", status: "fwd=stale; fwd-status=304"},
		{answer: "200 b", want: "200 b", status: "fwd=uri-miss"},
	}},
	{"9111 4.4: a change forgets", []step{
		{answer: "200 a\nCache-Control: max-age=9", want: "200 a"},
		{do: "PUT /", answer: "403 no", want: "403 no", status: "fwd=method"},
		{want: "200 a", status: "hit; ttl=9"},
		{do: "OPTIONS /", answer: "204", want: "204 "},
		{want: "200 a", status: "hit; ttl=9"},
		{do: "PUT /", want: "204 ", status: "fwd=method"},
		{answer: "200 b\nCache-Control: max-age=9", want: "200 b", status: "fwd=uri-miss; stored"},
	}},
	{"9111 4: HEAD of a kept GET", []step{
		{do: "HEAD /", answer: "200 a\nCache-Control: max-age=9", want: "200 ", status: "fwd=method"},
		{want: "200 a", status: "fwd=uri-miss; stored"},
		{do: "HEAD /", want: "200 ", status: "hit; ttl=9", age: "0"},
	}},
	{"9111 5.2.1: the client wants it new", []step{
		{answer: "200 a\nCache-Control: max-age=9", want: "200 a"},
		{later: 3 * s, with: "Cache-Control: max-age=3", want: "200 a", status: "hit; ttl=6"},
		{with: "Cache-Control: min-fresh=6", want: "200 a", status: "hit; ttl=6"},
		{with: "Cache-Control: min-fresh=7", answer: "200 b\nCache-Control: max-age=9", want: "200 b", status: "fwd=request; stored"},
		{later: 3 * s, with: "Cache-Control: max-age=2", answer: "200 c\nCache-Control: max-age=9", want: "200 c", status: "fwd=request; stored"},
		{with: "Cache-Control: no-cache", answer: "200 d\nCache-Control: max-age=9", want: "200 d", status: "fwd=request; stored"},
		{with: "Cache-Control: max-age=0", answer: "200 e\nCache-Control: max-age=9", want: "200 e", status: "fwd=request; stored"},
		{with: "Cache-Control: no-store", answer: "200 f\nCache-Control: max-age=9", want: "200 f", status: "fwd=request"},
		{want: "200 e", status: "hit; ttl=9"},
	}},
	{"9111 5.2.1.7: only-if-cached", []step{
		{with: "Cache-Control: only-if-cached", answer: "200 a\nCache-Control: max-age=9", want: "no fresh answer"},
		{want: "200 a", status: "fwd=uri-miss; stored"},
		{with: "Cache-Control: only-if-cached", want: "200 a", status: "hit; ttl=9"},
	}},
	{"9111 5.2.2: forbidden", []step{
		{answer: "200 a\nCache-Control: no-store, max-age=9", want: "200 a", status: "fwd=uri-miss"},
		{answer: "200 b\nCache-Control: private, max-age=9", want: "200 b", status: "fwd=uri-miss"},
		{answer: "200 c\nCache-Control: private=\"X-A, X-B\", max-age=9", want: "200 c", status: "fwd=uri-miss"},
		{answer: "200 d\nCache-Control: max-age=9\nSet-Cookie: a=b", want: "200 d", status: "fwd=uri-miss"},
		{answer: "200 e\nCache-Control: max-age=9, x=\"y, no-store", want: "200 e", status: "fwd=uri-miss"},
		{answer: "200 f\nCache-Control: max-age=9\nCache-Control: NO-STORE", want: "200 f", status: "fwd=uri-miss"},
	}},
	{"9111 5.2.2.4: no-cache is always validated", []step{
		{answer: "200 a\nCache-Control: no-cache, max-age=9, stale-if-error=9, stale-while-revalidate=9\nEtag: \"1\"", want: "200 a", status: "fwd=uri-miss; stored"},
		{answer: "304", want: "200 a", status: "fwd=stale; fwd-status=304", sent: `If-None-Match: "1"`},
		{answer: "503 no", want: "503 no", status: "fwd=stale; fwd-status=503"},
	}},
	{"5861 4: stale if error", []step{
		{answer: "200 a\nCache-Control: max-age=1, stale-if-error=5", want: "200 a"},
		{later: 2 * s, answer: "503 no", want: "200 a", status: "fwd=stale; fwd-status=503", age: "2"},
		{answer: "gone", want: "200 a", status: "fwd=stale"},
		{answer: "500 no", want: "500 no", status: "fwd=stale; fwd-status=500"},
		{with: "Cache-Control: no-cache", answer: "502 no", want: "502 no"},
		{with: "Cache-Control: max-age=9", answer: "504 no", want: "504 no"},
		{later: 4 * s, answer: "503 no", want: "503 no"},
	}},
	{"5861 4: not without saying so, nor against must-revalidate", []step{
		{answer: "200 a\nCache-Control: max-age=1", want: "200 a"},
		{later: 2 * s, answer: "503 no", want: "503 no"},
		{answer: "gone", want: "EOF"},
		{answer: "200 a\nCache-Control: max-age=1, stale-if-error=9, must-revalidate", want: "200 a"},
		{later: 2 * s, answer: "503 no", want: "503 no"},
	}},
	{"9110 14: ranges and changes of one version go past", []step{
		{answer: "200 a\nCache-Control: max-age=9", want: "200 a"},
		{with: "Range: bytes=0-1", want: "200 a", status: "fwd=bypass", sent: "Range: bytes=0-1"},
		{with: "If-Match: \"1\"", want: "200 a", status: "fwd=bypass", sent: `If-Match: "1"`},
	}},
	{"9211: caches before this one", []step{
		{answer: "200 a\nCache-Status: inner; hit", want: "200 a", status: "fwd=uri-miss"},
	}},
	{"what is one client's stays here", []step{
		{answer: "200 a", with: "Cookie: a=b", want: "200 a", sent: "Cookie: "},
		{do: "GET /1", with: "X-User-Roles: admin", want: "200 a", sent: "X-User-Roles: "},
		{do: "GET /2", with: "Forwarded: for=1", want: "200 a", sent: "Forwarded: "},
		{do: "GET /3", with: "X-Forwarded-Host: h", want: "200 a", sent: "X-Forwarded-Host: "},
		{do: "GET /4", with: "X-Forwarded-For: 1.2.3.4", want: "200 a", sent: "X-Forwarded-For: 1.2.3.4"},
		{do: "GET /5", with: "Traceparent: t", want: "200 a", sent: "Traceparent: t"},
	}},
}

func TestSemantics(t *testing.T) {
	t.Parallel()
	for _, test := range semantics {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, megabyte)
			for i, step := range test.steps {
				f.check(t, i, step)
			}
		})
	}
}

func (f *fixture) check(t *testing.T, i int, step step) {
	f.move(step.later)
	if step.answer != "" {
		f.tell(step.answer)
	}
	if step.do == "" {
		step.do = "GET /"
	}
	before := len(f.requests())
	res, body := f.do(t, step.do, step.with)
	if res == nil {
		if !strings.Contains(body, step.want) {
			t.Fatalf("step %d: %s, want %s", i, body, step.want)
		}
		return
	}
	if got := strconv.Itoa(res.StatusCode) + " " + body; got != step.want {
		t.Errorf("step %d: %s, want %s", i, got, step.want)
	}
	status := res.Header.Values("Cache-Status")
	last := strings.TrimPrefix(status[len(status)-1], "trellis; ")
	if step.status != "" && last != step.status {
		t.Errorf("step %d: Cache-Status %s, want %s", i, last, step.status)
	}
	if got := res.Header.Get("Age"); step.age != "" && got != step.age {
		t.Errorf("step %d: Age %q, want %q", i, got, step.age)
	}
	seen := f.requests()
	if hit := strings.HasPrefix(last, "hit"); hit == (len(seen) > before) {
		t.Errorf("step %d: %d requests upstream, Cache-Status %s", i, len(seen)-before, last)
	}
	if strings.HasPrefix(last, "hit") {
		for _, name := range []string{"X-Request-Id", "Ratelimit", "Traceparent", "X-B3-Traceid", "X-Hop", "Set-Cookie"} {
			if v := res.Header[name]; v != nil {
				t.Errorf("step %d: %s: %s was kept", i, name, v)
			}
		}
		if len(status) != 1 {
			t.Errorf("step %d: Cache-Status %q of an answer from memory", i, status)
		}
	}
	if res.StatusCode == http.StatusNotModified && (res.Header["Content-Length"] != nil || res.Header["Content-Language"] != nil) {
		t.Errorf("step %d: 304 with %v", i, res.Header)
	}
	if name, value, ok := strings.Cut(step.sent, ": "); ok {
		if got := seen[len(seen)-1].Header.Get(name); got != value {
			t.Errorf("step %d: the service got %s: %q, want %q", i, name, got, value)
		}
	}
}

func TestBound(t *testing.T) {
	t.Parallel()
	const size = 64 << 10
	f := newFixture(t, size)
	f.tell("200 " + strings.Repeat("x", 1000) + "\nCache-Control: max-age=99")
	for i := range 200 {
		f.do(t, "GET /?"+strconv.Itoa(i)+strings.Repeat("y", 100), "")
		if held := f.cache.Stats().Bytes; held > size || held < 1100 {
			t.Fatalf("%d bytes are held after %d answers", held, i+1)
		}
		f.do(t, "GET /?0"+strings.Repeat("y", 100), "") // used all the time
	}
	if n := len(f.requests()); n != 200 {
		t.Errorf("%d requests upstream: what is used was evicted", n)
	}
	f.do(t, "GET /?1"+strings.Repeat("y", 100), "")
	if n := len(f.requests()); n != 201 {
		t.Error("what was not used is still there")
	}
}

func TestVariantsAreBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, megabyte)
	f.tell("200 " + strings.Repeat("x", 1000) + "\nCache-Control: max-age=99\nVary: Accept-Language")
	for i := range 100 {
		f.do(t, "GET /", "Accept-Language: "+strconv.Itoa(i))
	}
	if s := f.cache.Stats(); s.URLs != 1 || s.Bytes > 40_000 {
		t.Errorf("%+v", s)
	}
}

func TestLarge(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"body": 256 << 10, "twice": 512 << 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, 32*megabyte)
			body := strings.Repeat("x", size)
			f.tell("200 " + body + "\nCache-Control: max-age=99")
			for range 2 {
				if res, got := f.do(t, "GET /", ""); got != body || strings.Contains(res.Header.Get("Cache-Status"), "stored") {
					t.Errorf("%d bytes, %s", len(got), res.Header.Get("Cache-Status"))
				}
			}
			if s := f.cache.Stats(); s.Misses != 2 || s.Bytes > 1000 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	f := newFixture(t, megabyte)
	f.tell("200 a\nCache-Control: max-age=9")
	for range 3 {
		f.do(t, "GET /", "")
	}
	f.do(t, "GET /", "Range: bytes=0-0")
	if s := f.cache.Stats(); s.Hits != 2 || s.Misses != 2 || s.Coalesced != 0 || s.URLs != 1 {
		t.Errorf("%+v", s)
	}
	f.do(t, "DELETE /", "")
	if s := f.cache.Stats(); s.Bytes != 0 || s.URLs != 0 {
		t.Errorf("after a change: %+v", s)
	}
}
