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
	query, args := listing(reader, q)
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
	args = []any{reader, q.Status, cmp.Or(q.MaxBytes, math.MaxInt64), q.Limit + 1}
	arg := func(v any) string {
		args = append(args, v)
		return `$` + strconv.Itoa(len(args))
	}
	// From shares or a tag to notes, which offset 0 holds the planner to: while
	// it has no statistics it would try each note on each of the tag's.
	role, from, where := `'owner'`, `notes n`, `n.owner = $1 and n.status = $2`
	switch {
	case q.Shared:
		role, where = `s.role`, `s.person = $1 and n.status = $2 and n.status <> 'trashed'`
		from = `note_shares s cross join lateral (select * from notes where id = s.note offset 0) n`
		if q.Tag != "" {
			from += ` cross join lateral (select from note_tags where owner = n.owner and tag = ` + arg(q.Tag) + ` and note = n.id offset 0) t`
		}
	case q.Tag != "":
		where += ` and t.owner = $1 and t.tag = ` + arg(q.Tag)
		from = `note_tags t cross join lateral (select * from notes where id = t.note offset 0) n`
	}
	if q.Pinned != nil && *q.Pinned {
		where += ` and n.pinned`
	} else if q.Pinned != nil {
		where += ` and not n.pinned`
	}
	if q.After != nil {
		where += ` and (n.` + o.column + `, n.id) ` + o.after + ` (` + arg(o.place(*q.After)) + `, ` + arg(q.After.ID) + `)`
	}
	order := ` order by n.` + o.column + o.direction + `, n.id` + o.direction
	return `select ` + headers + `, case when coalesce(sum(octet_length(n.title) + octet_length(n.body)) over (` +
		order + ` rows between unbounded preceding and 1 preceding), 0) < $3 then n.body end, n.role` +
		` from (select n.*, ` + role + ` as role from ` + from + ` where ` + where + order + ` limit $4) n` + order, args
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
