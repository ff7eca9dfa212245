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

const (
	insertLink = `insert into links (hash, user_id, purpose, email_key, created_at, expires_at)
		select $1, id, $3, $4, $5, $6 from users where id = $2 and email_key = $4 and not disabled for update`
	dropLinks = `delete from links where hash = any (array(select hash from links
		where user_id = $1 and purpose = $2 order by created_at desc, hash offset $3))`
	goodLink = `hash = $1 and purpose = $2 and expires_at > $3
		and exists (select from users u where u.id = user_id and u.email_key = links.email_key and not u.disabled)`
	linkUser  = selectUser + `where id = (select user_id from links where ` + goodLink + `)`
	useLink   = `delete from links where ` + goodLink + ` returning user_id`
	voidLinks = `delete from links where user_id = $1 and purpose = $2`
	wanted    = `select requests, last_at, until_at from link_requests where user_id = $1 and purpose = $2`
	setWanted = `insert into link_requests (user_id, purpose, requests, last_at, until_at) values ($1, $2, $3, $4, $5)
		on conflict (user_id, purpose) do update set requests = $3, last_at = $4, until_at = $5`
)

func (s *Store) AddLink(ctx context.Context, l auth.KeptLink) error {
	return s.Tx(ctx, func(tx pgx.Tx) error {
		added, err := tx.Exec(ctx, insertLink, l.Hash[:], l.User, l.Purpose, l.EmailKey, l.CreatedAt, l.ExpiresAt)
		if err != nil {
			return err
		}
		if added.RowsAffected() == 0 {
			return auth.ErrNoUser
		}
		_, err = tx.Exec(ctx, dropLinks, l.User, l.Purpose, auth.MaxLinks)
		return err
	})
}

func (s *Store) LinkUser(ctx context.Context, link auth.Hash, purpose auth.Purpose, now time.Time) (auth.User, error) {
	u, err := scanUser(s.QueryRow(ctx, linkUser, link[:], purpose, now))
	if errors.Is(err, auth.ErrNoUser) {
		return auth.User{}, auth.ErrLinkExpired
	}
	return u, err
}

func (s *Store) VerifyEmail(ctx context.Context, link auth.Hash, now time.Time) error {
	return s.Tx(ctx, func(tx pgx.Tx) error {
		user, err := takeLink(ctx, tx, link, auth.VerifyEmail, now)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `update users set email_verified = true where id = $1`, user)
		return err
	})
}

func (s *Store) ResetPassword(ctx context.Context, link auth.Hash, hash string, now time.Time, events ...event.Message) error {
	return s.Tx(ctx, func(tx pgx.Tx) error {
		user, err := takeLink(ctx, tx, link, auth.ResetPassword, now)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, voidLinks, user, auth.ResetPassword); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update users set password = $2, email_verified = true where id = $1`, user, hash); err != nil {
			return err
		}
		return s.end(ctx, tx, user, events, endAll, now)
	})
}

// takeLink uses a link and returns whose it was: a user whom nobody else
// changes until the transaction ends.
func takeLink(ctx context.Context, tx pgx.Tx, link auth.Hash, purpose auth.Purpose, now time.Time) (user uuid.UUID, err error) {
	b := &pgx.Batch{}
	b.Queue(`select from users where id = (select user_id from links where hash = $1) for update`, link[:])
	b.Queue(useLink, link[:], purpose, now).QueryRow(func(row pgx.Row) error { return row.Scan(&user) })
	if err = tx.SendBatch(ctx, b).Close(); errors.Is(err, pgx.ErrNoRows) {
		err = auth.ErrLinkExpired
	}
	return user, err
}

func (s *Store) WantLink(ctx context.Context, user uuid.UUID, purpose auth.Purpose, change func(*auth.Attempts) error, events ...event.Message) error {
	return s.Tx(ctx, func(tx pgx.Tx) error {
		u, err := scanUser(tx.QueryRow(ctx, lockUser, user))
		switch {
		case err != nil:
			return err
		case u.Disabled:
			return auth.ErrNoUser
		}
		var a auth.Attempts
		switch err := tx.QueryRow(ctx, wanted, user, purpose).Scan(&a.Failures, &a.Last, &a.Until); {
		case err == nil:
			a.Last, a.Until = a.Last.UTC(), a.Until.UTC()
		case !errors.Is(err, pgx.ErrNoRows):
			return err
		}
		if err := change(&a); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, setWanted, user, purpose, a.Failures, a.Last, a.Until); err != nil {
			return err
		}
		return s.Emit(ctx, tx, events...)
	})
}
