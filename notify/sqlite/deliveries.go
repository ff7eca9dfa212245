package sqlite

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/google/uuid"
	kitsqlite "github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/notify"
)

const deliveryColumns = `id, user, notification, channel, kind, state, reason, attempts, next_at, updated_at`

func (s *Store) Enqueue(ctx context.Context, deliveries ...notify.Delivery) error {
	if len(deliveries) == 0 {
		return nil
	}
	return s.Tx(ctx, func(tx *sql.Tx) error {
		for _, d := range deliveries {
			if err := admit(ctx, tx, d.User); err != nil {
				return err
			}
		}
		return enqueue(ctx, tx, deliveries)
	})
}

func enqueue(ctx context.Context, tx *sql.Tx, deliveries []notify.Delivery) error {
	for _, d := range deliveries {
		_, err := tx.ExecContext(ctx, `insert into deliveries (`+deliveryColumns+`) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`,
			d.ID[:], d.User[:], d.Notification[:], d.Channel, d.Kind, d.State, reason(d), d.Attempts, kitsqlite.Micros(d.NextAt), kitsqlite.Micros(d.UpdatedAt))
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) Take(ctx context.Context, over notify.Channel, now time.Time, lease time.Duration, max int) (taken []notify.Delivery, err error) {
	if idle, err := s.idle(ctx, `select 1 from deliveries where state = 'pending' and next_at <= ? and channel = ? limit 1`, now, over); idle || err != nil {
		return nil, err
	}
	err = s.Tx(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `update deliveries set next_at = ? where rowid in
			(select rowid from deliveries where state = 'pending' and channel = ? and next_at <= ? order by next_at, id limit ?) returning `+deliveryColumns,
			kitsqlite.Micros(now.Add(lease)), over, kitsqlite.Micros(now), max)
		taken, err = all(rows, err, scanDelivery)
		return err
	})
	return taken, err
}

// idle tells whether a query for what is due at now finds nothing, so that no
// writer waits for who looks in vain.
func (s *Store) idle(ctx context.Context, query string, now time.Time, more ...any) (bool, error) {
	var one int
	err := s.Reader.QueryRowContext(ctx, query, append([]any{kitsqlite.Micros(now)}, more...)...).Scan(&one)
	if none(err) {
		return true, nil
	}
	return false, err
}

func (s *Store) Settle(ctx context.Context, d notify.Delivery) error {
	_, err := s.Writer.ExecContext(ctx, `update deliveries set state = ?, reason = ?, attempts = ?, next_at = ?, updated_at = ?
		where id = ? and user = ? and state = 'pending'`,
		d.State, reason(d), d.Attempts, kitsqlite.Micros(d.NextAt), kitsqlite.Micros(d.UpdatedAt), d.ID[:], d.User[:])
	return err
}

// reason is what others say, and may not be UTF-8.
func reason(d notify.Delivery) string { return strings.ToValidUTF8(d.Reason, "\ufffd") }

func (s *Store) Deliveries(ctx context.Context, user, notification uuid.UUID) ([]notify.Delivery, error) {
	rows, err := s.Reader.QueryContext(ctx, `select `+deliveryColumns+` from deliveries where user = ? and notification = ? order by id`, user[:], notification[:])
	return all(rows, err, scanDelivery)
}

func scanDelivery(r row) (d notify.Delivery, err error) {
	var next, updated int64
	err = r.Scan(&d.ID, &d.User, &d.Notification, &d.Channel, &d.Kind, &d.State, &d.Reason, &d.Attempts, &next, &updated)
	d.NextAt, d.UpdatedAt = kitsqlite.Time(next), kitsqlite.Time(updated)
	return d, err
}
