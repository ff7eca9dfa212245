package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
)

// Emit writes events to the outbox in a transaction, one of Tx.
func (d *DB) Emit(ctx context.Context, tx *sql.Tx, events ...event.Message) error {
	for _, m := range events {
		if _, err := tx.ExecContext(ctx, `insert into kit_outbox (id, type, subject, time, trace, data) values (?, ?, ?, ?, ?, ?)`,
			m.ID[:], m.Type, m.Subject[:], Micros(m.Time), m.Trace, string(m.Data)); err != nil {
			return err
		}
	}
	d.outbox.emitted.Store(true)
	return nil
}

// Forget removes a subject's events from the outbox, in a transaction.
func (d *DB) Forget(ctx context.Context, tx *sql.Tx, subject uuid.UUID) error {
	_, err := tx.ExecContext(ctx, `delete from kit_outbox where subject = ?`, subject[:])
	return err
}

// Outbox is the events of this database's service.
func (d *DB) Outbox() event.Outbox { return d.outbox }

// pollEvery is how often Await looks for what other processes wrote.
const pollEvery = 200 * time.Millisecond

// sweepAtOnce is how many events are forgotten in one transaction.
const sweepAtOnce = 1000

type outbox struct {
	*DB
	emitted atomic.Bool   // whether the transaction that the writer is in wrote events
	wake    chan struct{} // has one when events were committed

	mu   sync.Mutex // held during a Pass
	file string
	lock *os.File // locked during a Pass; that ends with its process, however that ends
}

func newOutbox(d *DB, path string) *outbox {
	return &outbox{DB: d, wake: make(chan struct{}, 1), file: path + "-relay"}
}

func (o *outbox) awake() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Pass publishes outside of any transaction: the one writer is not to wait
// for a bus. A file's lock keeps other processes from it meanwhile.
func (o *outbox) Pass(ctx context.Context, max int, publish func(event.Batch) error) (int, error) {
	if !o.mu.TryLock() {
		return 0, nil
	}
	defer o.mu.Unlock()
	if max > 0 {
		if some, err := o.waiting(ctx); err != nil || !some {
			return 0, err
		}
	}
	unlock, err := o.lockFile()
	if err != nil || unlock == nil {
		return 0, err
	}
	defer unlock()
	batch, seqs, err := o.read(ctx, max)
	if err != nil || max > 0 && len(seqs) == 0 {
		return 0, err
	}
	if err := publish(batch); err != nil || len(seqs) == 0 {
		return 0, err
	}
	return len(seqs), o.mark(ctx, batch.After, seqs)
}

func (o *outbox) waiting(ctx context.Context) (some bool, err error) {
	err = o.Reader.QueryRowContext(ctx, `select exists (select 1 from kit_outbox where position is null)`).Scan(&some)
	return some, err
}

// lockFile returns nil when another process has the lock.
func (o *outbox) lockFile() (unlock func(), err error) {
	if o.lock == nil {
		if o.lock, err = os.OpenFile(o.file, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
			o.lock = nil
			return nil, err
		}
	}
	fd := int(o.lock.Fd())
	switch err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return func() { _ = syscall.Flock(fd, syscall.LOCK_UN) }, nil
}

func (o *outbox) read(ctx context.Context, max int) (batch event.Batch, seqs []int64, err error) {
	tx, err := o.Reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return batch, nil, err
	}
	defer tx.Rollback()
	if err := tx.QueryRowContext(ctx, `select position from kit_outbox_position`).Scan(&batch.After); err != nil || max == 0 {
		return batch, nil, err
	}
	rows, err := tx.QueryContext(ctx, `select seq, id, type, subject, time, trace, data from kit_outbox where position is null order by seq limit ?`, max)
	if err != nil {
		return batch, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		m := event.Message{SpecVersion: "1.0"}
		var seq, at int64
		var data []byte
		if err := rows.Scan(&seq, &m.ID, &m.Type, &m.Subject, &at, &m.Trace, &data); err != nil {
			return batch, nil, err
		}
		m.Time, m.Data = Time(at), data
		batch.Messages, seqs = append(batch.Messages, m), append(seqs, seq)
	}
	return batch, seqs, rows.Err()
}

// mark notes what was published, unless there was a Rewind meanwhile: then it
// is published again.
func (o *outbox) mark(ctx context.Context, after int64, seqs []int64) error {
	return o.Tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `update kit_outbox_position set position = ? where position = ?`, after+int64(len(seqs)), after)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return err
		}
		stmt, err := tx.PrepareContext(ctx, `update kit_outbox set position = ?, published_at = ? where seq = ?`)
		if err != nil {
			return err
		}
		defer stmt.Close()
		now := Micros(time.Now())
		for i, seq := range seqs {
			if _, err := stmt.ExecContext(ctx, after+int64(i)+1, now, seq); err != nil {
				return err
			}
		}
		return nil
	})
}

func (o *outbox) Rewind(ctx context.Context, to int64) error {
	return o.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `update kit_outbox set position = null, published_at = null where position > ?`, to); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `update kit_outbox_position set position = ?`, to)
		return err
	})
}

func (o *outbox) Await(ctx context.Context) {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
			return
		case <-poll.C:
			if some, err := o.waiting(ctx); err != nil || some {
				return
			}
		}
	}
}

// Sweep goes by positions, in whose order events were published.
func (o *outbox) Sweep(ctx context.Context, before time.Time) error {
	for {
		var last sql.NullInt64
		if err := o.Reader.QueryRowContext(ctx, `select max(position) from (
			select position, published_at from kit_outbox where position is not null order by position limit ?) where published_at < ?`,
			sweepAtOnce, Micros(before)).Scan(&last); err != nil || !last.Valid {
			return err
		}
		if _, err := o.Writer.ExecContext(ctx, `delete from kit_outbox where position <= ? and published_at < ?`, last.Int64, Micros(before)); err != nil {
			return err
		}
	}
}

func (o *outbox) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lock == nil {
		return nil
	}
	return o.lock.Close()
}
