package transport_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

// What is wrong with the body of a POST is told by status, code and place.
func TestBody(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, tt := range []struct {
		name, body string
		status     int
		code       string
		field      fault.Field // the first, but for its detail
	}{
		{"unknown field", `{"name":"a","nmae":"b"}`, 422, "invalid", fault.Field{Pointer: "/nmae", Code: "unknown_field"}},
		{"nested unknown field", `{"name":"a","parts":[{"name":"x"},{"nome":"y"}]}`, 422, "invalid", fault.Field{Pointer: "/parts/1/nome", Code: "unknown_field"}},
		{"name in another case", `{"Name":"a"}`, 422, "invalid", fault.Field{Pointer: "/Name", Code: "unknown_field"}},
		{"a parameter's name", `{"name":"a","dry":true}`, 422, "invalid", fault.Field{Pointer: "/dry", Code: "unknown_field"}},
		{"a Go name", `{"name":"a","UserAgent":"x"}`, 422, "invalid", fault.Field{Pointer: "/UserAgent", Code: "unknown_field"}},
		{"escaped pointer", `{"name":"a","a/b~c":1}`, 422, "invalid", fault.Field{Pointer: "/a~1b~0c", Code: "unknown_field"}},
		{"text for a number", `{"name":"a","size":"1"}`, 422, "invalid", fault.Field{Pointer: "/size", Code: "wrong_type"}},
		{"number for text", `{"name":1}`, 422, "invalid", fault.Field{Pointer: "/name", Code: "wrong_type"}},
		{"number out of range", `{"name":"a","size":1e400}`, 422, "invalid", fault.Field{Pointer: "/size", Code: "wrong_type"}},
		{"fraction", `{"name":"a","size":1.5}`, 422, "invalid", fault.Field{Pointer: "/size", Code: "wrong_type"}},
		{"object for a list", `{"name":"a","tags":{}}`, 422, "invalid", fault.Field{Pointer: "/tags", Code: "wrong_type"}},
		{"wrong entry", `{"name":"a","tags":["ab",1]}`, 422, "invalid", fault.Field{Pointer: "/tags/1", Code: "wrong_type"}},
		{"no time", `{"name":"a","due_at":"tomorrow"}`, 422, "invalid", fault.Field{Pointer: "/due_at", Code: "wrong_type"}},
		{"no UUID", `{"name":"a","parent":"1"}`, 422, "invalid", fault.Field{Pointer: "/parent", Code: "wrong_type"}},
		{"list for the whole", `[]`, 422, "invalid", fault.Field{Code: "wrong_type"}},
		{"NUL, escaped", `{"name":"a\u0000b"}`, 422, "invalid", fault.Field{Pointer: "/name", Code: "nul_character"}},
		{"NUL, escaped and nested", `{"name":"a","extra":{"x":["\u0000"]}}`, 422, "invalid", fault.Field{Pointer: "/extra/x/0", Code: "nul_character"}},
		{"NUL in a name", `{"name":"a","extra":{"\u0000":1}}`, 422, "invalid", fault.Field{Pointer: "/extra/\x00", Code: "nul_character"}},
		{"NUL, raw", "{\"name\":\"a\x00b\"}", 400, "json_malformed", fault.Field{}},
		{"repeated name", `{"name":"a","name":"b"}`, 400, "json_malformed", fault.Field{}},
		{"repeated name, escaped", `{"name":"a","n\u0061me":"b"}`, 400, "json_malformed", fault.Field{}},
		{"trailing garbage", `{"name":"a"}}`, 400, "json_malformed", fault.Field{}},
		{"two values", `{"name":"a"}{"name":"b"}`, 400, "json_malformed", fault.Field{}},
		{"cut off", `{"name":"a"`, 400, "json_malformed", fault.Field{}},
		{"blank", " \n", 400, "json_malformed", fault.Field{}},
		{"not UTF-8", "{\"name\":\"\xff\"}", 400, "json_malformed", fault.Field{}},
		{"half a surrogate pair", `{"name":"\ud800"}`, 400, "json_malformed", fault.Field{}},
		{"comment", `{"name":"a"/**/}`, 400, "json_malformed", fault.Field{}},
		{"byte order mark", "\ufeff{\"name\":\"a\"}", 400, "json_malformed", fault.Field{}},

		{"empty", ``, 422, "invalid", fault.Field{Pointer: "/name", Code: "required"}},
		{"null", `null`, 422, "invalid", fault.Field{Pointer: "/name", Code: "required"}},
		{"required, missing", `{}`, 422, "invalid", fault.Field{Pointer: "/name", Code: "required"}},
		{"required, empty", `{"name":""}`, 422, "invalid", fault.Field{Pointer: "/name", Code: "required"}},
		{"max of characters", `{"name":"` + strings.Repeat("é", 21) + `"}`, 422, "invalid", fault.Field{Pointer: "/name", Code: "too_long"}},
		{"maxbytes", `{"name":"a","note":"` + strings.Repeat("é", 20) + `x"}`, 422, "invalid", fault.Field{Pointer: "/note", Code: "too_long"}},
		{"email", `{"name":"a","email":"not one"}`, 422, "invalid", fault.Field{Pointer: "/email", Code: "not_an_email"}},
		{"oneof", `{"name":"a","color":"blue"}`, 422, "invalid", fault.Field{Pointer: "/color", Code: "not_allowed"}},
		{"min of a number", `{"name":"a","size":-1}`, 422, "invalid", fault.Field{Pointer: "/size", Code: "too_small"}},
		{"max of a number", `{"name":"a","size":101}`, 422, "invalid", fault.Field{Pointer: "/size", Code: "too_large"}},
		{"max of a list", `{"name":"a","tags":["ab","ab","ab","ab"]}`, 422, "invalid", fault.Field{Pointer: "/tags", Code: "too_many"}},
		{"min of a list", `{"name":"a","parts":[{"name":"x"}]}`, 422, "invalid", fault.Field{Pointer: "/parts", Code: "too_few"}},
		{"dive, min", `{"name":"a","tags":["ab","a"]}`, 422, "invalid", fault.Field{Pointer: "/tags/1", Code: "too_short"}},
		{"dive, max", `{"name":"a","tags":["abcdef"]}`, 422, "invalid", fault.Field{Pointer: "/tags/0", Code: "too_long"}},
		{"dive into structs", `{"name":"a","parts":[{"name":"x"},{}]}`, 422, "invalid", fault.Field{Pointer: "/parts/1/name", Code: "required"}},
		{"embedded", `{"name":"a","maker":"12345678901"}`, 422, "invalid", fault.Field{Pointer: "/maker", Code: "too_long"}},

		{"whole", `{"name":"a","note":"` + strings.Repeat("é", 20) + `","email":"a@example.com","color":"red","size":100,"tags":["ab"],` +
			`"maker":"me","parent":"` + uuid.NewString() + `","due_at":"2024-01-02T03:04:05.000006+01:00","extra":{"\\u0000":null}}`, 201, "", fault.Field{}},
		{"nulls", `{"name":"a","tags":null,"due_at":null,"parent":null}`, 201, "", fault.Field{}},
		{"characters, not bytes", `{"name":"` + strings.Repeat("é", 20) + `"}`, 201, "", fault.Field{}},
		{"deep nesting", `{"name":"a","extra":` + strings.Repeat("[", 1500) + strings.Repeat("]", 1500) + `}`, 201, "", fault.Field{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := s.do("POST", "/v1/things", tt.body)
			if tt.code == "" {
				a.is(t, tt.status)
				return
			}
			p := a.refused(t, tt.status, tt.code)
			var first fault.Field
			if len(p.Errors) > 0 {
				if first = p.Errors[0]; first.Detail == "" {
					t.Errorf("no detail: %s", a.body)
				}
				first.Detail = ""
			}
			if first != tt.field {
				t.Errorf("errors[0] is %+v, want %+v: %s", first, tt.field, a.body)
			}
		})
	}
}

