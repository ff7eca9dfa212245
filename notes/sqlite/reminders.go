package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/trellis-go/trellis/kit/event"
	kitsqlite "github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/notes"
)

// due selects notes whose reminders are due, in the words of the index notes_due.
const due = `select id from notes where reminder_at <= ?
	and reminder_at is not reminded_at and status <> 'trashed' order by reminder_at limit ?`

const remind = `update notes set reminded_at = reminder_at where id in (` + due + `) returning id, owner, title`

func (s *Store) Remind(ctx context.Context, now time.Time, max int, tell func(notes.Note) (event.Message, error)) (count int, err error) {
	var first []byte // mostly there is none, and then no writer need wait
	if err := s.Reader.QueryRowContext(ctx, due, kitsqlite.Micros(now), 1).Scan(&first); errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	err = s.Tx(ctx, func(tx *sql.Tx) error {
		list, err := collect(ctx, tx, func(rows *sql.Rows) (n notes.Note, err error) {
			return n, rows.Scan(&n.ID, &n.Owner, &n.Title)
		}, remind, kitsqlite.Micros(now), max)
		if err != nil {
			return err
		}
		events := make([]event.Message, len(list))
		for i, n := range list {
			if events[i], err = tell(n); err != nil {
				return err
			}
		}
		count = len(list)
		return s.Emit(ctx, tx, events...)
	})
	if err != nil {
		return 0, err
	}
	return count, nil
}
