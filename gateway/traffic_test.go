package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/trellis-go/trellis/gateway/traffic"
	"github.com/trellis-go/trellis/kit/testenv"
)

func says(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }
}

// A version gets its percentage of users, who stay with it, and whoever sends
// its header. When it has gone the others serve.
func TestVersions(t *testing.T) {
	t.Parallel()
	rules, _ := ruled(t, `{"services": {"things": {"versions": [{"version": "2", "percent": 50, "header": "X-Canary: yes"}, {"version": "3", "header": "X-Canary: no"}]}}}`)
	f := start(t, rules)
	text := document("GET /v1/mine "+personal, "GET /v1/open "+public)
	f.version(t, "things", "1", text, says("1"))
	_, leave := f.version(t, "things", "2", text, says("2"))
	f.version(t, "things", "3", text, says("3"))
	f.known(t, "/v1/mine", "/v1/open")
	get := func(path string, headers ...string) string {
		t.Helper()
		res, body := f.do(t, "GET", path, nil, headers...)
		if res.StatusCode != 200 {
			t.Fatalf("%d %s", res.StatusCode, body)
		}
		return body
	}
	testenv.Eventually(t, "all versions to be known", func() bool {
		return get("/v1/open", "X-Canary", "yes") == "2" && get("/v1/open", "X-Canary", "no") == "3"
	})
	users := map[string]int{}
	var anyone string
	for range 40 {
		anyone = "Bearer " + f.token(t)
		first := get("/v1/mine", "Authorization", anyone)
		users[first]++
		for range 5 {
			if again := get("/v1/mine", "Authorization", anyone); again != first {
				t.Errorf("a user of version %s got version %s", first, again)
			}
		}
	}
	if users["1"] == 0 || users["2"] == 0 || users["3"] != 0 {
		t.Errorf("users by version: %v", users)
	}
	leave()
	testenv.Eventually(t, "version 2 to be gone", func() bool { return get("/v1/mine", "Authorization", anyone, "X-Canary", "yes") != "2" })
	for range 10 {
		if got := get("/v1/open", "X-Canary", "yes"); got != "1" && got != "3" {
			t.Errorf("after version 2 comes %s", got)
		}
	}
}

// A shadow sees what the service sees, and the client never notices.
func TestShadow(t *testing.T) {
	t.Parallel()
	rules, _ := ruled(t, `{"services": {"things": {"shadow": {"service": "next", "percent": 100}}}}`)
	f := start(t, rules)
	release := make(chan struct{})
	defer close(release)
	type seen struct {
		line, shadow, key, body string
		length                  int64
	}
	copies, originals := make(chan seen, 100), make(chan seen, 100)
	note := func(to chan seen) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			to <- seen{r.Method + " " + r.RequestURI, r.Header.Get(traffic.ShadowHeader), r.Header.Get("Idempotency-Key"), string(body), r.ContentLength}
			if to == copies {
				select {
				case <-release: // it answers late, or never
				case <-r.Context().Done():
				}
				w.WriteHeader(500)
				return
			}
			fmt.Fprint(w, "the service's")
		}
	}
	text := document("GET /v1/things/{id} "+public, "POST /v1/things "+public)
	f.service(t, "things", text, note(originals))
	f.service(t, "next", document("GET /v1/next "+public), note(copies))
	f.known(t, "/v1/things", "/v1/next")
	large := strings.Repeat("x", traffic.MaxShadowBody+1)
	for _, tt := range []struct {
		method, path, body string
		chunked, copied    bool
	}{
		{"GET", "/v1/things/7?a=%2f&b", "", false, true},
		{"HEAD", "/v1/things/a%20c", "", false, true},
		{"POST", "/v1/things", "a body", false, true},
		{"POST", "/v1/things", large[1:], false, true},
		{"POST", "/v1/things", large, false, false},
		{"POST", "/v1/things", "a body", true, false},
	} {
		var body io.Reader
		length := int64(len(tt.body))
		if tt.body != "" {
			if body = strings.NewReader(tt.body); tt.chunked {
				body, length = struct{ io.Reader }{body}, -1
			}
		}
		res, got := f.do(t, tt.method, tt.path, body, "Idempotency-Key", "a-key", "X-Shadow", "spoofed")
		if res.StatusCode != 200 || tt.method != "HEAD" && got != "the service's" {
			t.Errorf("%s %s: %d %q", tt.method, tt.path, res.StatusCode, got)
		}
		want := seen{tt.method + " " + tt.path, "", "a-key", tt.body, length}
		if original := <-originals; original != want {
			t.Errorf("%s %s: the service saw %.200v", tt.method, tt.path, original)
		}
		if !tt.copied {
			continue
		}
		want.shadow, want.key = "1", ""
		if c := <-copies; c != want {
			t.Errorf("%s %s: the shadow saw %.200v", tt.method, tt.path, c)
		}
	}
	if len(copies) > 0 || len(originals) > 0 {
		t.Errorf("%d copies and %d originals too many", len(copies), len(originals))
	}
}

// What the file says holds while it serves; what it says wrongly does not.
func TestRulesChange(t *testing.T) {
	t.Parallel()
	const limited = `{"routes": [{"route": "GET /v1/things", "limit": {"per_second": 0.001, "burst": %d}}, {"route": "GET /v1/nothing", "timeout": "1s"}], "services": {"unknown": {"shadow": {"service": "things", "percent": 1}}}}`
	rules, write := ruled(t, fmt.Sprintf(limited, 2))
	f := start(t, rules)
	var calls atomic.Int32
	f.service(t, "things", document("GET /v1/things "+public), func(http.ResponseWriter, *http.Request) { calls.Add(1) })
	f.known(t, "/v1/things")
	get := func() *http.Response {
		res, _ := f.do(t, "GET", "/v1/things", nil)
		return res
	}
	statuses := []int{get().StatusCode, get().StatusCode, get().StatusCode}
	if !slices.Equal(statuses, []int{200, 200, 429}) || calls.Load() != 2 {
		t.Fatalf("%v; %d calls", statuses, calls.Load())
	}
	write(`{"routes": [{"route": "GET /v1/things", "limit": {"per_second": 1000000, "burst": 1000000}}]}`)
	testenv.Eventually(t, "the new limit", func() bool { return get().StatusCode == 200 })
	write("routes: [nonsense")
	testenv.Eventually(t, "the file to be refused", func() bool {
		return slices.ContainsFunc(f.Status(&f.recent).Gateway.Problems, func(p string) bool { return strings.Contains(p, "The traffic file is refused") })
	})
	if res := get(); res.StatusCode != 200 || !strings.Contains(res.Header.Get("Ratelimit-Policy"), "q=1000000") {
		t.Errorf("after a wrong file: %s %v", res.Status, res.Header)
	}
	write(`{"limits": {"address": {"per_second": 0.001, "burst": 3}}}`)
	testenv.Eventually(t, "a limit over all routes", func() bool { return get().StatusCode == 429 })
	if problems := f.Status(&f.recent).Gateway.Problems; len(problems) > 0 {
		t.Errorf("problems: %q", problems)
	}
}