func TestEveryBrokenRuleIsNamed(t *testing.T) {
	t.Parallel()
	p := serve(t).do("POST", "/v1/things?depth=9", `{"size":-1,"tags":["a"],"email":"x"}`, "Cookie: device=ab").refused(t, 422, "invalid")
	var got []string
	for _, f := range p.Errors {
		got = append(got, f.Parameter+f.Pointer+" "+f.Detail)
	}
	want := "[device needs at least 3 characters depth may be 3 at most /name is required /email is not an email address /size must be at least 0 /tags/0 needs at least 2 characters]"
	if fmt.Sprint(got) != want {
		t.Errorf("errors:\n%v, want\n%v", got, want)
	}
	if p.Detail != "device needs at least 3 characters." {
		t.Errorf("detail is %q", p.Detail)
	}
}

func TestNestedTooDeeply(t *testing.T) {
	t.Parallel()
	s := newThings()
	routes := s.routes()
	for i := range routes {
		routes[i] = routes[i].MaxBody(1 << 20)
	}
	srv := serveBehind(t, s, handlerOf(t, routes, transport.Options{}))
	srv.do("POST", "/v1/things", `{"name":"a","extra":`+strings.Repeat("[", 400_000)).refused(t, 400, "json_malformed")
	srv.do("POST", "/v1/things", strings.Repeat(`{"name":`, 100_000)).refused(t, 400, "json_malformed")
}

