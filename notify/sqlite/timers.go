package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/google/uuid"
	kitsqlite "github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/notify"
)

func (s *Store) SetTimer(ctx context.Context, t notify.Timer) error {
	return s.Tx(ctx, func(tx *sql.Tx) error {
		if err := admit(ctx, tx, t.User); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `insert or replace into timers (key, user, at, due, leased, data) values (?1, ?2, ?3, ?3, false, ?4)`,
			t.Key, t.User[:], kitsqlite.Micros(t.At), data(t))
		return err
	})
}

func (s *Store) Timers(ctx context.Context, user uuid.UUID) ([]notify.Timer, error) {
	rows, err := s.Reader.QueryContext(ctx, `select key, user, at, data from timers where user = ? order by at, key`, user[:])
	return all(rows, err, scanTimer)
}

func (s *Store) Ring(ctx context.Context, now time.Time, lease time.Duration, max int) (rung []notify.Timer, err error) {
	if idle, err := s.idle(ctx, `select 1 from timers where due <= ? limit 1`, now); idle || err != nil {
		return nil, err
	}
	err = s.Tx(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `update timers set due = ?, leased = true where key in
			(select key from timers where due <= ? order by due, key limit ?) returning key, user, at, data`,
			kitsqlite.Micros(now.Add(lease)), kitsqlite.Micros(now), max)
		rung, err = all(rows, err, scanTimer)
		return err
	})
	return rung, err
}

func scanTimer(r row) (t notify.Timer, err error) {
	var at int64
	err = r.Scan(&t.Key, &t.User, &at, &t.Data)
	t.At = kitsqlite.Time(at)
	return t, err
}

// Rung knows a timer that was set anew by that nobody has it, or by what it is.
func (s *Store) Rung(ctx context.Context, t notify.Timer) error {
	_, err := s.Writer.ExecContext(ctx, `delete from timers where key = ? and leased and user = ? and at = ? and data = ?`,
		t.Key, t.User[:], kitsqlite.Micros(t.At), data(t))
	return err
}

// data is never null.
func data(t notify.Timer) []byte { return append([]byte{}, t.Data...) }
