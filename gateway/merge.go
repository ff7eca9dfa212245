package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/trellis-go/trellis/kit/transport"
)

// merge makes one OpenAPI document of the services', by their names: of what
// the gateway routes of each of them, and of the components which that needs.
// Components of one name share it when they are equal; else the first service
// by name keeps it and the others' are called <Service><Name>. Security
// schemes are the first's too. A document that cannot be read is left out and
// named in the error, beside which the merge of the others is returned.
func merge(docs map[string][]byte) ([]byte, error) {
	m := merger{
		claims:     newClaims(),
		ids:        map[string]bool{},
		paths:      object{},
		components: map[component]any{},
	}
	var errs []error
	for service, text := range sorted(docs) {
		if err := m.add(service, text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", service, err))
		}
	}
	merged, err := json.Marshal(object{
		"openapi":    "3.1.0",
		"info":       object{"title": "Trellis", "version": "1"},
		"servers":    []any{object{"url": "/"}},
		"paths":      m.paths,
		"components": m.allComponents(),
	})
	return merged, errors.Join(append(errs, err)...)
}

type merger struct {
	claims     claims
	ids        map[string]bool // operations'
	paths      object
	components map[component]any
}

// component is the place of something in an OpenAPI document's components.
type component struct{ kind, name string }

const (
	securitySchemes = "securitySchemes"
	deepest         = 100 // levels of JSON
)

func (m *merger) add(service string, text []byte) error {
	var routed document
	if err := json.Unmarshal(text, &routed); err != nil {
		return err
	}
	whole, err := decodeObject(text)
	if err != nil {
		return err
	}
	if deeper(whole, deepest) {
		return fmt.Errorf("is nested more than %d levels deep", deepest)
	}
	items, components := member(whole, "paths"), member(whole, "components")
	for name, scheme := range member(components, securitySchemes) {
		if c := (component{securitySchemes, name}); m.components[c] == nil {
			m.components[c] = scheme
		}
	}
	kept := map[operation]object{}
	needed := map[component]any{}
	for _, op := range routed.operations() {
		description := member(items, op.path, strings.ToLower(op.method))
		if description == nil || m.claims.take(op) != nil {
			continue
		}
		kept[op] = m.operation(service, op, description, whole)
		need(needed, components, kept[op])
	}
	names := m.rename(service, needed)
	for c, v := range needed {
		if name, ok := names[c]; ok {
			c.name = name
		}
		m.components[c] = rewrite(v, names)
	}
	for op, description := range kept {
		item := member(m.paths, op.path)
		if item == nil {
			item = object{}
			m.paths[op.path] = item
		}
		item[strings.ToLower(op.method)] = rewrite(description, names)
	}
	return nil
}

// operation is an operation as the gateway serves it: all that its document
// and its path say for it is in the operation itself.
func (m *merger) operation(service string, op operation, description, whole object) object {
	o := maps.Clone(description)
	delete(o, "servers")

	id := service + "." + op.id
	for n := 2; m.ids[id]; n++ {
		id = service + "." + op.id + "_" + strconv.Itoa(n)
	}
	m.ids[id] = true
	o["operationId"] = id

	tags := slices.DeleteFunc(slices.Clone(list(o["tags"])), func(tag any) bool { s, _ := tag.(string); return s == "" })
	if len(tags) == 0 {
		tags = []any{service}
	}
	o["tags"] = tags

	var parameters []any
	said := map[string]bool{}
	for _, p := range slices.Concat(list(o["parameters"]), list(member(whole, "paths", op.path)["parameters"])) {
		named := deref(whole, p)
		if key := text(named["in"]) + " " + text(named["name"]); named != nil && !said[key] {
			said[key] = true
			parameters = append(parameters, p)
		}
	}
	delete(o, "parameters")
	if parameters != nil {
		o["parameters"] = parameters
	}

	o["security"] = m.security(op, o, whole)
	o[transport.ExtRate] = object{"per_second": op.rate.PerSecond, "burst": op.rate.Burst}
	return o
}

