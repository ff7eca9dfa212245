package gateway

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/trellis-go/trellis/kit/transport"
)

//go:embed docs.html
var docsHTML string

var docsTemplate = template.Must(template.New("docs").Parse(docsHTML))

// docsCSP is the Content-Security-Policy under which the page works: it has
// one stylesheet, and nothing else that loads or runs.
var docsCSP = contentPolicy(docsHTML)

func contentPolicy(page string) string {
	_, style, _ := strings.Cut(page, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	hash := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// renderDocs writes a page that tells people what a merged OpenAPI document
// tells programs. A document that is too much for a page, or in part has
// another shape than OpenAPI's, makes one with less in it.
func renderDocs(w io.Writer, merged []byte) error {
	whole, err := decodeObject(merged)
	if err != nil {
		return err
	}
	d := docs{whole: whole, left: docsBudget, anchors: map[string]int{}, schemas: map[string]string{}, open: map[string]bool{}}
	return docsTemplate.Execute(w, d.page())
}

// Bounds of a page.
const (
	docsBudget    = 100_000 // operations, fields, and values in examples
	longestText   = 1000    // characters
	longestName   = 120     // characters
	largestSample = 8 << 10
	mostOptions   = 20
	deepestFields = 4
)

// docs turns a document into a page.
type docs struct {
	whole   object
	left    int               // of docsBudget
	anchors map[string]int    // how often each was wanted
	schemas map[string]string // the anchors, by name, of those that have a section
	open    map[string]bool   // schemas that the example in the making is inside of
}

type docsPage struct {
	Title   string
	Tags    []docsTag
	Schemas []docsSchema
	Partial bool
}

type docsTag struct {
	Name, Anchor string
	Operations   []docsOperation
}

type docsOperation struct {
	Anchor, ID, Method, Path, Summary, Text string
	Public, Deprecated                      bool
	Rate, BodyMax                           string // in words
	Parameters                              []docsField
	Request                                 *docsContent
	Responses                               []docsResponse
	Curl                                    string
}

type docsResponse struct {
	Status, Text string
	Good         bool
	Content      *docsContent
}

type docsContent struct {
	Media    string
	Required bool
	docsSchema
}

type docsSchema struct {
	Name, Anchor, Text string
	Type               []docsWord
	Fields             []docsField
	Example            string
}

type docsField struct {
	Name, In, Text string
	Required       bool
	Presence       string // in words, where it is not what one expects
	Type           []docsWord
	Rules          []docsRule
}

// docsWord is part of the name of a type, perhaps with a link.
type docsWord struct{ Text, Href string }

// docsRule is what a value must be: the words, then the values, if any.
type docsRule struct {
	Words  string
	Values []string
}

func (d *docs) page() docsPage {
	p := docsPage{Title: clip(text(member(d.whole, "info")["title"]), longestName)}
	schemas := member(d.whole, "components", "schemas")
	for name, v := range sorted(schemas) {
		if !plain(v) {
			d.schemas[name] = d.anchor("schema-" + name)
		}
	}
	tags := map[string][]docsOperation{}
	for path := range sorted(member(d.whole, "paths")) {
		for _, method := range methods {
			o := member(d.whole, "paths", path, strings.ToLower(method))
			if o == nil || d.left <= 0 || o[transport.ExtPage] == true {
				continue
			}
			tag := "other"
			if names := list(o["tags"]); len(names) > 0 {
				tag = clip(cmp.Or(text(names[0]), tag), longestName)
			}
			tags[tag] = append(tags[tag], d.operation(method, path, o))
		}
	}
	for name, operations := range sorted(tags) {
		p.Tags = append(p.Tags, docsTag{name, d.anchor("tag-" + name), operations})
	}
	for name, anchor := range sorted(d.schemas) {
		s := d.schema(schemas[name])
		s.Name, s.Anchor = clip(name, longestName), anchor
		p.Schemas = append(p.Schemas, s)
		if d.left <= 0 {
			break
		}
	}
	p.Partial = d.left <= 0
	return p
}

func (d *docs) operation(method, path string, o object) docsOperation {
	d.left--
	op := docsOperation{
		ID: clip(text(o["operationId"]), longestName), Method: method, Path: clip(path, longestText),
		Summary: clip(text(o["summary"]), longestText), Text: clip(text(o["description"]), longestText),
		Deprecated: o["deprecated"] == true,
		Rate:       rateWords(member(o, transport.ExtRate)), BodyMax: sizeWords(o[transport.ExtBodyMax]),
	}
	op.Anchor = d.anchor(cmp.Or(op.ID, method+path))
	security, said := o["security"].([]any)
	op.Public = said && len(security) == 0
	for _, v := range list(o["parameters"]) {
		if p := deref(d.whole, v); p != nil && d.left > 0 {
			f := d.field(text(p["name"]), p["schema"], p["required"] == true)
			f.In, f.Text = clip(text(p["in"]), longestName), clip(cmp.Or(text(p["description"]), f.Text), longestText)
			op.Parameters = append(op.Parameters, f)
		}
	}
	slices.SortStableFunc(op.Parameters, func(a, b docsField) int { return cmp.Compare(b.place(), a.place()) })
	if body := deref(d.whole, o["requestBody"]); body != nil {
		op.Request = d.content(body, true)
	}
	for status, v := range sorted(member(o, "responses")) {
		if r := deref(d.whole, v); r != nil && d.left > 0 {
			op.Responses = append(op.Responses, d.response(status, r))
		}
	}
	op.Curl = op.curl()
	return op
}

// place is the higher the earlier a parameter comes in a request.
func (f docsField) place() int {
	return slices.Index([]string{"cookie", "header", "query", "path"}, f.In)
}

func (d *docs) response(status string, r object) docsResponse {
	good := strings.HasPrefix(status, "2")
	if status == "default" {
		status = "other"
	}
	out := docsResponse{clip(status, longestName), clip(text(r["description"]), longestText), good, d.content(r, good)}
	if out.Content != nil {
		out.Content.answers()
	}
	return out
}

// content takes JSON of several media, if it is among them. It returns nil for
// none. What it consists of is told if it is to be whole, and else only its type.
func (d *docs) content(o object, whole bool) *docsContent {
	all := member(o, "content")
	if len(all) == 0 {
		return nil
	}
	media := slices.Min(slices.Collect(maps.Keys(all)))
	if all["application/json"] != nil {
		media = "application/json"
	}
	c := docsContent{Media: clip(media, longestName), Required: o["required"] == true}
	v := member(all, media)["schema"]
	if c.Type = d.words(v, 0); !whole {
		return &c
	}
	c.docsSchema = d.schema(v)
	if !strings.HasSuffix(media, "json") {
		c.Example = ""
	} else if v, ok := member(all, media)["example"]; ok {
		c.Example = sample(v)
	}
	return &c
}

func rateWords(rate object) string {
	n, _ := rate["per_second"].(json.Number)
	perSecond, err := n.Float64()
	burst, _ := rate["burst"].(json.Number)
	switch {
	case err != nil || perSecond <= 0:
		return ""
	case perSecond < 1:
		return fmt.Sprintf("%.3g a minute, %s at once", perSecond*60, burst)
	}
	return fmt.Sprintf("%.4g a second, %s at once", perSecond, burst)
}

func sizeWords(v any) string {
	n, _ := v.(json.Number)
	switch bytes, err := n.Float64(); {
	case err != nil:
		return ""
	case bytes < 1<<20:
		return fmt.Sprintf("%.3g KiB", bytes/(1<<10))
	default:
		return fmt.Sprintf("%.3g MiB", bytes/(1<<20))
	}
}

// anchor makes a name for a place in the page, that no other place has.
func (d *docs) anchor(name string) string {
	base := strings.Map(func(r rune) rune {
		if r == '.' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '-'
	}, clip(name, longestName))
	for {
		d.anchors[base]++
		n := d.anchors[base]
		if n == 1 {
			return base
		}
		if a := fmt.Sprint(base, "-", n); d.anchors[a] == 0 {
			d.anchors[a]++
			return a
		}
	}
}

func clip(s string, characters int) string {
	if utf8.RuneCountInString(s) <= characters {
		return s
	}
	return string([]rune(s)[:characters]) + "…"
}
