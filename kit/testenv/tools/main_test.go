package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstall has an apt-get of its own, which lacks one of the packages, and a
// sudo in case we are not root.
func TestInstall(t *testing.T) {
	bin, said := t.TempDir(), filepath.Join(t.TempDir(), "said")
	for name, script := range map[string]string{
		"apt-get": "#!/bin/sh\necho \"$DEBIAN_FRONTEND $*\" >>'" + said + "'\ncase $* in *chromium) exit 100; esac\n",
		"sudo":    "#!/bin/sh\nshift\nexec \"$@\"\n",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	if err := install(t.Context(), []string{"postgresql", "chromium", "redis-server"}); err == nil || !strings.Contains(err.Error(), "chromium: exit status 100") {
		t.Errorf("got %v", err)
	}
	got, err := os.ReadFile(said)
	const get = "noninteractive install --yes --no-install-recommends "
	const want = "noninteractive update\n" + get + "postgresql\n" + get + "chromium\n" + get + "redis-server\n"
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
