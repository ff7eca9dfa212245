package servertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/transport"
)

var update = flag.Bool("update", false, "write testdata/openapi.json and asyncapi.json anew")

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
	compare(t, service, "Contract", "openapi.json", text)
}

var eventType = regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)+\.v[1-9][0-9]*$`)

// EventContract fails the test when the events that a service tells and hears
// of are no longer what testdata/asyncapi.json says.
func EventContract(t *testing.T, service string, table []event.Kind, handlers []event.Handler) {
	t.Helper()
	for _, k := range table {
		if k.Doc() == "" || !strings.HasSuffix(k.Doc(), ".") {
			t.Errorf("%s: its doc is no sentence: %q", k.Type(), k.Doc())
		}
		if !eventType.MatchString(k.Type()) {
			t.Errorf("%s: a name has two parts or more, in small letters: note.changed", k.Type())
		}
	}
	text, err := event.AsyncAPI(service, table, handlers)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, service, "EventContract", "asyncapi.json", text)
}

// compare holds a document to the one in testdata.
func compare(t *testing.T, service, test, name string, text []byte) {
	t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	file := filepath.Join("testdata", name)
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(file, pretty.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
		t.Errorf("the contract has changed (go test ./%s -run %s -update writes it down):\n%s", service, test, diff)
	}
}
