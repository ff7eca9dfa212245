package transport_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

func TestProblemIsExactly(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for how, want := range map[string]string{
		"unclassified": `{"type":"about:blank","title":"Internal Server Error","status":500,"detail":"Something went wrong on our side.",` +
			`"instance":"/v1/failures/unclassified","code":"internal","request_id":"r-1"}`,
		"fields": `{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"a~1b is odd.","instance":"/v1/failures/fields","code":"invalid","request_id":"r-1",` +
			`"errors":[{"pointer":"/a~1b","code":"odd","detail":"is odd"},{"parameter":"p","code":"even","detail":"is even"}]}`,
		"stale": `{"type":"about:blank","title":"Precondition Failed","status":412,"detail":"The thing has changed.","instance":"/v1/failures/stale","code":"stale","request_id":"r-1",` +
			`"current":{"id":"00000000-0000-0000-0000-000000000000","name":"now","color":"","size":0,"tags":[],"due_at":null,"version":0}}`,
		"stale, unencodable": `{"type":"about:blank","title":"Precondition Failed","status":412,"detail":"The thing has changed.",` +
			`"instance":"/v1/failures/stale,%20unencodable","code":"stale","request_id":"r-1"}`,
		"not UTF-8": `{"type":"about:blank","title":"Conflict","status":409,"detail":"` + "\ufffd" + ` is odd.","instance":"/v1/failures/not%20UTF-8","code":"odd","request_id":"r-1"}`,
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			a := s.do("POST", "/v1/failures/"+strings.ReplaceAll(how, " ", "%20"), "", "X-Request-ID: r-1")
			a.problem(t)
			if a.body != want {
				t.Errorf("the problem is\n%s, want\n%s", a.body, want)
			}
			for name, value := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Request-Id": "r-1"} {
				if got := a.Header.Get(name); got != value {
					t.Errorf("%s is %q, want %q", name, got, value)
				}
			}
		})
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for how, tt := range map[string]struct {
		status           int
		code, auth, wait string
	}{
		"unclassified":       {500, "internal", "", ""},
		"panic":              {500, "internal", "", ""},
		"unencodable":        {500, "internal", "", ""},
		"wrapped":            {409, "taken", "", ""},
		"coded":              {403, "forbidden", "", ""},
		"coded 503":          {503, "service_unavailable", "", "1"},
		"coded nonsense":     {500, "internal", "", ""},
		"unauthenticated":    {401, "credentials_wrong", "Bearer", ""},
		"token invalid":      {401, "token_invalid", `Bearer error="invalid_token"`, ""},
		"too many":           {429, "slow_down", "", "2"},
		"too many, for ever": {429, "slow_down", "", "1"},
		"unavailable":        {503, "away", "", "1"},
		"bad gateway":        {502, "bad", "", "1"},
		"deadline":           {504, "timeout", "", "1"},
		"canceled":           {499, "canceled", "", ""},
		"gone":               {410, "expired", "", ""},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			a := s.do("POST", "/v1/failures/"+strings.ReplaceAll(how, " ", "%20"), "")
			a.refused(t, tt.status, tt.code)
			if got := a.Header.Get("WWW-Authenticate"); got != tt.auth {
				t.Errorf("WWW-Authenticate is %q, want %q", got, tt.auth)
			}
			if got := a.Header.Get("Retry-After"); got != tt.wait {
				t.Errorf("Retry-After is %q, want %q", got, tt.wait)
			}
		})
	}
	t.Run("abort", func(t *testing.T) {
		t.Parallel()
		if _, err := s.Client().Post(s.URL+"/v1/failures/abort", "", nil); err == nil {
			t.Error("the connection is not cut")
		}
	})
}

