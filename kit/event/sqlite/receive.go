package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/sqlite"
)

const (
	patience  = time.Second            // of a Receive
	pollEvery = 100 * time.Millisecond // for what other processes add
)

func (b *bus) Receive(ctx context.Context, g event.Group, max int) ([]event.Delivery, error) {
	until := time.NewTimer(patience)
	defer until.Stop()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		added := b.wait()
		if some, err := b.some(ctx, g); err != nil {
			return nil, err
		} else if some {
			given, err := b.take(ctx, g, max)
			if err != nil || len(given) > 0 {
				return given, err
			}
		}
		select {
		case <-added:
		case <-poll.C:
		case <-until.C:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// some tells whether there may be something for a consumer: a look that
// writes nothing.
func (b *bus) some(ctx context.Context, g event.Group) (some bool, err error) {
	err = b.Reader.QueryRowContext(ctx, `select
		exists (select 1 from replayed where name = ?1)
		or exists (select 1 from pending where name = ?1 and consumer = ?2 and given = 0)
		or exists (select 1 from pending p where `+dead+`)`, g.Name, g.Consumer, sqlite.Micros(time.Now().Add(-g.Claim)), sources(g)).Scan(&some)
	for i := 0; i < len(g.Sources) && err == nil && !some; i++ {
		err = b.Reader.QueryRowContext(ctx, `select exists (select 1 from events where source = ?1
			and seq > coalesce((select seq from groups where name = ?2 and source = ?1), 0))
			or not exists (select 1 from groups where name = ?2 and source = ?1)`, g.Sources[i], g.Name).Scan(&some)
	}
	return some, err
}

// dead is whether p, of pending, is another consumer's of the group ?1 than ?2,
// from a source of ?4, and that consumer was last heard of before ?3.
const dead = `p.name = ?1 and p.consumer <> ?2 and p.source in (select value from json_each(?4))
	and not exists (select 1 from consumers c where c.name = p.name and c.consumer = p.consumer and c.heard_at >= ?3)`

// sources are where a group's events come from, as dead wants them.
func sources(g event.Group) string {
	text, _ := json.Marshal(append(g.Sources[:len(g.Sources):len(g.Sources)], replays))
	return string(text)
}

// replays is the source of replayed events.
const replays = ""

// take gives a consumer what there is for it: what dead consumers had and what
// is in its inbox, all of it before anything new, and then that.
func (b *bus) take(ctx context.Context, g event.Group, max int) (given []event.Delivery, err error) {
	err = b.Tx(ctx, func(tx *sql.Tx) error {
		t := taking{Context: ctx, Tx: tx, Group: g, max: max, now: time.Now(), turn: int(b.turn.Add(1) & 0xffff)}
		err := t.all()
		given = t.given
		return err
	})
	if err != nil {
		return nil, err
	}
	return given, nil
}

// taking is one step of a consumer, in a transaction.
type taking struct {
	context.Context
	*sql.Tx
	event.Group
	max   int
	now   time.Time
	turn  int // which source comes first
	given []event.Delivery
}

func (t *taking) do(query string, args ...any) error {
	_, err := t.ExecContext(t, query, args...)
	return err
}

func (t *taking) left() int { return t.max - len(t.given) }

func (t *taking) all() error {
	silent := sqlite.Micros(t.now.Add(-t.Claim))
	if err := hear(t, t.Tx, t.Group, t.now); err != nil {
		return err
	}
	if err := t.do(`update pending as p set given = 0, consumer = ?2 where `+dead, t.Name, t.Consumer, silent, sources(t.Group)); err != nil {
		return err
	}
	if err := t.do(`delete from consumers where name = ? and heard_at < ?`, t.Name, silent); err != nil {
		return err
	}
	if err := t.inbox(); err != nil {
		return err
	}
	if err := t.replayed(); err != nil {
		return err
	}
	for i := range t.Sources {
		if err := t.add(t.Sources[(i+t.turn)%len(t.Sources)]); err != nil {
			return err
		}
	}
	return nil
}

// inbox gives what waits for the consumer.
func (t *taking) inbox() error {
	rows, err := t.QueryContext(t, `select p.id, coalesce(p.event, e.event, ''), p.attempts + 1 from pending p left join events e on e.seq = p.seq
		where p.name = ? and p.consumer = ? and p.given = 0 order by p.id limit ?`, t.Name, t.Consumer, t.left())
	if err != nil {
		return err
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		var text []byte
		var attempts int
		if err := rows.Scan(&id, &text, &attempts); err != nil {
			return err
		}
		ids = append(ids, id)
		t.give(id, text, attempts)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, id := range ids {
		if err := t.do(`update pending set given = 1, attempts = attempts + 1 where id = ?`, id); err != nil {
			return err
		}
	}
	return nil
}

func (t *taking) give(id int64, text []byte, attempts int) {
	d := event.Delivery{Ref: strconv.FormatInt(id, 10), Attempts: attempts}
	if json.Unmarshal(text, &d.Message) != nil { // it is of no type, then, which nobody handles
		d.Message = event.Message{}
	}
	t.given = append(t.given, d)
}

// fresh is an event that the group was not given yet.
type fresh struct {
	seq     int64
	subject uuid.UUID
	event   []byte
}

func (t *taking) fresh(query string, args ...any) (list []fresh, err error) {
	rows, err := t.QueryContext(t, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var f fresh
		if err := rows.Scan(&f.seq, &f.subject, &f.event); err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, rows.Err()
}

// add gives new events of a source.
func (t *taking) add(source string) error {
	if err := t.do(`insert into groups (name, source, seq) values (?, ?, 0) on conflict do nothing`, t.Name, source); err != nil {
		return err
	}
	list, err := t.fresh(`select seq, subject, event from events where source = ?1
		and seq > (select seq from groups where name = ?2 and source = ?1) order by seq limit ?3`, source, t.Name, t.left())
	if err != nil || len(list) == 0 {
		return err
	}
	for _, f := range list {
		if err := t.assign(f, source, f.seq, nil); err != nil {
			return err
		}
	}
	return t.do(`update groups set seq = ? where name = ? and source = ?`, list[len(list)-1].seq, t.Name, source)
}

func (t *taking) replayed() error {
	list, err := t.fresh(`select id, subject, event from replayed where name = ? order by id limit ?`, t.Name, t.left())
	for i := 0; i < len(list) && err == nil; i++ {
		if err = t.assign(list[i], replays, nil, string(list[i].event)); err == nil {
			err = t.do(`delete from replayed where id = ?`, list[i].seq)
		}
	}
	return err
}

// assign gives a new event to this consumer, or puts it in the inbox of
// another that has earlier ones of its subject.
func (t *taking) assign(f fresh, source string, seq, text any) error {
	owner := t.Consumer
	err := t.QueryRowContext(t, `select consumer from pending where name = ? and source = ? and subject = ? limit 1`, t.Name, source, f.subject[:]).Scan(&owner)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	given := 0
	if owner == t.Consumer {
		given = 1
	}
	added, err := t.ExecContext(t, `insert into pending (name, consumer, given, source, subject, seq, event, attempts) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?3)`,
		t.Name, owner, given, source, f.subject[:], seq, text)
	if err != nil || given == 0 {
		return err
	}
	id, err := added.LastInsertId()
	t.give(id, f.event, 1)
	return err
}

func (b *bus) Hold(ctx context.Context, g event.Group) error {
	return b.Tx(ctx, func(tx *sql.Tx) error { return hear(ctx, tx, g, time.Now()) })
}

// hear notes that a consumer is alive.
func hear(ctx context.Context, tx *sql.Tx, g event.Group, now time.Time) error {
	_, err := tx.ExecContext(ctx, `insert into consumers (name, consumer, heard_at) values (?1, ?2, ?3) on conflict do update set heard_at = ?3`,
		g.Name, g.Consumer, sqlite.Micros(now))
	return err
}

func (b *bus) Done(ctx context.Context, g event.Group, done []event.Delivery) error {
	if len(done) == 0 {
		return nil
	}
	return b.Tx(ctx, func(tx *sql.Tx) error {
		stmt, err := tx.PrepareContext(ctx, `delete from pending where id = ? and name = ?`)
		if err != nil {
			return err
		}
		defer stmt.Close()
		for _, d := range done {
			if _, err := stmt.ExecContext(ctx, d.Ref, g.Name); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bus) Leave(ctx context.Context, g event.Group) error {
	err := b.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `update pending set attempts = max(attempts - 1, 0) where name = ? and consumer = ? and given = 1`,
			g.Name, g.Consumer); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `delete from consumers where name = ? and consumer = ?`, g.Name, g.Consumer)
		return err
	})
	if err == nil {
		b.wake()
	}
	return err
}
