package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/sqlite"
)

const sessionColumns = `user_id, device, ip, created_at, last_seen_at, expires_at, ended_at, cookie,
	known_by, chain, generation, current, previous, salt, rotated_at, rotated_by`

const (
	insertSession = `insert into sessions (id, ` + sessionColumns + `)
		select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17
		where exists (select 1 from users where id = ?2 and password = ?18 and not disabled)`
	endOldest = `update sessions set ended_at = ?2 where id in (
		select id from sessions where user_id = ?1 and ended_at is null order by last_seen_at desc, id desc limit -1 offset ?3) returning id`
	endOthers     = `update sessions set ended_at = ?2 where user_id = ?1 and ended_at is null and id <> ?3 returning id`
	endAll        = `update sessions set ended_at = ?2 where user_id = ?1 and ended_at is null returning id`
	updateSession = `update sessions set (` + sessionColumns + `)
		= (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) where id = ?1`
	selectSession = `select id, ` + sessionColumns + ` from sessions `

	liveSessions = selectSession + `where user_id = ?1 and ended_at is null and expires_at > ?2
		order by last_seen_at desc, id desc`
	openSessions = selectSession + `where user_id = ?1 and ended_at is null`
	allSessions  = selectSession + `where user_id = ?1 order by created_at desc, id desc`
	endedAfter   = `select id, ended_at from sessions where ended_at > ?1
		union all select id, ended_at from ended_sessions where ended_at > ?1 order by ended_at`
	knowsDevice = `select exists (select 1 from sessions where user_id = ?1 and known_by = ?2)`
	hadSession  = `select exists (select 1 from sessions where user_id = ?1)`
)

func (s *Store) CreateSession(ctx context.Context, session auth.Session, password string, events ...event.Message) error {
	return s.Tx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, insertSession, append(sessionFields(session), password)...)
		if err != nil {
			return err
		}
		switch n, err := result.RowsAffected(); {
		case err != nil:
			return err
		case n == 0:
			return auth.ErrNoUser
		}
		return s.end(ctx, tx, session.User, events, endOldest, sqlite.Micros(session.CreatedAt), auth.MaxSessions)
	})
}

func (s *Store) Session(ctx context.Context, id uuid.UUID) (auth.Session, error) {
	return oneSession(s.Reader.QueryRowContext(ctx, selectSession+`where id = ?1`, id[:]))
}

func (s *Store) UpdateSession(ctx context.Context, id uuid.UUID, change func(*auth.Session) ([]event.Message, error)) error {
	return s.Tx(ctx, func(tx *sql.Tx) error {
		session, err := oneSession(tx.QueryRowContext(ctx, selectSession+`where id = ?1`, id[:]))
		if err != nil {
			return err
		}
		lived := session.EndedAt == nil
		events, err := change(&session)
		if err != nil {
			return err
		}
		session.ID = id
		if _, err := tx.ExecContext(ctx, updateSession, sessionFields(session)...); err != nil {
			return err
		}
		if lived && session.EndedAt != nil {
			return s.tell(ctx, tx, session.User, events, id)
		}
		return s.Emit(ctx, tx, events...)
	})
}

