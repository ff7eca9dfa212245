package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/google/uuid"
	kitsqlite "github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/notify"
)

func (s *Store) PutTicket(ctx context.Context, hash [32]byte, t notify.Ticket, life time.Duration) error {
	return s.Tx(ctx, func(tx *sql.Tx) error {
		if err := admit(ctx, tx, t.User); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `insert or replace into tickets (hash, user, session, until) values (?, ?, ?, ?)`,
			hash[:], t.User[:], t.Session, after(life))
		return err
	})
}

func (s *Store) TakeTicket(ctx context.Context, hash [32]byte) (t notify.Ticket, err error) {
	var until int64
	err = s.Writer.QueryRowContext(ctx, `delete from tickets where hash = ? returning user, session, until`, hash[:]).Scan(&t.User, &t.Session, &until)
	if none(err) || err == nil && until <= now() {
		return notify.Ticket{}, notify.ErrNoTicket
	}
	return t, err
}

func (s *Store) Present(ctx context.Context, users []uuid.UUID, life time.Duration) error {
	if len(users) == 0 {
		return nil
	}
	return s.Tx(ctx, func(tx *sql.Tx) error {
		statement, err := tx.PrepareContext(ctx, `insert into presence (user, until) select ?1, ?2
			where not exists (select 1 from forgotten where user = ?3 and until > ?4)
			on conflict do update set until = max(until, excluded.until)`)
		if err != nil {
			return err
		}
		defer statement.Close()
		until, now := after(life), now()
		for _, user := range users {
			if _, err := statement.ExecContext(ctx, user[:], until, mark(user), now); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) IsPresent(ctx context.Context, user uuid.UUID) (present bool, err error) {
	err = s.Reader.QueryRowContext(ctx, `select exists (select 1 from presence where user = ? and until > ?)`, user[:], now()).Scan(&present)
	return present, err
}

func (s *Store) PutSubscription(ctx context.Context, user uuid.UUID, sub notify.Subscription) error {
	return s.Tx(ctx, func(tx *sql.Tx) error {
		if err := admit(ctx, tx, user); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `insert or replace into subscriptions (user, id, endpoint, p256dh, auth, created_at) values (?, ?, ?, ?, ?, ?)`,
			user[:], sub.ID, sub.Endpoint, sub.P256DH, sub.Auth, kitsqlite.Micros(sub.CreatedAt))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `delete from subscriptions where user = ?1 and id in
			(select id from subscriptions where user = ?1 order by created_at desc, id desc limit -1 offset ?2)`, user[:], notify.MaxSubscriptions)
		return err
	})
}

func (s *Store) DeleteSubscription(ctx context.Context, user uuid.UUID, id string) error {
	_, err := s.Writer.ExecContext(ctx, `delete from subscriptions where user = ? and id = ?`, user[:], id)
	return err
}

func (s *Store) Subscriptions(ctx context.Context, user uuid.UUID) ([]notify.Subscription, error) {
	rows, err := s.Reader.QueryContext(ctx, `select id, endpoint, p256dh, auth, created_at from subscriptions where user = ? order by created_at, id`, user[:])
	return all(rows, err, func(r row) (sub notify.Subscription, err error) {
		var created int64
		err = r.Scan(&sub.ID, &sub.Endpoint, &sub.P256DH, &sub.Auth, &created)
		sub.CreatedAt = kitsqlite.Time(created)
		return sub, err
	})
}
