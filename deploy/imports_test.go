// Package deploy_test tests the system as a whole.
package deploy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/trellis-go/trellis/"

var services = map[string]bool{"auth": true, "notes": true, "profile": true, "notify": true}

// allowed says whether a package may import another. Read it as the map of
// the repository: deploy → gateway, services → kit.
func allowed(from, to string) bool {
	fromTop, _, _ := strings.Cut(from, "/")
	toTop, toRest, _ := strings.Cut(to, "/")
	switch {
	case toTop == "kit", fromTop == "deploy", fromTop == toTop && toRest != "cmd":
		return true
	case services[fromTop]:
		return services[toTop] && toRest == "" // another service's words and client, not its insides
	}
	return false // kit, the gateway and the webapp know no service
}

func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := 0
	for dec := json.NewDecoder(bytes.NewReader(out)); ; packages++ {
		var pkg struct {
			ImportPath                         string
			Imports, TestImports, XTestImports []string
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from := strings.TrimPrefix(pkg.ImportPath, module)
		for _, imports := range [][]string{pkg.Imports, pkg.TestImports, pkg.XTestImports} {
			for _, path := range imports {
				if to, ours := strings.CutPrefix(path, module); ours && !allowed(from, to) {
					t.Errorf("%s must not import %s", from, to)
				}
			}
		}
	}
	if packages < 10 {
		t.Errorf("only %d packages were looked at", packages)
	}
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from, to string
		want     bool
	}{
		{"notes", "kit/transport", true},
		{"notes", "auth", true},
		{"notes/app", "notes/sqlite", true},
		{"deploy/local", "notes/app", true},
		{"notes", "auth/password", false},
		{"notes", "gateway", false},
		{"kit/server", "auth", false},
		{"gateway", "notes", false},
		{"webapp/app", "webapp", true},
		{"webapp", "notes", false},
		{"notes/app", "notes/cmd", false},
	} {
		if got := allowed(tt.from, tt.to); got != tt.want {
			t.Errorf("allowed(%s, %s) = %v, want %v", tt.from, tt.to, got, tt.want)
		}
	}
}
