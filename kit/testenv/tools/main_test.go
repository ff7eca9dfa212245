package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestInstall has an apt-get of its own, and a sudo in case we are not root.
func TestInstall(t *testing.T) {
	bin, said := t.TempDir(), filepath.Join(t.TempDir(), "said")
	for name, script := range map[string]string{
		"apt-get": "#!/bin/sh\necho \"$DEBIAN_FRONTEND $*\" >>'" + said + "'\n",
		"sudo":    "#!/bin/sh\nshift\nexec \"$@\"\n",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	if err := install(t.Context(), []string{"postgresql", "redis-server"}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(said)
	const want = "noninteractive update\nnoninteractive install --yes --no-install-recommends postgresql redis-server\n"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestNoAptGet(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := install(t.Context(), []string{"postgresql"}); err != nil {
		t.Error(err)
	}
}
