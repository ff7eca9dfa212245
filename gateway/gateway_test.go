package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/testenv"
)

func TestRoutesWhatItDiscovers(t *testing.T) {
	t.Parallel()
	f := start(t)
	echo := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Method, " ", r.RequestURI) }
	f.service(t, "things", document("GET /v1/things/{id} "+public, "POST /v1/things", `GET /v1/secret {"x-internal":true,"security":[]}`,
		"GET /internal/v1/x "+public, "GET /metrics "+public, "GET /v1/files/{name}/raw "+public, "GET /v1/slash/ "+public, "GET /{a} "+public, "GET /{a}/{b}/{c} "+public), echo)
	f.known(t, "/v1/things")
	bearer := "Bearer " + f.token(t)
	for _, tt := range []struct {
		method, path string
		headers      []string
		status       int
		body         string
	}{
		{"GET", "/v1/things/7", nil, 200, "GET /v1/things/7"},
		{"GET", "/v1/things/7?a=1;b&c=%zz&d", nil, 200, "GET /v1/things/7?a=1;b&c=%zz&d"},
		{"GET", "/v1/things/a%20c", nil, 200, "GET /v1/things/a%20c"},
		{"GET", "/v1/things/a%2Fb", nil, 404, "no_such_path"},
		{"GET", "/v1/things/a%5Cb", nil, 404, "no_such_path"},
		{"GET", "/v1/things/a%00b", nil, 404, "no_such_path"},
		{"GET", "/v1/slash/", nil, 200, "GET /v1/slash/"},
		{"GET", "/v1/slash/far/below", nil, 404, "no_such_path"},
		{"GET", "/any/path/here", nil, 200, "GET /any/path/here"},
		{"GET", "/internal/v1/notifications", nil, 404, "no_such_path"},
		{"GET", "/%69nternal/v1/x", nil, 404, "no_such_path"},
		{"GET", "/%6detrics", nil, 404, "no_such_path"},
		{"POST", "/docs", nil, 405, "method_not_allowed"},
		{"GET", "/v1/things/%41", nil, 200, "GET /v1/things/%41"},
		{"POST", "/v1/things", nil, 401, "token_missing"},
		{"POST", "/v1/things", []string{"Authorization", "Bearer nonsense"}, 401, "token_invalid"},
		{"POST", "/v1/things", []string{"Authorization", bearer}, 200, "POST /v1/things"},
		{"DELETE", "/v1/things", []string{"Authorization", bearer}, 405, "method_not_allowed"},
		{"GET", "/v1/secret", []string{"Authorization", bearer}, 404, "no_such_path"},
		{"GET", "/internal/v1/x", []string{"Authorization", bearer}, 404, "no_such_path"},
		{"GET", "/metrics", []string{"Authorization", bearer}, 404, "no_such_path"},
		{"GET", "/v1/files/../secret", nil, 404, "no_such_path"},
		{"GET", "//v1/things/7", nil, 404, "no_such_path"},
		{"GET", "/v1/things/7/../../secret", nil, 404, "no_such_path"},
		{"GET", "/no/thing", nil, 404, "no_such_path"},
		{"GET", "/readyz", nil, 200, "ok"},
		{"GET", "/livez", nil, 200, "ok"},
		{"GET", "/docs", nil, 200, "<!doctype html>"},
	} {
		res, body := f.do(t, tt.method, tt.path, nil, tt.headers...)
		if res.StatusCode != tt.status || !strings.Contains(strings.ToLower(body), strings.ToLower(tt.body)) {
			t.Errorf("%s %s: %d %s, want %d %s", tt.method, tt.path, res.StatusCode, body, tt.status, tt.body)
		}
		if tt.status >= 400 && res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: a problem of type %s", tt.method, tt.path, res.Header.Get("Content-Type"))
		}
		if strings.HasPrefix(tt.path, "/v1") && res.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s %s: no request id", tt.method, tt.path)
		}
	}
}

func TestNotReadyBeforeItKnows(t *testing.T) {
	t.Parallel()
	f := start(t)
	if res, _ := f.do(t, "GET", "/readyz", nil); res.StatusCode != 503 {
		t.Errorf("/readyz, of a gateway that knows nothing: %d", res.StatusCode)
	}
	if res, body := f.do(t, "GET", "/v1/things", nil); res.StatusCode != 503 || !strings.Contains(body, `"starting"`) || res.Header.Get("Retry-After") == "" {
		t.Errorf("too early: %d %s", res.StatusCode, body)
	}
	f.service(t, "things", document("GET /v1/things "+public), func(http.ResponseWriter, *http.Request) {})
	f.known(t, "/v1/things")
	for deadline := time.Now().Add(10 * time.Second); ; {
		res, _ := f.do(t, "GET", "/readyz", nil)
		if res.StatusCode == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("/readyz: %d", res.StatusCode)
		}
	}
	if res, _ := f.do(t, "GET", "/v1/nothing", nil); res.StatusCode != 404 {
		t.Errorf("afterwards: %d", res.StatusCode)
	}
}