func TestUnauthenticated(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for name, tt := range map[string]struct{ authorization, code, challenge string }{
		"none":           {"", "token_missing", "Bearer"},
		"another scheme": {"Basic YTpi", "token_missing", "Bearer"},
		"an empty one":   {"Bearer ", "token_missing", "Bearer"},
		"nonsense":       {"Bearer a.b.c", "token_invalid", `Bearer error="invalid_token"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := s.do("POST", "/v1/things", `{"nonsense`, "Authorization: "+tt.authorization)
			a.refused(t, 401, tt.code) // and nothing is said of the body
			if got := a.Header.Get("WWW-Authenticate"); got != tt.challenge {
				t.Errorf("WWW-Authenticate is %q, want %q", got, tt.challenge)
			}
		})
	}
	s.do("GET", "/v1/things", "", "Authorization: bEARER "+alice()).is(t, 200)
	s.do("GET", "/v1/colors", "", "Authorization: Bearer a.b.c").is(t, 200)
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	things := newThings()
	s := serveBehind(t, things, handlerOf(t, []transport.Route{transport.Get("/v1/colors", endpoint.New(things.Colors, "").Public().Limit(.5))}, transport.Options{}))
	first := s.do("GET", "/v1/colors", "").is(t, 200)
	if got := first.Header.Get("RateLimit-Policy"); got != `"caller";q=1;w=2` {
		t.Errorf("RateLimit-Policy is %q", got)
	}
	a := s.do("GET", "/v1/colors", "")
	a.refused(t, 429, "rate_limited")
	if got := a.Header.Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After is %q, want 2", got)
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, tt := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/", 404, ""},
		{"GET", "/v1", 404, ""},
		{"GET", "/v1/thing", 404, ""},
		{"GET", "/v1/things/", 404, ""},
		{"GET", "/V1/things", 404, ""},
		{"GET", "/v1/%ff", 404, ""},
		{"BREW", "/v1/thing", 404, ""},
		{"PUT", "/v1/things", 405, "GET, HEAD, POST"},
		{"BREW", "/v1/things", 405, "GET, HEAD, POST"},
		{"OPTIONS", "/v1/things", 405, "GET, HEAD, POST"},
		{"get", "/v1/things", 405, "GET, HEAD, POST"},
		{"POST", "/v1/things/x", 405, "DELETE, GET, HEAD, PATCH, PUT"},
		{"HEAD", "/v1/failures/x", 405, "POST"},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			t.Parallel()
			a := s.do(tt.method, tt.path, "", "Authorization:") // whoever asks
			if a.is(t, tt.status); a.Header.Get("Allow") != tt.allow {
				t.Errorf("Allow is %q, want %q", a.Header.Get("Allow"), tt.allow)
			}
			if tt.method == "HEAD" {
				return
			}
			if p := a.problem(t); p.Code != map[int]string{404: "no_such_path", 405: "method_not_allowed"}[tt.status] {
				t.Errorf("code is %s", p.Code)
			}
		})
	}
}

// Nothing is ever redirected: a client that is sent elsewhere may turn a POST
// into a GET, and what routes by the path would be told two of them.
func TestUncleanPaths(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, target := range []string{
		"//", "//v1/things", "/v1//things", "/v1/things//", "/v1/./things", "/v1/../v1/things", "/./v1/things", "/v1/things/.", "/v1/things/..",
		"/v1/x/%2e%2e/things", "/v1/%2e/things", "/v1/things/%2e%2E", "/v1/things/a%2F..%2Fb", "/..", "//evil.example/v1/things", "/v1/colors/..;/things", "*",
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(method+" "+target, func(t *testing.T) {
				t.Parallel()
				a := s.raw(method, method+" "+target+" HTTP/1.1\r\nHost: things\r\nContent-Length: 0\r\n\r\n")
				a.refused(t, 404, "no_such_path")
			})
		}
	}
	for _, target := range []string{"things:443", "/v1/things", "/v1//things"} {
		t.Run("CONNECT "+target, func(t *testing.T) {
			t.Parallel()
			conn := s.dial()
			defer conn.Close()
			_, _ = io.WriteString(conn, "CONNECT "+target+" HTTP/1.1\r\nHost: things:443\r\n\r\n")
			readResponse(t, conn, "GET").refused(t, 404, "no_such_path")
		})
	}
	t.Run("absolute", func(t *testing.T) {
		t.Parallel()
		s.raw("GET", "GET http://elsewhere/v1/colors HTTP/1.1\r\nHost: things\r\n\r\n").is(t, 200)
		s.raw("GET", "GET http://elsewhere HTTP/1.1\r\nHost: things\r\n\r\n").refused(t, 404, "no_such_path")
	})
}

func TestHead(t *testing.T) {
	t.Parallel()
	s := serve(t)
	thing := s.put("a")
	get, head := s.do("GET", thing.Location(), "").is(t, 200), s.do("HEAD", thing.Location(), "").is(t, 200)
	if head.body != "" || head.ContentLength != get.ContentLength || head.Header.Get("ETag") != `"1"` || head.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("HEAD answers %q of %d with %v, GET %d", head.body, head.ContentLength, head.Header, get.ContentLength)
	}
	s.do("HEAD", thing.Location(), "", `If-None-Match: "1"`).is(t, 304)
	if a := s.do("HEAD", "/v1/things/1", "").is(t, 404); a.body != "" || a.ContentLength <= 0 {
		t.Errorf("HEAD of nothing answers %q of %d", a.body, a.ContentLength)
	}
}

