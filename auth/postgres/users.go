package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/event"
)

// addUser adds a user unless another has the id or the username, and unless
// another has the email; with $13, the latter is added without email. It
// tells which of the three another has.
const addUser = `with taken as (select
		exists (select from users where id = $1) as id,
		exists (select from users where email_key = $3) or exists (select from users where username_key = $3) as email,
		exists (select from users where username = $4) or exists (select from users where email_key = $5) as username
	), added as (
		insert into users (id, email, email_key, username, username_key,
			name, roles, email_verified, mfa, password, disabled, created_at)
		select $1, case when not email then $2::text end, case when not email then $3::text end, $4, $5,
			$6, $7, $8 and not email, $9, $10, $11, $12
		from taken where not id and not username and (not email or $13)
	)
	select id, email, username from taken`

func (s *Store) CreateUser(ctx context.Context, u auth.User, events ...event.Message) error {
	return s.Tx(ctx, func(tx pgx.Tx) error {
		if err := s.Emit(ctx, tx, events...); err != nil { // before the lock, for which others wait
			return err
		}
		var id, email, username bool
		b := &pgx.Batch{}
		lock(b, "users")
		b.Queue(addUser, append(userFields(u), false)...).QueryRow(func(row pgx.Row) error { return row.Scan(&id, &email, &username) })
		if err := tx.SendBatch(ctx, b).Close(); err != nil {
			return err
		}
		switch {
		case id:
			return auth.ErrUserExists
		case email:
			return auth.ErrEmailTaken
		case username:
			return auth.ErrUsernameTaken
		}
		return nil
	})
}

func (s *Store) ImportUsers(ctx context.Context, users []auth.User) ([]error, error) {
	became := make([]error, len(users))
	if err := s.importUsers(ctx, users, became); err != nil {
		return nil, err
	}
	return became, nil
}

// importUsers adds all users in one transaction. If PostgreSQL can't keep one
// of them (there is text that it doesn't take), it halves them until that one is alone.
func (s *Store) importUsers(ctx context.Context, users []auth.User, became []error) error {
	b := &pgx.Batch{}
	lock(b, "users")
	for i, u := range users {
		b.Queue(addUser, append(userFields(u), true)...).QueryRow(func(row pgx.Row) error {
			var id, email, username bool
			if err := row.Scan(&id, &email, &username); err != nil {
				return err
			}
			switch {
			case id:
				became[i] = auth.ErrUserExists
			case username:
				became[i] = auth.ErrUsernameTaken
			case email:
				became[i] = auth.ErrEmailTaken
			}
			return nil
		})
	}
	err := s.SendBatch(ctx, b).Close()
	if !refused(err) {
		return err
	}
	clear(became)
	if len(users) == 1 {
		became[0] = err
		return nil
	}
	half := len(users) / 2
	if err := s.importUsers(ctx, users[:half], became[:half]); err != nil {
		return err
	}
	return s.importUsers(ctx, users[half:], became[half:])
}

// refused tells whether err is about the values: classes 22 data exception,
// 23 integrity constraint violation, 54 program limit exceeded.
func refused(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && slices.Contains([]string{"22", "23", "54"}, e.Code[:2])
}

// userFields are the first twelve values of addUser. An empty name is taken
// for none: it would be found by nobody, and be the same as every other.
func userFields(u auth.User) []any {
	var email, emailKey, username, usernameKey *string
	if u.Email != nil {
		if key := auth.EmailKey(*u.Email); key != "" {
			email, emailKey = u.Email, &key
		}
	}
	if u.Username != nil && *u.Username != "" {
		key := auth.EmailKey(*u.Username)
		username, usernameKey = u.Username, &key
	}
	return []any{u.ID, email, emailKey, username, usernameKey,
		u.Name, append([]string{}, u.Roles...), u.EmailVerified, u.MFA, u.Password, u.Disabled, u.CreatedAt}
}

const selectUser = `select id, email, username, name, roles, email_verified, mfa, password, disabled, created_at from users `

const findUser = selectUser + `where username = $1 or email_key = $2
	order by coalesce(username = $1, false) desc limit 1`

func (s *Store) User(ctx context.Context, id uuid.UUID) (auth.User, error) {
	return scanUser(s.QueryRow(ctx, selectUser+`where id = $1`, id))
}

func (s *Store) FindUser(ctx context.Context, username, emailKey string) (auth.User, error) {
	return scanUser(s.QueryRow(ctx, findUser, username, emailKey))
}

func scanUser(row pgx.Row) (u auth.User, err error) {
	err = row.Scan(&u.ID, &u.Email, &u.Username, &u.Name, &u.Roles, &u.EmailVerified, &u.MFA, &u.Password, &u.Disabled, &u.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return auth.User{}, auth.ErrNoUser
	}
	if err != nil {
		return auth.User{}, err
	}
	u.CreatedAt = u.CreatedAt.UTC()
	return u, nil
}

const setPassword = `update users set password = $3 where id = $1 and password = $2`

func (s *Store) SetPassword(ctx context.Context, user uuid.UUID, old, hash string) (replaced bool, err error) {
	result, err := s.Exec(ctx, setPassword, user, old, hash)
	return result.RowsAffected() == 1, err
}

func (s *Store) ChangePassword(ctx context.Context, user uuid.UUID, old, hash string, keep uuid.UUID, now time.Time, events ...event.Message) (replaced bool, err error) {
	err = s.Tx(ctx, func(tx pgx.Tx) error {
		result, err := tx.Exec(ctx, setPassword, user, old, hash)
		if replaced = result.RowsAffected() == 1; err != nil || !replaced {
			return err
		}
		if _, err := tx.Exec(ctx, voidLinks, user, auth.ResetPassword); err != nil {
			return err
		}
		return s.end(ctx, tx, user, events, endOthers, now, keep)
	})
	return replaced && err == nil, err
}