func TestContentType(t *testing.T) {
	t.Parallel()
	s := serve(t)
	thing := s.put("a")
	for _, tt := range []struct {
		method, media string
		taken         bool
	}{
		{"POST", "application/json", true},
		{"POST", "application/json; charset=utf-8", true},
		{"POST", `Application/JSON;charset="UTF-8"`, true},
		{"POST", "application/json; charset=latin-1", false},
		{"POST", "application/merge-patch+json", false},
		{"POST", "application/vnd.api+json", false},
		{"POST", "text/plain", false},
		{"POST", "application/x-www-form-urlencoded", false},
		{"POST", "application/json, text/plain", false},
		{"POST", ";", false},
		{"POST", "", false},
		{"PATCH", "application/json", true},
		{"PATCH", "application/merge-patch+json", true},
		{"PATCH", "application/merge-patch+json; charset=utf-8", true},
		{"PATCH", "application/merge-patch+json; charset=utf-16", false},
		{"PATCH", "application/json-patch+json", false},
	} {
		t.Run(tt.method+" "+tt.media, func(t *testing.T) {
			t.Parallel()
			path := "/v1/things"
			if tt.method == "PATCH" {
				path += "/" + thing.ID.String()
			}
			a := s.do(tt.method, path, `{"name":"ab"}`, "Content-Type: "+tt.media, "If-Match: *")
			if tt.taken {
				a.is(t, map[string]int{"POST": 201, "PATCH": 200}[tt.method])
			} else {
				a.refused(t, 415, "unsupported_media_type")
			}
		})
	}
	t.Run("of nothing", func(t *testing.T) {
		t.Parallel()
		s.do("POST", "/v1/things", "", "Content-Type: text/plain").refused(t, 422, "invalid")
	})
	t.Run("two", func(t *testing.T) {
		t.Parallel()
		s.raw("POST", "POST /v1/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+alice()+"\r\nContent-Length: 2\r\n"+
			"Content-Type: application/json\r\nContent-Type: application/json\r\n\r\n{}").refused(t, 415, "unsupported_media_type")
	})
}

func TestBodySize(t *testing.T) {
	t.Parallel()
	s := serve(t)
	fits := `{"name":"a"` + strings.Repeat(" ", maxThing-12) + `}`
	chunked := func(body string) answer {
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/v1/things", io.MultiReader(strings.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+alice())
		r.Header.Set("Content-Type", "application/json")
		return s.send(r)
	}
	s.do("POST", "/v1/things", fits).is(t, 201)
	chunked(fits).is(t, 201)
	s.do("POST", "/v1/things", fits+" ").refused(t, 413, "body_too_large")
	chunked(fits+" ").refused(t, 413, "body_too_large")
	chunked(strings.Repeat(fits, 100)).refused(t, 413, "body_too_large")
	chunked("").refused(t, 422, "invalid")

	// What is too large by its Content-Length is refused unread.
	s.raw("POST", head("POST /v1/things", "Content-Length: 1000000000000", "Expect: 100-continue")).refused(t, 413, "body_too_large")
	// A caller who is not known is refused before their body is looked at.
	s.do("POST", "/v1/things", fits+" ", "Authorization:").refused(t, 401, "token_missing")
}

