package traffic

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/trellis-go/trellis/kit/endpoint"
)

// Parse reads rules:
//
//	services:
//	  notes:
//	    versions:                    # the others get the rest
//	      - version: "2.0.0"
//	        percent: 10              # of users, who stay with it
//	        header: "X-Canary: yes"  # and whoever sends this
//	    shadow: {service: notes-next, percent: 5}  # or {version: "2.1.0", percent: 5}, for reads
//	routes:
//	  - route: GET /v1/notes/{id}    # as in /openapi.json
//	    timeout: 2s
//	    limit: {per_second: 5, burst: 10}          # for each caller, instead of the row's own
//	    total: {per_second: 1000, burst: 2000}     # for all callers together
//	limits:                          # over all routes
//	  address: {per_second: 100, burst: 200}
//	  user: {per_second: 100, burst: 200}
//
// Any part may be missing, and all of it. What is wrong is told by line and
// key, all at once; what isn't understood is wrong.
func Parse(text []byte) (*Rules, error) {
	d, err := parse(text)
	if err != nil {
		return nil, err
	}
	r := &Rules{services: map[string]*split{}, routes: map[operation]Route{}}
	if d.root == nil {
		return r, nil
	}
	d.value(d.root).object(
		field{"services", func(v value) { v.each(r.readService) }},
		field{"routes", func(v value) { v.list(r.readRoute) }},
		field{"limits", func(v value) {
			v.object(
				field{"address", func(v value) { r.address = v.rate() }},
				field{"user", func(v value) { r.user = v.rate() }},
			)
		}},
	)
	if err := d.err(); err != nil {
		return nil, err
	}
	return r, nil
}

var (
	serviceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	versionName = regexp.MustCompile(`^[A-Za-z0-9._+()-]{1,128}$`)
)

const (
	takesService = `the name of a service: letters, digits, "-", "_" and "."`
	takesVersion = `a version in quotes, such as "2.0.0": letters, digits and "-", "_", ".", "+", "(", ")"`
)

func (v value) service() string { return v.matching(serviceName, takesService) }
func (v value) version() string { return v.matching(versionName, takesVersion) }

func (v value) matching(pattern *regexp.Regexp, what string) string {
	text, ok := v.text(what)
	if ok && !pattern.MatchString(text) {
		v.takes(what)
	}
	return text
}

func (r *Rules) readService(name string, v value) {
	if !serviceName.MatchString(name) {
		v.wrong("takes " + takesService)
	}
	s := new(split)
	v.object(
		field{"versions", s.readVersions},
		field{"shadow", func(v value) { s.readShadow(v, name) }},
	)
	s.compile(name)
	r.services[name] = s
}

func (s *split) readVersions(v value) {
	v.list(s.readVersion)
	sum := 0
	for _, version := range s.versions {
		sum += version.percent
	}
	if sum > whole {
		v.wrong("the percentages are more than 100 together")
	}
}

func (s *split) readVersion(v value) {
	var to version
	has := v.object(
		field{"version", func(v value) { to.name = v.version() }},
		field{"percent", func(v value) { to.percent = v.percent() }},
		field{"header", func(v value) { to.header, to.value = v.header() }},
	)
	switch {
	case !has["version"]:
		v.wrong("lacks version")
	case !has["percent"] && !has["header"]:
		v.wrong("lacks percent or header")
	case to.name != "" && slices.ContainsFunc(s.versions, func(other version) bool { return other.name == to.name }):
		v.wrong("version " + to.name + " is in the list already")
	}
	s.versions = append(s.versions, to)
}

func (s *split) readShadow(v value, service string) {
	has := v.object(
		field{"service", func(v value) {
			if s.shadow.Service = v.service(); s.shadow.Service == service {
				v.wrong("is the service itself; takes another, or version instead")
			}
		}},
		field{"version", func(v value) { s.shadow = Shadow{service, v.version()} }},
		field{"percent", func(v value) { s.copied = v.percent() }},
	)
	if has["service"] == has["version"] {
		v.wrong("takes either service or version")
	}
	if !has["percent"] {
		v.wrong("lacks percent")
	}
}

func (v value) percent() int {
	f := v.number(0, 100, 100, "a number from 0 to 100, with two decimals at most")
	return int(f*100 + 0.5)
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// hidden are headers that net/http keeps elsewhere.
var hidden = map[string]bool{"Host": true, "Transfer-Encoding": true, "Trailer": true}

func (v value) header() (name, content string) {
	const what = `a header such as "X-Canary: yes"`
	text, ok := v.text(what)
	if !ok {
		return "", ""
	}
	name, content, _ = strings.Cut(text, ":")
	name, content = http.CanonicalHeaderKey(strings.TrimSpace(name)), strings.TrimSpace(content)
	if !headerName.MatchString(name) || content == "" || hidden[name] {
		v.takes(what)
	}
	return name, content
}

// operationText is a method and a path as in an OpenAPI document.
var operationText = regexp.MustCompile(`^(GET|HEAD|POST|PUT|PATCH|DELETE) (/[^\s?#]*)$`)

func (r *Rules) readRoute(v value) {
	var route Route
	var op operation
	has := v.object(
		field{"route", func(v value) { op = v.operation() }},
		field{"timeout", func(v value) { route.Timeout = v.duration() }},
		field{"limit", func(v value) { route.Limit = v.rate() }},
		field{"total", func(v value) { route.Total = v.rate() }},
	)
	_, twice := r.routes[op]
	switch {
	case !has["route"]:
		v.wrong("lacks route")
	case len(has) == 1:
		v.wrong("lacks timeout, limit or total")
	case twice && op.path != "":
		v.wrong(op.method + " " + op.path + " is in the list already")
	}
	r.routes[op] = route
	r.order = append(r.order, op)
}

func (v value) operation() operation {
	const what = "a method and a path as in /openapi.json, such as GET /v1/notes/{id}"
	text, ok := v.text(what)
	if !ok {
		return operation{}
	}
	parts := operationText.FindStringSubmatch(text)
	if parts == nil {
		v.takes(what)
		return operation{}
	}
	return operation{parts[1], parts[2]}
}

const (
	shortest = time.Millisecond
	longest  = time.Hour
)

func (v value) duration() time.Duration {
	const what = "a time such as 500ms or 2s, up to 1h"
	text, ok := v.text(what)
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < shortest || d > longest {
		v.takes(what)
	}
	return d
}

func (v value) rate() (r endpoint.Rate) {
	has := v.object(
		field{"per_second", func(v value) {
			r.PerSecond = v.number(0.001, 1e6, 1000, "a number from 0.001 to 1000000, with three decimals at most")
		}},
		field{"burst", func(v value) {
			r.Burst = int(v.number(1, 1e6, 1, "a whole number from 1 to 1000000"))
		}},
	)
	for _, name := range []string{"per_second", "burst"} {
		if !has[name] {
			v.wrong("lacks " + name)
		}
	}
	return r
}
