package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/event"
)

func (s *Store) CloseUser(ctx context.Context, user uuid.UUID, now time.Time, events ...event.Message) error {
	return s.Tx(ctx, func(tx pgx.Tx) error {
		u, err := scanUser(tx.QueryRow(ctx, lockUser, user))
		if err != nil {
			return err
		}
		if u.Disabled {
			events = nil
		} else if _, err := tx.Exec(ctx, `update users set disabled = true where id = $1`, user); err != nil {
			return err
		}
		return s.end(ctx, tx, user, events, endAll, now)
	})
}

// lockUser keeps sessions and links from being added until the transaction ends.
const lockUser = selectUser + `where id = $1 for update`

const keepEnds = `insert into ended_sessions (id, ended_at)
	select id, coalesce(ended_at, $2) from sessions where user_id = $1`

// erasures remove a user, after what is counted of them.
var erasures = []struct{ what, delete string }{
	{"sessions", `delete from sessions where user_id = $1`},
	{"links", `delete from links where user_id = $1`},
	{"users", `delete from users where id = $1`},
}

func (s *Store) EraseUser(ctx context.Context, user uuid.UUID, now time.Time, events ...event.Message) (erased map[string]int, err error) {
	err = s.Tx(ctx, func(tx pgx.Tx) error {
		erased = map[string]int{}
		switch _, err := scanUser(tx.QueryRow(ctx, lockUser, user)); {
		case errors.Is(err, auth.ErrNoUser):
			return nil
		case err != nil:
			return err
		}
		if _, err := tx.Exec(ctx, keepEnds, user, now); err != nil {
			return err
		}
		for _, e := range erasures {
			result, err := tx.Exec(ctx, e.delete, user)
			if err != nil {
				return err
			}
			if n := result.RowsAffected(); n > 0 {
				erased[e.what] = int(n)
			}
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
