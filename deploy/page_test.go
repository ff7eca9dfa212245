package deploy_test

import (
	"bufio"
	"io"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/webapp"
)

// Of a page's origins one is the webapp's own, where the API is let through
// to the gateway, and the other the gateway's, before which the webapp stands
// like any service.
type origins struct{ webapp, gateway client }

var pageKinds = []struct {
	name string
	open func(t *testing.T) origins
}{
	{"embedded", func(t *testing.T) origins {
		addrs := localPorts(t)
		run(t, t.TempDir(), "local", localEnv(addrs)...)
		return origins{client{base: "http://" + addrs[7]}, client{base: "http://" + addrs[2]}}
	}},
	{"processes", func(t *testing.T) origins {
		consul, folder, addrs := testenv.Consul(t), t.TempDir(), localPorts(t)
		for _, name := range []string{"webapp", "auth", "notes", "profile", "notify", "gateway"} {
			run(t, folder, name, append(localEnv(addrs), "TRELLIS_DISCOVERY="+consul.URL, "TRELLIS_DRAIN=100ms", secret)...)
		}
		return origins{client{base: "http://" + addrs[7]}, client{base: "http://" + addrs[2]}}
	}},
}

// At both origins everything is there that the page needs.
func TestPage(t *testing.T) {
	t.Parallel()
	for _, kind := range pageKinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			at := kind.open(t)
			if _, err := fs.Stat(webapp.Built(), "index.html"); err != nil {
				t.Fatal("the page is not built: make build")
			}
			at.gateway.routed(t, append([]string{"/assets/{file}"}, paths...)...)
			testenv.Eventually(t, "the webapp finds the gateway", func() bool {
				status, _, err := at.webapp.call(t, "GET", "/.well-known/jwks.json", nil)
				return err == nil && status == http.StatusOK
			})
			for name, c := range map[string]client{"webapp": at.webapp, "gateway": at.gateway} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					t.Run("files", func(t *testing.T) { t.Parallel(); c.files(t) })
					t.Run("pages", func(t *testing.T) { t.Parallel(); c.pages(t) })
					t.Run("session", func(t *testing.T) { t.Parallel(); c.session(t, name == "webapp") })
					t.Run("streams", func(t *testing.T) { t.Parallel(); c.streams(t, name+"@example.com") })
				})
			}
			t.Run("the rest of the gateway", func(t *testing.T) { t.Parallel(); at.gateway.rest(t) })
		})
	}
}

