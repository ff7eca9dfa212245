package server_test

import (
	"testing"

	"github.com/trellis-go/trellis/kit/server"
)

func TestRedacted(t *testing.T) {
	t.Parallel()
	for store, want := range map[string]string{
		"sqlite:data/notes.db":                          "sqlite:data/notes.db",
		"postgres://ann:hunter2@db:5432/notes":          "postgres://db:5432/notes",
		"postgres://db/notes?user=ann&password=hunter2": "postgres://db/notes",
		"postgres:host=db user=ann password=hunter2":    "postgres:…",
		"postgres://ann:hun%ter2@db/notes":              "postgres:…",
	} {
		if got := server.Redacted(store); got != want {
			t.Errorf("Redacted(%q) = %q, want %q", store, got, want)
		}
	}
}
