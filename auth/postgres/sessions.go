package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/event"
)

const sessionColumns = `user_id, device, ip, created_at, last_seen_at, expires_at, ended_at, cookie,
	known_by, chain, generation, current, previous, salt, rotated_at, rotated_by`

const (
	insertSession = `insert into sessions (id, ` + sessionColumns + `)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`
	stillKnown = `select from users where id = $1 and password = $2 and not disabled for share`
	endOldest  = `update sessions set ended_at = $2 where id = any (array(
		select id from sessions where user_id = $1 and ended_at is null order by last_seen_at desc, id desc offset $3)) returning id`
	endOthers     = `update sessions set ended_at = $2 where user_id = $1 and ended_at is null and id <> $3 returning id`
	endAll        = `update sessions set ended_at = $2 where user_id = $1 and ended_at is null returning id`
	updateSession = `update sessions set (` + sessionColumns + `)
		= ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) where id = $1`
	selectSession = `select id, ` + sessionColumns + ` from sessions `

	liveSessions = selectSession + `where user_id = $1 and ended_at is null and expires_at > $2
		order by last_seen_at desc, id desc`
	openSessions = selectSession + `where user_id = $1 and ended_at is null order by id for update`
	allSessions  = selectSession + `where user_id = $1 order by created_at desc, id desc`
	endedAfter   = `select id, ended_at from sessions where ended_at > $1
		union all select id, ended_at from ended_sessions where ended_at > $1 order by ended_at`
	knowsDevice = `select exists (select from sessions where user_id = $1 and known_by = $2)`
	hadSession  = `select exists (select from sessions where user_id = $1)`
)

func (s *Store) CreateSession(ctx context.Context, session auth.Session, password string, events ...event.Message) error {
	return s.Tx(ctx, func(tx pgx.Tx) error {
		known, err := tx.Exec(ctx, stillKnown, session.User, password)
		if err != nil {
			return err
		}
		if known.RowsAffected() == 0 {
			return auth.ErrNoUser
		}
		if _, err := tx.Exec(ctx, insertSession, sessionFields(session)...); err != nil {
			return err
		}
		return s.end(ctx, tx, session.User, events, endOldest, session.CreatedAt, auth.MaxSessions)
	})
}

func (s *Store) Session(ctx context.Context, id uuid.UUID) (auth.Session, error) {
	return oneSession(s.Query(ctx, selectSession+`where id = $1`, id))
}

func (s *Store) UpdateSession(ctx context.Context, id uuid.UUID, change func(*auth.Session) ([]event.Message, error)) error {
	return s.Tx(ctx, func(tx pgx.Tx) error {
		session, err := oneSession(tx.Query(ctx, selectSession+`where id = $1 for update`, id))
		if err != nil {
			return err
		}
		lived := session.EndedAt == nil
		events, err := change(&session)
		if err != nil {
			return err
		}
		session.ID = id
		if _, err := tx.Exec(ctx, updateSession, sessionFields(session)...); err != nil {
			return err
		}
		if lived && session.EndedAt != nil {
			return s.tell(ctx, tx, session.User, events, id)
		}
		return s.Emit(ctx, tx, events...)
	})
}

// end runs one of the updates that end sessions of a user and return their
// ids, and writes events, those of the ends too. That comes last in each
// transaction, because others who have events of this user wait from then on.
func (s *Store) end(ctx context.Context, tx pgx.Tx, user uuid.UUID, events []event.Message, update string, args ...any) error {
	rows, err := tx.Query(ctx, update, append([]any{user}, args...)...)
	if err != nil {
		return err
	}
	ended, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return err
	}
	return s.tell(ctx, tx, user, events, ended...)
}

func (s *Store) tell(ctx context.Context, tx pgx.Tx, user uuid.UUID, events []event.Message, ended ...uuid.UUID) error {
	endings, err := auth.Endings(ctx, user, ended...)
	if err != nil {
		return err
	}
	return s.Emit(ctx, tx, slices.Concat(events, endings)...)
}

func (s *Store) Sessions(ctx context.Context, user uuid.UUID, now time.Time) ([]auth.Session, error) {
	return listSessions(s.Query(ctx, liveSessions, user, now))
}

func (s *Store) AllSessions(ctx context.Context, user uuid.UUID) ([]auth.Session, error) {
	return listSessions(s.Query(ctx, allSessions, user))
}

func (s *Store) EndSessions(ctx context.Context, user uuid.UUID, now time.Time, pick func(auth.Session) bool) (ended []uuid.UUID, err error) {
	err = s.Tx(ctx, func(tx pgx.Tx) error {
		sessions, err := listSessions(tx.Query(ctx, openSessions, user))
		if err != nil {
			return err
		}
		ended = nil
		for _, session := range sessions {
			if pick(session) {
				ended = append(ended, session.ID)
			}
		}
		if _, err = tx.Exec(ctx, `update sessions set ended_at = $2 where id = any ($1)`, ended, now); err != nil {
			return err
		}
		return s.tell(ctx, tx, user, nil, ended...)
	})
	if err != nil {
		return nil, err
	}
	return ended, nil
}

func (s *Store) Ended(ctx context.Context, after time.Time) ([]auth.Ended, error) {
	rows, err := s.Query(ctx, endedAfter, after)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e auth.Ended, err error) {
		err = row.Scan(&e.ID, &e.At)
		e.At = e.At.UTC()
		return e, err
	})
}

func (s *Store) KnowsDevice(ctx context.Context, user uuid.UUID, device []byte) (knows bool, err error) {
	if len(device) == 0 {
		return false, ctx.Err()
	}
	err = s.QueryRow(ctx, knowsDevice, user, device).Scan(&knows)
	return knows, err
}

func (s *Store) HadSession(ctx context.Context, user uuid.UUID) (had bool, err error) {
	err = s.QueryRow(ctx, hadSession, user).Scan(&had)
	return had, err
}

// sessionFields are the values of insertSession and updateSession.
func sessionFields(s auth.Session) []any {
	return []any{s.ID, s.User, s.Device, s.IP, s.CreatedAt, s.LastSeenAt, s.ExpiresAt, s.EndedAt,
		s.Cookie, s.KnownBy, s.Chain, s.Generation, s.Current, s.Previous, s.Salt, s.RotatedAt, s.RotatedBy}
}

func scanSession(row pgx.CollectableRow) (s auth.Session, err error) {
	err = row.Scan(&s.ID, &s.User, &s.Device, &s.IP, &s.CreatedAt, &s.LastSeenAt, &s.ExpiresAt, &s.EndedAt,
		&s.Cookie, &s.KnownBy, &s.Chain, &s.Generation, &s.Current, &s.Previous, &s.Salt, &s.RotatedAt, &s.RotatedBy)
	if err != nil {
		return auth.Session{}, err
	}
	s.CreatedAt, s.LastSeenAt = s.CreatedAt.UTC(), s.LastSeenAt.UTC()
	s.ExpiresAt, s.RotatedAt = s.ExpiresAt.UTC(), s.RotatedAt.UTC()
	if s.EndedAt != nil {
		*s.EndedAt = s.EndedAt.UTC()
	}
	return s, nil
}

func oneSession(rows pgx.Rows, err error) (auth.Session, error) {
	if err != nil {
		return auth.Session{}, err
	}
	s, err := pgx.CollectExactlyOneRow(rows, scanSession)
	if errors.Is(err, pgx.ErrNoRows) {
		return auth.Session{}, auth.ErrNoSession
	}
	return s, err
}

func listSessions(rows pgx.Rows, err error) ([]auth.Session, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanSession)
}