// head is a request's head, by alice.
func head(line string, headers ...string) string {
	return line + " HTTP/1.1\r\nHost: things\r\nAuthorization: Bearer " + alice() + "\r\nContent-Type: application/json\r\n" +
		strings.Join(headers, "\r\n") + "\r\n\r\n"
}

func TestBrokenBody(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for name, body := range map[string]string{
		"no size":        "x\r\n{}\r\n0\r\n\r\n",
		"wrong size":     "1\r\n{}\r\n0\r\n\r\n",
		"negative":       "-1\r\n",
		"far too large":  "ffffffffffffffffff\r\n{}",
		"no line's end":  "2\r\n{}0\r\n\r\n",
		"after the JSON": "2\r\n{}\r\nzz\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.raw("POST", head("POST /v1/things", "Transfer-Encoding: chunked")+body).refused(t, 400, "body_unreadable")
		})
	}
	t.Run("broken off", func(t *testing.T) {
		t.Parallel()
		conn := s.dial()
		defer conn.Close()
		_, _ = io.WriteString(conn, head("POST /v1/things", "Content-Length: 10")+"{")
		_ = conn.(interface{ CloseWrite() error }).CloseWrite()
		res := readResponse(t, conn, "POST")
		res.refused(t, 400, "body_unreadable")
	})
}

// impatient is a server whose clients' deadlines come soon; it remembers how
// long they should have been.
type impatient struct {
	http.ResponseWriter
	asked chan<- time.Duration
}

func (w impatient) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w impatient) SetReadDeadline(at time.Time) error {
	if !at.IsZero() {
		w.asked <- time.Until(at)
		at = time.Now().Add(50 * time.Millisecond)
	}
	return http.NewResponseController(w.ResponseWriter).SetReadDeadline(at)
}

// A client that does not send the body it announced is answered all the same,
// whether or not anybody wants the body, and loses its connection.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	things := newThings()
	asked := make(chan time.Duration, 100)
	h := handler(t, things)
	s := serveBehind(t, things, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(impatient{w, asked}, r) }))
	for name, tt := range map[string]struct {
		request string
		status  int
		code    string
	}{
		"by length":   {head("POST /v1/things", "Content-Length: 10") + "{", 408, "body_too_slow"},
		"chunked":     {head("POST /v1/things", "Transfer-Encoding: chunked") + "1\r\n{\r\n", 408, "body_too_slow"},
		"nobody's":    {"POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{", 401, "token_missing"},
		"nowhere":     {head("POST /nowhere", "Content-Length: 10") + "{", 404, "no_such_path"},
		"not taken":   {head("POST /v1/things/1", "Content-Length: 10") + "{", 405, "method_not_allowed"},
		"of a GET":    {head("GET /v1/things/1", "Content-Length: 10") + "{", 404, "no_such_path"},
		"of a stream": {"GET /v1/socket HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{", 401, "token_missing"},
		"too large":   {head("POST /v1/things", "Content-Length: 5000") + "{", 413, "body_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := s.dial()
			defer conn.Close()
			if _, err := io.WriteString(conn, tt.request); err != nil {
				t.Fatal(err)
			}
			a := readResponse(t, conn, "POST")
			a.refused(t, tt.status, tt.code)
			if !a.Close {
				t.Error("the connection stays, with a part of a body on it")
			}
			if d := <-asked; d < 9*time.Second || d > 11*time.Second {
				t.Errorf("the client has %s, want some 10 s", d)
			}
		})
	}
}

// The deadline of a body does not fall on what comes after it.
func TestDeadlineEndsWithTheBody(t *testing.T) {
	t.Parallel()
	things := newThings()
	var set []time.Time
	h := handler(t, things)
	s := serveBehind(t, things, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(deadlines{w, &set}, r) }))
	s.do("POST", "/v1/things", `{"name":"a"}`).is(t, 201)
	if len(set) != 2 || set[0].IsZero() || !set[1].IsZero() {
		t.Errorf("deadlines were set to %v, want one and then none", set)
	}
	set = nil
	s.do("GET", "/v1/things", "").is(t, 200)
	if len(set) != 0 {
		t.Errorf("a request without a body has deadlines: %v", set)
	}
}

