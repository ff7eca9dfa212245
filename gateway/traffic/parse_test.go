package traffic_test

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/trellis-go/trellis/gateway/traffic"
	"github.com/trellis-go/trellis/kit/endpoint"
)

const everything = `
services:
  notes:
    versions:
      - version: "2.0.0"
        percent: 10
        header: "X-Canary: yes"
      - {version: 2.1.0-rc.1+build, percent: 0.25}
    shadow: {service: notes-next, percent: 5}
  profile:
    shadow: {version: (devel), percent: 5}
routes:
  - route: GET /v1/notes/{id}
    timeout: 2s
    limit: {per_second: 5, burst: 10}
    total: {per_second: 1000.5, burst: 2000}
  - {route: POST /v1/notes, timeout: 500ms}
limits:
  address: {per_second: 100, burst: 200}
  user: {per_second: 0.5, burst: 1}
`

func TestParse(t *testing.T) {
	t.Parallel()
	rules := mustParse(t, everything)
	type named struct{ method, path string }
	want := map[named]traffic.Route{
		{"GET", "/v1/notes/{id}"}: {
			Timeout: 2 * time.Second,
			Limit:   endpoint.Rate{PerSecond: 5, Burst: 10},
			Total:   endpoint.Rate{PerSecond: 1000.5, Burst: 2000},
		},
		{"POST", "/v1/notes"}: {Timeout: 500 * time.Millisecond},
	}
	got, order := map[named]traffic.Route{}, ""
	for method, path := range rules.Routes() {
		got[named{method, path}], _ = rules.Route(method, path)
		order += method + " "
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(named{})); diff != "" {
		t.Error(diff)
	}
	if order != "GET POST " {
		t.Errorf("in the order %s", order)
	}
	if route, ok := rules.Route("DELETE", "/v1/notes"); ok {
		t.Errorf("a route that nothing is said of has %v", route)
	}
	if got, want := rules.Address(), (endpoint.Rate{PerSecond: 100, Burst: 200}); got != want {
		t.Errorf("address: %v, want %v", got, want)
	}
	if got, want := rules.User(), (endpoint.Rate{PerSecond: 0.5, Burst: 1}); got != want {
		t.Errorf("user: %v, want %v", got, want)
	}
}

func TestParseNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "\n", "---\n", "# nothing yet\n", "{}", "null", "services:\nroutes:\nlimits:\n", "services: {notes: }", "services: {notes: {versions: }}", "routes: []"} {
		rules := mustParse(t, text)
		if version, except := rules.Pick("notes", "u", anAddress, nil); version != "" || except != nil {
			t.Errorf("%q: %q, except %q", text, version, except)
		}
		if rules.Address() != (endpoint.Rate{}) || rules.User() != (endpoint.Rate{}) {
			t.Errorf("%q has limits", text)
		}
	}
}

