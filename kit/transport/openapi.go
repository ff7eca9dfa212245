package transport

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/swaggest/jsonschema-go"
	"github.com/swaggest/openapi-go"
	"github.com/swaggest/openapi-go/openapi31"
	"github.com/trellis-go/trellis/kit/fault"
)

// Extensions of an OpenAPI operation that the gateway goes by.
const (
	ExtInternal = "x-internal"   // true: not reachable through the gateway
	ExtRate     = "x-rate-limit" // {"per_second": 50, "burst": 100}
	ExtBodyMax  = "x-body-max"   // bytes
)

// Bearer is the name of the security scheme of access tokens.
const Bearer = "bearer"

// OpenAPI describes routes as an OpenAPI 3.1 document, in JSON, from the types
// of their requests and answers.
func OpenAPI(title string, routes []Route) ([]byte, error) {
	r := openapi31.NewReflector()
	r.Spec.Info.WithTitle(title).WithVersion("1")
	r.Spec.SetHTTPBearerTokenSecurity(Bearer, "JWT", "An access token from /v1/auth/login.")
	r.InlineDefinition(uuid.UUID{})
	answers := map[reflect.Type]bool{}
	reach(reflect.TypeFor[Problem](), answers)
	for _, route := range routes {
		reach(route.Response, answers)
	}
	r.DefaultOptions = append(r.DefaultOptions, schemas(answers)...)
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
	oc, err := r.NewOperationContext(route.Method, route.Path)
	if err != nil {
		return err
	}
	oc.SetID(route.Name)
	oc.SetSummary(route.Doc)
	oc.SetTags(area(route.Path))
	if route.Request != nil && route.Request != noneType {
		oc.AddReqStructure(reflect.New(route.Request).Interface())
	}
	status := func(code int) openapi.ContentOption {
		return func(cu *openapi.ContentUnit) { cu.HTTPStatus = code; cu.Description = http.StatusText(code) }
	}
	if route.Response == nil || route.Response == noneType {
		oc.AddRespStructure(nil, status(route.Status))
	} else {
		oc.AddRespStructure(reflect.New(route.Response).Interface(), status(route.Status))
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
	if route.Hidden {
		op.WithMapOfAnythingItem(ExtInternal, true)
	}
	if route.Rate.PerSecond > 0 {
		op.WithMapOfAnythingItem(ExtRate, map[string]any{"per_second": route.Rate.PerSecond, "burst": route.Rate.Burst})
	}
	if route.BodyMax != defaultBodyMax {
		op.WithMapOfAnythingItem(ExtBodyMax, route.BodyMax)
	}
	if route.Request == nil {
		addPath(op, route.Path)
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

// area is the part of the API that a path belongs to: its first segment that
// is neither a version nor "internal".
func area(path string) string {
	path = strings.TrimPrefix(strings.TrimPrefix(path, "/internal"), "/v1")
	return strings.Split(path, "/")[1]
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

// reach finds the types that an answer is made of.
func reach(t reflect.Type, seen map[reflect.Type]bool) {
	if t == nil || seen[t] {
		return
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		reach(t.Elem(), seen)
	case reflect.Struct:
		seen[reflect.PointerTo(t)] = true
		for i := range t.NumField() {
			reach(t.Field(i).Type, seen)
		}
	}
}

// schemas are the options that make schemas say what the transport does.
// Answers have all of their members but those left out when empty.
func schemas(answers map[reflect.Type]bool) []func(*jsonschema.ReflectContext) {
	return []func(*jsonschema.ReflectContext){
		jsonschema.InterceptSchema(plainSchema),
		jsonschema.InterceptProp(ruleSchema),
		jsonschema.InterceptProp(func(p jsonschema.InterceptPropParams) error {
			tag := p.Field.Tag.Get("json")
			if p.Processed && answers[p.ParentSchema.ReflectType] && tag != "" && !strings.Contains(tag, ",omit") && !slices.Contains(p.ParentSchema.Required, p.Name) {
				p.ParentSchema.Required = append(p.ParentSchema.Required, p.Name)
			}
			return nil
		}),
		jsonschema.InterceptNullability(plainLists),
		jsonschema.InterceptDefName(shortName),
		func(rc *jsonschema.ReflectContext) { rc.EnvelopNullability = true },
	}
}

// plainSchema describes an Optional by what it holds, and a UUID in place.
func plainSchema(p jsonschema.InterceptSchemaParams) (bool, error) {
	if p.Processed || !p.Value.IsValid() || !p.Value.CanInterface() {
		return false, nil
	}
	switch v := p.Value.Interface().(type) {
	case optional:
		r := jsonschema.Reflector{DefaultOptions: schemas(nil)}
		s, err := r.Reflect(reflect.New(v.contentsType()).Elem().Interface(), jsonschema.InlineRefs)
		if err != nil {
			return false, err
		}
		*p.Schema = s
		return true, nil
	case uuid.UUID, *uuid.UUID:
		p.Schema.AddType(jsonschema.String)
		p.Schema.WithFormat("uuid")
		return true, nil
	}
	return false, nil
}

// ruleSchema tells what a field's validate tag demands.
func ruleSchema(p jsonschema.InterceptPropParams) error {
	if !p.Processed {
		return nil
	}
	of := p.PropertySchema
	if in, _ := source(p.Field); in != "" {
		of.RemoveType(jsonschema.Null) // a parameter is there or it is not
	}
	for rule := range strings.SplitSeq(p.Field.Tag.Get("validate"), ",") {
		name, arg, _ := strings.Cut(rule, "=")
		n, _ := strconv.ParseInt(arg, 10, 64)
		text := of.HasType(jsonschema.String)
		switch {
		case name == "required" && p.ParentSchema != nil:
			p.ParentSchema.Required = append(p.ParentSchema.Required, p.Name)
		case name == "max" && text, name == "maxbytes":
			of.WithMaxLength(n)
		case name == "min" && text:
			of.WithMinLength(n)
		case name == "max" && of.HasType(jsonschema.Array):
			of.WithMaxItems(n)
		case name == "min" && of.HasType(jsonschema.Array):
			of.WithMinItems(n)
		case name == "max":
			of.WithMaximum(float64(n))
		case name == "min":
			of.WithMinimum(float64(n))
		case name == "email":
			of.WithFormat("email")
		case name == "oneof":
			of.Enum = nil
			for v := range strings.FieldsSeq(arg) {
				of.Enum = append(of.Enum, v)
			}
		case name == "dive" && of.Items != nil && of.Items.SchemaOrBool != nil:
			of = of.Items.SchemaOrBool.TypeObject // what follows is about the entries
		}
	}
	return nil
}

// plainLists takes back that a list or a map may be null: ours are empty instead.
func plainLists(p jsonschema.InterceptNullabilityParams) {
	if k := p.Type.Kind(); p.NullAdded && (k == reflect.Slice || k == reflect.Map || p.Type.Implements(optionalType)) {
		p.Schema.RemoveType(jsonschema.Null)
	}
}

var optionalType = reflect.TypeFor[optional]()

// shortName names a schema by its Go type, without the package's repetition:
// notes.Note is Note, transport.Page[notes.Note] is NotePage.
func shortName(t reflect.Type, _ string) string {
	name := t.Name()
	if t.PkgPath() == reflect.TypeFor[fault.Field]().PkgPath() {
		return "Problem" + name
	}
	base, arg, generic := strings.Cut(name, "[")
	if !generic {
		return name
	}
	arg = strings.TrimSuffix(arg, "]")
	return arg[strings.LastIndexByte(arg, '.')+1:] + base
}
