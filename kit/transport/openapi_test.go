package transport_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/transport"
)

var update = flag.Bool("update", false, "write testdata/openapi.json anew")

const golden = "testdata/openapi.json"

// The document of the things service is the one under testdata: a change of
// it is a change of every service's contract.
func TestOpenAPIGolden(t *testing.T) {
	t.Parallel()
	text, err := transport.OpenAPI("things", newThings().routes())
	if err != nil {
		t.Fatal(err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	if *update {
		if err := os.WriteFile(golden, pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	has, should := strings.Split(pretty.String(), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(has), len(should)) {
		if has[i] != should[i] {
			t.Fatalf("the document is not %s, first at line %d:\n%s\nwant\n%s\nsee what -update changes", golden, i+1, has[i], should[i])
		}
	}
	if len(has) != len(should) {
		t.Fatalf("the document has %d lines, and %s %d; see what -update changes", len(has), golden, len(should))
	}
}

type (
	object    = map[string]any
	operation struct {
		method, path string
		object
	}
)

func document(t *testing.T, routes []transport.Route) (doc object, operations map[string]operation) {
	t.Helper()
	text, err := transport.OpenAPI("things", routes)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	operations = map[string]operation{}
	for path, item := range doc["paths"].(object) {
		for method, op := range item.(object) {
			operations[fmt.Sprint(op.(object)["operationId"])] = operation{strings.ToUpper(method), path, op.(object)}
		}
	}
	return doc, operations
}

// at follows a path of names and indexes into a document.
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(object)
			v = m[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

func (op operation) parameter(in, name string) object {
	list, _ := op.object["parameters"].([]any)
	for _, p := range list {
		if p := p.(object); p["in"] == in && p["name"] == name {
			return p
		}
	}
	return nil
}

// What OpenAPI 3.1 demands of every document.
func TestOpenAPIRules(t *testing.T) {
	t.Parallel()
	things := newThings()
	doc, operations := document(t, things.routes())
	if v := doc["openapi"]; v != "3.1.0" && v != "3.1.1" {
		t.Errorf("openapi is %v", v)
	}
	if at(doc, "info", "title") != "things" || at(doc, "info", "version") == nil {
		t.Errorf("info is %v", doc["info"])
	}
	if got := len(operations); got != len(things.routes()) {
		t.Errorf("%d operations with an id of their own, for %d routes", got, len(things.routes()))
	}
	placeholder := regexp.MustCompile(`\{(\w+)\}`)
	for id, op := range operations {
		if op.object["summary"] == "" || len(op.object["tags"].([]any)) != 1 || at(op.object, "tags", 0) == "" {
			t.Errorf("%s: summary %q, tags %q", id, op.object["summary"], op.object["tags"])
		}
		names := map[string]bool{}
		for _, m := range placeholder.FindAllStringSubmatch(op.path, -1) {
			names[m[1]] = true
			if p := op.parameter("path", m[1]); p == nil || p["required"] != true || p["schema"] == nil {
				t.Errorf("%s: the path parameter %s is %v", id, m[1], p)
			}
		}
		list, _ := op.object["parameters"].([]any)
		seen := map[string]bool{}
		for _, p := range list {
			p := p.(object)
			key := fmt.Sprint(p["in"], p["name"])
			if p["in"] == "path" && !names[p["name"].(string)] || seen[key] || !slices.Contains([]any{"path", "query", "header", "cookie"}, p["in"]) {
				t.Errorf("%s: parameter %v", id, p)
			}
			if slices.Contains(types(p["schema"]), "null") {
				t.Errorf("%s: the parameter %s may be null", id, p["name"])
			}
			seen[key] = true
		}
		responses := op.object["responses"].(object)
		for status, r := range responses {
			if at(r, "description") == "" || at(r, "description") == nil {
				t.Errorf("%s: %s has no description", id, status)
			}
		}
		if at(responses, "default", "content", "application/problem+json", "schema", "$ref") != "#/components/schemas/Problem" {
			t.Errorf("%s: the default response is %v", id, responses["default"])
		}
		if r, ok := responses["204"].(object); ok && r["content"] != nil {
			t.Errorf("%s: 204 has content", id)
		}
		for _, name := range slices.Collect(maps.Keys(responses)) {
			if !regexp.MustCompile(`^([1-5]\d\d|default)$`).MatchString(name) {
				t.Errorf("%s: a response is named %s", id, name)
			}
		}
	}
	schemas := at(doc, "components", "schemas").(object)
	for name := range schemas {
		if !regexp.MustCompile(`^[a-zA-Z0-9._-]+$`).MatchString(name) || regexp.MustCompile(`Type\d`).MatchString(name) {
			t.Errorf("a schema is named %s", name)
		}
	}
	walk(doc, "", func(where string, o object) {
		if ref, ok := o["$ref"].(string); ok {
			if name, ok := strings.CutPrefix(ref, "#/components/schemas/"); !ok || schemas[name] == nil {
				t.Errorf("%s: %s leads nowhere", where, ref)
			}
		}
		properties, _ := o["properties"].(object)
		required, _ := o["required"].([]any)
		for i, name := range required {
			if properties[name.(string)] == nil || slices.Contains(required[:i], name) {
				t.Errorf("%s: requires %v", where, name)
			}
		}
		if _, ok := o["nullable"]; ok {
			t.Errorf("%s: nullable is no word of 3.1", where)
		}
	})
}

func types(schema any) []any {
	switch v := at(schema, "type").(type) {
	case []any:
		return v
	case string:
		return []any{v}
	}
	return nil
}

func walk(v any, where string, visit func(string, object)) {
	switch v := v.(type) {
	case object:
		visit(where, v)
		for name, of := range v {
			walk(of, where+"/"+name, visit)
		}
	case []any:
		for i, of := range v {
			walk(of, fmt.Sprint(where, "/", i), visit)
		}
	}
}

// What the document says of the things service.
func TestOpenAPIContent(t *testing.T) {
	t.Parallel()
	doc, operations := document(t, newThings().routes())
	says := func(v any, want string, path ...any) {
		t.Helper()
		text, err := json.Marshal(at(v, path...))
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != want {
			t.Errorf("%v is %s, want %s", path, text, want)
		}
	}
	op := func(id string) object { return operations[id].object }
	schema := func(name string) any { return at(doc, "components", "schemas", name) }

	for id, op := range operations {
		security := `[{"bearer":[]}]`
		if slices.Contains([]string{"Colors", "Fail", "Stream"}, id) {
			security = `[]` // said, and not left out: the gateway takes what says nothing for closed
		}
		says(op.object, security, "security")
		internal := `null`
		if id == "Adopt" {
			internal = `true`
		}
		says(op.object, internal, "x-internal")
		key := op.parameter("header", "Idempotency-Key")
		if takes := id == "Create" || id == "Remind"; takes != (key != nil) || takes && key["required"] == true {
			t.Errorf("%s: Idempotency-Key is %v", id, key)
		}
	}
	says(doc, `"http"`, "components", "securitySchemes", "bearer", "type")
	says(doc, `"bearer"`, "components", "securitySchemes", "bearer", "scheme")
	says(op("Create"), `{"burst":20,"per_second":10}`, "x-rate-limit")
	says(op("List"), `{"burst":100,"per_second":50}`, "x-rate-limit")
	says(op("Create"), `4096`, "x-body-max")
	says(op("List"), `null`, "x-body-max")
	says(op("Adopt"), `["things"]`, "tags")

	// If-Match is required where it is.
	says(operations["Change"].parameter("header", "If-Match"), `true`, "required")
	says(operations["Delete"].parameter("header", "If-Match"), `true`, "required")
	says(operations["Rename"].parameter("header", "If-Match"), `null`, "required")
	says(operations["Rename"].parameter("header", "If-Match"), `{"type":"string"}`, "schema")
	says(operations["List"].parameter("query", "limit"), `{"maximum":100,"minimum":1,"type":"integer"}`, "schema")
	says(operations["List"].parameter("query", "big"), `{"type":"boolean"}`, "schema")
	says(operations["List"].parameter("query", "since"), `{"format":"date-time","type":"string"}`, "schema")
	says(operations["List"].parameter("query", "color"), `{"enum":["red","green"],"type":"string"}`, "schema")
	says(operations["Get"].parameter("path", "id"), `{"format":"uuid","type":"string"}`, "schema")
	says(operations["Create"].parameter("cookie", "device"), `3`, "schema", "minLength")

	// Bodies.
	says(op("Create"), `true`, "requestBody", "required")
	says(op("Change"), `null`, "requestBody", "required")
	says(op("Create"), `null`, "requestBody", "content", "application/merge-patch+json")
	for _, media := range []string{"application/json", "application/merge-patch+json"} {
		says(op("Change"), `"#/components/schemas/ChangeRequest"`, "requestBody", "content", media, "schema", "$ref")
	}
	for _, id := range []string{"List", "Get", "Delete", "Remind", "Colors", "Stream"} {
		says(op(id), `null`, "requestBody")
	}
	says(schema("CreateRequest"), `["name"]`, "required")
	says(schema("CreateRequest"), `{"maxLength":20,"type":"string"}`, "properties", "name")
	says(schema("CreateRequest"), `{"maxLength":40,"type":"string"}`, "properties", "note")
	says(schema("CreateRequest"), `{"maxLength":10,"type":"string"}`, "properties", "maker")
	says(schema("CreateRequest"), `"email"`, "properties", "email", "format")
	says(schema("CreateRequest"), `{"enum":["red","green"],"type":"string"}`, "properties", "color")
	says(schema("CreateRequest"), `{"maximum":100,"minimum":0,"type":"integer"}`, "properties", "size")
	says(schema("CreateRequest"), `{"items":{"maxLength":5,"minLength":2,"type":"string"},"maxItems":3,"type":"array"}`, "properties", "tags")
	says(schema("CreateRequest"), `{"items":{"$ref":"#/components/schemas/Part"},"minItems":2,"type":"array"}`, "properties", "parts")
	says(schema("CreateRequest"), `{"format":"uuid","type":["null","string"]}`, "properties", "parent")
	says(schema("CreateRequest"), `{"format":"date-time","type":["null","string"]}`, "properties", "due_at")
	for _, name := range []string{"dry", "user-agent", "UserAgent", "program"} {
		says(schema("CreateRequest"), `null`, "properties", name)
	}

	// An Optional is described by what it holds.
	says(schema("ChangeRequest"), `{"maxLength":20,"minLength":2,"type":"string"}`, "properties", "name")
	says(schema("ChangeRequest"), `{"enum":["red","green"],"type":"string"}`, "properties", "color")
	says(schema("ChangeRequest"), `{"maximum":100,"type":"integer"}`, "properties", "size")
	says(schema("ChangeRequest"), `{"items":{"minLength":1,"type":"string"},"maxItems":3,"type":"array"}`, "properties", "tags")
	says(schema("ChangeRequest"), `{"format":"date-time","type":["string","null"]}`, "properties", "due_at")
	says(schema("ChangeRequest"), `null`, "required")

	// Answers.
	says(op("List"), `"#/components/schemas/ThingPage"`, "responses", "200", "content", "application/json", "schema", "$ref")
	says(op("Create"), `"#/components/schemas/Thing"`, "responses", "201", "content", "application/json", "schema", "$ref")
	says(op("Remind"), `{"description":"Accepted"}`, "responses", "202")
	says(op("Delete"), `{"description":"No Content"}`, "responses", "204")
	says(op("Farewell"), `{"description":"No Content"}`, "responses", "204")
	says(op("Farewell"), `{"description":"Accepted"}`, "responses", "202")
	says(op("Rank"), `{"description":"No Content"}`, "responses", "204")
	says(op("Stream"), `{"description":"OK"}`, "responses", "200")
	says(schema("ThingPage"), `{"$ref":"#/components/schemas/Thing"}`, "properties", "data", "items")
	says(schema("ThingPage"), `["data","page"]`, "required")
	says(schema("PageInfo"), `["null","string"]`, "properties", "next_cursor", "type")
	says(schema("Thing"), `["id","name","color","size","tags","due_at","version"]`, "required")
	says(schema("Problem"), `["type","title","status","detail","code"]`, "required")
}

func TestOpenAPIRefuses(t *testing.T) {
	t.Parallel()
	e := endpoint.New(method[endpoint.None], "").Named("Same")
	_, err := transport.OpenAPI("x", []transport.Route{transport.Get("/a", e), transport.Get("/b", e)})
	if err == nil || !strings.Contains(err.Error(), "Same") {
		t.Errorf("two operations of one name: %v", err)
	}
}

// What types there are besides.
func TestOpenAPITypes(t *testing.T) {
	t.Parallel()
	type Node struct {
		Name  string  `json:"name"`
		Next  *Node   `json:"next"`
		Nodes []*Node `json:"nodes,omitempty"`
	}
	type Other struct {
		Node  *Node                         `json:"node"`
		Maybe transport.Optional[Node]      `json:"maybe,omitzero"`
		Many  transport.Optional[[]Part]    `json:"many,omitzero"`
		IDs   map[string]transport.PageInfo `json:"ids"`
	}
	doc, operations := document(t, []transport.Route{
		transport.Post("/others", endpoint.New(method[Other], "").Named("Post")),
		transport.Get("/.well-known/others", endpoint.New(answers[transport.Page[Other]], "").Named("Get")),
		transport.Get("/v1/files/{path...}", transport.Raw("File", "", nil)),
		transport.Get("/", transport.Raw("Page", "", nil)).Page("text/html"),
	})
	if page := at(operations["Page"].object, "responses", "200", "content"); fmt.Sprint(page) != "map[text/html:map[schema:map[type:string]]]" || operations["Page"].object[transport.ExtPage] != true {
		t.Errorf("a page is described as %v", page)
	}
	if operations["File"].parameter("path", "path") == nil || operations["File"].path != "/v1/files/{path}" {
		t.Errorf("a wildcard is described as %v", operations["File"])
	}
	for name, want := range map[string]string{
		"node":  `{"anyOf":[{"type":"null"},{"$ref":"#/components/schemas/Node"}]}`,
		"maybe": `{"$ref":"#/components/schemas/Node"}`,
		"many":  `{"items":{"$ref":"#/components/schemas/Part"},"type":"array"}`,
		"ids":   `{"additionalProperties":{"$ref":"#/components/schemas/PageInfo"},"type":"object"}`,
	} {
		text, err := json.Marshal(at(doc, "components", "schemas", "Other", "properties", name))
		if err != nil || string(text) != want {
			t.Errorf("%s is %s, want %s", name, text, want)
		}
	}
}

// answers is a method that answers a Resp.
func answers[Resp any](context.Context, endpoint.None) (r Resp, err error) { return r, nil }