// security is what the gateway asks for, whatever else the service does.
func (m *merger) security(op operation, description, whole object) []any {
	if op.public {
		return []any{}
	}
	said, ok := description["security"].([]any)
	if !ok {
		said = list(whole["security"])
	}
	schemes := slices.DeleteFunc(slices.Clone(said), func(v any) bool { o, _ := v.(object); return len(o) == 0 })
	if len(schemes) > 0 {
		return schemes
	}
	if c := (component{securitySchemes, transport.Bearer}); m.components[c] == nil {
		m.components[c] = object{"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
	}
	return []any{object{transport.Bearer: []any{}}}
}

// rename gives new names to the components whose names others have, and to
// those whose names equal ones have that are no longer equal once what they
// refer to has a new name.
func (m *merger) rename(service string, components map[component]any) map[component]string {
	users := map[component][]component{}
	for c, v := range components {
		eachRef(v, func(used component) { users[used] = append(users[used], c) })
	}
	names := map[component]string{}
	var differs func(component)
	differs = func(c component) {
		if _, known := names[c]; known || m.components[c] == nil {
			return
		}
		names[c] = ""
		for _, user := range users[c] {
			differs(user)
		}
	}
	for c, v := range components {
		if !reflect.DeepEqual(v, m.components[c]) {
			differs(c)
		}
	}
	given := map[component]bool{}
	taken := func(c component) bool { return m.components[c] != nil || components[c] != nil || given[c] }
	for _, c := range slices.SortedFunc(maps.Keys(names), component.compare) {
		base := camel(service) + c.name
		name := base
		for n := 2; taken(component{c.kind, name}); n++ {
			name = base + strconv.Itoa(n)
		}
		names[c] = name
		given[component{c.kind, name}] = true
	}
	return names
}

func (c component) compare(d component) int {
	if byKind := strings.Compare(c.kind, d.kind); byKind != 0 {
		return byKind
	}
	return strings.Compare(c.name, d.name)
}

func (m *merger) allComponents() object {
	all := object{}
	for c, v := range m.components {
		if member(all, c.kind) == nil {
			all[c.kind] = object{}
		}
		member(all, c.kind)[c.name] = v
	}
	return all
}

// need adds the components that v refers to, and that these refer to.
func need(needed map[component]any, components object, v any) {
	eachRef(v, func(c component) {
		found := member(components, c.kind)[c.name]
		if _, known := needed[c]; known || found == nil || c.kind == securitySchemes {
			return
		}
		needed[c] = found
		need(needed, components, found)
	})
}

const componentRef = "#/components/"

// parseRef takes a reference to a component, or to something in it, apart.
// Names of components need no escapes, by the specification.
func parseRef(s string) (c component, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, componentRef)
	if !ok {
		return c, "", false
	}
	c.kind, s, ok = strings.Cut(s, "/")
	c.name = s
	if i := strings.IndexByte(s, '/'); i >= 0 {
		c.name, rest = s[:i], s[i:]
	}
	return c, rest, ok && c.name != ""
}

// eachRef calls f with every component that v refers to. A reference is any
// string that looks like one: discriminators have them under keys of their own.
func eachRef(v any, f func(component)) {
	switch v := v.(type) {
	case object:
		for _, inner := range v {
			eachRef(inner, f)
		}
	case []any:
		for _, inner := range v {
			eachRef(inner, f)
		}
	case string:
		if c, _, ok := parseRef(v); ok {
			f(c)
		}
	}
}

// rewrite copies v, with references to the renamed components by their new names.
func rewrite(v any, names map[component]string) any {
	switch v := v.(type) {
	case object:
		out := make(object, len(v))
		for k, inner := range v {
			out[k] = rewrite(inner, names)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = rewrite(inner, names)
		}
		return out
	case string:
		if c, rest, ok := parseRef(v); ok && names[c] != "" {
			return componentRef + c.kind + "/" + names[c] + rest
		}
	}
	return v
}

// camel makes "note-taking" NoteTaking.
func camel(name string) string {
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// object is a JSON object whose shape nobody vouches for. What it lacks, or
// has in another shape, reads as empty.
type object = map[string]any

func decodeObject(text []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var o object
	if err := d.Decode(&o); err != nil {
		return nil, err
	}
	if o == nil {
		return nil, errors.New("is no JSON object")
	}
	return o, nil
}

func deeper(v any, levels int) bool {
	if levels < 0 {
		return true
	}
	within := func(inner any) bool { return deeper(inner, levels-1) }
	switch v := v.(type) {
	case object:
		for _, inner := range v {
			if within(inner) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, within)
	}
	return false
}

func member(o object, keys ...string) object {
	for _, k := range keys {
		o, _ = o[k].(object)
	}
	return o
}

func list(v any) []any { l, _ := v.([]any); return l }

func text(v any) string { s, _ := v.(string); return s }

// deref follows v's reference to a component, and that one's, a few times.
func deref(whole object, v any) object {
	o, _ := v.(object)
	for range 8 {
		ref, ok := o["$ref"].(string)
		if !ok {
			return o
		}
		c, rest, ok := parseRef(ref)
		if !ok || rest != "" {
			return nil
		}
		o = member(whole, "components", c.kind, c.name)
	}
	return nil
}
