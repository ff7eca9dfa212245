package django_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trellis-go/trellis/kit/django"
)

func TestRowErrors(t *testing.T) {
	t.Parallel()
	wide := django.Table{Name: "wide", Columns: []string{"v"}}
	text := func(r *django.Row) any { return r.Text("v") }
	at := func(r *django.Row) any { return r.Time("v") }
	null := func(r *django.Row) any { return r.NullTime("v") }
	tests := []struct {
		value string // in SQL
		get   func(*django.Row) any
		want  string // the value, or the error
	}{
		{`'héllo'`, text, "héllo"},
		{`''`, text, ""},
		{`NULL`, text, "v is NULL"},
		{`12`, text, "v is the number 12, not a text"},
		{`1.5`, text, "v is the number 1.5, not a text"},
		{`x'616263'`, text, "v is a blob of 3 bytes, not a text"},
		{`CAST(x'6162ff63' AS TEXT)`, text, "v is not valid UTF-8: byte 2 is 0xff"},
		{`CAST(x'61006200' AS TEXT)`, text, "v has a NUL character at byte 1"},
		{`CAST(x'61ff0062' AS TEXT)`, text, "v is not valid UTF-8: byte 1 is 0xff"},
		{`printf('%.*c', 16777216, 'x')`, func(r *django.Row) any { return len(r.Text("v")) }, "16777216"},
		{`printf('%.*c', 16777217, 'x')`, text, "v is 16777217 bytes long, more than 16777216"},
		{`zeroblob(200000000)`, null, "v is 200000000 bytes long, more than 16777216"},
		{`'2020-01-02 03:04:05'`, at, "2020-01-02 03:04:05 +0000 UTC"},
		{`1577934245.5`, at, "v is the number 1577934245.5, not a time as text"},
		{`'yesterday' || char(27) || '[2J'`, at, `v is no time: "yesterday\x1b[2J"`},
		{`NULL`, at, "v is NULL"},
		{`NULL`, null, "<nil>"},
		{`'x'`, null, `v is no time: "x"`},
		{`1`, func(r *django.Row) any { return r.Bool("v") }, "true"},
		{`0`, func(r *django.Row) any { return r.Bool("v") }, "false"},
		{`2`, func(r *django.Row) any { return r.Bool("v") }, "v is the number 2, not 0 or 1"},
		{`'true'`, func(r *django.Row) any { return r.Bool("v") }, `v is the text "true", not 0 or 1`},
		{`-9223372036854775808`, func(r *django.Row) any { return r.Int("v") }, "-9223372036854775808"},
		{`9e99`, func(r *django.Row) any { return r.Int("v") }, "v is the number 9e+99, not a whole number"},
		{`1`, func(r *django.Row) any { return r.Int("w") }, "w was not asked for"},
	}
	path := build(t, `CREATE TABLE wide (id integer PRIMARY KEY, v)`)
	db := execute(t, path)
	for i, tt := range tests {
		if _, err := db.Exec(fmt.Sprintf(`INSERT INTO wide VALUES (%d, %s)`, i-3, tt.value)); err != nil {
			t.Fatal(tt.value, err)
		}
	}
	db.Close()
	f := open(t, path, wide)
	i := 0
	for row, err := range f.Rows(t.Context(), wide) {
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(tests[i].get(row))
		if err := row.Err(); err != nil {
			got = err.Error()
		}
		if got != tests[i].want || row.ID() != int64(i-3) {
			t.Errorf("%s: got %s, want %s", tests[i].value, got, tests[i].want)
		}
		i++
	}
	if i != len(tests) {
		t.Errorf("%d rows, want %d", i, len(tests))
	}
}

func TestErrCollects(t *testing.T) {
	t.Parallel()
	f := open(t, build(t, schema, `INSERT INTO notes_note VALUES (1, NULL, x'00', 'never', 4)`), notes)
	for row, err := range f.Rows(t.Context(), notes) {
		if err != nil {
			t.Fatal(err)
		}
		_, _, _, _ = row.Text("title"), row.Text("content"), row.Time("created_at"), row.Int("owner_id")
		if err := row.Err(); err == nil || strings.Count(err.Error(), "; ") != 2 {
			t.Error(err)
		}
		if err := row.Err("content", "owner_id"); err == nil || err.Error() != "content is a blob of 1 bytes, not a text" {
			t.Error(err)
		}
		if err := row.Err("owner_id"); err != nil {
			t.Error(err)
		}
	}
}
