package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/sqlite"
)

func (s *Store) CloseUser(ctx context.Context, user uuid.UUID, now time.Time, events ...event.Message) error {
	return s.Tx(ctx, func(tx *sql.Tx) error {
		u, err := scanUser(tx.QueryRowContext(ctx, selectUser+`where id = ?1`, user[:]))
		if err != nil {
			return err
		}
		if u.Disabled {
			events = nil
		} else if _, err := tx.ExecContext(ctx, `update users set disabled = true where id = ?1`, user[:]); err != nil {
			return err
		}
		return s.end(ctx, tx, user, events, endAll, sqlite.Micros(now))
	})
}

const keepEnds = `insert into ended_sessions (id, ended_at)
	select id, coalesce(ended_at, ?2) from sessions where user_id = ?1`

// erasures remove a user, after what is counted of them.
var erasures = []struct{ what, delete string }{
	{"sessions", `delete from sessions where user_id = ?1`},
	{"links", `delete from links where user_id = ?1`},
	{"users", `delete from users where id = ?1`},
}

func (s *Store) EraseUser(ctx context.Context, user uuid.UUID, now time.Time, events ...event.Message) (erased map[string]int, err error) {
	erased = map[string]int{}
	err = s.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, keepEnds, user[:], sqlite.Micros(now)); err != nil {
			return err
		}
		for _, e := range erasures {
			result, err := tx.ExecContext(ctx, e.delete, user[:])
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return err
			}
			if n > 0 {
				erased[e.what] = int(n)
			}
		}
		if len(erased) == 0 {
			return nil
		}
		if err := s.Forget(ctx, tx, user); err != nil {
			return err
		}
		return s.Emit(ctx, tx, events...)
	})
	if err != nil {
		return nil, err
	}
	return erased, nil
}
