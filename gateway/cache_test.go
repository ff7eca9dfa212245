package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/testenv"
)

const shared = `"x-shared":true`

// An answer that is the same for all is asked for once, and given to those
// alone who may have it.
func TestSharedAnswers(t *testing.T) {
	t.Parallel()
	f := start(t)
	var calls atomic.Int32
	f.service(t, "things", document("GET /v1/shared "+having(personal, shared), "PATCH /v1/shared "+personal, "GET /v1/own "+personal), func(w http.ResponseWriter, r *http.Request) {
		n := calls.Add(1)
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Etag", fmt.Sprintf(`"%d"`, n))
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, n)
	})
	f.known(t, "/v1/shared", "/v1/own")
	ann, ben := "Bearer "+f.token(t), "Bearer "+f.token(t)
	for i, tt := range []struct {
		method, path, who, tag string
		status                 int
		body                   string
	}{
		{"GET", "/v1/shared", ann, "", 200, "1"},
		{"GET", "/v1/shared", ben, "", 200, "1"},
		{"HEAD", "/v1/shared", ben, "", 200, ""},
		{"GET", "/v1/shared", "", "", 401, "token_missing"},
		{"GET", "/v1/shared", "Bearer nonsense", "", 401, "token_invalid"},
		{"GET", "/v1/shared", ben, `"1"`, 304, ""},
		{"GET", "/v1/shared", ben, `"0"`, 200, "1"},
		{"GET", "/v1/shared?a", ben, "", 200, "2"},
		{"PATCH", "/v1/shared", "", "", 401, ""}, // changes nothing
		{"GET", "/v1/shared", ann, "", 200, "1"},
		{"PATCH", "/v1/shared", ben, "", 200, "3"},
		{"GET", "/v1/shared", ann, "", 200, "4"},
		{"GET", "/v1/shared", ben, "", 200, "4"},
		{"GET", "/v1/own", ann, "", 200, "5"},
		{"GET", "/v1/own", ben, "", 200, "6"},
		{"GET", "/v1/own", ben, `"6"`, 304, ""},
		{"GET", "/v1/own", "", "", 401, ""},
	} {
		var headers []string
		if tt.who != "" {
			headers = append(headers, "Authorization", tt.who)
		}
		if tt.tag != "" {
			headers = append(headers, "If-None-Match", tt.tag)
		}
		if res, body := f.do(t, tt.method, tt.path, nil, headers...); res.StatusCode != tt.status || !strings.Contains(body, tt.body) || tt.status < 400 && tt.body != body {
			t.Errorf("%d, %s %s: %d %q, want %d %q", i, tt.method, tt.path, res.StatusCode, body, tt.status, tt.body)
		}
	}
}

// Those who ask at the same time wait for one answer together.
func TestSharedAnswersAreAskedForOnce(t *testing.T) {
	t.Parallel()
	f := start(t)
	const many = 20
	var calls atomic.Int32
	release := make(chan struct{})
	f.service(t, "things", document("GET /v1/shared "+having(public, shared)), func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		<-release
		w.Header().Set("Cache-Control", "max-age=60")
		fmt.Fprint(w, "here")
	})
	f.known(t, "/v1/shared")
	var all sync.WaitGroup
	for range many {
		all.Go(func() {
			if res, body := f.do(t, "GET", "/v1/shared", nil); res.StatusCode != 200 || body != "here" {
				t.Errorf("%d %s", res.StatusCode, body)
			}
		})
	}
	testenv.Eventually(t, "all to wait", func() bool { l := f.Stack.Load(); return l.Running+l.Queued == many })
	if res, body := f.do(t, "GET", "/v1/shared", nil, endpoint.TimeoutHeader, "0.05"); res.StatusCode != 504 { // it does not wait with them
		t.Errorf("in a hurry: %d %s", res.StatusCode, body)
	}
	close(release)
	all.Wait()
	if calls.Load() != 1 {
		t.Errorf("the service was called %d times", calls.Load())
	}
}

// A canary's answers are not for all, but what it changes has changed.
func TestVersionsAndSharedAnswers(t *testing.T) {
	t.Parallel()
	rules, _ := ruled(t, `{"services": {"things": {"versions": [{"version": "2", "header": "X-Canary: yes"}]}}}`)
	f := start(t, rules)
	var calls atomic.Int32
	text := document("GET /v1/shared "+having(public, shared), "PATCH /v1/shared "+public)
	for _, version := range []string{"1", "2"} {
		f.version(t, "things", version, text, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			fmt.Fprint(w, version, ".", calls.Add(1))
		})
	}
	f.known(t, "/v1/shared")
	get := func(method string, headers ...string) string {
		_, body := f.do(t, method, "/v1/shared", nil, headers...)
		return body
	}
	testenv.Eventually(t, "both versions", func() bool { return strings.HasPrefix(get("GET", "X-Canary", "yes"), "2.") })
	first := get("GET")
	if canary := get("GET", "X-Canary", "yes"); !strings.HasPrefix(first, "1.") || !strings.HasPrefix(canary, "2.") {
		t.Errorf("%s, and to the canary's %s", first, canary)
	}
	if again := get("GET"); again != first {
		t.Errorf("first %s, then %s", first, again)
	}
	if changed := get("PATCH", "X-Canary", "yes"); !strings.HasPrefix(changed, "2.") {
		t.Errorf("changed by %s", changed)
	}
	if again := get("GET"); again == first {
		t.Errorf("after the change still %s", again)
	}
}
