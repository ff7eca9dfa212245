package deploy_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/trellis-go/trellis/kit/testenv"
)

// The conventions of the API, as a client meets them at the gateway.
func TestConventionsThroughTheGateway(t *testing.T) {
	t.Parallel()
	addrs := localPorts(t)
	run(t, t.TempDir(), "local", localEnv(addrs)...)
	c := client{base: "http://" + addrs[2]}
	c.routed(t, "/v1/notes", "/v1/auth/login")
	ann, bob := c.signup(t, "ann@example.com"), c.signup(t, "bob@example.com")
	n := ann.must(t, 201, "POST", "/v1/notes", map[string]any{"title": "one", "tags": []string{"x"}}, "Idempotency-Key", "first")
	ann.must(t, 201, "POST", "/v1/notes", map[string]any{"title": "two"})
	note := "/v1/notes/" + n["id"].(string)
	first := ann.must(t, 200, "GET", "/v1/notes?limit=1&sort=created_at", nil)["page"].(map[string]any)["next_cursor"].(string)
	tampered := first[:len(first)-2] + "AA"

	for _, tt := range []struct {
		name         string
		as           client
		method, path string
		body         string
		headers      []string
		status       int
		want         []string // in the body
		header       []string // "Name: part of its value"
	}{
		{"read", ann, "GET", note, "", nil, 200, []string{`"title":"one"`, `"role":"owner"`}, []string{`Etag: "1"`, "Ratelimit: r=", "Ratelimit-Policy: q=", "X-Request-Id: "}},
		{"not modified", ann, "GET", note, "", []string{"If-None-Match", `"1"`}, 304, nil, []string{`Etag: "1"`}},
		{"another's", bob, "GET", note, "", nil, 404, []string{`"code":"note_not_found"`}, nil},
		{"no such id", ann, "GET", "/v1/notes/x", "", nil, 404, []string{`"status":404`}, nil},
		{"no token", c, "GET", note, "", nil, 401, []string{`"code":"token_missing"`, `"request_id":"mine"`, `"instance":"` + note + `"`}, []string{"Www-Authenticate: Bearer", "X-Request-Id: mine", "Content-Type: application/problem+json"}},
		{"no version", ann, "PATCH", note, `{"title":"x"}`, nil, 428, []string{`"code":"if_match_missing"`}, nil},
		{"stale version", ann, "PATCH", note, `{"title":"x"}`, []string{"If-Match", `"9"`}, 412, []string{`"code":"stale"`, `"current":{`, `"version":1`}, nil},
		{"unknown field", ann, "PATCH", note, `{"titel":"x"}`, []string{"If-Match", `"1"`}, 422, []string{`"pointer":"/titel"`, `"code":"unknown_field"`}, nil},
		{"wrong type", ann, "PATCH", note, `{"tags":"x"}`, []string{"If-Match", `"1"`}, 422, []string{`"pointer":"/tags"`}, nil},
		{"not JSON", ann, "POST", "/v1/notes", `{"title":`, nil, 400, []string{`"code":"json_malformed"`}, nil},
		{"not JSON's type", ann, "POST", "/v1/notes", `title=x`, []string{"Content-Type", "text/plain"}, 415, []string{`"status":415`}, nil},
		{"merge patch", ann, "PATCH", note, `{"tags":null,"pinned":true}`, []string{"If-Match", `"1"`, "Content-Type", "application/merge-patch+json"}, 200, []string{`"tags":[]`, `"pinned":true`, `"version":2`}, []string{`Etag: "2"`}},
		{"same key", ann, "POST", "/v1/notes", `{"tags":["x"],"title":"one"}`, []string{"Idempotency-Key", "first"}, 201, []string{n["id"].(string)}, []string{"Idempotency-Replayed: true", "Location: " + note, `Etag: "1"`}},
		{"same key, other body", ann, "POST", "/v1/notes", `{"title":"three"}`, []string{"Idempotency-Key", "first"}, 422, []string{`"code":"idempotency_key_reused"`}, nil},
		{"another's same key", bob, "POST", "/v1/notes", `{"title":"three"}`, []string{"Idempotency-Key", "first"}, 201, []string{`"title":"three"`}, nil},
		{"a page", ann, "GET", "/v1/notes?limit=1&sort=created_at&cursor=" + first, "", nil, 200, []string{`"has_more":`, `"data":[{`}, nil},
		{"first page", ann, "GET", "/v1/notes?limit=1", "", nil, 200, []string{`"has_more":true`}, []string{`Link: rel="next"`}},
		{"tampered cursor", ann, "GET", "/v1/notes?limit=1&sort=created_at&cursor=" + tampered, "", nil, 400, []string{`"code":"cursor_invalid"`}, nil},
		{"limit out of range", ann, "GET", "/v1/notes?limit=101", "", nil, 422, []string{`"parameter":"limit"`}, nil},
		{"wrong method", ann, "PUT", "/v1/notes", `{}`, nil, 405, []string{`"code":"method_not_allowed"`}, []string{"Allow: GET"}},
		{"internal paths", ann, "GET", "/metrics", "", nil, 404, []string{`"code":"no_such_path"`}, nil},
		{"too large", ann, "POST", "/v1/auth/login", `{"login":"` + strings.Repeat("x", 2<<20) + `"}`, nil, 413, []string{`"code":"body_too_large"`}, nil},
		{"trash", ann, "DELETE", note, "", []string{"If-Match", `"2"`}, 204, nil, nil},
		{"restore", ann, "POST", note + "/restore", "", nil, 200, []string{`"status":"active"`, `"version":4`}, []string{`Etag: "4"`}},
		{"keys", c, "GET", "/.well-known/jwks.json", "", nil, 200, []string{`"crv":"Ed25519"`}, []string{"Cache-Control: max-age"}},
		{"keys, at the other path", c, "GET", "/v1/auth/.well-known/jwks.json", "", nil, 200, []string{`"crv":"Ed25519"`}, nil},
	} {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, tt.as.base+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Request-Id", "mine")
		if tt.as.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.as.token)
		}
		for i := 0; i < len(tt.headers); i += 2 {
			r.Header.Set(tt.headers[i], tt.headers[i+1])
		}
		res, err := testenv.Client.Transport.RoundTrip(r)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != tt.status {
			t.Errorf("%s: %d %s %v, want %d", tt.name, res.StatusCode, text, err, tt.status)
		}
		for _, want := range tt.want {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: no %s in %s", tt.name, want, text)
			}
		}
		for _, want := range tt.header {
			name, part, _ := strings.Cut(want, ": ")
			if v := res.Header[name]; len(v) != 1 || !strings.Contains(v[0], part) {
				t.Errorf("%s: %s is %q, want %s", tt.name, name, v, part)
			}
		}
		if res.StatusCode >= 400 {
			var p map[string]any
			if err := json.Unmarshal(text, &p); err != nil || p["type"] == nil || p["title"] == nil || p["detail"] == nil {
				t.Errorf("%s: no problem: %s", tt.name, text)
			}
		}
	}
}
