package postgres

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/trellis-go/trellis/kit/event"
)

// emitLock is the class of the advisory locks by subject.
const emitLock = 0x7472656c // "trel"

// Emit writes events to the outbox in a transaction, best at its end: until it
// ends, others that emit about the same subjects wait. Events are published in
// the order of their numbers, which is thereby the one in which they were
// committed.
func (d *DB) Emit(ctx context.Context, tx pgx.Tx, events ...event.Message) error {
	if len(events) == 0 {
		return nil
	}
	subjects := make([]string, len(events))
	batch := &pgx.Batch{}
	for i, m := range events {
		subjects[i] = m.Subject.String()
	}
	slices.Sort(subjects) // two transactions about the same subjects do not wait for each other
	for _, s := range slices.Compact(subjects) {
		batch.Queue(`select pg_advisory_xact_lock($1::int, hashtext($2))`, emitLock, s)
	}
	for _, m := range events {
		batch.Queue(`insert into kit_outbox (id, type, subject, time, trace, data) values ($1, $2, $3, $4, $5, $6)`,
			m.ID, m.Type, m.Subject, m.Time, m.Trace, string(m.Data))
	}
	batch.Queue(`notify kit_outbox`)
	return tx.SendBatch(ctx, batch).Close()
}

// Forget removes a subject's events from the outbox, in a transaction.
func (d *DB) Forget(ctx context.Context, tx pgx.Tx, subject uuid.UUID) error {
	_, err := tx.Exec(ctx, `delete from kit_outbox where subject = $1`, subject)
	return err
}

// Outbox is the events of this database's service.
func (d *DB) Outbox() event.Outbox { return d.outbox }

const (
	pollEvery    = time.Second // for when nobody can tell that there are events
	sweepAtOnce  = 1000        // events that are forgotten in one statement
	connectAgain = time.Second
)

type outbox struct {
	pool   *pgxpool.Pool
	wake   chan struct{} // has one when events were committed, by whomever
	listen sync.Once
	ctx    context.Context // ends with the DB
	close  context.CancelFunc
	closed sync.WaitGroup
}

func newOutbox(pool *pgxpool.Pool) *outbox {
	o := &outbox{pool: pool, wake: make(chan struct{}, 1)}
	o.ctx, o.close = context.WithCancel(context.Background())
	return o
}

// Pass holds the position's row while it publishes, so that others skip it.
func (o *outbox) Pass(ctx context.Context, max int, publish func(event.Batch) error) (n int, err error) {
	err = pgx.BeginFunc(ctx, o.pool, func(tx pgx.Tx) error {
		var batch event.Batch
		switch err := tx.QueryRow(ctx, `select position from kit_outbox_position
			where $1 = 0 or exists (select 1 from kit_outbox where position is null) for update skip locked`, max).Scan(&batch.After); {
		case errors.Is(err, pgx.ErrNoRows):
			return nil
		case err != nil:
			return err
		}
		seqs, err := read(ctx, tx, &batch, max)
		if err != nil || max > 0 && len(seqs) == 0 {
			return err
		}
		if err := publish(batch); err != nil || len(seqs) == 0 {
			return err
		}
		n = len(seqs)
		return mark(ctx, tx, batch.After, seqs)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

func read(ctx context.Context, tx pgx.Tx, batch *event.Batch, max int) ([]int64, error) {
	if max == 0 {
		return nil, nil
	}
	rows, err := tx.Query(ctx, `select seq, id, type, subject, time, trace, data from kit_outbox where position is null order by seq limit $1`, max)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (seq int64, err error) {
		m := event.Message{SpecVersion: "1.0"}
		err = row.Scan(&seq, &m.ID, &m.Type, &m.Subject, &m.Time, &m.Trace, (*[]byte)(&m.Data))
		m.Time = m.Time.UTC()
		batch.Messages = append(batch.Messages, m)
		return seq, err
	})
}

// mark gives what was published its positions; what was forgotten meanwhile
// leaves a gap.
func mark(ctx context.Context, tx pgx.Tx, after int64, seqs []int64) error {
	if _, err := tx.Exec(ctx, `update kit_outbox o set position = $1 + s.n, published_at = $2
		from unnest($3::bigint[]) with ordinality as s (seq, n) where o.seq = s.seq`, after, time.Now(), seqs); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `update kit_outbox_position set position = $1`, after+int64(len(seqs)))
	return err
}

func (o *outbox) Rewind(ctx context.Context, to int64) error {
	return pgx.BeginFunc(ctx, o.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `update kit_outbox_position set position = $1`, to); err != nil { // waits for a Pass
			return err
		}
		_, err := tx.Exec(ctx, `update kit_outbox set position = null, published_at = null where position > $1`, to)
		return err
	})
}

// Await listens on a connection of its own, and asks from time to time in case
// that it is lost.
func (o *outbox) Await(ctx context.Context) {
	o.listen.Do(func() { o.closed.Go(o.listenOn) })
	poll := time.NewTimer(pollEvery)
	defer poll.Stop()
	select {
	case <-ctx.Done():
	case <-o.wake:
	case <-poll.C:
	}
}

func (o *outbox) listenOn() {
	for o.ctx.Err() == nil {
		_ = o.hear() // Await's poll serves meanwhile
		select {
		case <-o.ctx.Done():
		case <-time.After(connectAgain):
		}
	}
}

// hear wakes who awaits events, until the connection is lost.
func (o *outbox) hear() error {
	conn, err := pgx.ConnectConfig(o.ctx, o.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(o.ctx))
	if _, err := conn.Exec(o.ctx, `listen kit_outbox`); err != nil {
		return err
	}
	for {
		select { // also at first: what was committed before is not told of
		case o.wake <- struct{}{}:
		default:
		}
		if _, err := conn.WaitForNotification(o.ctx); err != nil {
			return err
		}
	}
}

func (o *outbox) stop() {
	o.close()
	o.closed.Wait()
}

// Sweep goes by positions, in whose order events were published.
func (o *outbox) Sweep(ctx context.Context, before time.Time) error {
	for {
		done, err := o.pool.Exec(ctx, `delete from kit_outbox where published_at < $1 and position in (
			select position from kit_outbox where position is not null order by position limit $2)`, before, sweepAtOnce)
		if err != nil || done.RowsAffected() < sweepAtOnce {
			return err
		}
	}
}