func TestParseJSON(t *testing.T) {
	t.Parallel()
	rules := mustParse(t, `{
	"routes": [{"route": "GET /v1/notes", "timeout": "1s"}]
}`)
	if route, _ := rules.Route("GET", "/v1/notes"); route.Timeout != time.Second {
		t.Errorf("%v", route)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	versions := func(list string) string { return "services:\n  notes:\n    versions:\n" + list }
	tests := []struct {
		name, text string
		want       []string // each a line of the error, or its beginning
	}{
		{"no mapping", "notes", []string{`line 1: got "notes"; takes a mapping`}},
		{"unknown key", "service: {}", []string{"line 1: service: is unknown; takes services, routes, limits"}},
		{"unknown key below", versions("    - {version: a, percentage: 1}\n"), []string{
			"line 4: services.notes.versions[0].percentage: is unknown; takes version, percent, header",
			"line 4: services.notes.versions[0]: lacks percent or header",
		}},
		{"duplicate key", "limits:\n  user: {per_second: 1, burst: 1}\n  user: {per_second: 1, burst: 1}", []string{"line 3: limits.user: is in line 2 already"}},
		{"duplicate service", "services:\n  notes: {}\n  \"notes\": {}", []string{"line 3: services.notes: is in line 2 already"}},
		{"merge key", "limits: {<<: {user: {per_second: 1, burst: 1}}}", []string{"line 1: limits.<<: takes a name for a key"}},
		{"number for a key", "services: {1: {}}", []string{"line 1: services.1: takes a name for a key"}},
		{"service's name", "services: {\"a b\": {}}", []string{"line 1: services.a b: takes the name of a service: letters"}},
		{"list for a mapping", "services: []", []string{"line 1: services: got a list; takes a mapping"}},
		{"mapping for a list", "routes: {a: b}", []string{"line 1: routes: got a mapping; takes a list"}},
		{"number for a version", versions("    - {version: 2.10, percent: 1}\n"), []string{`line 4: services.notes.versions[0].version: got 2.10; takes a version in quotes, such as "2.0.0"`}},
		{"version with a blank", versions("    - {version: 'v 2', percent: 1}\n"), []string{`line 4: services.notes.versions[0].version: got "v 2"; takes a version`}},
		{"no version", versions("    - {percent: 1}\n"), []string{"line 4: services.notes.versions[0]: lacks version"}},
		{"empty version", versions("    - {version: '', percent: 1}\n"), []string{`line 4: services.notes.versions[0].version: got ""; takes a version`}},
		{"duplicate version", versions("    - {version: a, percent: 1}\n    - {version: a, percent: 1}\n"), []string{"line 5: services.notes.versions[1]: version a is in the list already"}},
		{"text for a percentage", versions("    - {version: a, percent: 10%}\n"), []string{`line 4: services.notes.versions[0].percent: got "10%"; takes a number from 0 to 100, with two decimals at most`}},
		{"number in quotes", versions("    - {version: a, percent: '10'}\n"), []string{`line 4: services.notes.versions[0].percent: got "10"; takes a number`}},
		{"percentage too high", versions("    - version: a\n      percent: 100.01\n"), []string{"line 5: services.notes.versions[0].percent: got 100.01; takes a number"}},
		{"percentage too low", versions("    - {version: a, percent: -1}\n"), []string{"line 4: services.notes.versions[0].percent: got -1; takes a number"}},
		{"percentage too fine", versions("    - {version: a, percent: 0.001}\n"), []string{"line 4: services.notes.versions[0].percent: got 0.001; takes a number"}},
		{"percentage not a number", versions("    - {version: a, percent: .nan}\n"), []string{"line 4: services.notes.versions[0].percent: got .nan; takes a number"}},
		{"no percentage", versions("    - {version: a, percent: }\n"), []string{"line 4: services.notes.versions[0].percent: got nothing; takes a number"}},
		{"more than all", versions("    - {version: a, percent: 50}\n    - {version: b, percent: 50.01}\n"), []string{"line 3: services.notes.versions: the percentages are more than 100 together"}},
		{"header without value", versions("    - {version: a, header: X-Canary}\n"), []string{`line 4: services.notes.versions[0].header: got "X-Canary"; takes a header such as "X-Canary: yes"`}},
		{"header without quotes", versions("    - version: a\n      header: {X-Canary: yes}\n"), []string{"line 5: services.notes.versions[0].header: got a mapping; takes a header"}},
		{"header with a strange name", versions("    - {version: a, header: 'X Canary: yes'}\n"), []string{`line 4: services.notes.versions[0].header: got "X Canary: yes"; takes a header`}},
		{"header that is none", versions("    - {version: a, header: 'host: a'}\n"), []string{`line 4: services.notes.versions[0].header: got "host: a"; takes a header`}},
		{"shadow of itself", "services: {notes: {shadow: {service: notes, percent: 1}}}", []string{"line 1: services.notes.shadow.service: is the service itself"}},
		{"shadow of both", "services: {notes: {shadow: {service: a, version: b, percent: 1}}}", []string{"line 1: services.notes.shadow: takes either service or version"}},
		{"shadow of neither", "services: {notes: {shadow: {}}}", []string{"line 1: services.notes.shadow: takes either service or version", "line 1: services.notes.shadow: lacks percent"}},
		{"no route", "routes: [{timeout: 1s}]", []string{"line 1: routes[0]: lacks route"}},
		{"nothing of a route", "routes: [{route: GET /a}]", []string{"line 1: routes[0]: lacks timeout, limit or total"}},
		{"no method", "routes: [{route: /a, timeout: 1s}]", []string{`line 1: routes[0].route: got "/a"; takes a method and a path`}},
		{"method in small letters", "routes: [{route: get /a, timeout: 1s}]", []string{`line 1: routes[0].route: got "get /a"; takes a method and a path`}},
		{"duplicate route", "routes:\n- {route: GET /a, timeout: 1s}\n- {route: GET /a, timeout: 1s}", []string{"line 3: routes[1]: GET /a is in the list already"}},
		{"timeout without unit", "routes: [{route: GET /a, timeout: 2}]", []string{"line 1: routes[0].timeout: got 2; takes a time such as 500ms or 2s, up to 1h"}},
		{"timeout too short", "routes: [{route: GET /a, timeout: 0s}]", []string{`line 1: routes[0].timeout: got "0s"; takes a time`}},
		{"timeout too long", "routes: [{route: GET /a, timeout: 61m}]", []string{`line 1: routes[0].timeout: got "61m"; takes a time`}},
		{"no burst", "limits: {user: {per_second: 1}}", []string{"line 1: limits.user: lacks burst"}},
		{"no rate", "limits: {user: }", []string{"line 1: limits.user: lacks per_second", "line 1: limits.user: lacks burst"}},
		{"rate of none", "limits: {user: {per_second: 0, burst: 1}}", []string{"line 1: limits.user.per_second: got 0; takes a number from 0.001 to 1000000, with three decimals at most"}},
		{"rate without end", "limits: {user: {per_second: .inf, burst: 1}}", []string{"line 1: limits.user.per_second: got .inf; takes"}},
		{"part of a burst", "limits: {user: {per_second: 1, burst: 1.5}}", []string{"line 1: limits.user.burst: got 1.5; takes a whole number from 1 to 1000000"}},
		{"two documents", "limits: {}\n---\nlimits: {}\n", []string{"line 2: a second document begins; takes one"}},
		{"no YAML", "services: [", []string{"yaml: line 1: "}},
		{"no YAML after a document", "services: {}\n---\n]", []string{"yaml: "}},
		{"anchor", "services:\n  notes: &a {}\n  profile: *a\n", []string{"line 2: anchors and aliases are not taken", "line 3: anchors and aliases are not taken"}},
		{"too large", "# " + strings.Repeat("x", 1<<20), []string{"has more than 1048576 bytes"}},
		{"several at once", "services: 1\nroutes: 2\nlimits: {user: 3}\n", []string{
			"line 1: services: got 1; takes a mapping",
			"line 2: routes: got 2; takes a list",
			"line 3: limits.user: got 3; takes a mapping",
			"line 3: limits.user: lacks per_second",
			"line 3: limits.user: lacks burst",
		}},
	}
	for _, test := range tests {
		rules, err := traffic.Parse([]byte(test.text))
		if err == nil {
			t.Errorf("%s: is taken", test.name)
			continue
		}
		got := strings.Split(err.Error(), "\n")
		same := len(got) == len(test.want) && rules == nil
		for i := range min(len(got), len(test.want)) {
			same = same && strings.HasPrefix(got[i], test.want[i])
		}
		if !same {
			t.Errorf("%s:\n got %q\nwant %q", test.name, got, test.want)
		}
	}
}

// A file that means more than it says, and one that is all wrong, cost little.
func TestParseBombs(t *testing.T) {
	t.Parallel()
	laughs := "a0: &a0 [lol]\n"
	for i := range 30 {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 9), ","))
	}
	for name, text := range map[string]string{
		"laughs":      laughs,
		"loop":        "services: &a {notes: *a}",
		"nesting":     strings.Repeat("[", 100_000),
		"nested":      strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		"long key":    "? " + strings.Repeat("x", 500_000) + "\n: 1\n",
		"all wrong":   strings.Repeat("- 1\n", 20_000),
		"wrong items": "routes:\n" + strings.Repeat("- 1\n", 20_000),
	} {
		_, err := traffic.Parse([]byte(text))
		if err == nil || len(err.Error()) > 2000 {
			t.Errorf("%s: %.3000v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		everything, "", "null", "a: &a [*a]", "services: {a: {versions: [{version: b, percent: 1e2}]}}", "? [a]\n: b", "routes: [{route: GET /, timeout: 1h}]",
		"---\n---", "limits: {user: !!map {per_second: !!float 1, burst: 0x10}}", "\xff\xfea\x00", "%YAML 1.1\n---\n", "services: {a: {shadow: {version: 'b', percent: 0.29}}}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := traffic.Parse([]byte(text))
		if (rules == nil) != (err != nil) {
			t.Fatalf("%v, %v", rules, err)
		}
		if err != nil {
			return
		}
		again, err := traffic.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, service := range append(rules.Services(), "") {
			version, except := rules.Pick(service, "u", netip.Addr{}, nil)
			if second, others := again.Pick(service, "u", netip.Addr{}, nil); second != version || !cmp.Equal(except, others) {
				t.Errorf("%s: %q, then %q", service, version, second)
			}
			rules.Shadow(service, version, "GET")
		}
		for method, path := range rules.Routes() {
			route, ok := rules.Route(method, path)
			if !ok || route == (traffic.Route{}) || route.Timeout < 0 || !sound(route.Limit) || !sound(route.Total) {
				t.Errorf("%s %s: %v, %t", method, path, route, ok)
			}
		}
		if !sound(rules.Address()) || !sound(rules.User()) {
			t.Errorf("%v, %v", rules.Address(), rules.User())
		}
	})
}

// sound tells whether a bucket can be made of r, or r says nothing.
func sound(r endpoint.Rate) bool {
	return r == endpoint.Rate{} || r.PerSecond > 0 && !math.IsInf(r.PerSecond, 0) && r.Burst > 0
}