type deadlines struct {
	http.ResponseWriter
	set *[]time.Time
}

func (w deadlines) Unwrap() http.ResponseWriter        { return w.ResponseWriter }
func (w deadlines) SetReadDeadline(at time.Time) error { *w.set = append(*w.set, at); return nil }

func TestParameters(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, tt := range []struct {
		name, method, path string
		head               string
		status             int
		parameter, code    string
	}{
		{"whole", "GET", "/v1/things?color=red&big=true&since=2024-01-02T03:04:05Z&limit=1", "", 200, "", ""},
		{"unknown ones are ignored", "GET", "/v1/things?utm_source=x&utm_source=y", "", 200, "", ""},
		{"repeated", "GET", "/v1/things?color=red&color=green", "", 422, "color", "malformed"},
		{"not true nor false", "GET", "/v1/things?big=yes", "", 422, "big", "malformed"},
		{"an empty flag", "GET", "/v1/things?big", "", 422, "big", "malformed"},
		{"no number", "GET", "/v1/things?limit=ten", "", 422, "limit", "malformed"},
		{"an empty number", "GET", "/v1/things?limit=", "", 422, "limit", "malformed"},
		{"a number out of range", "GET", "/v1/things?limit=99999999999999999999", "", 422, "limit", "malformed"},
		{"no time", "GET", "/v1/things?since=2024", "", 422, "since", "malformed"},
		{"NUL", "GET", "/v1/things?cursor=%00", "", 422, "cursor", "malformed"},
		{"not UTF-8", "GET", "/v1/things?cursor=%ff", "", 422, "cursor", "malformed"},
		{"min", "GET", "/v1/things?limit=0", "", 422, "limit", "too_small"},
		{"max", "GET", "/v1/things?limit=101", "", 422, "limit", "too_large"},
		{"oneof", "GET", "/v1/things?color=blue", "", 422, "color", "not_allowed"},
		{"embedded", "POST", "/v1/things", "Cookie: device=ab", 422, "device", "too_short"},
		{"in a header", "POST", "/v1/things", "User-Agent: " + strings.Repeat("x", 201), 422, "User-Agent", "too_long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			body := ""
			if tt.method == "POST" {
				body = `{"name":"a"}`
			}
			a := s.do(tt.method, tt.path, body, tt.head)
			if tt.code == "" {
				a.is(t, tt.status)
				return
			}
			if p := a.refused(t, tt.status, "invalid"); len(p.Errors) != 1 || p.Errors[0].Parameter != tt.parameter || p.Errors[0].Code != tt.code || p.Errors[0].Pointer != "" {
				t.Errorf("errors are %+v, want %s %s", p.Errors, tt.parameter, tt.code)
			}
		})
	}
	t.Run("malformed query", func(t *testing.T) {
		t.Parallel()
		for _, q := range []string{"%", "%zz", "a;b=1"} {
			s.do("GET", "/v1/things?"+q, "").refused(t, 400, "query_malformed")
		}
	})
	t.Run("several wrong", func(t *testing.T) {
		t.Parallel()
		if p := s.do("GET", "/v1/things?big=1&limit=x&since=y", "").refused(t, 422, "invalid"); len(p.Errors) != 3 {
			t.Errorf("errors are %+v, want three", p.Errors)
		}
	})
}

