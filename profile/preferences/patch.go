package preferences

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"github.com/trellis-go/trellis/kit/fault"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Patch returns the values of a scope as a merge patch (RFC 7396) leaves them:
// null takes back what is set there, or below. Its error names everything in
// the patch that the schema does not take.
func (s *Schema) Patch(values Values, scope Scope, patch map[string]any) (Values, error) {
	p := patching{Schema: s, scope: scope, values: maps.Clone(values)}
	if p.values == nil {
		p.values = Values{}
	}
	p.object("", patch)
	if len(p.wrong) > 0 {
		return nil, fault.Breaks(p.wrong...)
	}
	return p.values, nil
}

type patching struct {
	*Schema
	scope  Scope
	values Values
	wrong  []fault.Field
}

func (p *patching) object(at string, patch map[string]any) {
	for _, name := range sorted(patch) {
		p.member(at+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(name), patch[name])
	}
}

func (p *patching) member(at string, v any) {
	leaf, isLeaf := p.leaves[at]
	below, isObject := v.(map[string]any)
	switch {
	case !isLeaf && !p.objects[at]:
		p.breaks(at, "unknown_field", "is not a field that this takes")
	case v == nil:
		maps.DeleteFunc(p.values, func(set string, _ any) bool { return set == at || strings.HasPrefix(set, at+"/") })
	case !isLeaf && isObject:
		p.object(at, below)
	case !isLeaf:
		p.breaks(at, "wrong_type", "is not an object")
	case !leaf.takes(p.scope):
		p.breaks(at, "not_of_device", "cannot be set for one device")
	default:
		if err := leaf.schema.Validate(v); err != nil {
			code, detail := explain(err)
			p.breaks(at, code, detail)
			return
		}
		p.values[at] = v
	}
}

func (p *patching) breaks(at, code, detail string) {
	p.wrong = append(p.wrong, fault.Field{Pointer: at, Code: code, Detail: detail})
}

// explain says what rule of the schema a value breaks.
func explain(err error) (code, detail string) {
	e, ok := errors.AsType[*jsonschema.ValidationError](err)
	for ok && len(e.Causes) > 0 {
		e = e.Causes[0]
	}
	if !ok {
		return "invalid", "is not valid"
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		return "wrong_type", "is not of type " + strings.Join(k.Want, " or ")
	case *kind.Enum:
		return "not_allowed", "must be one of " + list(k.Want)
	case *kind.Const:
		return "not_allowed", fmt.Sprintf("must be %v", k.Want)
	case *kind.Minimum:
		return "too_small", "must be at least " + k.Want.RatString()
	case *kind.Maximum:
		return "too_large", "may be " + k.Want.RatString() + " at most"
	case *kind.Pattern:
		return "malformed", "does not match " + k.Want
	default:
		return "invalid", k.LocalizedString(message.NewPrinter(language.English))
	}
}

func list(values []any) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprint(v)
	}
	return strings.Join(words, ", ")
}
