package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/google/uuid"
	kitsqlite "github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/notes"
)

const (
	// feed has its bounds in each row, and one without a seq if it has nothing.
	feed = `select b.pruned, b.last, coalesce(f.seq, 0), coalesce(f.note, ?1) from (
			select coalesce((select seq from note_changes_pruned where reader = ?1), 0) as pruned,
				coalesce((select seq from note_changes where reader = ?1 order by seq desc limit 1), 0) as last
		) b left join (
			select seq, note from note_changes where reader = ?1 and seq > ?2 order by seq limit ?3
		) f order by f.seq`
	readable = `select ` + columns + `, case when n.owner = ?1 then 'owner' else s.role end
		from json_each(?2) k cross join notes n on n.id = unhex(k.value) left join note_shares s on s.note = n.id and s.person = ?1
		where n.owner = ?1 or s.role is not null and n.status <> 'trashed'`

	oldest    = `from note_changes where gone and changed_at < ? order by changed_at, seq limit ?`
	markPrune = `insert into note_changes_pruned (reader, seq) select reader, max(seq) from (select reader, seq ` + oldest + `) where true group by reader
		on conflict do update set seq = max(seq, excluded.seq)`
	prune      = `delete from note_changes where seq in (select seq ` + oldest + `)`
	eraseFeed  = `delete from note_changes where seq in (select seq from note_changes where reader = ? limit ?)`
	erasePrune = `delete from note_changes_pruned where reader = ?`
)

func (s *Store) Changes(ctx context.Context, reader uuid.UUID, since notes.Position, limit, maxBytes int) (notes.Changes, error) {
	var pruned, last int64
	list, err := collect(ctx, s.Reader, func(rows *sql.Rows) (d notes.Delta, err error) {
		return d, rows.Scan(&pruned, &last, &d.Seq, &d.ID)
	}, feed, reader[:], since.Seq, limit+1)
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
	rows, err := s.Reader.QueryContext(ctx, readable, reader[:], encodeIDs(ids))
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	at, bytes := 0, 0
	for rows.Next() {
		n, err := scan(rows)
		if err != nil {
			return 0, err
		}
		for list[at].ID != n.ID {
			at++ // that one is gone
		}
		if bytes > 0 && maxBytes > 0 && bytes >= maxBytes {
			return at, nil // the bodies that follow are not read
		}
		list[at].Note = &n
		bytes += len(n.Title) + len(n.Body)
	}
	return len(list), rows.Err()
}

func (s *Store) Prune(ctx context.Context, before time.Time, max int) (count int, err error) {
	err = s.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, markPrune, kitsqlite.Micros(before), max); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, prune, kitsqlite.Micros(before), max)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		count = int(n)
		return err
	})
	return count, err
}
