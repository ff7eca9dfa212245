package gateway

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestMergeServices(t *testing.T) {
	docs := services(t)
	merged := mustMerge(t, docs)
	if again := mustMerge(t, maps.Clone(docs)); !bytes.Equal(merged, again) {
		t.Error("the same documents make different ones")
	}
	whole := decoded(t, merged)
	for _, path := range []string{"/v1/auth/login", "/v1/notes/{id}", "/.well-known/jwks.json"} {
		if member(whole, "paths", path) == nil {
			t.Errorf("%s is not there", path)
		}
	}
	if id := member(whole, "paths", "/v1/notes/{id}", "get")["operationId"]; id != "notes.Get" {
		t.Errorf("operationId is %v", id)
	}
	for name := range member(whole, "components", "schemas") {
		if strings.HasPrefix(name, "Auth") || strings.HasPrefix(name, "Notes") {
			t.Errorf("%s has a new name, and no other is called as it was", name)
		}
	}
	eachRef(whole, func(c component) {
		if member(whole, "components", c.kind)[c.name] == nil {
			t.Errorf("%v refers to nothing", c)
		}
	})
}

func TestMergeShares(t *testing.T) {
	const (
		plain = `{"type":"object","properties":{"id":{"type":"string"}}}`
		other = `{"type":"object","properties":{"id":{"type":"integer"}}}`
		page  = `{"type":"array","items":{"$ref":"#/components/schemas/Item"}}`
	)
	whole := decoded(t, mustMerge(t, map[string][]byte{
		"a":   describe("/a", "Page", map[string]string{"Item": plain, "Page": page, "Unused": plain}),
		"b":   describe("/b", "Page", map[string]string{"Item": plain, "Page": page, "BItem": plain}),
		"c-d": describe("/c", "Page", map[string]string{"Item": other, "Page": page, "CDItem": plain}),
	}))
	schemas := member(whole, "components", "schemas")
	want := []string{"CDItem", "CDPage", "Item", "Page"}
	if got := slices.Sorted(maps.Keys(schemas)); !slices.Equal(got, want) {
		t.Fatalf("schemas are %v, not %v", got, want)
	}
	for path, schema := range map[string]string{"/a": "Page", "/b": "Page", "/c": "CDPage"} {
		content := member(whole, "paths", path, "get", "responses", "200", "content", "application/json", "schema")
		if ref := content["$ref"]; ref != "#/components/schemas/"+schema {
			t.Errorf("%s refers to %v", path, ref)
		}
	}
	if ref := member(schemas, "CDPage", "items")["$ref"]; ref != "#/components/schemas/CDItem" {
		t.Errorf("CDPage is of %v: a Page is no longer the same when its Item is another", ref)
	}
}

func TestMergeGivesEachItsName(t *testing.T) {
	one := map[string]string{"Foo": `{"type":"string"}`, "Foo2": `{"type":"string"}`, "BFoo": `{"type":"string"}`,
		"All": `{"allOf":[{"$ref":"#/components/schemas/Foo"},{"$ref":"#/components/schemas/Foo2"},{"$ref":"#/components/schemas/BFoo"}]}`}
	two := maps.Clone(one)
	two["Foo"], two["Foo2"] = `{"type":"integer"}`, `{"type":"number"}`
	whole := decoded(t, mustMerge(t, map[string][]byte{"a": describe("/a", "All", one), "b": describe("/b", "All", two)}))
	kinds := map[any]int{}
	for _, v := range member(whole, "components", "schemas") {
		kinds[v.(object)["type"]]++
	}
	if want := map[any]int{"string": 3, "integer": 1, "number": 1, nil: 2}; !reflect.DeepEqual(kinds, want) {
		t.Errorf("schemas have the types %v, not %v", kinds, want)
	}
}

