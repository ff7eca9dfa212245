package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/sqlite"
)

func (b *bus) Park(ctx context.Context, g event.Group, d event.Delivery, reason string) error {
	text, err := json.Marshal(&d.Message)
	if err != nil {
		return err
	}
	return b.Tx(ctx, func(tx *sql.Tx) error {
		taken, err := tx.ExecContext(ctx, `delete from pending where id = ? and name = ?`, d.Ref, g.Name)
		if err != nil {
			return err
		}
		if n, err := taken.RowsAffected(); err != nil || n == 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, `insert or replace into parked (name, id, event, reason, attempts, parked_at) values (?, ?, ?, ?, ?, ?)`,
			g.Name, d.ID.String(), string(text), reason, d.Attempts, sqlite.Micros(time.Now()))
		return err
	})
}

func (b *bus) Parked(ctx context.Context, group string) ([]event.Parked, error) {
	return list(ctx, b.Reader, group)
}

func (b *bus) CountParked(ctx context.Context, group string) (n int, err error) {
	return n, b.Reader.QueryRowContext(ctx, `select count(*) from parked where name = ?`, group).Scan(&n)
}

func list(ctx context.Context, from interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, group string) (list []event.Parked, err error) {
	rows, err := from.QueryContext(ctx, `select id, event, reason, attempts, parked_at from parked where name = ? order by parked_at, id`, group)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p event.Parked
		var text []byte
		var at int64
		if err := rows.Scan(&p.ID, &text, &p.Reason, &p.Attempts, &at); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &p.Message); err != nil {
			return nil, err
		}
		p.ParkedAt = sqlite.Time(at)
		list = append(list, p)
	}
	return list, rows.Err()
}

func (b *bus) Replay(ctx context.Context, group string, ids ...string) (n int, err error) {
	err = b.Tx(ctx, func(tx *sql.Tx) error {
		if len(ids) == 0 {
			all, err := list(ctx, tx, group)
			if err != nil {
				return err
			}
			for _, p := range all {
				ids = append(ids, p.ID)
			}
		}
		for _, id := range ids {
			var text []byte
			switch err := tx.QueryRowContext(ctx, `delete from parked where name = ? and id = ? returning event`, group, id).Scan(&text); {
			case err == sql.ErrNoRows:
				continue
			case err != nil:
				return err
			}
			var m event.Message
			if err := json.Unmarshal(text, &m); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `insert into replayed (name, subject, event) values (?, ?, ?)`, group, m.Subject[:], string(text)); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	b.wake()
	return n, nil
}

func (b *bus) Discard(ctx context.Context, group string, ids ...string) (n int, err error) {
	err = b.Tx(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			gone, err := tx.ExecContext(ctx, `delete from parked where name = ? and id = ?`, group, id)
			if err != nil {
				return err
			}
			some, err := gone.RowsAffected()
			if err != nil {
				return err
			}
			n += int(some)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
