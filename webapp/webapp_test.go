package webapp_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

const (
	html      = "Content-Type: text/html; charset=utf-8"
	script    = "Content-Type: text/javascript; charset=utf-8"
	problem   = "Content-Type: application/problem+json"
	fresh     = "Cache-Control: no-cache"
	immutable = "Cache-Control: public, max-age=31536000, immutable"
	varies    = "Vary: Accept-Encoding"
)

func TestSite(t *testing.T) {
	t.Parallel()
	at := origin(t, build, nil)
	browser := []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}
	for _, tt := range []struct {
		method, path string
		headers      []string
		status       int
		body         string // a part of it
		want         []string
	}{
		{"GET", "/", nil, 200, "page", []string{html, fresh, "Etag:", "Vary:", "Strict-Transport-Security:"}},
		{"GET", "/", []string{"X-Forwarded-Proto", "https"}, 200, "page", []string{"Strict-Transport-Security: max-age=31536000"}},
		{"GET", "/", []string{"If-None-Match", "*", "Accept-Encoding", "br"}, 200, "page", []string{"Content-Encoding:"}},
		{"GET", "/index.html", nil, 200, "page", []string{html, fresh}},
		{"GET", "/notes", nil, 200, "page", []string{html}},
		{"GET", "/notes/01a2?edit", nil, 200, "page", []string{html}},
		{"GET", "/tags/a%2Fb", nil, 200, "page", []string{html}},
		{"GET", "/account/sessions", nil, 200, "page", []string{html}},
		{"HEAD", "/inbox", nil, 200, "", []string{html, "Content-Length: 112"}},
		{"GET", "/nope", browser, 404, "page", []string{html, fresh}},
		{"GET", "/notes/1/2", browser, 404, "page", []string{html}},
		{"GET", "/nope", nil, 404, "no_such_path", []string{problem}},
		{"GET", "/nope.js", browser, 404, "no_such_path", []string{problem}},
		{"GET", "/.gitkeep", browser, 404, "no_such_path", []string{problem}},
		{"POST", "/", nil, 405, "method_not_allowed", []string{problem, "Allow: GET, HEAD"}},
		{"DELETE", "/assets/a-1.js", nil, 405, "method_not_allowed", []string{"Allow: GET, HEAD"}},

		{"GET", "/assets/a-1.js", nil, 200, "a script as it is", []string{script, immutable, varies, "Content-Encoding:", "Content-Length: 17"}},
		{"GET", "/assets/a-1.js", []string{"Accept-Encoding", "gzip, deflate, br, zstd"}, 200, "brotli", []string{script, immutable, varies, "Content-Encoding: br", "Content-Length: 6"}},
		{"GET", "/assets/a-1.js", []string{"Accept-Encoding", "gzip"}, 200, "gzipped", []string{"Content-Encoding: gzip"}},
		{"HEAD", "/assets/a-1.js", []string{"Accept-Encoding", "br"}, 200, "", []string{script, varies, "Content-Encoding: br", "Content-Length: 6"}},
		{"GET", "/assets/a-1.css", []string{"Accept-Encoding", "br"}, 200, "a style", []string{"Content-Type: text/css; charset=utf-8", "Content-Encoding:", varies}},
		{"GET", "/assets/a-1.css", []string{"Accept-Encoding", "br, gzip"}, 200, "style", []string{"Content-Encoding: gzip"}},
		{"GET", "/assets/a-1.woff2", []string{"Accept-Encoding", "br"}, 200, "a font", []string{"Content-Type: font/woff2", immutable, "Vary:"}},
		{"GET", "/assets/a-1.strange", nil, 200, "?", []string{"Content-Type: application/octet-stream"}},
		{"GET", "/assets/a-2.js", browser, 404, "no_such_path", []string{problem}},
		{"GET", "/assets/nope", browser, 404, "no_such_path", []string{problem}},
		{"GET", "/assets/a-1.js.br", browser, 404, "no_such_path", []string{problem}},
		{"GET", "/assets/", browser, 404, "", nil},
		{"GET", "/assets/../index.html", browser, 404, "no_such_path", []string{problem}},
		{"GET", "/assets/..%2Findex.html", browser, 404, "no_such_path", []string{problem}},
		{"GET", "/assets/%2e%2e/sw.js", nil, 404, "no_such_path", []string{problem}},
		{"GET", "/assets/..%5Csw.js", nil, 404, "no_such_path", []string{problem}},
		{"GET", "//assets/a-1.js", nil, 404, "no_such_path", []string{problem}},

		{"GET", "/sw.js", nil, 200, "the worker", []string{script, fresh}},
		{"GET", "/manifest.webmanifest", nil, 200, "Trellis", []string{"Content-Type: application/manifest+json", fresh}},
		{"GET", "/icons/icon.svg", nil, 200, "<svg/>", []string{"Content-Type: image/svg+xml", fresh}},
		{"GET", "/icons/icon.png", nil, 200, "PNG", []string{"Content-Type: image/png"}},
	} {
		what := strings.Join(append([]string{tt.method, tt.path}, tt.headers...), " ")
		res := ask(t, t.Context(), tt.method, at+tt.path, nil, tt.headers...)
		body := read(t, res)
		if res.StatusCode != tt.status || !strings.Contains(body, tt.body) || tt.method == "HEAD" && body != "" {
			t.Errorf("%s: %d %s, want %d %s", what, res.StatusCode, body, tt.status, tt.body)
		}
		has(t, what, res.Header, tt.want...)
		has(t, what, res.Header, secure...)
		if csp := res.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'; style-src 'self'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: its policy is %s", what, csp)
		}
	}
}

