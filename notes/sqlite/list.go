package sqlite

import (
	"context"

	"github.com/google/uuid"
	kitsqlite "github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/notes"
)

func (s *Store) List(ctx context.Context, reader uuid.UUID, q notes.Query) (list []notes.Note, more bool, err error) {
	query, args := listing(reader, q)
	if len(q.Search) > 0 {
		if query, args, err = s.find(ctx, reader, q); err != nil {
			return nil, false, err
		}
	}
	rows, err := s.Reader.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	list = make([]notes.Note, 0, q.Limit)
	bytes := 0
	for rows.Next() {
		if len(list) == q.Limit || len(list) > 0 && q.MaxBytes > 0 && bytes >= q.MaxBytes {
			return list, true, nil // the bodies that follow are not read
		}
		n, err := scan(rows)
		if err != nil {
			return nil, false, err
		}
		list = append(list, n)
		bytes += len(n.Title) + len(n.Body)
	}
	return list, false, rows.Err()
}

// listing returns the statement that a query means: one note more than its limit.
func listing(reader uuid.UUID, q notes.Query) (query string, args []any) {
	o := orderOf(q.Sort)
	role, from, args := `'owner'`, `notes n where n.owner = ? and n.status = ?`, []any{reader[:], q.Status}
	switch {
	case q.Shared && q.Tag != "":
		role = `s.role`
		from = `note_shares s cross join notes n on n.id = s.note cross join note_tags t on t.owner = n.owner and t.note = n.id
			where s.person = ? and n.status = ? and n.status <> 'trashed' and t.tag = ?`
		args = append(args, q.Tag)
	case q.Shared:
		role = `s.role`
		from = `note_shares s cross join notes n on n.id = s.note where s.person = ? and n.status = ? and n.status <> 'trashed'`
	case q.Tag != "":
		from = `note_tags t join notes n on n.id = t.note where t.owner = ? and n.status = ? and t.tag = ?`
		args = append(args, q.Tag)
	}
	from += pinned(q)
	if q.After != nil {
		from += ` and (n.` + o.column + `, n.id) ` + o.after + ` (?, ?)`
		args = append(args, o.place(*q.After), q.After.ID[:])
	}
	from += ` order by n.` + o.column + o.direction + `, n.id` + o.direction + ` limit ?`
	args = append(args, q.Limit+1)
	if q.Tag == "" && !q.Shared {
		return `select ` + columns + `, ` + role + ` from ` + from, args
	}
	// The notes of a tag, and those shared, are sorted. To sort their bodies
	// along would cost what MaxBytes is to save, so ids are sorted and the outer
	// loop, which cross join makes theirs, keeps their order.
	return bodies(role, from), args
}

func bodies(role, from string) string {
	return `select ` + columns + `, k.role from (select n.id, ` + role + ` as role from ` + from + `) k cross join notes n on n.id = k.id`
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
	return kitsqlite.Micros(p.Time)
}