// A path whose parameter cannot be what it should be leads nowhere.
func TestPathParameter(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, path := range []string{"/v1/things/1", "/v1/things/%00", "/v1/things/%ff", "/v1/things/a%2Fb"} {
		s.do("GET", path, "").refused(t, 404, "no_such_path")
		s.do("PATCH", path, `{}`, "If-Match: *").refused(t, 404, "no_such_path")
	}
	for _, path := range []string{"/v1/words/a/b", "/v1/words/a/9223372036854775808", "/v1/words/a%00/1", "/v1/words/%C3%28/1"} {
		s.do("PUT", path, "").refused(t, 404, "no_such_path")
	}
	for path, word := range map[string]string{"a": "a", "a%2Fb": "a/b", "a%2F%2Fb": "a//b", "%C3%A9%20+%25": "é +%", "..a": "..a", ".a": ".a", "%7B%7D": "{}"} {
		if s.do("PUT", "/v1/words/"+path+"/-7", "").is(t, 200); s.echoed.Word != word || s.echoed.Number != -7 {
			t.Errorf("%s is read as %q %d, want %q -7", path, s.echoed.Word, s.echoed.Number, word)
		}
	}
}

func TestOptional(t *testing.T) {
	t.Parallel()
	s := serve(t)
	now := time.Now().UTC()
	for _, tt := range []struct {
		name, body string
		want       string // what of the thing is other than before
		pointer    string
		code       string
	}{
		{"nothing", ``, "", "", ""},
		{"empty", `{}`, "", "", ""},
		{"all", `{"name":"ab","color":"green","size":100,"tags":["x"],"due_at":null}`, "ab green 100 [x]", "", ""},
		{"null is the zero", `{"name":null,"color":null,"size":null,"tags":null,"due_at":null}`, "  0 []", "", ""},
		{"empty list", `{"tags":[]}`, "before red 7 []", "", ""},
		{"short", `{"name":"a"}`, "", "/name", "too_short"},
		{"long", `{"name":"` + strings.Repeat("a", 21) + `"}`, "", "/name", "too_long"},
		{"other", `{"color":"blue"}`, "", "/color", "not_allowed"},
		{"large", `{"size":101}`, "", "/size", "too_large"},
		{"many", `{"tags":["a","b","c","d"]}`, "", "/tags", "too_many"},
		{"empty entry", `{"tags":["a",""]}`, "", "/tags/1", "too_short"},
		{"wrong type", `{"name":1}`, "", "/name", "wrong_type"},
		{"wrong entry", `{"tags":[1]}`, "", "/tags/0", "wrong_type"},
		{"wrong time", `{"due_at":"x"}`, "", "/due_at", "wrong_type"},
		{"unknown", `{"nome":1}`, "", "/nome", "unknown_field"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := Thing{ID: uuid.New(), Name: "before", Color: "red", Size: 7, Tags: []string{"t"}, DueAt: &now, Version: 1}
			s.mu.Lock()
			s.things.things[before.ID] = before
			s.mu.Unlock()
			a := s.do("PATCH", before.Location(), tt.body, "If-Match: *", "Content-Type: application/merge-patch+json")
			if tt.code != "" {
				if p := a.refused(t, 422, "invalid"); len(p.Errors) != 1 || p.Errors[0].Pointer != tt.pointer || p.Errors[0].Code != tt.code {
					t.Errorf("errors are %+v, want %s %s", p.Errors, tt.pointer, tt.code)
				}
				return
			}
			got := a.is(t, 200).thing(t)
			want := tt.want
			if want == "" {
				want = "before red 7 [t]"
			}
			if text := fmt.Sprint(got.Name, " ", got.Color, " ", got.Size, " ", got.Tags); text != want {
				t.Errorf("the thing is now %q, want %q", text, want)
			}
		})
	}
}

func TestRequestTypes(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]endpoint.Endpoint{
		"no struct": endpoint.New(method[int], ""),
		"no tag":    endpoint.New(method[struct{ A string }], ""),
		"json and path": endpoint.New(method[struct {
			A string `path:"a" json:"a"`
		}], ""),
		"path, not json": endpoint.New(method[struct {
			A string `path:"a"`
		}], ""),
		"not from text": endpoint.New(method[struct {
			A []string `query:"a" json:"-"`
		}], ""),
		"unknown rule": endpoint.New(method[struct {
			A string `json:"a" validate:"nonsense"`
		}], ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := transport.Handler([]transport.Route{transport.Post("/a", e)}, transport.Options{Stack: newStack(nil)}); err == nil {
				t.Error("such a request type is taken")
			} else {
				t.Log(err)
			}
		})
	}
}
