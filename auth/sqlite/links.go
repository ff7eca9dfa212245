package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/sqlite"
)

const (
	insertLink = `insert into links (hash, user_id, purpose, email_key, created_at, expires_at)
		select ?1, id, ?3, ?4, ?5, ?6 from users where id = ?2 and email_key = ?4 and not disabled`
	dropLinks = `delete from links where hash in (select hash from links
		where user_id = ?1 and purpose = ?2 order by created_at desc, hash limit -1 offset ?3)`
	goodLink = `hash = ?1 and purpose = ?2 and expires_at > ?3
		and exists (select 1 from users u where u.id = user_id and u.email_key = links.email_key and not u.disabled)`
	linkUser  = selectUser + `where id = (select user_id from links where ` + goodLink + `)`
	useLink   = `delete from links where ` + goodLink + ` returning user_id`
	voidLinks = `delete from links where user_id = ?1 and purpose = ?2`
	wanted    = `select requests, last_at, until_at from link_requests where user_id = ?1 and purpose = ?2`
	setWanted = `insert into link_requests (user_id, purpose, requests, last_at, until_at) values (?1, ?2, ?3, ?4, ?5)
		on conflict (user_id, purpose) do update set requests = ?3, last_at = ?4, until_at = ?5`
)

func (s *Store) AddLink(ctx context.Context, l auth.KeptLink) error {
	return s.Tx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, insertLink, l.Hash[:], l.User[:], l.Purpose, l.EmailKey, sqlite.Micros(l.CreatedAt), sqlite.Micros(l.ExpiresAt))
		if err != nil {
			return err
		}
		switch n, err := result.RowsAffected(); {
		case err != nil:
			return err
		case n == 0:
			return auth.ErrNoUser
		}
		_, err = tx.ExecContext(ctx, dropLinks, l.User[:], l.Purpose, auth.MaxLinks)
		return err
	})
}

func (s *Store) LinkUser(ctx context.Context, link auth.Hash, purpose auth.Purpose, now time.Time) (auth.User, error) {
	u, err := scanUser(s.Reader.QueryRowContext(ctx, linkUser, link[:], purpose, sqlite.Micros(now)))
	if errors.Is(err, auth.ErrNoUser) {
		return auth.User{}, auth.ErrLinkExpired
	}
	return u, err
}

func (s *Store) VerifyEmail(ctx context.Context, link auth.Hash, now time.Time) error {
	return s.Tx(ctx, func(tx *sql.Tx) error {
		user, err := takeLink(ctx, tx, link, auth.VerifyEmail, now)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `update users set email_verified = true where id = ?1`, user[:])
		return err
	})
}

func (s *Store) ResetPassword(ctx context.Context, link auth.Hash, hash string, now time.Time, events ...event.Message) error {
	return s.Tx(ctx, func(tx *sql.Tx) error {
		user, err := takeLink(ctx, tx, link, auth.ResetPassword, now)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, voidLinks, user[:], auth.ResetPassword); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `update users set password = ?2, email_verified = true where id = ?1`, user[:], hash); err != nil {
			return err
		}
		return s.end(ctx, tx, user, events, endAll, sqlite.Micros(now))
	})
}

// takeLink uses a link and returns whose it was.
func takeLink(ctx context.Context, tx *sql.Tx, link auth.Hash, purpose auth.Purpose, now time.Time) (user uuid.UUID, err error) {
	err = tx.QueryRowContext(ctx, useLink, link[:], purpose, sqlite.Micros(now)).Scan(&user)
	if errors.Is(err, sql.ErrNoRows) {
		err = auth.ErrLinkExpired
	}
	return user, err
}

func (s *Store) WantLink(ctx context.Context, user uuid.UUID, purpose auth.Purpose, change func(*auth.Attempts) error, events ...event.Message) error {
	return s.Tx(ctx, func(tx *sql.Tx) error {
		var there bool
		if err := tx.QueryRowContext(ctx, `select exists (select 1 from users where id = ?1 and not disabled)`, user[:]).Scan(&there); err != nil {
			return err
		}
		if !there {
			return auth.ErrNoUser
		}
		var a auth.Attempts
		var last, until int64
		switch err := tx.QueryRowContext(ctx, wanted, user[:], purpose).Scan(&a.Failures, &last, &until); {
		case err == nil:
			a.Last, a.Until = sqlite.Time(last), sqlite.Time(until)
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		if err := change(&a); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, setWanted, user[:], purpose, a.Failures, sqlite.Micros(a.Last), sqlite.Micros(a.Until)); err != nil {
			return err
		}
		return s.Emit(ctx, tx, events...)
	})
}
