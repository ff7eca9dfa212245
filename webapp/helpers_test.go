package webapp_test

import (
	"context"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/webapp"
)

// build is what a build looks like. What stands for a compressed file is
// shorter than what it is of.
var build = fstest.MapFS{
	".gitkeep":             {},
	"index.html":           {Data: []byte(`<meta nonce="__NONCE__"><link href="/assets/a-1.css" nonce="__NONCE__"><p>page`)},
	"sw.js":                {Data: []byte("the worker")},
	"manifest.webmanifest": {Data: []byte(`{"name":"Trellis"}`)},
	"icons/icon.svg":       {Data: []byte("<svg/>")},
	"icons/icon.png":       {Data: []byte("\x89PNG")},
	"assets/a-1.js":        {Data: []byte("a script as it is")},
	"assets/a-1.js.br":     {Data: []byte("brotli")},
	"assets/a-1.js.gz":     {Data: []byte("gzipped")},
	"assets/a-1.css":       {Data: []byte("a style")},
	"assets/a-1.css.br":    {Data: []byte("larger than it was")},
	"assets/a-1.css.gz":    {Data: []byte("style")},
	"assets/a-1.woff2":     {Data: []byte("a font")},
	"assets/a-1.strange":   {Data: []byte("?")},
}

var loopback = transport.Proxies{netip.MustParsePrefix("127.0.0.0/8")}

// unbounded lets everybody ask as often as they like.
type unbounded struct{}

func (unbounded) Take(context.Context, time.Time, []endpoint.Take) (v endpoint.Verdict) { return v }

// handler serves a build, and passes calls on to a gateway.
func handler(t testing.TB, build fs.FS, g *webapp.Gateway) http.Handler {
	t.Helper()
	site, err := webapp.New(build, loopback)
	if err != nil {
		t.Fatal(err)
	}
	stack := endpoint.NewStack(telemetry.NewLogger(io.Discard), telemetry.NewMetrics(), &telemetry.Tracer{}, nil)
	stack.Limiter = unbounded{}
	h, err := transport.Handler(webapp.Routes(site, g), transport.Options{Stack: stack, Trusted: loopback})
	if err != nil {
		t.Fatal(err)
	}
	return webapp.Secure(h)
}

// origin serves handler until the test ends.
func origin(t testing.TB, build fs.FS, g *webapp.Gateway) string {
	t.Helper()
	server := httptest.NewServer(handler(t, build, g))
	t.Cleanup(server.Close)
	return server.URL
}

// ask sends a request with headers, name by name.
func ask(t testing.TB, ctx context.Context, method, url string, body io.Reader, headers ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity") // or Go asks for gzip
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	res, err := testenv.Client.Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func read(t testing.TB, res *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// has tells whether headers say what lines do, "Name: value", the value nothing for none.
func has(t testing.TB, what string, h http.Header, lines ...string) {
	t.Helper()
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		if got := strings.Join(h[name], " | "); got != strings.TrimSpace(value) {
			t.Errorf("%s: %s is %q, want %q", what, name, got, strings.TrimSpace(value))
		}
	}
}
