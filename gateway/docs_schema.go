package gateway

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (d *docs) schema(v any) docsSchema {
	s := docsSchema{Text: clip(text(d.resolve(v)["description"]), longestText), Type: d.words(v, 0)}
	d.addFields(&s.Fields, "", v, 0)
	if example, ok := d.example(v); ok {
		s.Example = sample(example)
	}
	return s
}

func (d *docs) field(name string, v any, required bool) docsField {
	d.left--
	o := d.here(v)
	f := docsField{
		Name: clip(name, longestName), Required: required,
		Type: d.words(v, 0), Rules: rules(o), Text: clip(text(o["description"]), longestText),
	}
	if required {
		f.Presence = "required"
	}
	for _, r := range rules(d.here(o["items"])) {
		f.Rules = append(f.Rules, docsRule{"each " + r.Words, r.Values})
	}
	return f
}

// here is what is told of v where it stands, and not where a link leads.
func (d *docs) here(v any) object {
	if o, _ := v.(object); d.schemas[refName(o)] != "" {
		return o
	}
	return d.resolve(v)
}

// addFields adds the members of v, and those of the objects within that have no name of their own.
func (d *docs) addFields(rows *[]docsField, prefix string, v any, depth int) {
	o := d.resolve(v)
	if items, ok := o["items"]; ok && depth < deepestFields {
		d.addFields(rows, prefix+"[].", items, depth+1)
		return
	}
	properties, required := d.properties(o, 0)
	names := slices.SortedFunc(maps.Keys(properties), func(a, b string) int {
		return cmp.Or(rank(required[a])-rank(required[b]), strings.Compare(a, b))
	})
	for _, name := range names {
		if d.left <= 0 {
			return
		}
		*rows = append(*rows, d.field(prefix+name, properties[name], required[name]))
		inner, _ := properties[name].(object)
		within := prefix + name
		for inner["items"] != nil {
			inner, _ = inner["items"].(object)
			within += "[]"
		}
		if inner["properties"] != nil && depth < deepestFields {
			d.addFields(rows, within+".", inner, depth+1)
		}
	}
}

func rank(first bool) int {
	if first {
		return 0
	}
	return 1
}

// properties are those of an object, of all that it is at once, and of all
// that it may be, of which none is required.
func (d *docs) properties(o object, depth int) (object, map[string]bool) {
	all, required := object{}, map[string]bool{}
	maps.Copy(all, member(o, "properties"))
	d.left -= len(all)
	for _, name := range list(o["required"]) {
		required[text(name)] = true
	}
	for _, key := range []string{"allOf", "anyOf", "oneOf"} {
		for _, part := range list(o[key]) {
			if d.left--; depth > deepestFields || d.left <= 0 {
				break
			}
			of, needed := d.properties(d.resolve(part), depth+1)
			maps.Copy(all, of)
			if key == "allOf" {
				maps.Copy(required, needed)
			}
		}
	}
	return all, required
}

// resolve is the schema that v is or refers to, with what stands beside the reference.
func (d *docs) resolve(v any) object {
	o, _ := v.(object)
	if o["$ref"] == nil {
		return o
	}
	if refName(o) == "" {
		return nil
	}
	found := deref(d.whole, v)
	if len(o) == 1 {
		return found
	}
	all := maps.Clone(o)
	delete(all, "$ref")
	for k, v := range found {
		if _, beside := o[k]; !beside {
			all[k] = v
		}
	}
	return all
}

// refName is the name of the schema that o refers to.
func refName(o object) string {
	c, rest, _ := parseRef(text(o["$ref"]))
	if c.kind != "schemas" || rest != "" {
		return ""
	}
	return c.name
}

// plain tells whether a schema is told in a word or two, and needs no section.
func plain(v any) bool {
	o, _ := v.(object)
	for _, key := range []string{"$ref", "properties", "additionalProperties", "allOf", "anyOf", "oneOf"} {
		if o[key] != nil {
			return false
		}
	}
	return o["items"] == nil || plain(o["items"])
}