// "/" is the documentation until a service is there, which then has no other path.
func TestHome(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.service(t, "things", document("GET /v1/things "+public), func(http.ResponseWriter, *http.Request) {})
	f.known(t, "/v1/things")
	if res, _ := f.do(t, "GET", "/", nil); res.StatusCode != 302 || res.Header.Get("Location") != "/docs" {
		t.Errorf("at first: %s, %s", res.Status, res.Header.Get("Location"))
	}
	f.service(t, "pages", document("GET / "+public), func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "home ", r.RequestURI) })
	testenv.Eventually(t, "a page at /", func() bool {
		res, _ := f.do(t, "GET", "/", nil)
		return res.StatusCode == http.StatusOK
	})
	for _, tt := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/", 200, "home /"},
		{"GET", "/?from=mail", 200, "home /?from=mail"},
		{"HEAD", "/", 200, ""},
		{"POST", "/", 405, "method_not_allowed"},
		{"GET", "/nope", 404, "no_such_path"},
		{"GET", "/docs", 200, "<!doctype html>"},
		{"GET", "/livez", 200, "ok"},
	} {
		if res, body := f.do(t, tt.method, tt.path, nil); res.StatusCode != tt.status || !strings.Contains(body, tt.body) {
			t.Errorf("%s %s: %d %s, want %d %s", tt.method, tt.path, res.StatusCode, body, tt.status, tt.body)
		}
	}
}

func TestServiceDown(t *testing.T) {
	t.Parallel()
	f := start(t)
	answer := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "here") }
	_, leave := f.service(t, "things", document("GET /v1/things "+public), answer)
	f.known(t, "/v1/things")
	leave()
	res, body := f.do(t, "GET", "/v1/things", nil)
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(body, `"no_instance"`) {
		t.Errorf("left: %d %s", res.StatusCode, body)
	}
	dead, _ := f.service(t, "things", document("GET /v1/things "+public), answer)
	dead.Close() // still registered, and refuses connections
	if res, body = f.do(t, "GET", "/v1/things", nil); res.StatusCode != 503 || !strings.Contains(body, `"no_instance"`) {
		t.Errorf("dead: %d %s", res.StatusCode, body)
	}
	f.service(t, "things", document("GET /v1/things "+public), answer)
	for range 20 {
		if res, body = f.do(t, "GET", "/v1/things", nil); res.StatusCode != 200 || body != "here" {
			t.Errorf("one dead, one alive: %d %s", res.StatusCode, body)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	f := start(t)
	var calls atomic.Int32
	f.service(t, "things", document(`GET /v1/rare {"x-rate-limit":{"per_second":0.001,"burst":2}}`), func(http.ResponseWriter, *http.Request) { calls.Add(1) })
	f.known(t, "/v1/rare")
	get := func(bearer string) *http.Response {
		res, _ := f.do(t, "GET", "/v1/rare", nil, "Authorization", "Bearer "+bearer)
		return res
	}
	ann := f.token(t)
	get(ann) // counted for the address, as the token is new
	get(ann)
	get(ann)
	res := get(ann)
	if res.StatusCode != 429 || res.Header.Get("Retry-After") == "" || res.Header.Get("Ratelimit") == "" {
		t.Errorf("the fourth call: %d %v", res.StatusCode, res.Header)
	}
	if calls.Load() != 3 {
		t.Errorf("the service was called %d times", calls.Load())
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	f := start(t, from("https://notes.example"))
	f.service(t, "things", document("GET /v1/things "+public), func(http.ResponseWriter, *http.Request) {})
	f.known(t, "/v1/things")
	for _, tt := range []struct {
		method, origin string
		status         int
		allowed        string
	}{
		{"OPTIONS", "https://notes.example", 204, "https://notes.example"},
		{"OPTIONS", "https://evil.example", 405, ""},
		{"GET", "https://notes.example", 200, "https://notes.example"},
		{"GET", "https://evil.example", 200, ""},
		{"GET", "null", 200, ""},
	} {
		res, _ := f.do(t, tt.method, "/v1/things", nil, "Origin", tt.origin, "Access-Control-Request-Method", "GET")
		if res.StatusCode != tt.status || res.Header.Get("Access-Control-Allow-Origin") != tt.allowed || res.Header.Get("Vary") != "Origin" {
			t.Errorf("%s from %s: %d %v", tt.method, tt.origin, res.StatusCode, res.Header)
		}
	}
}

func TestTwoServicesClaimAPath(t *testing.T) {
	t.Parallel()
	f := start(t)
	says := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }
	}
	f.service(t, "apples", document("GET /v1/{a} "+public, "GET /v1/x/y "+public), says("apples"))
	f.service(t, "bananas", document("GET /v1/{b} "+public, "GET /v1/bananas/y "+public), says("bananas"))
	f.known(t, "/v1/bananas/y")
	for path, want := range map[string]string{"/v1/7": "apples", "/v1/x/y": "apples", "/v1/bananas/y": "bananas"} {
		if _, body := f.do(t, "GET", path, nil); body != want {
			t.Errorf("%s is answered by %q, want %s", path, body, want)
		}
	}
}
