package transport_test

import (
	"testing"

	"github.com/trellis-go/trellis/kit/transport"
)

func TestIfNoneMatch(t *testing.T) {
	t.Parallel()
	s := serve(t)
	thing := s.put("a")
	for header, status := range map[string]int{
		``:                    200,
		`"1"`:                 304,
		`W/"1"`:               304,
		`"0", W/"1" , "2"`:    304,
		`*`:                   304,
		`"2"`:                 200,
		`1`:                   200,
		`"11"`:                200,
		`"0","2"`:             200,
		`, ,`:                 200,
		`w/"1"`:               200,
		`"1`:                  200,
		`"2", "3", "4", "1" `: 304,
	} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			a := s.do("GET", thing.Location(), "", "If-None-Match: "+header).is(t, status)
			if a.Header.Get("ETag") != `"1"` {
				t.Errorf("ETag is %q", a.Header.Get("ETag"))
			}
			if status == 304 && (a.body != "" || a.Header.Get("Content-Type") != "") {
				t.Errorf("304 with %q, %v", a.body, a.Header)
			}
		})
	}
	t.Run("several lines", func(t *testing.T) {
		t.Parallel()
		s.raw("GET", head("GET "+thing.Location(), `If-None-Match: "0"`, `If-None-Match: "1"`)).is(t, 304)
	})
	t.Run("of what has no tag", func(t *testing.T) {
		t.Parallel()
		s.do("GET", "/v1/colors", "", "If-None-Match: *").is(t, 200)
	})
	t.Run("of a change", func(t *testing.T) {
		t.Parallel()
		other := s.put("b")
		s.do("PUT", other.Location(), `{"name":"c"}`, "If-None-Match: *").is(t, 200)
	})
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, tt := range []struct {
		header string
		status int // of PATCH and DELETE; PUT takes what has no header
		code   string
	}{
		{``, 428, "if_match_missing"},
		{`"1"`, 200, ""},
		{`*`, 200, ""},
		{` "1" `, 200, ""},
		{`"2"`, 412, "stale"},
		{`""`, 412, "stale"},
		{`"x"`, 412, "stale"},
		{`"01"`, 412, "stale"},
		{`"+1"`, 412, "stale"},
		{`"-1"`, 412, "stale"},
		{`"99999999999999999999"`, 412, "stale"},
		{`1`, 400, "if_match_malformed"},
		{`"1`, 400, "if_match_malformed"},
		{`"`, 400, "if_match_malformed"},
		{`W/"1"`, 400, "if_match_malformed"},
		{`"1", "2"`, 400, "if_match_malformed"},
		{`**`, 400, "if_match_malformed"},
	} {
		for _, method := range []string{"PATCH", "DELETE", "PUT"} {
			t.Run(method+" "+tt.header, func(t *testing.T) {
				t.Parallel()
				thing := s.put("a")
				a := s.do(method, thing.Location(), `{"name":"new"}`, "If-Match:"+tt.header)
				switch {
				case method == "PUT" && tt.header == "", method != "DELETE" && tt.status == 200:
					if changed := a.is(t, 200).thing(t); changed.Version != 2 || changed.Name != "new" || a.Header.Get("ETag") != `"2"` {
						t.Errorf("now %+v", changed)
					}
				case tt.status == 200:
					a.is(t, 204)
				default:
					p := a.refused(t, tt.status, tt.code)
					if current, _ := p.Current.(map[string]any); tt.status == 412 && (current["version"] != 1.0 || current["name"] != "a") {
						t.Errorf("current is %v", p.Current)
					}
				}
			})
		}
	}
	t.Run("two lines", func(t *testing.T) {
		t.Parallel()
		s.raw("DELETE", head("DELETE "+s.put("a").Location(), `If-Match: "1"`, `If-Match: "1"`)).refused(t, 422, "invalid")
	})
	t.Run("of nothing", func(t *testing.T) {
		t.Parallel()
		s.do("DELETE", Thing{}.Location(), "", "If-Match: *").refused(t, 404, "no_such_thing")
	})
}

func TestIfMatchText(t *testing.T) {
	t.Parallel()
	for _, m := range []transport.IfMatch{{Any: true}, {Version: 0}, {Version: 7}, {Version: 1<<63 - 1}} {
		text, err := m.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back transport.IfMatch
		if err := back.UnmarshalText(text); err != nil || back != m {
			t.Errorf("%+v becomes %s and that %+v, %v", m, text, back, err)
		}
	}
	var none *transport.IfMatch
	if !none.Matches(7) {
		t.Error("what was not named does not match")
	}
}
