package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	kitsqlite "github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/notify"
)

const columns = `user, id, seq, category, title, body, data, link, read_at, archived_at, snoozed_until, created_at`

// unread is what Notification.Unread says, in the words of an index.
const unread = `read_at is null and archived_at is null and snoozed_until is null`

func (s *Store) Publish(ctx context.Context, n notify.Notification, keys notify.Keys, deliveries ...notify.Delivery) (notify.Notification, bool, error) {
	n.Normalize()
	deliveries = slices.Clone(deliveries)
	var added bool
	err := s.change(ctx, func(tx *sql.Tx) error {
		if err := admit(ctx, tx, n.User); err != nil {
			return err
		}
		var err error
		if added, err = fresh(ctx, tx, n.User, "notification ", keys.Dedupe); err != nil || !added {
			return err
		}
		if n.ID, err = place(ctx, tx, n, keys.Collapse); err != nil {
			return err
		}
		if n.Seq, err = next(ctx, tx, n.User); err != nil {
			return err
		}
		if err := put(ctx, tx, n, keys.Collapse); err != nil {
			return err
		}
		for i := range deliveries {
			deliveries[i].User, deliveries[i].Notification = n.User, n.ID
		}
		if err := enqueue(ctx, tx, deliveries); err != nil {
			return err
		}
		return enter(ctx, tx, n.User, n.Seq, notify.EntryNotification, n)
	})
	if err != nil || !added {
		return notify.Notification{}, false, err
	}
	return n, true, nil
}

// place makes room for a notification, and returns the id that it gets.
func place(ctx context.Context, tx *sql.Tx, n notify.Notification, collapse string) (uuid.UUID, error) {
	if collapse != "" {
		var last uuid.UUID
		err := tx.QueryRowContext(ctx, `update notifications set collapse = null where user = ? and collapse = ? returning iif(`+unread+`, id, x'')`,
			n.User[:], collapse).Scan(&last)
		switch {
		case err == nil && last != uuid.Nil:
			n.ID = last
		case err != nil && !none(err):
			return n.ID, err
		}
	}
	_, err := tx.ExecContext(ctx, `delete from notifications where user = ? and id = ?`, n.User[:], n.ID[:])
	return n.ID, err
}

func put(ctx context.Context, tx *sql.Tx, n notify.Notification, collapse string) error {
	_, err := tx.ExecContext(ctx, `insert into notifications (`+columns+`, collapse) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, ''))`,
		n.User[:], n.ID[:], n.Seq, n.Category, n.Title, n.Body, string(n.Data), n.Link,
		optional(n.ReadAt), optional(n.ArchivedAt), optional(n.SnoozedUntil), kitsqlite.Micros(n.CreatedAt), collapse)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `delete from notifications where user = ?1 and seq in (select seq from notifications
		where user = ?1 order by seq limit (select max(kept - ?2, 0) from streams where user = ?1))`, n.User[:], notify.MaxInbox)
	return err
}

func (s *Store) Inbox(ctx context.Context, user uuid.UUID, q notify.Query) (in notify.Inbox, err error) {
	tx, err := s.Reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // for all of it is of one moment
	if err != nil {
		return in, err
	}
	defer tx.Rollback()
	if in.Position, in.Unread, err = state(ctx, tx, user); err != nil {
		return in, err
	}
	query, args := listing(user, q)
	rows, err := tx.QueryContext(ctx, query, args...)
	if in.Notifications, err = all(rows, err, scan); err != nil {
		return in, err
	}
	if in.More = len(in.Notifications) > q.Limit; in.More {
		in.Notifications = in.Notifications[:q.Limit]
	}
	return in, nil
}

// listing returns the statement that a query means: one more than its limit.
// SQLite has to be told its index.
func listing(user uuid.UUID, q notify.Query) (query string, args []any) {
	query, args = `select `+columns+` from notifications indexed by notifications_`, []any{user[:]}
	switch q.Status {
	case notify.Unread:
		query += `unread where user = ? and ` + unread
	case notify.Archived:
		query += `archived where user = ? and archived_at is not null and snoozed_until is null`
	case notify.Snoozed:
		query += `snoozed where user = ? and snoozed_until is not null`
	default:
		query += `all where user = ? and archived_at is null and snoozed_until is null`
	}
	if q.Category != "" {
		query += ` and category = ?`
		args = append(args, q.Category)
	}
	if q.Before > 0 {
		query += ` and seq < ?`
		args = append(args, q.Before)
	}
	return query + ` order by seq desc limit ?`, append(args, q.Limit+1)
}