// What an answer has beside its JSON.
func TestAnswers(t *testing.T) {
	t.Parallel()
	s := serve(t)
	thing := s.put("a")
	big := s.do("POST", "/v1/things", `{"name":"big","size":5}`).is(t, 201).thing(t)
	for _, tt := range []struct {
		method, path, body string
		status             int
		header             map[string]string
		answer             string
	}{
		{"GET", thing.Location(), "", 200, map[string]string{"ETag": `"1"`, "Location": "", "Cache-Control": "private, no-cache", "Content-Type": "application/json; charset=utf-8"},
			`{"id":"` + thing.ID.String() + `","name":"a","color":"red","size":0,"tags":[],"due_at":null,"version":1}`},
		{"GET", "/v1/colors", "", 200, map[string]string{"Cache-Control": "public, max-age=60", "ETag": ""}, `{"colors":["red","green"]}`},
		{"POST", thing.Location() + "/reminders", "", 202, map[string]string{"Content-Type": "", "Content-Length": "0"}, ``},
		{"POST", thing.Location() + "/farewell", "", 204, map[string]string{"Content-Type": "", "Set-Cookie": "a=; Max-Age=0"}, ``},
		{"POST", thing.Location() + "/farewell?status=202", "", 202, map[string]string{"Content-Type": "", "Set-Cookie": "a=; Max-Age=0"}, ``},
		{"POST", thing.Location() + "/farewell?status=418", "", 204, nil, ``},
		{"GET", thing.Location() + "/rank", "", 204, map[string]string{"Content-Type": ""}, ``},
		{"GET", big.Location() + "/rank", "", 200, nil, `{"stars":5}`},
		{"POST", "/v1/failures/big", "", 200, map[string]string{"Content-Length": "10012"}, `{"value":"` + strings.Repeat("x", 10_000) + `"}`},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			t.Parallel()
			a := s.do(tt.method, tt.path, tt.body).is(t, tt.status)
			for name, value := range tt.header {
				if got := a.Header.Get(name); got != value {
					t.Errorf("%s is %q, want %q", name, got, value)
				}
			}
			if a.body != tt.answer {
				t.Errorf("the answer is %s", a.body)
			}
		})
	}
	t.Run("Created", func(t *testing.T) {
		t.Parallel()
		a := s.do("POST", "/v1/things", `{"name":"new","color":"green"}`).is(t, 201)
		if made := a.thing(t); a.Header.Get("Location") != made.Location() || a.Header.Get("ETag") != `"1"` || made.ID.Version() != 7 {
			t.Errorf("%v for %s", a.Header, a.body)
		}
		s.do("GET", a.Header.Get("Location"), "").is(t, 200)
	})
	t.Run("two headers of a name", func(t *testing.T) {
		t.Parallel()
		if c := s.do("POST", thing.Location()+"/farewell", "").Header["Set-Cookie"]; len(c) != 2 {
			t.Errorf("Set-Cookie is %q", c)
		}
	})
}

func TestRoutesThatCollide(t *testing.T) {
	t.Parallel()
	e := endpoint.New(method[endpoint.None], "")
	for name, routes := range map[string][]transport.Route{
		"twice":       {transport.Get("/a", e), transport.Get("/a", e)},
		"ambiguous":   {transport.Get("/a/{x}", e), transport.Get("/{x}/a", e)},
		"bad pattern": {transport.Get("/a/{", e)},
		"no slash":    {transport.Get("a", e)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := transport.Handler(routes, transport.Options{Stack: newStack(nil)}); err == nil || !strings.HasPrefix(err.Error(), "routes: ") {
				t.Errorf("the error is %v", err)
			}
		})
	}
	t.Run("at the root", func(t *testing.T) {
		t.Parallel()
		things := newThings()
		s := serveBehind(t, things, handlerOf(t, []transport.Route{transport.Get("/", e.Public())}, transport.Options{}))
		s.do("GET", "/", "").is(t, 204)
	})
}

// A problem that went over the wire is read as the error that it was.
func TestProblemRoundTrip(t *testing.T) {
	t.Parallel()
	var p transport.Problem
	a := serve(t).do("POST", "/v1/failures/fields", "")
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || len(p.Errors) != 2 || p.Errors[0] != (fault.Field{Pointer: "/a~1b", Code: "odd", Detail: "is odd"}) {
		t.Errorf("%v %+v", err, p)
	}
	if p.Title != http.StatusText(p.Status) {
		t.Errorf("title is %q", p.Title)
	}
}
