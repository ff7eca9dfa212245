package transport

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/swaggest/jsonschema-go"
	"github.com/swaggest/openapi-go"
	"github.com/swaggest/openapi-go/openapi31"
)

// Extensions of an OpenAPI operation that the gateway goes by.
const (
	ExtInternal = "x-internal"   // true: not reachable through the gateway
	ExtRate     = "x-rate-limit" // {"per_second": 50, "burst": 100}
	ExtBodyMax  = "x-body-max"   // bytes
	ExtTimeout  = "x-timeout"    // seconds in which the answer must begin
	ExtRepeats  = "x-repeatable" // true: may be sent twice, though it is no read
	ExtHedges   = "x-hedged"     // true: a late read is sent to a second instance
	ExtShares   = "x-shared"     // true: the same answer for all callers
	ExtPage     = "x-page"       // true: for browsers, and no part of the API
)

// Bearer is the name of the security scheme of access tokens.
const Bearer = "bearer"

// OpenAPI describes routes as an OpenAPI 3.1 document, in JSON, from the types
// of their requests and answers.
func OpenAPI(title string, routes []Route) ([]byte, error) {
	r := openapi31.NewReflector()
	r.Spec.Info.WithTitle(title).WithVersion("1")
	r.Spec.SetHTTPBearerTokenSecurity(Bearer, "JWT", "An access token.")
	requests, answers := map[reflect.Type]bool{}, map[reflect.Type]bool{}
	reach(reflect.TypeFor[Problem](), answers)
	for _, route := range routes {
		reach(route.Request, requests)
		reach(route.Response, answers)
	}
	for t := range requests {
		if holds, ok := contentsOf(t); ok { // an Optional is described by what it holds
			r.AddTypeMapping(reflect.Zero(t).Interface(), reflect.New(holds).Interface())
		}
	}
	r.InlineDefinition(uuid.UUID{})
	r.InlineDefinition(jsontext.Value{})
	r.DefaultOptions = append(r.DefaultOptions,
		jsonschema.InterceptSchema(byteSchema),
		jsonschema.InterceptProp(ruleSchema),
		jsonschema.InterceptProp(wholeSchema(answers)),
		jsonschema.InterceptNullability(plainNulls),
		jsonschema.InterceptDefName(shortName),
		func(rc *jsonschema.ReflectContext) { rc.EnvelopNullability = true })
	named := map[string]string{}
	for _, route := range routes {
		if other, taken := named[route.Name]; taken {
			return nil, fmt.Errorf("%s and %s are both named %s: give one another name with Named", other, route.Path, route.Name)
		}
		named[route.Name] = route.Path
		if err := describe31(r, route); err != nil {
			return nil, err
		}
	}
	return r.Spec.MarshalJSON()
}

