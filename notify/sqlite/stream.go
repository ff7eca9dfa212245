package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
)

// next returns the number of a user's next entry. The first one begins the stream.
func next(ctx context.Context, tx *sql.Tx, user uuid.UUID) (seq int64, err error) {
	err = tx.QueryRowContext(ctx, `insert into streams (user, epoch, seq) values (?, ?, 1)
		on conflict do update set seq = seq + 1 returning seq`, user[:], rand.Text()[:20]).Scan(&seq)
	return seq, err
}

// enter adds an entry, when what it tells of is done.
func enter(ctx context.Context, tx *sql.Tx, user uuid.UUID, seq int64, kind string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `insert into entries (user, seq, type, unread, data) select user, seq, ?, unread, ? from streams where user = ?`,
		kind, string(text), user[:]); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `delete from entries where user = ? and seq <= ?`, user[:], seq-notify.MaxStream)
	return err
}

func (s *Store) Signal(ctx context.Context, user uuid.UUID, kind string, data jsontext.Value, dedupe string) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		if err := admit(ctx, tx, user); err != nil {
			return err
		}
		if ok, err := fresh(ctx, tx, user, "signal ", dedupe); err != nil || !ok {
			return err
		}
		seq, err := next(ctx, tx, user)
		if err != nil {
			return err
		}
		return enter(ctx, tx, user, seq, kind, data)
	})
}

func (s *Store) Since(ctx context.Context, user uuid.UUID, p notify.Position, max int) ([]notify.Entry, notify.Position, error) {
	tx, err := s.Reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, notify.Position{}, err
	}
	defer tx.Rollback()
	at, err := position(ctx, tx, user)
	switch {
	case err != nil:
		return nil, at, err
	case p == at:
		return nil, at, nil
	case p.Seq < 0 || p.Seq >= at.Seq || p.Epoch != at.Epoch && p != (notify.Position{}):
		return nil, at, notify.ErrResync
	}
	rows, err := tx.QueryContext(ctx, `select seq, type, unread, data from entries where user = ? and seq > ? order by seq limit ?`, user[:], p.Seq, max)
	entries, err := all(rows, err, func(r row) (e notify.Entry, err error) {
		err = r.Scan(&e.Seq, &e.Type, &e.Unread, (*[]byte)(&e.Data))
		return e, err
	})
	if err == nil && (len(entries) == 0 || entries[0].Seq != p.Seq+1) {
		entries, err = nil, notify.ErrResync
	}
	return entries, at, err
}

func (s *Store) Position(ctx context.Context, user uuid.UUID) (notify.Position, error) {
	return position(ctx, s.Reader, user)
}

// position returns where a user's stream is. One who was erased has none.
func position(ctx context.Context, db reader, user uuid.UUID) (notify.Position, error) {
	p, _, err := state(ctx, db, user)
	if err == nil && p == (notify.Position{}) {
		err = admit(ctx, db, user)
	}
	return p, err
}

// state returns where a user's stream is, and how many are unread.
func state(ctx context.Context, db reader, user uuid.UUID) (p notify.Position, unread int, err error) {
	err = db.QueryRowContext(ctx, `select epoch, seq, unread from streams where user = ?`, user[:]).Scan(&p.Epoch, &p.Seq, &unread)
	if none(err) {
		err = nil
	}
	return p, unread, err
}

// poll is how often Live looks for what others have done.
const poll = 250 * time.Millisecond

func (s *Store) Live(ctx context.Context, entry func(uuid.UUID, string, notify.Entry), gap func()) {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	last := int64(-1)
	for ctx.Err() == nil {
		s.mu.Lock()
		added := s.added
		s.mu.Unlock()
		last = s.tell(ctx, last, entry, gap)
		select {
		case <-ctx.Done():
		case <-added:
		case <-tick.C:
		}
	}
}

// tell tells of the entries behind the one with the id last, and returns the
// last one's. While the database fails it tells nothing; that is not lost.
func (s *Store) tell(ctx context.Context, last int64, entry func(uuid.UUID, string, notify.Entry), gap func()) int64 {
	if last < 0 {
		err := s.Reader.QueryRowContext(ctx, `select coalesce(max(seq), 0) from sqlite_sequence where name = 'entries'`).Scan(&last)
		if err == nil {
			gap()
		}
		return last
	}
	rows, err := s.Reader.QueryContext(ctx, `select e.id, e.user, s.epoch, e.seq, e.type, e.unread, e.data
		from entries e join streams s on s.user = e.user where e.id > ? order by e.id`, last)
	if err != nil {
		return last
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var user uuid.UUID
		var epoch string
		var e notify.Entry
		if rows.Scan(&id, &user, &epoch, &e.Seq, &e.Type, &e.Unread, (*[]byte)(&e.Data)) != nil {
			return last
		}
		if id != last+1 { // those between have gone: of a user who was erased, or whose stream grew by more than it holds
			gap()
		}
		entry(user, epoch, e)
		last = id
	}
	return last
}
