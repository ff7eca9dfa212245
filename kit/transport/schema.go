package transport

import (
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/swaggest/jsonschema-go"
	"github.com/trellis-go/trellis/kit/fault"
)

// Schema describes what a service sends of a type, in the way of OpenAPI. The
// types that it is made of, itself too, are added to definitions by the names
// of their package and their own, "notes.Note"; references lead there behind
// prefix.
func Schema(t reflect.Type, prefix string, definitions map[string]jsonschema.Schema) (jsonschema.Schema, error) {
	sent := map[reflect.Type]bool{}
	reach(t, sent)
	var twice error
	r := jsonschema.Reflector{}
	r.InlineDefinition(uuid.UUID{})
	schema, err := r.Reflect(reflect.New(t).Interface(),
		jsonschema.RootRef,
		jsonschema.DefinitionsPrefix(prefix),
		jsonschema.CollectDefinitions(func(name string, schema jsonschema.Schema) {
			if other, taken := definitions[name]; taken && other.ReflectType != schema.ReflectType {
				twice = fmt.Errorf("%s and %s are both named %s", other.ReflectType, schema.ReflectType, name)
			}
			definitions[name] = schema
		}),
		jsonschema.InterceptSchema(byteSchema),
		jsonschema.InterceptProp(ruleSchema),
		jsonschema.InterceptProp(wholeSchema(sent)),
		jsonschema.InterceptNullability(plainNulls),
		jsonschema.InterceptDefName(func(t reflect.Type, name string) string { return path.Base(t.PkgPath()) + "." + shortName(t, name) }),
		func(rc *jsonschema.ReflectContext) { rc.EnvelopNullability = true })
	return schema, errors.Join(err, twice)
}

// reach finds the types that a request or an answer is made of.
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

// byteSchema describes what to reflection is a list of bytes: a UUID, and JSON of any kind.
func byteSchema(p jsonschema.InterceptSchemaParams) (bool, error) {
	if p.Processed || !p.Value.IsValid() || !p.Value.CanInterface() {
		return false, nil
	}
	switch p.Value.Interface().(type) {
	case uuid.UUID, *uuid.UUID:
		p.Schema.AddType(jsonschema.String)
		p.Schema.WithFormat("uuid")
		return true, nil
	case jsontext.Value, *jsontext.Value: // any JSON
		return true, nil
	}
	return false, nil
}

// wholeSchema tells that answers have all of their members but those that are
// left out when empty.
func wholeSchema(answers map[reflect.Type]bool) jsonschema.InterceptPropFunc {
	return func(p jsonschema.InterceptPropParams) error {
		tag := p.Field.Tag.Get("json")
		if p.Processed && answers[p.ParentSchema.ReflectType] && tag != "" && !strings.Contains(tag, ",omit") && !slices.Contains(p.ParentSchema.Required, p.Name) {
			p.ParentSchema.Required = append(p.ParentSchema.Required, p.Name)
		}
		return nil
	}
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

// plainNulls takes back that a list or a map may be null, as ours are empty
// instead, and lets an Optional be null whose value may.
func plainNulls(p jsonschema.InterceptNullabilityParams) {
	t := p.Type
	if holds, ok := contentsOf(t); ok {
		if t = holds; t.Kind() == reflect.Pointer {
			p.Schema.AddType(jsonschema.Null)
		}
	}
	if len(p.Schema.AnyOf) == 2 { // null or a reference: what the reference leads to says its type
		p.Schema.Type, p.Schema.AnyOf[1].TypeObject.Type = nil, nil
	}
	if k := t.Kind(); p.NullAdded && (k == reflect.Slice || k == reflect.Map) {
		p.Schema.RemoveType(jsonschema.Null)
	}
}

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
