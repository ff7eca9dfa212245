package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/auth/storetest"
	"github.com/trellis-go/trellis/kit/testenv"
)

func open(t testing.TB) *Store {
	t.Helper()
	return openAt(t, testenv.Postgres(t))
}

func openAt(t testing.TB, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), url)
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

// crowd fills the tables, so that PostgreSQL plans as it would in earnest.
const crowd = `
	insert into users select gen_random_uuid(), n||'@example.com', n||'@example.com', 'u'||n, 'u'||n, '', '{}', false, false, '', false, now()
		from generate_series(1, 10000) n;
	insert into sessions select gen_random_uuid(), id, '', '', now(), now(), now() + random() * interval '30 days', case when n = 1 then now() - random() * interval '30 days' end,
		false, decode(md5(id::text), 'hex'), '', 0, '', null, '', now(), null from users, generate_series(1, 3) n;
	insert into attempts select sha256(n::text::bytea), 1, now() - random() * interval '30 days', now() from generate_series(1, 10000) n;
	insert into links select sha256(id::text::bytea), id, 'reset', email_key, now(), now() + random() * interval '1 hour' from users;
	insert into ended_sessions select gen_random_uuid(), now() - random() * interval '30 days' from generate_series(1, 10000);
	analyze;`

// TestPlans: the queries of every request are answered from indexes.
func TestPlans(t *testing.T) {
	t.Parallel()
	s := open(t)
	if _, err := s.Exec(t.Context(), crowd, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	someone, device, now := uuid.New(), []byte("device"), time.Now()
	longAgo := now.AddDate(-1, 0, 0)
	u := auth.User{Email: new("new@example.com"), Username: new("new")}
	for name, test := range map[string]struct {
		query   string
		args    []any
		indexes []string
	}{
		"FindUser":    {findUser, []any{"a", "b"}, []string{"users_username_key", "users_email_key_key"}},
		"CreateUser":  {addUser, append(userFields(u), false), []string{"users_username_key", "users_by_username_key", "users_email_key_key", "users_pkey"}},
		"Sessions":    {liveSessions, []any{someone, now}, []string{"sessions_open"}},
		"EndSessions": {openSessions, []any{someone}, []string{"sessions_open"}},
		"Ended":       {endedAfter, []any{now.Add(-time.Minute)}, []string{"sessions_ended", "ended_sessions_ended"}},
		"KnowsDevice": {knowsDevice, []any{someone, device}, []string{"sessions_known_by"}},
		"HadSession":  {hadSession, []any{someone}, []string{"sessions_known_by"}},
		"AllSessions": {allSessions, []any{someone}, []string{"sessions_known_by"}},
		"AddLink":     {dropLinks, []any{someone, "reset", 3}, []string{"links_of_user", "links_pkey"}},
		"LinkUser":    {linkUser, []any{device, "reset", now}, []string{"links_pkey", "users_pkey"}},
		"UseLink":     {useLink, []any{device, "reset", now}, []string{"links_pkey"}},
		"EraseUser":   {keepEnds, []any{someone, now}, []string{"sessions_known_by"}},
		"Purge 0":     {purges[0], []any{longAgo, 10}, []string{"sessions_expires", "sessions_pkey"}},
		"Purge 1":     {purges[1], []any{longAgo, 10}, []string{"sessions_ended", "sessions_pkey"}},
		"Purge 2":     {purges[2], []any{longAgo, 10}, []string{"attempts_last", "attempts_pkey"}},
		"Purge 3":     {purges[3], []any{longAgo, 10}, []string{"links_expires", "links_pkey"}},
		"Purge 4":     {purges[4], []any{longAgo, 10}, []string{"ended_sessions_ended", "ended_sessions_pkey"}},
	} {
		t.Run(name, func(t *testing.T) {
			rows, err := s.Query(t.Context(), "explain (costs off) "+test.query, test.args...)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				t.Fatal(err)
			}
			plan := strings.Join(lines, "\n") + "\n"
			if strings.Contains(plan, "Seq Scan") {
				t.Errorf("it reads a whole table:\n%s", plan)
			}
			for _, index := range test.indexes {
				if !strings.Contains(plan, " "+index+" ") && !strings.Contains(plan, " "+index+"\n") {
					t.Errorf("it does not use %s:\n%s", index, plan)
				}
			}
		})
	}
}

// TestNewer: a database that a newer binary has migrated is left as it is.
func TestNewer(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	s := openAt(t, url)
	if _, err := s.Exec(t.Context(), `insert into migrations (version_id, is_applied) values (99, true)`); err != nil {
		t.Fatal(err)
	}
	before := content(t, s)
	if other, err := Open(t.Context(), url); err == nil || !strings.Contains(err.Error(), "version 99") {
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
	err := s.QueryRow(t.Context(), `select concat(
		(select string_agg(concat(table_name, ' ', column_name, ' ', data_type), e'\n' order by table_name, ordinal_position)
			from information_schema.columns where table_schema = 'public'),
		(select string_agg(indexdef, e'\n' order by indexname) from pg_indexes where schemaname = 'public'),
		(select string_agg(version_id || ' ' || tstamp, e'\n' order by id) from migrations),
		(select string_agg(version_id || ' ' || tstamp, e'\n' order by id) from kit_migrations))`).Scan(&all)
	if err != nil {
		t.Fatal(err)
	}
	return all
}
