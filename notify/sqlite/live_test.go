package sqlite

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
)

// Entries that went before they were told of are a gap.
func TestGap(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "notify.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var told []string
	last := int64(-1)
	tell := func(want ...string) {
		t.Helper()
		told = nil
		last = s.tell(t.Context(), last, func(_ uuid.UUID, _ string, e notify.Entry) { told = append(told, fmt.Sprint(e.Seq)) },
			func() { told = append(told, "gap") })
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	}
	user := uuid.New()
	signal := func() {
		t.Helper()
		if err := s.Signal(t.Context(), user, "signal", jsontext.Value(`{}`), ""); err != nil {
			t.Fatal(err)
		}
	}
	signal()
	tell("gap")
	tell()
	signal()
	tell("2")
	for range 4 {
		signal()
	}
	if _, err := s.Writer.Exec(`delete from entries where seq in (3, 5, 6)`); err != nil {
		t.Fatal(err)
	}
	tell("gap", "4")
	tell()
	signal() // behind ids that are not used again
	tell("gap", "7")
}
