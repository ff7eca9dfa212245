package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/notes"
)

const (
	// feed has its bounds in each row, and one without a seq if it has nothing.
	feed = `select b.pruned, b.last, coalesce(f.seq, 0), coalesce(f.note, $1) from (
			select coalesce((select seq from note_changes_pruned where reader = $1), 0) as pruned,
				coalesce((select seq from note_changes where reader = $1 order by seq desc limit 1), 0) as last
		) b left join (
			select seq, note from note_changes where reader = $1 and seq > $2 order by seq limit $3
		) f on true order by f.seq`
	prune = `with old as (
			select reader, seq from note_changes where gone and changed_at < $1 order by changed_at limit $2 for update skip locked
		), pruned as (
			delete from note_changes c using old where c.reader = old.reader and c.seq = old.seq returning c.reader, c.seq
		), marked as (
			insert into note_changes_pruned as p select reader, max(seq) from pruned group by reader
			on conflict (reader) do update set seq = greatest(p.seq, excluded.seq)
		)
		select count(*) from pruned`
	eraseFeed  = `delete from note_changes where reader = $1 and note = any (array(select note from note_changes where reader = $1 limit $2))`
	erasePrune = `delete from note_changes_pruned where reader = $1`
)

var readable = `select ` + headers + `, ` + bodies(` order by k.at`) + `,
		case when n.owner = $1 then 'owner' else s.role end
	from unnest($2::uuid[]) with ordinality k (id, at) join notes n on n.id = k.id left join note_shares s on s.note = n.id and s.person = $1
	where n.owner = $1 or s.role is not null and n.status <> 'trashed' order by k.at`

func (s *Store) Changes(ctx context.Context, reader uuid.UUID, since notes.Position, limit, maxBytes int) (notes.Changes, error) {
	rows, err := s.Query(ctx, feed, reader, since.Seq, limit+1)
	if err != nil {
		return notes.Changes{}, err
	}
	var pruned, last int64
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d notes.Delta, err error) {
		return d, row.Scan(&pruned, &last, &d.Seq, &d.ID)
	})
	if err != nil {
		return notes.Changes{}, err
	}
	if since.Lost(pruned, last) {
		return notes.Changes{}, notes.ErrResync
	}
	if list[0].Seq == 0 {
		list = nil
	}
	more := len(list) > limit
	list = list[:min(limit, len(list))]
	read, err := s.read(ctx, reader, list, maxBytes)
	if err != nil {
		return notes.Changes{}, err
	}
	return notes.NewChanges(since, pruned, list[:read], more || read < len(list)), nil
}

// read adds the notes that the reader can read, and tells how many deltas are
// done once they have maxBytes.
func (s *Store) read(ctx context.Context, reader uuid.UUID, list []notes.Delta, maxBytes int) (done int, err error) {
	ids := make([]uuid.UUID, len(list))
	for i, d := range list {
		ids[i] = d.ID
	}
	rows, err := s.Query(ctx, readable, reader, ids, bound(maxBytes))
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for at := 0; rows.Next(); {
		var n notes.Note
		var body *string
		if err := scan(rows, &n, &body); err != nil {
			return 0, err
		}
		for list[at].ID != n.ID {
			at++ // that one is gone
		}
		if body == nil {
			return at, nil
		}
		n.Body = *body
		list[at].Note = &n
	}
	return len(list), rows.Err()
}

func (s *Store) Prune(ctx context.Context, before time.Time, max int) (count int, err error) {
	return count, s.QueryRow(ctx, prune, before, max).Scan(&count)
}