// words are the name of v's type.
func (d *docs) words(v any, depth int) []docsWord {
	if o, _ := v.(object); d.schemas[refName(o)] != "" {
		return []docsWord{{clip(refName(o), longestName), "#" + d.schemas[refName(o)]}}
	}
	o := d.resolve(v)
	var options [][]docsWord
	add := func(v []docsWord) {
		if len(options) < mostOptions && !slices.ContainsFunc(options, func(w []docsWord) bool { return slices.Equal(v, w) }) {
			options = append(options, v)
		}
	}
	for _, alternative := range slices.Concat(list(o["anyOf"]), list(o["oneOf"])) {
		if depth < deepestFields && len(options) < mostOptions {
			add(d.words(alternative, depth+1))
		}
	}
	if all := list(o["allOf"]); len(all) == 1 && depth < deepestFields {
		add(d.words(all[0], depth+1))
	}
	if len(options) == 0 {
		for _, name := range typeNames(o) {
			add(d.typeWords(name, o, depth))
		}
	}
	slices.SortStableFunc(options, func(a, b []docsWord) int { return rank(a[0].Text != "null") - rank(b[0].Text != "null") })
	var out []docsWord
	for i, option := range options {
		if i > 0 {
			out = append(out, docsWord{Text: " or "})
		}
		out = append(out, option...)
	}
	return out
}

func (d *docs) typeWords(name string, o object, depth int) []docsWord {
	switch format := clip(text(o["format"]), longestName); {
	case name == "array" && depth < deepestFields:
		return append([]docsWord{{Text: "array of "}}, d.words(o["items"], depth+1)...)
	case name == "object" && len(member(o, "additionalProperties")) > 0 && depth < deepestFields:
		return append([]docsWord{{Text: "map of "}}, d.words(o["additionalProperties"], depth+1)...)
	case (name == "string" || name == "number" || name == "integer") && format != "":
		return []docsWord{{Text: name + " <" + format + ">"}}
	}
	return []docsWord{{Text: clip(name, longestName)}}
}

// typeNames are the types that a schema's values have, said or implied; null is the last.
func typeNames(o object) (names []string) {
	for _, v := range append([]any{o["type"]}, list(o["type"])...) {
		if name := text(v); name != "" && len(names) < mostOptions {
			names = append(names, name)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return rank(a != "null") - rank(b != "null") })
	switch {
	case len(names) > 0:
	case o["properties"] != nil, o["additionalProperties"] != nil, o["allOf"] != nil:
		return []string{"object"}
	case o["items"] != nil:
		return []string{"array"}
	case o["enum"] != nil, o["const"] != nil:
		return []string{"value"}
	default:
		return []string{"any"}
	}
	return names
}

// bounds are the pairs of keywords that say how much there may be of something.
var bounds = []struct{ least, most, of string }{
	{"minLength", "maxLength", " characters"},
	{"minItems", "maxItems", " entries"},
	{"minProperties", "maxProperties", " members"},
	{"minimum", "maximum", ""},
}

func rules(o object) (all []docsRule) {
	for _, b := range bounds {
		least, some := o[b.least].(json.Number)
		most, bounded := o[b.most].(json.Number)
		least, most = json.Number(clip(string(least), longestName)), json.Number(clip(string(most), longestName))
		switch {
		case some && bounded:
			all = append(all, docsRule{Words: fmt.Sprintf("%s to %s%s", least, most, b.of)})
		case some && least == "1" && b.of != "":
			all = append(all, docsRule{Words: "not empty"})
		case some:
			all = append(all, docsRule{Words: fmt.Sprintf("at least %s%s", least, b.of)})
		case bounded:
			all = append(all, docsRule{Words: fmt.Sprintf("at most %s%s", most, b.of)})
		}
	}
	if values := list(o["enum"]); len(values) > 0 {
		all = append(all, docsRule{"one of", literals(values)})
	}
	for _, r := range []struct{ key, words string }{
		{"const", "always"}, {"pattern", "matches"}, {"default", "by default"},
		{"exclusiveMinimum", "more than"}, {"exclusiveMaximum", "less than"}, {"multipleOf", "a multiple of"},
	} {
		if v, ok := o[r.key]; ok && v != nil {
			all = append(all, docsRule{r.words, literals([]any{v})})
		}
	}
	for _, r := range []struct{ key, words string }{
		{"uniqueItems", "no two alike"}, {"readOnly", "only in answers"}, {"writeOnly", "only in requests"}, {"deprecated", "deprecated"},
	} {
		if o[r.key] == true {
			all = append(all, docsRule{Words: r.words})
		}
	}
	return all
}

func literals(values []any) (out []string) {
	for i, v := range values {
		if i == mostOptions {
			return append(out, "…")
		}
		s, ok := v.(string)
		if !ok {
			s = sample(v)
		}
		out = append(out, clip(s, longestName))
	}
	return out
}

// formats are examples of strings.
var formats = map[string]string{
	"date-time": "2026-01-31T09:30:00Z", "date": "2026-01-31", "time": "09:30:00Z", "duration": "PT5M",
	"uuid": "0198c0de-5eed-7000-8000-0242ac120002", "email": "ada@example.com",
	"uri": "https://example.com/", "hostname": "example.com", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1",
}