func describe31(r *openapi31.Reflector, route Route) error {
	path := strings.TrimSuffix(strings.ReplaceAll(route.Path, "...}", "}"), "{$}")
	oc, err := r.NewOperationContext(route.Method, path)
	if err != nil {
		return err
	}
	oc.SetID(route.Name)
	oc.SetSummary(route.Doc)
	oc.SetTags(area(path, r.Spec.Info.Title))
	if route.Request != nil && route.Request != noneType {
		oc.AddReqStructure(reflect.New(route.Request).Interface())
	}
	status := func(code int) openapi.ContentOption {
		return func(cu *openapi.ContentUnit) { cu.HTTPStatus = code; cu.Description = http.StatusText(code) }
	}
	for _, code := range []int{route.Status, route.Other} {
		switch {
		case code == 0:
		case route.Media != "":
			oc.AddRespStructure("", status(code), func(cu *openapi.ContentUnit) { cu.ContentType = route.Media })
		case route.Response == nil || route.Response == noneType || route.Status == http.StatusNoContent || code == http.StatusNoContent:
			oc.AddRespStructure(nil, status(code))
		default:
			oc.AddRespStructure(reflect.New(route.Response).Interface(), status(code))
		}
	}
	oc.AddRespStructure(new(Problem), func(cu *openapi.ContentUnit) {
		cu.ContentType = problemType
		cu.Description = "What went wrong."
		cu.IsDefault = true
	})
	op := oc.(openapi31.OperationExposer).Operation()
	if route.Anonymous {
		op.WithMapOfAnythingItem("security", []any{}) // in op.Security an empty list would be left out, and that says nothing
	} else {
		oc.AddSecurity(Bearer)
	}
	if route.Rate.PerSecond > 0 {
		op.WithMapOfAnythingItem(ExtRate, map[string]any{"per_second": route.Rate.PerSecond, "burst": route.Rate.Burst})
	}
	if route.BodyMax != defaultBodyMax {
		op.WithMapOfAnythingItem(ExtBodyMax, route.BodyMax)
	}
	if route.Timeout > 0 {
		op.WithMapOfAnythingItem(ExtTimeout, route.Timeout.Seconds())
	}
	for name, is := range map[string]bool{ExtInternal: route.Hidden, ExtRepeats: route.Repeats, ExtHedges: route.Hedges, ExtShares: route.Shares, ExtPage: route.Media != ""} {
		if is {
			op.WithMapOfAnythingItem(name, true)
		}
	}
	if route.Request == nil {
		addPath(op, path)
	}
	if route.idempotent() {
		addHeader(op, "Idempotency-Key", "Repeats of this request with the same key get the first one's answer, for 24 hours.")
	}
	if err := r.AddOperation(oc); err != nil {
		return err
	}
	if route.Request != nil {
		demand(op, route)
	}
	return nil
}

// area is the part of the API that a path belongs to: the segment behind its
// version, or the service when it has none.
func area(path, service string) string {
	if rest, ok := strings.CutPrefix(strings.TrimPrefix(path, "/internal"), "/v1/"); ok {
		return strings.Split(rest, "/")[0]
	}
	return service
}

// demand marks what a request must have, and as what a body may come.
func demand(op *openapi31.Operation, route Route) {
	required, body := map[string]bool{}, false
	for _, f := range reflect.VisibleFields(route.Request) {
		must := slices.Contains(strings.Split(f.Tag.Get("validate"), ","), "required")
		if _, ok := reflect.Zero(f.Type).Interface().(missing); ok && f.Type.Kind() != reflect.Pointer {
			must = true
		}
		if in, _ := source(f); in != "" {
			required[in+" "+f.Tag.Get(in)] = must
		} else {
			body = body || must
		}
	}
	op.Parameters = slices.DeleteFunc(op.Parameters, func(p openapi31.ParameterOrReference) bool {
		return p.Parameter.Name == "User-Agent" // every client sends it; nobody needs to be told
	})
	for _, p := range op.Parameters {
		if required[string(p.Parameter.In)+" "+p.Parameter.Name] {
			p.Parameter.WithRequired(true)
		}
	}
	if op.RequestBody == nil {
		return
	}
	of := op.RequestBody.RequestBody
	if body {
		of.WithRequired(true)
	}
	if route.Method == http.MethodPatch {
		of.Content["application/merge-patch+json"] = of.Content["application/json"]
	}
}

// addPath declares the parameters of a path that no request type does.
func addPath(op *openapi31.Operation, path string) {
	for part := range strings.SplitSeq(path, "{") {
		if name, _, ok := strings.Cut(part, "}"); ok {
			p := openapi31.Parameter{Name: name, In: openapi31.ParameterInPath, Schema: map[string]any{"type": "string"}}
			p.WithRequired(true)
			op.Parameters = append(op.Parameters, openapi31.ParameterOrReference{Parameter: &p})
		}
	}
}

func addHeader(op *openapi31.Operation, name, doc string) {
	p := openapi31.Parameter{Name: name, In: openapi31.ParameterInHeader, Schema: map[string]any{"type": "string"}}
	p.WithDescription(doc)
	op.Parameters = append(op.Parameters, openapi31.ParameterOrReference{Parameter: &p})
}
