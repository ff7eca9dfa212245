package servertest

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/trellis-go/trellis/kit/transport"
)

var update = flag.Bool("update", false, "write testdata/openapi.json anew")

// Contract fails the test when routes are no longer what testdata/openapi.json
// says: a changed API is to be seen in review, and written with -update. And
// it holds every row to the conventions.
func Contract(t *testing.T, service string, routes []transport.Route) {
	t.Helper()
	names := map[string]bool{}
	for _, r := range routes {
		row := r.Method + " " + r.Path
		if r.Doc == "" || !strings.HasSuffix(r.Doc, ".") {
			t.Errorf("%s: its doc is no sentence: %q", row, r.Doc)
		}
		if names[r.Name] {
			t.Errorf("%s: there is another endpoint named %s", row, r.Name)
		}
		names[r.Name] = true
		if r.Hidden != strings.HasPrefix(r.Path, "/internal/") {
			t.Errorf("%s: internal endpoints, and no others, are under /internal/", row)
		}
		if !r.Hidden && !strings.HasPrefix(r.Path, "/v1/") && !strings.HasPrefix(r.Path, "/.well-known/") {
			t.Errorf("%s: paths begin with /v1/", row)
		}
	}
	text, err := transport.OpenAPI(service, routes)
	if err != nil {
		t.Fatal(err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	file := filepath.Join("testdata", "openapi.json")
	if *update {
		if err := os.WriteFile(file, pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
		t.Errorf("the API has changed (go test ./%s -run Contract -update writes it down):\n%s", service, diff)
	}
}
