package postgres

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/notes"
)

const (
	shareColumns = `id, note, person, name, login, role, created_at`
	sharesOf     = `select ` + shareColumns + ` from note_shares where note = any($1) order by note, created_at, id`
	sharesWith   = `select ` + shareColumns + ` from note_shares where person = $1 and note > $2 order by note limit $3`
)

func (s *Store) Share(ctx context.Context, reader, id uuid.UUID, share func(notes.Note, []notes.Share) (notes.Share, []event.Message, error)) (kept notes.Share, err error) {
	err = s.Tx(ctx, func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		admit(b, reader)
		n, shares, err := holdIn(ctx, tx, b, reader, id)
		if err != nil {
			return err
		}
		var events []event.Message
		if kept, events, err = share(n, shares); err != nil {
			return err
		}
		b = &pgx.Batch{}
		admit(b, kept.User.ID)
		b.Queue(`insert into note_shares (`+shareColumns+`) values ($1, $2, $3, $4, $5, $6, $7)
			on conflict (id) do update set name = excluded.name, login = excluded.login, role = excluded.role
			where note_shares.note = excluded.note`,
			kept.ID, id, kept.User.ID, kept.User.Name, kept.User.Login, kept.Role, kept.CreatedAt)
		if err := tx.SendBatch(ctx, b).Close(); err != nil {
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
	rows, err := s.Query(ctx, sharesOf, []uuid.UUID{id})
	if err != nil {
		return nil, err
	}
	shares, err := pgx.CollectRows(rows, scanShare)
	if err != nil || n.Role == notes.RoleOwner {
		return shares, err
	}
	return slices.DeleteFunc(shares, func(s notes.Share) bool { return s.User.ID != reader }), nil
}

func (s *Store) Unshare(ctx context.Context, reader, id, share uuid.UUID, allow func(notes.Note, notes.Share) ([]event.Message, error)) error {
	return s.Tx(ctx, func(tx pgx.Tx) error {
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
		if _, err := tx.Exec(ctx, `delete from note_shares where id = $1`, share); err != nil {
			return err
		}
		return s.Emit(ctx, tx, events...)
	})
}

func scanShare(row pgx.CollectableRow) (s notes.Share, err error) {
	err = row.Scan(&s.ID, &s.NoteID, &s.User.ID, &s.User.Name, &s.User.Login, &s.Role, &s.CreatedAt)
	s.CreatedAt = s.CreatedAt.UTC()
	return s, err
}
