package postgres

import (
	"cmp"
	"context"
	"math"
	"strconv"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notes"
)

func (s *Store) List(ctx context.Context, reader uuid.UUID, q notes.Query) (list []notes.Note, more bool, err error) {
	statement := listing
	if len(q.Search) > 0 {
		statement = finding
	}
	query, args := statement(reader, q)
	rows, err := s.Query(ctx, query, args...)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	list = make([]notes.Note, 0, q.Limit)
	for rows.Next() {
		var n notes.Note
		var body *string
		if err := scan(rows, &n, &body); err != nil {
			return nil, false, err
		}
		if body == nil || len(list) == q.Limit {
			more = true
			continue
		}
		n.Body = *body
		list = append(list, n)
	}
	return list, more, rows.Err()
}

// listing returns the statement that a query means: one note more than its
// limit, and no bodies behind MaxBytes, for the server sends all that is selected.
func listing(reader uuid.UUID, q notes.Query) (query string, args []any) {
	o := orderOf(q.Sort)
	args = []any{reader, q.Status, bound(q.MaxBytes), q.Limit + 1}
	arg := func(v any) string { return add(&args, v) }
	// From shares or a tag to notes, which offset 0 holds the planner to: while
	// it has no statistics it would try each note on each of the tag's.
	role, from, where := `'owner'`, `notes n`, `n.owner = $1 and n.status = $2`
	switch {
	case q.Shared:
		role, where = `s.role`, `s.person = $1 and n.status = $2 and n.status <> 'trashed'`
		from = `note_shares s` + ofNote(`s.note`)
		if q.Tag != "" {
			from += tagged(arg(q.Tag))
		}
	case q.Tag != "":
		where += ` and t.owner = $1 and t.tag = ` + arg(q.Tag)
		from = `note_tags t` + ofNote(`t.note`)
	}
	where += pinned(q)
	if q.After != nil {
		where += ` and (n.` + o.column + `, n.id) ` + o.after + ` (` + arg(o.place(*q.After)) + `, ` + arg(q.After.ID) + `)`
	}
	order := ` order by n.` + o.column + o.direction + `, n.id` + o.direction
	return `select ` + headers + `, ` + bodies(order) + `, n.role` +
		` from (select n.*, ` + role + ` as role from ` + from + ` where ` + where + order + ` limit $4) n` + order, args
}

// bodies selects the bodies of notes in an order, but none behind $3 bytes.
func bodies(order string) string {
	return `case when coalesce(sum(octet_length(n.title) + octet_length(n.body)) over (` +
		order + ` rows between unbounded preceding and 1 preceding), 0) < $3 then n.body end`
}

// bound is a number of bytes, 0 for any.
func bound(bytes int) int64 { return cmp.Or(int64(bytes), math.MaxInt64) }

// add adds an argument, and returns its name.
func add(args *[]any, v any) string {
	*args = append(*args, v)
	return `$` + strconv.Itoa(len(*args))
}

// ofNote joins the note with an id.
func ofNote(id string) string {
	return ` cross join lateral (select * from notes where id = ` + id + ` offset 0) n`
}

// tagged leaves only notes with a tag.
func tagged(tag string) string {
	return ` cross join lateral (select from note_tags where owner = n.owner and tag = ` + tag + ` and note = n.id offset 0) t`
}

func pinned(q notes.Query) string {
	switch {
	case q.Pinned == nil:
		return ``
	case *q.Pinned:
		return ` and n.pinned`
	default:
		return ` and not n.pinned`
	}
}

// order is a sort as SQL says it. An index serves both directions.
type order struct{ column, direction, after string }

func orderOf(s notes.Sort) order {
	column, descending := s.By()
	if descending {
		return order{column, ` desc`, `<`}
	}
	return order{column, ``, `>`}
}

func (o order) place(p notes.Place) any {
	if o.column == `title` {
		return p.Title
	}
	return p.Time
}