// end runs one of the updates that end sessions of a user and return their
// ids, and writes events, those of the ends too.
func (s *Store) end(ctx context.Context, tx *sql.Tx, user uuid.UUID, events []event.Message, update string, args ...any) error {
	rows, err := tx.QueryContext(ctx, update, append([]any{user[:]}, args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var ended []uuid.UUID
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			return err
		}
		ended = append(ended, id)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return s.tell(ctx, tx, user, events, ended...)
}

func (s *Store) tell(ctx context.Context, tx *sql.Tx, user uuid.UUID, events []event.Message, ended ...uuid.UUID) error {
	endings, err := auth.Endings(ctx, user, ended...)
	if err != nil {
		return err
	}
	return s.Emit(ctx, tx, slices.Concat(events, endings)...)
}

func (s *Store) Sessions(ctx context.Context, user uuid.UUID, now time.Time) ([]auth.Session, error) {
	return listSessions(s.Reader.QueryContext(ctx, liveSessions, user[:], sqlite.Micros(now)))
}

func (s *Store) AllSessions(ctx context.Context, user uuid.UUID) ([]auth.Session, error) {
	return listSessions(s.Reader.QueryContext(ctx, allSessions, user[:]))
}

func (s *Store) EndSessions(ctx context.Context, user uuid.UUID, now time.Time, pick func(auth.Session) bool) (ended []uuid.UUID, err error) {
	err = s.Tx(ctx, func(tx *sql.Tx) error {
		sessions, err := listSessions(tx.QueryContext(ctx, openSessions, user[:]))
		if err != nil {
			return err
		}
		for _, session := range sessions {
			if !pick(session) {
				continue
			}
			if _, err := tx.ExecContext(ctx, `update sessions set ended_at = ?2 where id = ?1`, session.ID[:], sqlite.Micros(now)); err != nil {
				return err
			}
			ended = append(ended, session.ID)
		}
		return s.tell(ctx, tx, user, nil, ended...)
	})
	if err != nil {
		return nil, err
	}
	return ended, nil
}

func (s *Store) Ended(ctx context.Context, after time.Time) (list []auth.Ended, err error) {
	rows, err := s.Reader.QueryContext(ctx, endedAfter, sqlite.Micros(after))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var e auth.Ended
		var at int64
		if err := rows.Scan(&e.ID, &at); err != nil {
			return nil, err
		}
		e.At = sqlite.Time(at)
		list = append(list, e)
	}
	return list, rows.Err()
}

func (s *Store) KnowsDevice(ctx context.Context, user uuid.UUID, device []byte) (knows bool, err error) {
	if len(device) == 0 {
		return false, ctx.Err()
	}
	err = s.Reader.QueryRowContext(ctx, knowsDevice, user[:], device).Scan(&knows)
	return knows, err
}

func (s *Store) HadSession(ctx context.Context, user uuid.UUID) (had bool, err error) {
	err = s.Reader.QueryRowContext(ctx, hadSession, user[:]).Scan(&had)
	return had, err
}

// sessionFields are the values of insertSession and updateSession.
func sessionFields(s auth.Session) []any {
	var endedAt *int64
	if s.EndedAt != nil {
		micros := sqlite.Micros(*s.EndedAt)
		endedAt = &micros
	}
	return []any{s.ID[:], s.User[:], s.Device, s.IP,
		sqlite.Micros(s.CreatedAt), sqlite.Micros(s.LastSeenAt), sqlite.Micros(s.ExpiresAt), endedAt,
		s.Cookie, s.KnownBy, s.Chain, s.Generation, s.Current, s.Previous, s.Salt,
		sqlite.Micros(s.RotatedAt), s.RotatedBy}
}

func scanSession(row interface{ Scan(...any) error }) (s auth.Session, err error) {
	var createdAt, lastSeenAt, expiresAt, rotatedAt int64
	var endedAt *int64
	err = row.Scan(&s.ID, &s.User, &s.Device, &s.IP,
		&createdAt, &lastSeenAt, &expiresAt, &endedAt,
		&s.Cookie, &s.KnownBy, &s.Chain, &s.Generation, &s.Current, &s.Previous, &s.Salt,
		&rotatedAt, &s.RotatedBy)
	if err != nil {
		return auth.Session{}, err
	}
	s.CreatedAt, s.LastSeenAt = sqlite.Time(createdAt), sqlite.Time(lastSeenAt)
	s.ExpiresAt, s.RotatedAt = sqlite.Time(expiresAt), sqlite.Time(rotatedAt)
	if endedAt != nil {
		t := sqlite.Time(*endedAt)
		s.EndedAt = &t
	}
	return s, nil
}

func oneSession(row *sql.Row) (auth.Session, error) {
	s, err := scanSession(row)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.Session{}, auth.ErrNoSession
	}
	return s, err
}

func listSessions(rows *sql.Rows, err error) ([]auth.Session, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []auth.Session
	for rows.Next() {
		s, err := scanSession(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}
