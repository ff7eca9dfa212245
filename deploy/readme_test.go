package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// The README has every variable with its default, and every direct dependency.
func TestReadmeIsTrue(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds binaries")
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	help, err := exec.CommandContext(t.Context(), filepath.Join(bin, "local"), "-help").Output()
	if err != nil {
		t.Fatal(err)
	}
	variables := regexp.MustCompile(`(?m)^  ([A-Z]+_[A-Z_]+) .*\n.*default "(.*)"$`).FindAllStringSubmatch(string(help), -1)
	if len(variables) < 10 {
		t.Errorf("-help lists %d variables:\n%s", len(variables), help)
	}
	for _, v := range variables {
		value := "none"
		if v[2] != "" {
			value = "`" + v[2] + "`"
		}
		if row := regexp.MustCompile("(?m)^\\| `" + v[1] + "` .* \\| " + regexp.QuoteMeta(value) + " \\|$"); !row.Match(readme) {
			t.Errorf("the README has no row for %s with the default %s", v[1], value)
		}
	}
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	major := regexp.MustCompile(`/v\d+$`)
	for _, r := range mod.Require {
		name := strings.TrimPrefix(major.ReplaceAllString(r.Mod.Path, ""), "github.com/")
		if !r.Indirect && !strings.Contains(string(readme), "["+strings.TrimSuffix(name, "/api")) {
			t.Errorf("the README has no reason for %s", r.Mod.Path)
		}
	}
}
