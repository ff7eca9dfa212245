package sqlite

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
)

// Each list reads what it returns, and no more but for a category's.
func TestPlans(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "notify.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for status, index := range map[notify.Status]string{
		notify.All: "notifications_all", notify.Unread: "notifications_unread", notify.Archived: "notifications_archived", notify.Snoozed: "notifications_snoozed",
	} {
		for _, category := range []notify.Category{"", notify.Sharing} {
			for before, more := range map[int64]string{0: "", 7: " AND seq<?"} {
				query, args := listing(uuid.New(), notify.Query{Status: status, Category: category, Before: before, Limit: 20})
				want := []string{"SEARCH notifications USING INDEX " + index + " (user=?" + more + ")"}
				if got := plan(t, s, query, args); !slices.Equal(got, want) {
					t.Errorf("%s\n%q, want %q", query, got, want)
				}
			}
		}
	}
}

func plan(t *testing.T, s *Store, query string, args []any) (steps []string) {
	t.Helper()
	rows, err := s.Reader.QueryContext(t.Context(), "explain query plan "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, strings.TrimSpace(step))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}
