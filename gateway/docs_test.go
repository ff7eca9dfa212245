package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

func TestDocs(t *testing.T) {
	page := rendered(t, services(t))
	for _, part := range []string{
		"<title>Trellis API</title>", "/v1/notes/{id}", "Take a note out of the trash.", "notes.Restore",
		"20 a second, 40 at once", "Body up to 6.06 MiB", "string &lt;uuid&gt;", "array of ", "Public", "Needs a token", "at most 200 characters", "one of",
	} {
		if !strings.Contains(page, part) {
			t.Errorf("%q is not there", part)
		}
	}
	ids := map[string]int{}
	for _, id := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[id[1]]++; ids[id[1]] > 1 {
			t.Errorf("%s is there twice", id[1])
		}
	}
	for _, link := range regexp.MustCompile(` href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if place, here := strings.CutPrefix(link[1], "#"); ids[place] == 0 && (here || link[1] != "/openapi.json") {
			t.Errorf("%s leads nowhere", link[1])
		}
	}
}

func TestDocsNeedNothingElse(t *testing.T) {
	page := rendered(t, services(t))
	_, style, _ := strings.Cut(page, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	hash := sha256.Sum256([]byte(style))
	if source := "'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'"; !strings.Contains(docsCSP, source) {
		t.Errorf("the page's style is %s, the policy %s", source, docsCSP)
	}
	if found := regexp.MustCompile(`<script|<link|<img| src=| style="|@import|url\(`).FindString(page); found != "" {
		t.Errorf("the page has %s", found)
	}
}

func TestDocsOfNothing(t *testing.T) {
	for name, docs := range map[string]map[string][]byte{"no services": nil, "no operations": {"a": []byte(`{}`)}} {
		if page := rendered(t, docs); !strings.Contains(page, "No services yet") || strings.Contains(page, "<nav") {
			t.Errorf("%s: the page does not say so", name)
		}
	}
}

func TestDocsAreOfTheAPI(t *testing.T) {
	page := rendered(t, map[string][]byte{"a": []byte(`{"paths": {"/a": {"get": {"summary": "Answer."}}, "/b": {"get": {"summary": "Show.", "x-page": true}}}}`)})
	if !strings.Contains(page, "Answer.") || strings.Contains(page, "Show.") {
		t.Error("the page has what is no part of the API, or not what is")
	}
}

func TestDocsDistrustDocuments(t *testing.T) {
	const evil = `<script>alert(1)</script>`
	page := rendered(t, map[string][]byte{"a": []byte(`{"paths": {"/a/$(id)": {"get": {
		"operationId": "` + evil + `", "summary": "` + evil + `", "tags": ["` + evil + `"],
		"parameters": [{"name": "` + evil + `", "in": "query", "schema": {"enum": ["` + evil + `"]}}],
		"responses": {"200": {"description": "` + evil + `", "content": {"` + evil + `": {"schema": {"$ref": "#/components/schemas/javascript:alert(1)"}}}}}
	}}}, "components": {"schemas": {"javascript:alert(1)": {"properties": {"` + evil + `": {}}}}}}`)})
	if strings.Contains(page, "<script") || strings.Contains(page, `="javascript:`) {
		t.Error("the page says what a document says as if it were its own")
	}
}

func TestDocsAreBounded(t *testing.T) {
	schemas, many := object{}, []any{}
	for i := range 300 {
		many = append(many, object{"$ref": fmt.Sprintf("#/components/schemas/S%d", i)})
	}
	for i := range 300 {
		properties := object{"self": object{"$ref": fmt.Sprintf("#/components/schemas/S%d", i)}}
		for j := range 300 {
			properties[fmt.Sprintf("p%d", j)] = many[j]
		}
		schemas[fmt.Sprintf("S%d", i)] = object{"properties": properties, "allOf": many, "items": many[(i+1)%300]}
	}
	paths := object{}
	for i := range 500 {
		body := object{"content": object{"application/json": object{"schema": many[i%300]}}, "description": strings.Repeat("long ", 1000)}
		paths[fmt.Sprintf("/p%d", i)] = object{"post": object{"requestBody": body, "responses": object{"200": body}}}
	}
	text, err := json.Marshal(object{"info": object{"title": "Trellis"}, "paths": paths, "components": object{"schemas": schemas}})
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := renderDocs(&page, text); err != nil {
		t.Fatal(err)
	}
	if page.Len() > 64<<20 || !strings.Contains(page.String(), "This is not all") {
		t.Errorf("the page has %d bytes", page.Len())
	}
}

// A line that somebody copies into a shell says the same there, whatever the document had in it.
func TestCurlIsText(t *testing.T) {
	for _, op := range []docsOperation{
		{Method: "GET", Path: "/v1/notes/{id}", Public: true, Parameters: []docsField{{In: "query", Name: "since", Required: true}, {In: "query", Name: "more"}}},
		{Method: "GET", Path: "/$(touch pwned)/`touch pwned`/'!a'/{a$(touch pwned)}"},
		{Method: "POST", Path: "/a", Request: &docsContent{Media: "a'b;touch pwned", docsSchema: docsSchema{Example: "{\"a\": \"it's $(touch pwned)\"}"}},
			Parameters: []docsField{{In: "header", Name: "If-Match"}, {In: "header", Name: "$(touch pwned)"}}},
	} {
		dir := t.TempDir()
		sh := exec.Command("sh", "-c", "curl() { printf '%s\\n' \"$@\"; }; API=http://api; TOKEN=t; id=7; since=2\n"+op.curl())
		sh.Dir = dir
		out, err := sh.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if files, _ := exec.Command("ls", dir).Output(); len(files) > 0 {
			t.Errorf("%s ran what it was given", op.curl())
		}
		if op.Public && strings.TrimSpace(string(out)) != "http://api/v1/notes/7?since=2" {
			t.Errorf("%s calls %s", op.curl(), out)
		}
		if op.Request != nil && (!strings.Contains(string(out), op.Request.Example) || !strings.Contains(string(out), op.Request.Media)) {
			t.Errorf("%s sends %s", op.curl(), out)
		}
	}
}

func rendered(t *testing.T, docs map[string][]byte) string {
	t.Helper()
	var page bytes.Buffer
	if err := renderDocs(&page, mustMerge(t, docs)); err != nil {
		t.Fatal(err)
	}
	return page.String()
}
