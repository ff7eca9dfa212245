package sqlite

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/notes/search"
)

func TestPlans(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "notes.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for sort, index := range map[notes.Sort]string{
		notes.ByUpdatedDesc: "notes_updated", notes.ByUpdated: "notes_updated",
		notes.ByCreatedDesc: "notes_created", notes.ByCreated: "notes_created",
		notes.ByTitle: "notes_title", notes.ByTitleDesc: "notes_title",
	} {
		column := strings.TrimPrefix(string(sort), "-")
		for _, after := range []*notes.Place{nil, {}} {
			q := notes.Query{Status: notes.Active, Sort: sort, After: after, Limit: 20}
			search := "SEARCH n USING INDEX " + index + " (owner=? AND status=?"
			if after != nil {
				search += " AND (" + column + ",id)"
			}
			wantPlan(t, s, q, search)
			q.Pinned = new(false)
			wantPlan(t, s, q, search)
			q.Pinned = nil
			q.Tag = "tag"
			wantPlan(t, s, q, "SEARCH t USING PRIMARY KEY (owner=? AND tag=?)", "SEARCH n USING INDEX sqlite_autoindex_notes_1 (id=?)",
				"USE TEMP B-TREE FOR ORDER BY", "SCAN k", "SEARCH n USING INDEX sqlite_autoindex_notes_1 (id=?)")
			q.Shared = true
			wantPlan(t, s, q, "SEARCH s USING INDEX note_shares_person (person=?)", "SEARCH n USING INDEX sqlite_autoindex_notes_1 (id=?)",
				"SEARCH t USING COVERING INDEX note_tags_note (note=? AND owner=? AND tag=?)",
				"USE TEMP B-TREE FOR ORDER BY", "SCAN k", "SEARCH n USING INDEX sqlite_autoindex_notes_1 (id=?)")
			q.Tag = ""
			wantPlan(t, s, q, "SEARCH s USING INDEX note_shares_person (person=?)", "SEARCH n USING INDEX sqlite_autoindex_notes_1 (id=?)",
				"USE TEMP B-TREE FOR ORDER BY", "SCAN k", "SEARCH n USING INDEX sqlite_autoindex_notes_1 (id=?)")
		}
	}
	for _, sort := range []notes.Sort{notes.ByUpdatedDesc, notes.ByUpdated} {
		wantPlan(t, s, notes.Query{Sort: sort, Pinned: new(true)}, "SEARCH n USING INDEX notes_pinned (owner=? AND status=?)")
	}
	q := notes.Query{Status: notes.Active, Search: search.Parse("note play"), Limit: 20}
	wantPlan(t, s, q, "COMPOUND QUERY", "LEFT-MOST SUBQUERY", "SCAN scope VIRTUAL TABLE", "SEARCH note_words USING COVERING INDEX note_words_word (word>? AND word<?)",
		"UNION ALL", "SCAN scope VIRTUAL TABLE", "SEARCH note_words USING COVERING INDEX note_words_word (word>? AND word<?)",
		"SCAN (subquery", "USE TEMP B-TREE FOR GROUP BY", "SCAN f", "SEARCH n USING INDEX sqlite_autoindex_notes_1 (id=?)",
		"USE TEMP B-TREE FOR ORDER BY", "SCAN k", "SEARCH n USING INDEX sqlite_autoindex_notes_1 (id=?)")
	q.Shared = true
	wantPlan(t, s, q, "COMPOUND QUERY", "LEFT-MOST SUBQUERY", "SCAN scope VIRTUAL TABLE", "SEARCH note_words USING COVERING INDEX note_words_word (word>? AND word<?)",
		"UNION ALL", "SCAN scope VIRTUAL TABLE", "SEARCH note_words USING COVERING INDEX note_words_word (word>? AND word<?)",
		"SCAN (subquery", "USE TEMP B-TREE FOR GROUP BY", "SCAN f", "SEARCH s USING INDEX sqlite_autoindex_note_shares_2 (note=? AND person=?)", "SEARCH n USING INDEX sqlite_autoindex_notes_1 (id=?)",
		"USE TEMP B-TREE FOR ORDER BY", "SCAN k", "SEARCH n USING INDEX sqlite_autoindex_notes_1 (id=?)")

	for query, steps := range map[string][]string{
		getShared:    {"SEARCH s USING INDEX sqlite_autoindex_note_shares_2 (note=? AND person=?)", "SEARCH n USING INDEX sqlite_autoindex_notes_1 (id=?)"},
		selectShares: {"SEARCH note_shares USING INDEX sqlite_autoindex_note_shares_2 (note=?)", "USE TEMP B-TREE FOR ORDER BY"},
		sharesWith:   {"SEARCH note_shares USING INDEX note_shares_person (person=? AND note>?)"},
		due:          {"SEARCH notes USING INDEX notes_due (reminder_at<?)"},
		remind:       {"SEARCH notes USING COVERING INDEX sqlite_autoindex_notes_1 (id=?)", "LIST SUBQUERY", "SEARCH notes USING INDEX notes_due (reminder_at<?)"},
		owned:        {"SEARCH n USING COVERING INDEX notes_"},
		some:         {"SEARCH n USING INDEX sqlite_autoindex_notes_1 (id=?)", "LIST SUBQUERY", "SCAN json_each VIRTUAL TABLE"},
		someShares:   {"SEARCH note_shares USING INDEX sqlite_autoindex_note_shares_2 (note=?)", "LIST SUBQUERY", "SCAN json_each VIRTUAL TABLE", "USE TEMP B-TREE FOR LAST 2 TERMS"},
		eraseSome: {"SEARCH notes USING COVERING INDEX sqlite_autoindex_notes_1 (id=?)", "LIST SUBQUERY", "SCAN json_each VIRTUAL TABLE",
			"SEARCH note_words USING PRIMARY KEY (note=?)", "SEARCH note_revisions USING COVERING INDEX sqlite_autoindex_note_revisions_1 (note=?)",
			"SEARCH note_shares USING COVERING INDEX sqlite_autoindex_note_shares_2 (note=?)", "SEARCH note_tags USING COVERING INDEX note_tags_note (note=?)"},
		toErase:       {"SEARCH n USING INDEX notes_"},
		words:         {"SEARCH note_words USING PRIMARY KEY (note=?)"},
		dropWords:     {"SEARCH note_words USING PRIMARY KEY (note=? AND word=?)", "LIST SUBQUERY", "SCAN json_each VIRTUAL TABLE"},
		sharers:       {"SEARCH s USING COVERING INDEX note_shares_person (person=?)", "SEARCH n USING INDEX sqlite_autoindex_notes_1 (id=?)", "USE TEMP B-TREE FOR DISTINCT"},
		isErased:      {"SCAN CONSTANT ROW", "SCALAR SUBQUERY", "SEARCH erased_users USING PRIMARY KEY (hash=?)"},
		revisions:     {"SEARCH n USING INDEX sqlite_autoindex_notes_1 (id=?)", "SEARCH r USING INDEX sqlite_autoindex_note_revisions_1 (note=?)"},
		revision:      {"SEARCH r USING INDEX sqlite_autoindex_note_revisions_1 (note=? AND rev=?)", "SEARCH n USING INDEX sqlite_autoindex_notes_1 (id=?)"},
		dropRevisions: {"SEARCH note_revisions USING COVERING INDEX sqlite_autoindex_note_revisions_1 (note=? AND rev=?)", "LIST SUBQUERY", "SEARCH note_revisions USING INDEX sqlite_autoindex_note_revisions_1 (note=?)", "SCAN (subquery", "SCAN (subquery", "SCAN (subquery"},
		feed:          {"SCAN CONSTANT ROW", "SCALAR SUBQUERY", "SEARCH note_changes_pruned USING PRIMARY KEY (reader=?)", "SCALAR SUBQUERY", "SEARCH note_changes USING COVERING INDEX note_changes_seq (reader=?)", "SEARCH note_changes USING INDEX note_changes_seq (reader=? AND seq>?)", "SCAN b", "SCAN f", "USE TEMP B-TREE FOR ORDER BY"},
		readable:      {"SCAN k VIRTUAL TABLE", "SEARCH n USING INDEX sqlite_autoindex_notes_1 (id=?)", "SEARCH s USING INDEX sqlite_autoindex_note_shares_2 (note=? AND person=?)"},
		markPrune:     {"SEARCH note_changes USING INDEX note_changes_gone (changed_at<?)", "SCAN (subquery", "USE TEMP B-TREE FOR GROUP BY"},
		prune:         {"SEARCH note_changes USING INTEGER PRIMARY KEY (rowid=?)", "LIST SUBQUERY", "SEARCH note_changes USING INDEX note_changes_gone (changed_at<?)"},
		eraseFeed:     {"SEARCH note_changes USING INTEGER PRIMARY KEY (rowid=?)", "LIST SUBQUERY", "SEARCH note_changes USING COVERING INDEX note_changes_seq (reader=?)"},
		erasePrune:    {"SEARCH note_changes_pruned USING PRIMARY KEY (reader=?)"},
		unname:        {"SEARCH notes USING COVERING INDEX sqlite_autoindex_notes_1 (id=?)", "LIST SUBQUERY", "SEARCH notes USING INDEX notes_editor (editor=?)"},
		unnameWas:     {"SEARCH note_revisions USING INTEGER PRIMARY KEY (rowid=?)", "LIST SUBQUERY", "SEARCH note_revisions USING COVERING INDEX note_revisions_editor (editor=?)"},
		unindexed:     {"SCAN n USING INDEX notes_unindexed"},
		unshareAll:    {"SEARCH note_shares USING COVERING INDEX sqlite_autoindex_note_shares_1 (id=?)", "LIST SUBQUERY", "SEARCH note_shares USING INDEX note_shares_person (person=?)"},
	} {
		args := make([]any, strings.Count(query, "?"))
		wantSteps(t, s, query, args, steps...)
	}
}

// wantPlan tells whether a list is served by these steps and no others.
func wantPlan(t *testing.T, s *Store, q notes.Query, steps ...string) {
	t.Helper()
	query, args := listing(uuid.New(), q)
	if len(q.Search) > 0 {
		var err error
		if query, args, err = finding(uuid.New(), q, []uuid.UUID{uuid.New(), uuid.New()}); err != nil {
			t.Fatal(err)
		}
	}
	wantSteps(t, s, query, args, steps...)
}

func wantSteps(t *testing.T, s *Store, query string, args []any, steps ...string) {
	t.Helper()
	rows, err := s.Reader.QueryContext(t.Context(), "explain query plan "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(step, "CO-ROUTINE") && !strings.HasPrefix(step, "MATERIALIZE") {
			plan = append(plan, step)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if len(plan) != len(steps) {
		t.Fatalf("%s\n%q, want %q", query, plan, steps)
	}
	for i, step := range steps {
		if !strings.HasPrefix(plan[i], step) {
			t.Errorf("%s\n%q, want %q", query, plan, steps)
			return
		}
	}
}