func (s *Store) Notification(ctx context.Context, user, id uuid.UUID) (notify.Notification, error) {
	n, err := scan(s.Reader.QueryRowContext(ctx, `select `+columns+` from notifications where user = ? and id = ?`, user[:], id[:]))
	if none(err) {
		err = notify.ErrNotFound
	}
	return n, err
}

func (s *Store) Update(ctx context.Context, user, id uuid.UUID, change func(*notify.Notification) error) (notify.Notification, error) {
	for {
		was, err := s.Notification(ctx, user, id)
		if err != nil {
			return was, err
		}
		n := was
		if err := change(&n); err != nil {
			return notify.Notification{}, err
		}
		n, changed := was.InState(n)
		if !changed {
			return n, nil
		}
		if done, err := s.replace(ctx, was, &n); done || err != nil {
			return n, err
		}
	}
}

var errFaster = errors.New("another was faster")

// replace keeps n's state, unless what was there has changed.
func (s *Store) replace(ctx context.Context, was notify.Notification, n *notify.Notification) (done bool, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		seq, err := next(ctx, tx, n.User)
		if err != nil {
			return err
		}
		if was.SnoozedUntil != nil && n.SnoozedUntil == nil {
			n.Seq = seq
		}
		done, err = affected(tx.ExecContext(ctx, `update notifications set seq = ?, read_at = ?, archived_at = ?, snoozed_until = ?
			where user = ? and id = ? and seq = ? and read_at is ? and archived_at is ? and snoozed_until is ?`,
			n.Seq, optional(n.ReadAt), optional(n.ArchivedAt), optional(n.SnoozedUntil),
			n.User[:], n.ID[:], was.Seq, optional(was.ReadAt), optional(was.ArchivedAt), optional(was.SnoozedUntil)))
		if err != nil {
			return err
		}
		if !done {
			return errFaster
		}
		return enter(ctx, tx, n.User, seq, notify.EntryNotification, *n)
	})
	if err == errFaster {
		err = nil
	}
	return done, err
}

func (s *Store) ReadAll(ctx context.Context, user uuid.UUID, upTo int64, category notify.Category, now time.Time) (read, left int, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `update notifications indexed by notifications_unread set read_at = ? where user = ? and seq <= ? and ? in ('', category) and `+unread,
			kitsqlite.Micros(now), user[:], upTo, category)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return err
		}
		if read = int(n); read > 0 {
			seq, err := next(ctx, tx, user)
			if err != nil {
				return err
			}
			data := readAll{min(upTo, seq), category, kitsqlite.Time(kitsqlite.Micros(now))}
			if err := enter(ctx, tx, user, seq, notify.EntryRead, data); err != nil {
				return err
			}
		}
		_, left, err = state(ctx, tx, user)
		return err
	})
	return read, left, err
}

type readAll struct {
	UpTo     int64           `json:"up_to_seq"`
	Category notify.Category `json:"category"`
	ReadAt   time.Time       `json:"read_at"`
}

func (s *Store) Delete(ctx context.Context, user, id uuid.UUID) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		found, err := affected(tx.ExecContext(ctx, `delete from notifications where user = ? and id = ?`, user[:], id[:]))
		if err != nil {
			return err
		}
		if !found {
			return notify.ErrNotFound
		}
		seq, err := next(ctx, tx, user)
		if err != nil {
			return err
		}
		return enter(ctx, tx, user, seq, notify.EntryDeleted, deleted{id})
	})
}

type deleted struct {
	ID uuid.UUID `json:"id"`
}

type row interface{ Scan(...any) error }

func scan(r row) (n notify.Notification, err error) {
	var data []byte
	var read, archived, snoozed *int64
	var created int64
	if err := r.Scan(&n.User, &n.ID, &n.Seq, &n.Category, &n.Title, &n.Body, &data, &n.Link, &read, &archived, &snoozed, &created); err != nil {
		return notify.Notification{}, err
	}
	n.Data = data
	n.ReadAt, n.ArchivedAt, n.SnoozedUntil, n.CreatedAt = moment(read), moment(archived), moment(snoozed), kitsqlite.Time(created)
	return n, nil
}
