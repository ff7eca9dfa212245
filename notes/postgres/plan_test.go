package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/notes/search"
)

func TestPlans(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), testenv.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	owner := uuid.New()
	batch := make([]notes.Note, 4000)
	for i := range batch {
		at := time.Date(2024, 1, 1, 0, 0, i, 0, time.UTC)
		batch[i] = notes.Note{
			ID: uuid.New(), Owner: owner, Title: fmt.Sprint("Note ", i), Body: strings.Repeat("All work and no play. ", 20),
			Status: notes.Active, Pinned: i%20 == 1, Tags: []string{fmt.Sprint("tag ", i%100)}, CreatedAt: at, UpdatedAt: at,
		}
		if i%2 == 0 {
			batch[i].Owner = uuid.New()
		}
		if i%10 == 0 {
			batch[i].ReminderAt = new(at.Add(time.Hour))
		}
	}
	if _, err := s.Import(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	reader := uuid.New()
	if _, err := s.Exec(t.Context(), `insert into note_shares (`+shareColumns+`)
		select gen_random_uuid(), id, case when random() < 0.02 then $1 else gen_random_uuid() end, 'Bob', 'bob', 'viewer', now() from notes`, reader); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Exec(t.Context(), `insert into erased_users (hash, notes, shares) select sha256(n::text::bytea), 0, 0 from generate_series(1, 4000) n`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Exec(t.Context(), `insert into note_revisions (note, rev, title, body, tags, editor, updated_at)
		select id, 1, title, body, tags, case when random() < 0.02 then $1::uuid end, updated_at from notes`, reader); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Exec(t.Context(), `insert into note_changes_pruned select gen_random_uuid(), 1 from generate_series(1, 4000) n`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Exec(t.Context(), `update notes set editor = $1 where random() < 0.02`, reader); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Index(t.Context(), len(batch)); err != nil || n != len(batch) {
		t.Fatal(n, err)
	}
	if _, err := s.Exec(t.Context(), `delete from notes where random() < 0.02`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Exec(t.Context(), `analyze`); err != nil {
		t.Fatal(err)
	}

	middle := batch[2001]
	for sort, index := range map[notes.Sort]string{
		notes.ByUpdatedDesc: "notes_updated", notes.ByUpdated: "notes_updated",
		notes.ByCreatedDesc: "notes_created", notes.ByCreated: "notes_created",
		notes.ByTitle: "notes_title", notes.ByTitleDesc: "notes_title",
	} {
		for _, after := range []*notes.Place{nil, new(sort.PlaceOf(middle))} {
			q := notes.Query{Status: notes.Active, Sort: sort, After: after, Limit: 20, MaxBytes: 1 << 20}
			wantPlan(t, s, owner, q, index, "Sort")
			q.Pinned = new(false)
			wantPlan(t, s, owner, q, index, "Sort")
			q.Pinned = nil
			q.Tag = "tag 1"
			wantPlan(t, s, owner, q, "note_tags_pkey", "")
			q.Shared = true
			wantPlan(t, s, reader, q, "note_shares_person", "")
			wantPlan(t, s, reader, q, "note_tags_", "")
			q.Tag = ""
			wantPlan(t, s, reader, q, "note_shares_person", "")
		}
	}
	wantPlan(t, s, owner, notes.Query{Status: notes.Active, Sort: notes.ByUpdatedDesc, Pinned: new(true), Limit: 20}, "notes_pinned", "Sort")

	q := notes.Query{Status: notes.Active, Search: search.Parse("note play"), Limit: 20, MaxBytes: 1 << 20}
	for _, q.Tag = range []string{"", "tag 1"} {
		wantPlan(t, s, owner, q, "note_search_words", "")
		q.Shared = true
		wantPlan(t, s, reader, q, "note_shares_person", "")
		q.Shared = false
	}

	for _, tt := range []struct {
		query          string
		args           []any
		index, without string
	}{
		{get, []any{middle.ID, reader}, "notes_pkey", ""},
		{get, []any{middle.ID, reader}, "note_shares_note_person_key", ""},
		{sharesOf, []any{[]uuid.UUID{middle.ID}}, "note_shares_note_person_key", ""},
		{sharesWith, []any{reader, uuid.Nil, 100}, "note_shares_person", ""},
		{due, []any{middle.CreatedAt, 100}, "notes_due", "Sort"},
		{remind, []any{middle.CreatedAt, 100}, "notes_due", "Sort"},
		{remind, []any{middle.CreatedAt, 100}, "notes_pkey", "Sort"},
		{owned, []any{batch[0].Owner}, "notes_", ""},
		{some, []any{[]uuid.UUID{middle.ID}}, "notes_pkey", ""},
		{toErase, []any{batch[0].Owner, 100}, "notes_", ""},
		{unshareAll, []any{reader, 100}, "note_shares_person", ""},
		{isErased, []any{notes.ErasedKey(reader)}, "erased_users_pkey", ""},
		{revisions, []any{middle.ID}, "note_revisions_pkey", "Sort"},
		{revision, []any{middle.ID, 1}, "note_revisions_pkey", ""},
		{dropRevisions, []any{middle.ID, 50, 1000}, "note_revisions_pkey", ""},
		{feed, []any{owner, 100, 200}, "note_changes_seq", ""},
		{feed, []any{owner, 100, 200}, "note_changes_pruned_pkey", ""},
		{readable, []any{owner, []uuid.UUID{middle.ID}, 1 << 20}, "notes_pkey", ""},
		{readable, []any{owner, []uuid.UUID{middle.ID}, 1 << 20}, "note_shares_note_person_key", ""},
		{prune, []any{middle.CreatedAt, 100}, "note_changes_gone", ""},
		{eraseFeed, []any{reader, 100}, "note_changes_", ""},
		{erasePrune, []any{reader}, "note_changes_pruned_pkey", ""},
		{unname, []any{reader, 100}, "notes_editor", ""},
		{unnameWas, []any{reader, 100}, "note_revisions_editor", ""},
		{unindexed, nil, "notes_unindexed", ""},
		{`delete from notes where id = any($1)`, []any{[]uuid.UUID{middle.ID}}, "notes_pkey", ""},
	} {
		wantIndex(t, s, tt.query, tt.args, tt.index, tt.without)
	}
}

// wantPlan tells whether a list is served by an index, does without what it
// shall, and reads a table through indexes only.
func wantPlan(t *testing.T, s *Store, owner uuid.UUID, q notes.Query, index, without string) {
	t.Helper()
	statement := listing
	if len(q.Search) > 0 {
		statement = finding
	}
	query, args := statement(owner, q)
	wantIndex(t, s, query, args, index, without)
}

func wantIndex(t *testing.T, s *Store, query string, args []any, index, without string) {
	t.Helper()
	for _, plan := range plans(t, s, query, args) {
		if !strings.Contains(plan, index) || strings.Contains(plan, "Seq Scan") || without != "" && strings.Contains(plan, without) {
			t.Errorf("want %s and no %s\n%s\n%v\n%s", index, without, query, args, plan)
		}
	}
}

// plans returns the plan for these arguments, and the one for any, which the
// server may turn to once it has seen a statement often.
func plans(t *testing.T, s *Store, query string, args []any) (plans []string) {
	t.Helper()
	err := s.AcquireFunc(t.Context(), func(c *pgxpool.Conn) error {
		execute := "explain execute list"
		if len(args) > 0 {
			execute += "(null" + strings.Repeat(", null", len(args)-1) + ")"
		}
		for _, statement := range []string{"set plan_cache_mode = force_generic_plan", "prepare list as " + query} {
			if _, err := c.Exec(t.Context(), statement); err != nil {
				return err
			}
		}
		for explain, args := range map[string][]any{"explain " + query: args, execute: nil} {
			rows, err := c.Query(t.Context(), explain, args...)
			if err != nil {
				return err
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return err
			}
			plans = append(plans, strings.Join(lines, "\n"))
		}
		_, err := c.Exec(t.Context(), "deallocate list")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return plans
}
