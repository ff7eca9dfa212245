package sqlite

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPlans(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "profile.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for query, want := range map[string][]string{
		get:         {"SEARCH records USING INDEX sqlite_autoindex_records_1 (key=?)"},
		find:        {"SEARCH t USING PRIMARY KEY (task=?)", "SEARCH r USING INDEX sqlite_autoindex_records_1 (key=?)"},
		due:         {"SEARCH records USING INDEX records_due (due_at<?)"},
		dueErasures: {"SEARCH records USING INDEX records_due (due_at<?)", "SCAN json_each EXISTS VIRTUAL TABLE INDEX 3:"},
	} {
		rows, err := s.Reader.QueryContext(t.Context(), "explain query plan "+query, slices.Repeat([]any{1}, strings.Count(query, "?"))...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				t.Fatal(err)
			}
			got = append(got, step)
		}
		if err := rows.Close(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s\nis done by %q, want %q", query, got, want)
		}
	}
}
