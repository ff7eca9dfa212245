package traffic

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	maxFile   = 1 << 20 // bytes
	maxErrors = 10      // that are told of one file
)

// document is a YAML file being read strictly. yaml.Decoder's KnownFields
// would tell Go types instead of keys, take "1" for 1, and expand aliases.
type document struct {
	root   *yaml.Node
	errs   []error
	untold int
}

// parse returns the one document in text, without a root if there is none.
func parse(text []byte) (*document, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("has more than %d bytes", maxFile)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	d := new(document)
	var first, second yaml.Node
	switch err := decoder.Decode(&first); {
	case err == io.EOF:
		return d, nil
	case err != nil:
		return nil, err
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, fmt.Errorf("line %d: a second document begins; takes one", second.Line)
	case err != io.EOF:
		return nil, err
	}
	d.root = first.Content[0]
	d.refuseAliases(d.root)
	return d, d.err()
}

// refuseAliases keeps out files that say little and mean a lot.
func (d *document) refuseAliases(n *yaml.Node) {
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		d.wrong(n.Line, "anchors and aliases are not taken")
	}
	for _, child := range n.Content {
		d.refuseAliases(child)
	}
}

func (d *document) wrong(line int, message string) {
	if len(d.errs) == maxErrors {
		d.untold++
		return
	}
	d.errs = append(d.errs, fmt.Errorf("line %d: %.500s", line, message)) // a key may be as long as the file
}

// err is all that was found wrong.
func (d *document) err() error {
	if d.untold > 0 {
		return errors.Join(append(d.errs, fmt.Errorf("and %d more", d.untold))...)
	}
	return errors.Join(d.errs...)
}

// value is what a key of the document, or its root, has.
type value struct {
	*document
	node *yaml.Node
	line int    // of the key
	key  string // and those it is in: limits.user
}

func (d *document) value(root *yaml.Node) value {
	return value{document: d, node: root, line: root.Line}
}

func (v value) wrong(message string) {
	if v.key != "" {
		message = v.key + ": " + message
	}
	v.document.wrong(v.line, message)
}

// takes says that the value is another than the key takes.
func (v value) takes(what string) { v.wrong("got " + describe(v.node) + "; takes " + what) }

func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.ShortTag() == "!!null":
		return "nothing"
	case n.ShortTag() == "!!str":
		return fmt.Sprintf("%.60q", n.Value)
	}
	return fmt.Sprintf("%.60s", n.Value)
}

// in names a key of the value.
func (v value) in(key string) string {
	if v.key == "" {
		return key
	}
	return v.key + "." + key
}

// none tells whether the value is missing: of a key whose lines are all
// commented out.
func (v value) none() bool { return v.node.Kind == yaml.ScalarNode && v.node.ShortTag() == "!!null" }

// each reads the values of a mapping.
func (v value) each(read func(name string, v value)) {
	if v.none() {
		return
	}
	if v.node.Kind != yaml.MappingNode {
		v.takes("a mapping")
		return
	}
	lines := map[string]int{}
	for pair := range slices.Chunk(v.node.Content, 2) {
		name := pair[0]
		if name.Kind != yaml.ScalarNode || name.ShortTag() != "!!str" {
			v.document.wrong(name.Line, v.in(describe(name))+": takes a name for a key")
			continue
		}
		if first, twice := lines[name.Value]; twice {
			v.document.wrong(name.Line, fmt.Sprintf("%s: is in line %d already", v.in(name.Value), first))
			continue
		}
		lines[name.Value] = name.Line
		read(name.Value, value{v.document, pair[1], name.Line, v.in(name.Value)})
	}
}

// field is a key that an object takes.
type field struct {
	name string
	read func(value)
}

// object reads a mapping with fixed keys, and returns those it has.
func (v value) object(fields ...field) (has map[string]bool) {
	has = map[string]bool{}
	v.each(func(name string, of value) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if i < 0 {
			names := make([]string, len(fields))
			for i, f := range fields {
				names[i] = f.name
			}
			of.wrong("is unknown; takes " + strings.Join(names, ", "))
			return
		}
		has[name] = true
		fields[i].read(of)
	})
	return has
}

// list reads the values of a list.
func (v value) list(read func(value)) {
	if v.none() {
		return
	}
	if v.node.Kind != yaml.SequenceNode {
		v.takes("a list")
		return
	}
	for i, node := range v.node.Content {
		read(value{v.document, node, node.Line, fmt.Sprintf("%s[%d]", v.key, i)})
	}
}

// text returns a string that is not empty; ok is false if it isn't one.
func (v value) text(what string) (s string, ok bool) {
	if v.node.Kind != yaml.ScalarNode || v.node.ShortTag() != "!!str" || v.node.Value == "" {
		v.takes(what)
		return "", false
	}
	return v.node.Value, true
}

// number returns one from low to high, in steps of 1/parts.
func (v value) number(low, high, parts float64, what string) float64 {
	var f float64
	numeric := v.node.Kind == yaml.ScalarNode && (v.node.ShortTag() == "!!int" || v.node.ShortTag() == "!!float")
	if !numeric || v.node.Decode(&f) != nil || !(f >= low && f <= high) || math.Abs(math.Round(f*parts)-f*parts) > 1e-6 {
		v.takes(what)
		return 0
	}
	return math.Round(f*parts) / parts
}
