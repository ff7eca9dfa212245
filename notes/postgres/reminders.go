package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/notes"
)

// due selects notes whose reminders are due, in the words of the index notes_due.
const due = `select id from notes where reminder_at <= $1
	and reminder_at is distinct from reminded_at and status <> 'trashed' order by reminder_at limit $2`

// remind takes due notes that no other transaction is about to change.
const remind = `update notes set reminded_at = reminder_at where id = any (array(` + due + ` for update skip locked)) returning id, owner, title`

func (s *Store) Remind(ctx context.Context, now time.Time, max int, tell func(notes.Note) (event.Message, error)) (count int, err error) {
	err = s.Tx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, remind, now, max)
		if err != nil {
			return err
		}
		events, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (event.Message, error) {
			var n notes.Note
			if err := row.Scan(&n.ID, &n.Owner, &n.Title); err != nil {
				return event.Message{}, err
			}
			return tell(n)
		})
		if count = len(events); err != nil || count == 0 {
			return err
		}
		return s.Emit(ctx, tx, events...)
	})
	if err != nil {
		return 0, err
	}
	return count, nil
}
