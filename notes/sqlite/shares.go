package sqlite

import (
	"context"
	"database/sql"
	"slices"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	kitsqlite "github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/notes"
)

const (
	shareColumns = `id, note, person, name, login, role, created_at`
	selectShares = `select ` + shareColumns + ` from note_shares where note = ? order by created_at, id`
	sharesWith   = `select ` + shareColumns + ` from note_shares where person = ? and note > ? order by note limit ?`
)

func (s *Store) Share(ctx context.Context, reader, id uuid.UUID, share func(notes.Note, []notes.Share) (notes.Share, []event.Message, error)) (kept notes.Share, err error) {
	err = s.Tx(ctx, func(tx *sql.Tx) error {
		if err := admit(ctx, tx, reader); err != nil {
			return err
		}
		n, shares, err := hold(ctx, tx, reader, id)
		if err != nil {
			return err
		}
		var events []event.Message
		if kept, events, err = share(n, shares); err != nil {
			return err
		}
		if err := admit(ctx, tx, kept.User.ID); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `insert into note_shares (`+shareColumns+`) values (?, ?, ?, ?, ?, ?, ?)
			on conflict (id) do update set name = excluded.name, login = excluded.login, role = excluded.role
			where note_shares.note = excluded.note`,
			kept.ID[:], id[:], kept.User.ID[:], kept.User.Name, kept.User.Login, kept.Role, kitsqlite.Micros(kept.CreatedAt))
		if err != nil {
			return err
		}
		return s.Emit(ctx, tx, events...)
	})
	if err != nil {
		return notes.Share{}, err
	}
	return kept, nil
}

func (s *Store) Shares(ctx context.Context, reader, id uuid.UUID) ([]notes.Share, error) {
	n, err := s.Get(ctx, reader, id)
	if err != nil {
		return nil, err
	}
	shares, err := sharesOf(ctx, s.Reader, id)
	if err != nil || n.Role == notes.RoleOwner {
		return shares, err
	}
	return slices.DeleteFunc(shares, func(s notes.Share) bool { return s.User.ID != reader }), nil
}

func (s *Store) Unshare(ctx context.Context, reader, id, share uuid.UUID, allow func(notes.Note, notes.Share) ([]event.Message, error)) error {
	return s.Tx(ctx, func(tx *sql.Tx) error {
		n, shares, err := hold(ctx, tx, reader, id)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(shares, func(s notes.Share) bool { return s.ID == share })
		if i < 0 {
			return notes.ErrNoShare
		}
		events, err := allow(n, shares[i])
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `delete from note_shares where id = ?`, share[:]); err != nil {
			return err
		}
		return s.Emit(ctx, tx, events...)
	})
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func sharesOf(ctx context.Context, q querier, note uuid.UUID) ([]notes.Share, error) {
	return collect(ctx, q, scanShare, selectShares, note[:])
}

func scanShare(rows *sql.Rows) (s notes.Share, err error) {
	var created int64
	err = rows.Scan(&s.ID, &s.NoteID, &s.User.ID, &s.User.Name, &s.User.Login, &s.Role, &created)
	s.CreatedAt = kitsqlite.Time(created)
	return s, err
}

// collect returns all rows of a query.
func collect[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []T{}
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}