func TestMergeTellsWhatTheGatewayDoes(t *testing.T) {
	a := []byte(`{
		"security": [{"key": []}],
		"paths": {
			"/things/{id}": {
				"parameters": [{"name": "id", "in": "path", "required": true}, {"name": "q", "in": "query", "description": "path's"}],
				"get": {"operationId": "Get", "tags": ["things"], "servers": [{"url": "http://elsewhere"}], "parameters": [{"name": "q", "in": "query", "description": "own"}]},
				"put": {"security": [], "tags": [""]},
				"post": {"x-internal": true},
				"trace": {}
			},
			"/internal/things": {"get": {}}, "/readyz": {"get": {}}, "/docs": {"get": {}}
		},
		"components": {"securitySchemes": {"key": {"type": "apiKey", "name": "k", "in": "header"}}}
	}`)
	b := []byte(`{"paths": {"/things/{name}": {"get": {"operationId": "Mine"}}, "/b": {"get": {"operationId": "Get"}, "put": {"operationId": "Get", "security": [{}]}}}}`)
	whole := decoded(t, mustMerge(t, map[string][]byte{"a": a, "b": b}))

	paths := member(whole, "paths")
	if got, want := slices.Sorted(maps.Keys(paths)), []string{"/b", "/things/{id}"}; !slices.Equal(got, want) {
		t.Fatalf("paths are %v, not %v", got, want)
	}
	item := member(paths, "/things/{id}")
	if got, want := slices.Sorted(maps.Keys(item)), []string{"get", "put"}; !slices.Equal(got, want) {
		t.Fatalf("methods are %v, not %v", got, want)
	}
	get, put := member(item, "get"), member(item, "put")
	if n := len(list(get["parameters"])); n != 2 || member(object{"p": list(get["parameters"])[0]}, "p")["description"] != "own" {
		t.Errorf("parameters are %v", get["parameters"])
	}
	if get["servers"] != nil {
		t.Error("the operation leads elsewhere")
	}
	for what, is := range map[string]any{
		"a tag is kept":            reflect.DeepEqual(get["tags"], []any{"things"}),
		"no tag is the service's":  reflect.DeepEqual(put["tags"], []any{"a"}),
		"an operation gets an id":  put["operationId"] == "a.put /things/{id}",
		"security is inherited":    reflect.DeepEqual(get["security"], []any{object{"key": []any{}}}),
		"public stays public":      reflect.DeepEqual(put["security"], []any{}),
		"silence needs a token":    reflect.DeepEqual(member(paths, "/b", "get")["security"], []any{object{"bearer": []any{}}}),
		"perhaps needs a token":    reflect.DeepEqual(member(paths, "/b", "put")["security"], []any{object{"bearer": []any{}}}),
		"ids are given once":       member(paths, "/b", "put")["operationId"] == "b.Get_2",
		"the token has its scheme": member(whole, "components", "securitySchemes", "bearer") != nil,
		"a scheme is kept":         member(whole, "components", "securitySchemes", "key") != nil,
		"limits are told":          member(get, "x-rate-limit")["burst"] != nil,
	} {
		if is != true {
			t.Errorf("not so: %s", what)
		}
	}
}

func TestMergeLeavesOutWhatItCannotRead(t *testing.T) {
	good := describe("/a", "A", map[string]string{"A": `{}`})
	for _, bad := range []string{"", "null", "[]", "{", `{"paths":[]}`, strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)} {
		merged, err := merge(map[string][]byte{"good": good, "bad": []byte(bad)})
		if err == nil || !strings.Contains(err.Error(), "bad") || strings.Contains(err.Error(), "good") {
			t.Errorf("%.20q: the error is %v", bad, err)
		}
		if member(decoded(t, merged), "paths", "/a") == nil {
			t.Errorf("%.20q: the good one is not there", bad)
		}
	}
}

func FuzzMerge(f *testing.F) {
	for _, text := range services(f) {
		f.Add(text, text)
	}
	f.Add([]byte(`{"paths":{"/a":{"get":{"parameters":[1,{"$ref":"#/components/parameters/p"}],"tags":{},"responses":[],"security":[1]}}},"components":{"parameters":{"p":{"$ref":"#/components/parameters/p"}}}}`),
		[]byte(`{"paths":{"/b":{"post":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/S"}}}}}}},"components":{"schemas":{"S":{"anyOf":[{"$ref":"#/components/schemas/S"},true,{"items":{"$ref":"#/components/schemas/S"}}],"enum":{},"required":{"a":1},"properties":[]}}}}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		merged, err := merge(map[string][]byte{"a": a, "b": b})
		again, _ := merge(map[string][]byte{"a": a, "b": b})
		if !bytes.Equal(merged, again) {
			t.Error("the same documents make different ones")
		}
		var page bytes.Buffer
		if renderErr := renderDocs(&page, merged); renderErr != nil {
			t.Errorf("merged with %v, and then: %v", err, renderErr)
		}
	})
}

// services are documents that real services serve.
func services(t testing.TB) map[string][]byte {
	docs := map[string][]byte{}
	for _, name := range []string{"auth", "notes"} {
		text, err := os.ReadFile("../" + name + "/testdata/openapi.json")
		if err != nil {
			t.Fatal(err)
		}
		docs[name] = text
	}
	return docs
}

// describe makes a document of one operation, which answers with a schema.
func describe(path, answer string, schemas map[string]string) []byte {
	all := object{}
	for name, schema := range schemas {
		all[name] = json.RawMessage(schema)
	}
	text, _ := json.Marshal(object{
		"paths": object{path: object{"get": object{"operationId": "Get", "responses": object{"200": object{"content": object{
			"application/json": object{"schema": object{"$ref": "#/components/schemas/" + answer}},
		}}}}}},
		"components": object{"schemas": all},
	})
	return text
}

func mustMerge(t *testing.T, docs map[string][]byte) []byte {
	t.Helper()
	merged, err := merge(docs)
	if err != nil {
		t.Fatal(err)
	}
	return merged
}

func decoded(t *testing.T, text []byte) object {
	t.Helper()
	whole, err := decodeObject(text)
	if err != nil {
		t.Fatal(err)
	}
	return whole
}
