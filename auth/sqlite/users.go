package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/sqlite"
)

// taken tells which of a new user's id, email and username another has.
const taken = `select
	exists (select 1 from users where id = ?1),
	exists (select 1 from users where email_key = ?2) or exists (select 1 from users where username_key = ?2),
	exists (select 1 from users where username = ?3) or exists (select 1 from users where email_key = ?4)`

const insertUser = `insert into users (id, email, email_key, username, username_key,
	name, roles, email_verified, mfa, password, disabled, created_at)
	values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)`

func (s *Store) CreateUser(ctx context.Context, u auth.User, events ...event.Message) error {
	return s.Tx(ctx, func(tx *sql.Tx) error {
		n := namesOf(u)
		var id, email, username bool
		if err := tx.QueryRowContext(ctx, taken, u.ID[:], n.emailKey, n.username, n.usernameKey).Scan(&id, &email, &username); err != nil {
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
		if _, err := tx.ExecContext(ctx, insertUser, fieldsOf(u, n)...); err != nil {
			return err
		}
		return s.Emit(ctx, tx, events...)
	})
}

func (s *Store) ImportUsers(ctx context.Context, users []auth.User) ([]error, error) {
	became := make([]error, len(users))
	err := s.Tx(ctx, func(tx *sql.Tx) error {
		taken, err := tx.PrepareContext(ctx, taken)
		if err != nil {
			return err
		}
		defer taken.Close()
		insert, err := tx.PrepareContext(ctx, insertUser)
		if err != nil {
			return err
		}
		defer insert.Close()
		for i, u := range users {
			if became[i], err = importUser(ctx, taken, insert, u); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return became, nil
}

// importUser returns what became of the user, or why the whole import fails.
func importUser(ctx context.Context, taken, insert *sql.Stmt, u auth.User) (became, err error) {
	n := namesOf(u)
	var id, email, username bool
	if err := taken.QueryRowContext(ctx, u.ID[:], n.emailKey, n.username, n.usernameKey).Scan(&id, &email, &username); err != nil {
		return nil, err
	}
	switch {
	case id:
		return auth.ErrUserExists, nil
	case username:
		return auth.ErrUsernameTaken, nil
	case email:
		n.email, n.emailKey, u.EmailVerified = nil, nil, false
		became = auth.ErrEmailTaken
	}
	_, err = insert.ExecContext(ctx, fieldsOf(u, n)...)
	return became, err
}

// names are what a user is found by; nil for none.
type names struct{ email, emailKey, username, usernameKey *string }

// namesOf takes an empty name for none: it would be found by nobody, and be
// the same as every other.
func namesOf(u auth.User) (n names) {
	if u.Email != nil {
		if key := auth.EmailKey(*u.Email); key != "" {
			n.email, n.emailKey = u.Email, &key
		}
	}
	if u.Username != nil && *u.Username != "" {
		key := auth.EmailKey(*u.Username)
		n.username, n.usernameKey = u.Username, &key
	}
	return n
}

// fieldsOf are the values of insertUser.
func fieldsOf(u auth.User, n names) []any {
	roles, _ := json.Marshal(append([]string{}, u.Roles...)) // strings always can be
	return []any{u.ID[:], n.email, n.emailKey, n.username, n.usernameKey,
		u.Name, string(roles), u.EmailVerified, u.MFA, u.Password, u.Disabled, sqlite.Micros(u.CreatedAt)}
}

const selectUser = `select id, email, username, name, roles, email_verified, mfa, password, disabled, created_at from users `

const findUser = selectUser + `where username = ?1 or email_key = ?2
	order by coalesce(username = ?1, false) desc limit 1`

func (s *Store) User(ctx context.Context, id uuid.UUID) (auth.User, error) {
	return scanUser(s.Reader.QueryRowContext(ctx, selectUser+`where id = ?1`, id[:]))
}

func (s *Store) FindUser(ctx context.Context, username, emailKey string) (auth.User, error) {
	return scanUser(s.Reader.QueryRowContext(ctx, findUser, username, emailKey))
}

func scanUser(row *sql.Row) (u auth.User, err error) {
	var roles []byte
	var createdAt int64
	err = row.Scan(&u.ID, &u.Email, &u.Username, &u.Name, &roles, &u.EmailVerified, &u.MFA, &u.Password, &u.Disabled, &createdAt)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.User{}, auth.ErrNoUser
	}
	if err == nil {
		err = json.Unmarshal(roles, &u.Roles)
	}
	if err != nil {
		return auth.User{}, err
	}
	u.CreatedAt = sqlite.Time(createdAt)
	return u, nil
}

const setPassword = `update users set password = ?3 where id = ?1 and password = ?2`

func (s *Store) SetPassword(ctx context.Context, user uuid.UUID, old, hash string) (replaced bool, err error) {
	result, err := s.Writer.ExecContext(ctx, setPassword, user[:], old, hash)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

func (s *Store) ChangePassword(ctx context.Context, user uuid.UUID, old, hash string, keep uuid.UUID, now time.Time, events ...event.Message) (replaced bool, err error) {
	err = s.Tx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, setPassword, user[:], old, hash)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		replaced = true
		if _, err := tx.ExecContext(ctx, voidLinks, user[:], auth.ResetPassword); err != nil {
			return err
		}
		return s.end(ctx, tx, user, events, endOthers, sqlite.Micros(now), keep[:])
	})
	return replaced && err == nil, err
}