var secure = []string{
	"X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer",
	"Cross-Origin-Opener-Policy: same-origin", "Cross-Origin-Resource-Policy: same-origin",
}

// What a browser has already it need not get again, in whichever form it has it.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	at := origin(t, build, nil)
	tags := map[string]bool{}
	for _, coding := range []string{"identity", "gzip", "br"} {
		res := ask(t, t.Context(), "GET", at+"/assets/a-1.js", nil, "Accept-Encoding", coding)
		tag := res.Header.Get("Etag")
		tags[tag] = true
		res = ask(t, t.Context(), "GET", at+"/assets/a-1.js", nil, "Accept-Encoding", coding, "If-None-Match", `"other", W/`+tag)
		if body := read(t, res); res.StatusCode != http.StatusNotModified || body != "" {
			t.Errorf("%s: %s %q", coding, res.Status, body)
		}
		has(t, coding, res.Header, "Etag: "+tag, immutable, varies, "Content-Encoding:", "Content-Type:")
	}
	if len(tags) != 3 {
		t.Errorf("three forms have the tags %v", tags)
	}
	for tag := range tags {
		if res := ask(t, t.Context(), "GET", at+"/sw.js", nil, "If-None-Match", tag); res.StatusCode != http.StatusOK {
			t.Errorf("another file's %s: %s", tag, res.Status)
		}
	}
}

var nonces = regexp.MustCompile(`nonce[-=]"?([^"' ]*)`)

