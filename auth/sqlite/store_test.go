package sqlite

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/auth/storetest"
)

func open(t testing.TB) *Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "auth.db"))
}

func openAt(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) auth.Store { return open(t) })
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) auth.Store { return open(b) })
}

// TestPlans: the queries of every request are answered from indexes.
func TestPlans(t *testing.T) {
	t.Parallel()
	s := open(t)
	for name, test := range map[string]struct {
		query   string
		args    []any
		indexes []string
	}{
		"FindUser":    {findUser, []any{1, 2}, []string{"sqlite_autoindex_users_2 (email_key=?)", "sqlite_autoindex_users_3 (username=?)"}},
		"taken":       {taken, []any{1, 2, 3, 4}, []string{"users_by_username_key (username_key=?)"}},
		"Sessions":    {liveSessions, []any{1, 2}, []string{"sessions_open (user_id=?)"}},
		"EndSessions": {openSessions, []any{1}, []string{"sessions_open (user_id=?)"}},
		"Ended":       {endedAfter, []any{1}, []string{"sessions_ended (ended_at>?)", "ended_sessions_ended (ended_at>?)"}},
		"KnowsDevice": {knowsDevice, []any{1, 2}, []string{"sessions_known_by (user_id=? AND known_by=?)"}},
		"HadSession":  {hadSession, []any{1}, []string{"sessions_known_by (user_id=?)"}},
		"AllSessions": {allSessions, []any{1}, []string{"sessions_known_by (user_id=?)"}},
		"AddLink":     {dropLinks, []any{1, 2, 3}, []string{"links_of_user (user_id=? AND purpose=?)"}},
		"LinkUser":    {linkUser, []any{1, 2, 3}, []string{"sqlite_autoindex_links_1 (hash=?)", "sqlite_autoindex_users_1 (id=?)"}},
		"UseLink":     {useLink, []any{1, 2, 3}, []string{"sqlite_autoindex_links_1 (hash=?)"}},
		"EraseUser":   {keepEnds, []any{1, 2}, []string{"sessions_known_by (user_id=?)"}},
		"Purge 0":     {purges[0], []any{1, 2}, []string{"sessions_expires (expires_at<?)"}},
		"Purge 1":     {purges[1], []any{1, 2}, []string{"sessions_ended (ended_at<?)"}},
		"Purge 2":     {purges[2], []any{1, 2}, []string{"attempts_last (last_at<?)"}},
		"Purge 3":     {purges[3], []any{1, 2}, []string{"links_expires (expires_at<?)"}},
		"Purge 4":     {purges[4], []any{1, 2}, []string{"ended_sessions_ended (ended_at<?)"}},
	} {
		t.Run(name, func(t *testing.T) {
			rows, err := s.Reader.QueryContext(t.Context(), "explain query plan "+test.query, test.args...)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			var plan strings.Builder
			for rows.Next() {
				var id, parent, unused int
				var detail string
				if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
					t.Fatal(err)
				}
				plan.WriteString(detail + "\n")
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(strings.ReplaceAll(plan.String(), "SCAN CONSTANT ROW", ""), "SCAN ") {
				t.Errorf("it reads a whole table:\n%s", &plan)
			}
			for _, index := range test.indexes {
				if !strings.Contains(plan.String(), index) {
					t.Errorf("it does not use %s:\n%s", index, &plan)
				}
			}
		})
	}
}

// TestNewer: a database that a newer binary has migrated is left as it is.
func TestNewer(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "auth.db")
	s := openAt(t, path)
	if _, err := s.Writer.ExecContext(t.Context(), `insert into migrations (version_id, is_applied) values (99, 1)`); err != nil {
		t.Fatal(err)
	}
	before := content(t, s)
	if other, err := Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("got %v", err)
		if err == nil {
			_ = other.Close()
		}
	}
	if after := content(t, s); after != before {
		t.Errorf("it was\n%s\nand is now\n%s", before, after)
	}
}

// content is the schema and the migrations that were applied.
func content(t *testing.T, s *Store) (all string) {
	t.Helper()
	err := s.Reader.QueryRowContext(t.Context(), `select
		(select group_concat(sql, x'0a' order by name) from sqlite_master) ||
		(select group_concat(version_id || ' ' || tstamp, x'0a') from migrations) ||
		(select group_concat(version_id || ' ' || tstamp, x'0a') from kit_migrations)`).Scan(&all)
	if err != nil {
		t.Fatal(err)
	}
	return all
}