// get asks as a browser does.
func (c client) get(t *testing.T, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := testenv.Client.Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// files: each of the build, in each form, whoever asked before in which.
func (c client) files(t *testing.T) {
	build := webapp.Built()
	endings := map[string]string{"br": ".br", "gzip": ".gz", "identity": ""}
	err := fs.WalkDir(build, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(name, ".") || name == "index.html" || path.Ext(name) == ".br" || path.Ext(name) == ".gz" {
			return err
		}
		for _, again := range []bool{false, true} {
			for accept, ending := range endings {
				res, body := c.get(t, "/"+name, "Accept-Encoding", accept)
				if coding := res.Header.Get("Content-Encoding"); coding != "" && coding != accept {
					t.Errorf("%s: asked for %s, got %s", name, accept, coding)
				} else if coding == "" {
					ending = ""
				}
				want, err := fs.ReadFile(build, name+ending)
				if err != nil {
					return err
				}
				if res.StatusCode != http.StatusOK || body != string(want) {
					t.Errorf("%s, %s: %s, %d bytes, want %d", name, accept, res.Status, len(body), len(want))
				}
				if strings.HasPrefix(name, "assets/") != strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
					t.Errorf("%s: Cache-Control: %s", name, res.Header.Get("Cache-Control"))
				}
				if !again {
					continue
				}
				if res, body := c.get(t, "/"+name, "Accept-Encoding", accept, "If-None-Match", res.Header.Get("Etag")); res.StatusCode != http.StatusNotModified || body != "" {
					t.Errorf("%s, %s: once more %s", name, accept, res.Status)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

var nonce = regexp.MustCompile(`'nonce-([A-Z2-7]{26})'`)

// pages: the page at each of its paths, never the same twice.
func (c client) pages(t *testing.T) {
	known := map[string]bool{}
	for _, path := range []string{"/", "/", "/notes", "/notes/1", "/archive", "/trash", "/shared", "/tags/garden", "/login", "/signup", "/forgot", "/reset", "/verify", "/account", "/account/sessions", "/inbox", "/index.html", "/index.html?v=1"} {
		res, body := c.get(t, path, "Accept", "text/html")
		found := nonce.FindStringSubmatch(res.Header.Get("Content-Security-Policy"))
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/html; charset=utf-8" || res.Header.Get("Cache-Control") != "no-cache" || found == nil {
			t.Errorf("%s: %s %v", path, res.Status, res.Header)
			continue
		}
		if known[found[1]] || !strings.Contains(body, `nonce="`+found[1]+`"`) || strings.Contains(body, "__NONCE__") {
			t.Errorf("%s: the nonce %s is not this answer's own", path, found[1])
		}
		known[found[1]] = true
	}
	for _, path := range []string{"/nope.js", "/assets/nope.js", "/assets/nope", "/icons/nope.png", "/.gitkeep", "/internal/v1/x"} {
		if res, body := c.get(t, path); res.StatusCode != http.StatusNotFound || !strings.Contains(body, "no_such_path") {
			t.Errorf("%s: %s %s", path, res.Status, body)
		}
	}
}

// session: a browser's, whose refresh token is a cookie. Who asks through the
// webapp, which trusts this machine's proxies, is known by their own address.
func (c client) session(t *testing.T, forwarded bool) {
	email := "cookie@" + strings.ReplaceAll(strings.TrimPrefix(c.base, "http://"), ":", ".") + ".example"
	body := `{"email":"` + email + `","password":"kupfer-dach-77","session":"cookie"}`
	post := func(path, body string, cookies []*http.Cookie) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", c.base)
		r.Header.Set("X-Forwarded-For", "192.0.2.7")
		for _, cookie := range cookies {
			r.AddCookie(cookie)
		}
		res, err := testenv.Client.Transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	res := post("/v1/auth/signup", body, nil)
	if res.StatusCode != http.StatusCreated || len(res.Cookies()) == 0 {
		t.Fatalf("signup: %s %v", res.Status, res.Header)
	}
	res = post("/v1/auth/refresh", `{"session":"cookie"}`, res.Cookies())
	if res.StatusCode != http.StatusOK || len(res.Cookies()) == 0 {
		t.Fatalf("refresh: %s %v", res.Status, res.Header)
	}
	ann := client{base: c.base}
	ann.token = ann.must(t, 200, "POST", "/v1/auth/login", map[string]any{"login": email, "password": "kupfer-dach-77"}, "X-Forwarded-For", "192.0.2.8")["access_token"].(string)
	want := map[string]bool{"127.0.0.1": true}
	if forwarded {
		want = map[string]bool{"192.0.2.7": true, "192.0.2.8": true}
	}
	for _, session := range ann.must(t, 200, "GET", "/v1/auth/sessions", nil)["data"].([]any) {
		if ip, _ := session.(map[string]any)["ip"].(string); !want[ip] {
			t.Errorf("a session of %s", ip)
		}
	}
}

// streams: what happens is heard over a WebSocket and as events.
func (c client) streams(t *testing.T, email string) {
	ann := c.signup(t, email)
	testenv.Eventually(t, "a welcome", func() bool { return ann.told(t, "account") != nil })
	socket := ann.listen(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.base+"/v1/realtime/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+ann.token)
	r.Header.Set("Accept", "text/event-stream")
	res, err := testenv.Client.Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	n := ann.must(t, 201, "POST", "/v1/notes", map[string]any{"title": "one"})
	socket.await(t, "note.created", n["id"].(string))
	for lines := bufio.NewScanner(res.Body); ; {
		if !lines.Scan() {
			t.Fatalf("the events end: %v", lines.Err())
		}
		if strings.Contains(lines.Text(), n["id"].(string)) {
			break
		}
	}
}

// rest: what the gateway has of its own is there, and nothing of the webapp's in its place.
func (c client) rest(t *testing.T) {
	for path, want := range map[string]string{"/docs": "<title>", "/livez": "ok", "/readyz": "ok", "/openapi.json": `"/v1/notes"`} {
		if res, body := c.get(t, path, "Accept", "text/html"); res.StatusCode != http.StatusOK || !strings.Contains(body, want) || strings.Contains(body, `id="root"`) {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	for _, path := range []string{"/nope", "/metrics", "/status", "/notes/1/2", "/v1/nope", "/assets"} {
		res, body := c.get(t, path, "Accept", "text/html")
		if res.StatusCode != http.StatusNotFound || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %s %s", path, res.Status, body)
		}
	}
}
