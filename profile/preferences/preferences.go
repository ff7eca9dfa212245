// Package preferences knows what a user may prefer: by a JSON Schema, whose
// defaults hold for what nobody chose.
package preferences

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed schema.json
var text []byte

// Scope is where a value comes from. One that is set for a device holds over
// the account's, and that over the default.
type Scope string

const (
	Default Scope = "default"
	Account Scope = "account"
	Device  Scope = "device"
)

// Values are what a user chose in one scope: true, false, numbers (float64)
// and texts by their JSON pointers, "/editor/font_size".
type Values map[string]any

// Schema is the schema, ready to be used.
type Schema struct {
	leaves  map[string]leaf
	objects map[string]bool // pointers of what has values below it
}

// leaf is one value that may be preferred.
type leaf struct {
	schema    *jsonschema.Schema
	scopes    []string // beside the account's
	otherwise any
}

// Text is the schema as it is published.
func Text() []byte { return text }

// Load reads the schema.
func Load() (*Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("preferences: %w", err)
	}
	const at = "schema.json"
	c := jsonschema.NewCompiler()
	if err := c.AddResource(at, doc); err != nil {
		return nil, fmt.Errorf("preferences: %w", err)
	}
	compiled, err := c.Compile(at)
	if err != nil {
		return nil, fmt.Errorf("preferences: %w", err)
	}
	s := &Schema{leaves: map[string]leaf{}, objects: map[string]bool{}}
	return s, s.walk("", compiled, doc.(map[string]any), nil)
}

// walk notes what is at a pointer and below.
func (s *Schema) walk(at string, c *jsonschema.Schema, doc map[string]any, scopes []string) error {
	if list, ok := doc["x-scopes"].([]any); ok {
		scopes = nil
		for _, scope := range list {
			scopes = append(scopes, fmt.Sprint(scope))
		}
	}
	if len(c.Properties) == 0 {
		if c.Default == nil {
			return fmt.Errorf("preferences: %s has no default", at)
		}
		if err := c.Validate(*c.Default); err != nil {
			return fmt.Errorf("preferences: the default of %s: %w", at, err)
		}
		s.leaves[at] = leaf{c, scopes, plain(*c.Default)}
		return nil
	}
	s.objects[at] = true
	properties := doc["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(c.Properties)) {
		if err := s.walk(at+"/"+name, c.Properties[name], properties[name].(map[string]any), scopes); err != nil {
			return err
		}
	}
	return nil
}

// Effective returns what holds, in the schema's shape, and where each value
// comes from, by its pointer. Values that the schema no longer takes do not
// count, nor those of a device that are not for devices.
func (s *Schema) Effective(account, device Values) (values map[string]any, sources map[string]Scope) {
	values, sources = map[string]any{}, map[string]Scope{}
	for at, l := range s.leaves {
		v, from := l.otherwise, Default
		if set, ok := account[at]; ok && l.schema.Validate(set) == nil {
			v, from = set, Account
		}
		if set, ok := device[at]; ok && l.takes(Device) && l.schema.Validate(set) == nil {
			v, from = set, Device
		}
		sources[at] = from
		put(values, at, v)
	}
	return values, sources
}

func (l leaf) takes(scope Scope) bool {
	return scope == Account || slices.Contains(l.scopes, string(scope))
}

// put sets the value at a pointer. The schema's names need no escaping.
func put(in map[string]any, at string, v any) {
	names := strings.Split(at[1:], "/")
	for _, name := range names[:len(names)-1] {
		below, ok := in[name].(map[string]any)
		if !ok {
			below = map[string]any{}
			in[name] = below
		}
		in = below
	}
	in[names[len(names)-1]] = v
}

// plain makes a number what JSON and BSON both give back.
func plain(v any) any {
	if n, ok := v.(interface{ Float64() (float64, error) }); ok {
		f, err := n.Float64()
		if err == nil {
			return f
		}
	}
	return v
}

// sorted returns a patch's names in their order, so that errors have one.
func sorted(m map[string]any) []string {
	return slices.SortedFunc(maps.Keys(m), cmp.Compare[string])
}
