package gateway

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/trellis-go/trellis/kit/endpoint"
)

// document is what the gateway goes by in a service's OpenAPI document.
type document struct {
	Paths    map[string]map[string]jsontext.Value `json:"paths"`
	Security *[]map[string]any                    `json:"security"`
}

type operationObject struct {
	ID       string            `json:"operationId"`
	Security *[]map[string]any `json:"security"`
	Internal bool              `json:"x-internal"`
	BodyMax  int64             `json:"x-body-max"`
	Timeout  float64           `json:"x-timeout"`
	Repeats  bool              `json:"x-repeatable"`
	Hedges   bool              `json:"x-hedged"`
	Shares   bool              `json:"x-shared"`
	Rate     *struct {
		PerSecond float64 `json:"per_second"`
		Burst     int     `json:"burst"`
	} `json:"x-rate-limit"`
}

// operation is one endpoint behind the gateway.
type operation struct {
	method, path, id string
	public           bool
	rate             endpoint.Rate
	bodyMax          int64
	timeout          time.Duration
	repeats, hedges  bool
	shared           bool // its GET's answer is the same for all callers
}

func (o operation) reads() bool { return o.method == http.MethodGet || o.method == http.MethodHead }

const (
	defaultBodyMax = 1 << 20
	largestBodyMax = 1 << 30
	longestTimeout = time.Hour
)

var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// operations are those of the document that the world may reach. One is
// public only if it, or the document for it, says that it needs no security
// ("security": []); what says nothing needs a token.
func (d document) operations() (ops []operation) {
	for path, item := range sorted(d.Paths) {
		if !routable(path) {
			continue
		}
		shared := false
		for _, method := range methods {
			text, ok := item[strings.ToLower(method)]
			if !ok {
				continue
			}
			var o operationObject
			if json.Unmarshal(text, &o) != nil || o.Internal {
				continue
			}
			op := operation{method: method, path: path, id: o.ID, rate: endpoint.DefaultRate, bodyMax: defaultBodyMax}
			if op.id == "" {
				op.id = strings.ToLower(method) + " " + path
			}
			security := o.Security
			if security == nil {
				security = d.Security
			}
			op.public = security != nil && len(*security) == 0
			if o.Rate != nil && o.Rate.PerSecond > 0 && o.Rate.Burst > 0 {
				op.rate = endpoint.Rate{PerSecond: o.Rate.PerSecond, Burst: o.Rate.Burst}
			}
			shared = shared || o.Shares && method == http.MethodGet // methods begins with it
			op.repeats, op.hedges, op.shared = o.Repeats, o.Hedges, shared
			if o.Timeout > 0 {
				op.timeout = time.Duration(min(o.Timeout, longestTimeout.Seconds()) * float64(time.Second))
			}
			if o.BodyMax > 0 {
				op.bodyMax = min(o.BodyMax, largestBodyMax)
			}
			ops = append(ops, op)
		}
	}
	return ops
}

// pathTemplate is what both OpenAPI and net/http understand: segments that
// are plain or one whole {name}.
var pathTemplate = regexp.MustCompile(`^(/|(/([A-Za-z0-9._~!$&'()*+,;=:@-]+|\{[A-Za-z_][A-Za-z0-9_]*\}))+/?)$`)

func routable(path string) bool {
	return pathTemplate.MatchString(path) && !own[path] && path != "/internal" && !strings.HasPrefix(path, "/internal/") &&
		!strings.Contains(path, "/./") && !strings.Contains(path, "/../")
}

// pattern is a path for net/http's mux, to which one that ends in a slash
// would mean all that is below it too.
func pattern(path string) string {
	if strings.HasSuffix(path, "/") {
		return path + "{$}"
	}
	return path
}

// unpattern is the path that a pattern was made of.
func unpattern(pattern string) string { return strings.TrimSuffix(pattern, "{$}") }

// claims are the requests that operations have been given.
type claims struct {
	mux   *http.ServeMux // knows which path patterns collide
	taken map[string]bool
}

func newClaims() claims { return claims{http.NewServeMux(), map[string]bool{}} }

// take gives an operation its requests, or says with which other it collides.
func (c claims) take(op operation) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	if !c.taken[op.path] {
		c.mux.Handle(pattern(op.path), http.NotFoundHandler())
		c.taken[op.path] = true
	}
	claim := op.method + " " + op.path
	if c.taken[claim] {
		return errors.New(claim + " is taken")
	}
	c.taken[claim] = true
	return nil
}

func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