// Each answer has a nonce of its own, everywhere where one belongs, and for
// styles alone.
func TestNonces(t *testing.T) {
	t.Parallel()
	at := origin(t, build, nil)
	known := map[string]bool{}
	for range 50 {
		res := ask(t, t.Context(), "GET", at+"/notes", nil)
		policy := res.Header.Get("Content-Security-Policy")
		nonce := nonces.FindStringSubmatch(policy)
		if nonce == nil || len(nonce[1]) < 22 || known[nonce[1]] || !strings.Contains(policy, "; style-src 'self' 'nonce-"+nonce[1]+"';") || strings.Count(policy, "nonce") != 1 {
			t.Fatalf("after %d: %s", len(known), policy)
		}
		known[nonce[1]] = true
		found := nonces.FindAllStringSubmatch(read(t, res), -1)
		if len(found) != 2 || found[0][1] != nonce[1] || found[1][1] != nonce[1] {
			t.Fatalf("%s in the header, %v in the page", nonce[1], found)
		}
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	at := origin(t, build, nil)
	for accept, want := range map[string]string{
		"":                                  "",
		"identity":                          "",
		"br":                                "br",
		"BR":                                "br",
		"gzip":                              "gzip",
		"deflate, zstd":                     "",
		"br, gzip":                          "br",
		"gzip,br":                           "br",
		"gzip;q=1, br;q=0.9":                "gzip",
		"gzip;q=0.5, br;q=0.5":              "br",
		"br;q=0":                            "",
		"br;q=0, gzip":                      "gzip",
		"br;q=0.000, *":                     "gzip",
		"*":                                 "br",
		"*;q=0.1, identity":                 "",
		"*;q=0":                             "",
		"identity;q=0":                      "",
		"identity;q=0, gzip;q=0.001":        "gzip",
		"identity;q=1, br;q=0.5":            "",
		"identity, br":                      "br",
		"br ; q=0.3 ,gzip;Q=0.4":            "gzip",
		"br;q=2":                            "",
		"br;q=-1, gzip":                     "gzip",
		"br;q=NaN, gzip;q=0.2":              "gzip",
		"br;q=x":                            "",
		"br;level=5":                        "",
		"brx, xbr, gzip2":                   "",
		", ,;,":                             "",
		"gzip;q=0.2, deflate, br;q=0.2, *;": "",
	} {
		res := ask(t, t.Context(), "GET", at+"/assets/a-1.js", nil, "Accept-Encoding", accept)
		if got := res.Header.Get("Content-Encoding"); got != want || res.StatusCode != http.StatusOK {
			t.Errorf("%q gets %q, %s, want %q", accept, got, res.Status, want)
		}
	}
}

// Where the page was not built, it says so, and what else there is goes on.
func TestNotBuilt(t *testing.T) {
	t.Parallel()
	at := origin(t, fstest.MapFS{".gitkeep": {}}, nil)
	for path, want := range map[string]int{"/": 503, "/notes": 503, "/nope": 404, "/sw.js": 404, "/assets/a-1.js": 404} {
		res := ask(t, t.Context(), "GET", at+path, nil)
		if body := read(t, res); res.StatusCode != want || want == 503 && !strings.Contains(body, "make build") {
			t.Errorf("%s: %s %s", path, res.Status, body)
		}
	}
}

// Whatever is asked for, the answer is the file at that path, the page at one
// of its own, or a refusal, in a form that was asked for.
func FuzzSite(f *testing.F) {
	for _, seed := range [][2]string{
		{"/", "br"}, {"/assets/a-1.js", "gzip;q=0.5, br;q=0"}, {"/assets/../index.html", "*"}, {"/assets/..%2Fsw.js", "*;q=0"}, {"/notes/%00", "identity;q=0"},
		{"/assets/a-1.js.br", "br"}, {"/icons//icon.svg", ""}, {"/index.html/", ";q=,"}, {"/tags/\u20ac", "br;q=1e-400"}, {"/%69ndex.html", "br;q=0x1p-2"},
	} {
		f.Add(seed[0], seed[1])
	}
	h := handler(f, build, nil)
	f.Fuzz(func(t *testing.T, target, accept string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Host != "" || strings.HasPrefix(u.Path, "/v1/") || strings.HasPrefix(u.Path, "/.well-known/") {
			return
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.URL, r.Header = u, http.Header{"Accept-Encoding": {accept}, "Accept": {"text/html"}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		has(t, target, w.Header(), secure...)
		coding, body := w.Header().Get("Content-Encoding"), w.Body.String()
		if coding != "" && !strings.Contains(strings.ToLower(accept), coding) && !strings.Contains(accept, "*") {
			t.Errorf("%q gets %s", accept, coding)
		}
		ending, page := map[string]string{"br": ".br", "gzip": ".gz"}[coding], strings.HasSuffix(body, "<p>page")
		switch file := build[strings.TrimPrefix(u.Path, "/")+ending]; {
		case page && path.Ext(u.Path) != "" && !strings.HasPrefix(u.Path, "/notes/") && !strings.HasPrefix(u.Path, "/tags/") && !strings.HasPrefix(u.Path, "/account/") && u.Path != "/index.html":
			t.Errorf("%q is the page", target)
		case page && (w.Code == 200 || w.Code == 404):
		case w.Code == 404:
		case w.Code != 200 || file == nil || string(file.Data) != body:
			t.Errorf("%q: %d %q", target, w.Code, body)
		}
	})
}
