package gateway

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// answers tells of fields which are not always there; in a request it is the
// other way round.
func (c *docsContent) answers() {
	for i, f := range c.Fields {
		if c.Fields[i].Presence = ""; !f.Required {
			c.Fields[i].Presence = "not always"
		}
	}
}

// curl is the operation as a line for a shell that knows API, TOKEN and what
// the path and the query need. Whatever a document has in it, a shell takes it for text.
func (op docsOperation) curl() string {
	line := strings.Builder{}
	line.WriteString("curl ")
	if op.Method != http.MethodGet {
		line.WriteString("-X " + op.Method + " ")
	}
	line.WriteString(`"$API`)
	for segment := range strings.SplitSeq(strings.TrimPrefix(op.Path, "/"), "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			line.WriteString("/" + variable(strings.TrimSuffix(name, "}")))
		} else {
			line.WriteString("/" + url.QueryEscape(segment))
		}
	}
	separator := "?"
	for _, p := range op.Parameters {
		if p.In == "query" && p.Required {
			line.WriteString(separator + url.QueryEscape(p.Name) + "=" + variable(p.Name))
			separator = "&"
		}
	}
	line.WriteString(`"`)
	header := func(h string) { line.WriteString(" \\\n  -H " + h) }
	if !op.Public {
		header(`"Authorization: Bearer $TOKEN"`)
	}
	for _, p := range op.Parameters {
		switch {
		case p.In == "header" && strings.EqualFold(p.Name, "If-Match"):
			header(`'If-Match: "7"'`)
		case p.In == "header" && strings.EqualFold(p.Name, "Idempotency-Key"):
			header(`"Idempotency-Key: $(uuidgen)"`)
		}
	}
	if op.Request != nil {
		header(quote("Content-Type: " + op.Request.Media))
		line.WriteString(" \\\n  --data-binary " + quote(cmp.Or(op.Request.Example, "@file")))
	}
	return line.String()
}

// variable is a shell's, of a name that may be no name to a shell.
func variable(name string) string {
	return "$" + strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return '_'
		}
		return r
	}, name)
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// example makes a value that v describes. There is none of a schema inside
// itself, and none once the page has enough.
func (d *docs) example(v any) (_ any, ok bool) {
	d.left--
	o, _ := v.(object)
	if d.left <= 0 {
		return nil, false
	}
	if name := refName(o); name != "" {
		if d.open[name] {
			return nil, false
		}
		d.open[name] = true
		defer delete(d.open, name)
	}
	o = d.resolve(v)
	for _, given := range slices.Concat([]any{o["example"]}, list(o["examples"]), []any{o["const"], o["default"]}, list(o["enum"])) {
		if given != nil {
			return given, true
		}
	}
	for _, option := range slices.Concat(list(o["anyOf"]), list(o["oneOf"])) {
		if value, ok := d.example(option); ok && value != nil {
			return value, true
		}
	}
	switch typeNames(o)[0] {
	case "object":
		out := object{}
		properties, _ := d.properties(o, 0)
		for name, v := range sorted(properties) {
			if value, ok := d.example(v); ok {
				out[name] = value
			}
		}
		if value, ok := d.example(o["additionalProperties"]); ok && o["additionalProperties"] != nil {
			out["name"] = value
		}
		return out, true
	case "array":
		if value, ok := d.example(o["items"]); ok {
			return []any{value}, true
		}
		return []any{}, true
	case "integer", "number":
		return cmp.Or[any](o["minimum"], 1), true
	case "boolean":
		return true, true
	case "string":
		return cmp.Or(formats[text(o["format"])], "string"), true
	}
	return nil, true
}

// sample is a value as JSON for people, or nothing when it is very long.
func sample(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if e.Encode(v) != nil || b.Len() > largestSample {
		return ""
	}
	return strings.TrimSpace(b.String())
}
