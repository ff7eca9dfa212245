// Package sqlite carries events through an SQLite file, for services of one
// machine.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/go-json-experiment/json"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// keepAlone is how many events of a source are kept that nobody receives of.
const keepAlone = 100_000

type bus struct {
	*sqlite.DB
	turn atomic.Uint64 // each Receive begins with another source

	mu    sync.Mutex
	added chan struct{} // closed when there is something to receive
}

// Open opens the bus in a file, which several processes may do.
//
// What is committed survives the end of the process. When the machine's power
// goes it may have lost its last moments, which Publish notices.
func Open(ctx context.Context, path string) (event.Bus, error) {
	db, err := sqlite.Open(ctx, path, migrations)
	if err != nil {
		return nil, err
	}
	if _, err := db.Writer.ExecContext(ctx, `pragma synchronous = normal`); err != nil { // the writer has one connection
		return nil, errors.Join(err, db.Close())
	}
	return &bus{DB: db, added: make(chan struct{})}, nil
}

// wait is closed when something is added after it was asked for.
func (b *bus) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.added
}

func (b *bus) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.added)
	b.added = make(chan struct{})
}

func (b *bus) Publish(ctx context.Context, source string, batch event.Batch) error {
	texts := make([]string, len(batch.Messages))
	for i := range batch.Messages {
		text, err := json.Marshal(&batch.Messages[i])
		if err != nil {
			return err
		}
		texts[i] = string(text)
	}
	if len(texts) == 0 {
		return known(ctx, b.Reader, source, batch.After)
	}
	err := b.Tx(ctx, func(tx *sql.Tx) error {
		if err := known(ctx, tx, source, batch.After); err != nil {
			return err
		}
		insert, err := tx.PrepareContext(ctx, `insert into events (source, subject, event) values (?, ?, ?)`)
		if err != nil {
			return err
		}
		defer insert.Close()
		for i, text := range texts {
			if _, err := insert.ExecContext(ctx, source, batch.Messages[i].Subject[:], text); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `insert into sources (source, position) values (?1, ?2) on conflict do update set position = ?2`,
			source, batch.After+int64(len(texts)))
		return err
	})
	if err == nil {
		b.wake()
	}
	return err
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// known answers *event.Lost when the last position known of a source is before one.
func known(ctx context.Context, from querier, source string, position int64) error {
	var has int64
	if err := from.QueryRowContext(ctx, `select coalesce(max(position), 0) from sources where source = ?`, source).Scan(&has); err != nil {
		return err
	}
	if has < position {
		return &event.Lost{Has: has}
	}
	return nil
}

// trimAtOnce is how many events are forgotten in one transaction.
const trimAtOnce = 1000

func (b *bus) Trim(ctx context.Context, source string) error {
	for {
		var below sql.NullInt64
		if err := b.Reader.QueryRowContext(ctx, `select coalesce(
			(select min(coalesce((select min(p.seq) from pending p where p.source = ?1 and p.name = g.name), g.seq + 1))
				from groups g where g.source = ?1),
			(select seq from events where source = ?1 order by seq desc limit 1 offset ?2 - 1))`, source, keepAlone).Scan(&below); err != nil || !below.Valid {
			return err
		}
		var some bool
		if err := b.Reader.QueryRowContext(ctx, `select exists (select 1 from events where source = ? and seq < ?)`, source, below.Int64).Scan(&some); err != nil || !some {
			return err
		}
		if _, err := b.Writer.ExecContext(ctx, `delete from events where seq in (select seq from events where source = ? and seq < ? order by seq limit ?)`,
			source, below.Int64, trimAtOnce); err != nil {
			return err
		}
	}
}
