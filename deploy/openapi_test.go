package deploy_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport"
)

var update = flag.Bool("update", false, "write what the tests expect")

// The page's types are made of the API that the gateway serves.
func TestThePageKnowsTheAPI(t *testing.T) {
	t.Parallel()
	addrs := localPorts(t)
	run(t, t.TempDir(), "local", localEnv(addrs)...)
	c := client{base: "http://" + addrs[2]}
	c.routed(t, paths...)
	res, err := testenv.Client.Get(c.base + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := api(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	const file = "../webapp/openapi.json"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the API has changed (go test ./deploy -run ThePageKnows -update writes it down, npm run types in webapp what the page knows of it):\n%s", diff)
	}
}

// api is an OpenAPI document as it is kept: indented, sorted by name, without
// where it is served, and without pages.
func api(in io.Reader) ([]byte, error) {
	var doc map[string]any
	d := json.NewDecoder(in)
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	delete(doc, "servers")
	paths, _ := doc["paths"].(map[string]any)
	for path, item := range paths {
		operations, _ := item.(map[string]any)
		for _, operation := range operations {
			if o, _ := operation.(map[string]any); o[transport.ExtPage] == true {
				delete(paths, path)
			}
		}
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(doc)
	return out.Bytes(), err
}
