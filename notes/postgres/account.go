package postgres

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/notes"
)

// In memory at a time: a note may have more than a megabyte.
const (
	exportNotes  = 20
	exportShares = 1000
)

const (
	owned      = `select n.id from notes n where n.owner = $1`
	some       = `select ` + columns + `, 'owner' from notes n where n.id = any($1) order by n.id`
	toErase    = `select n.id, n.owner, n.version from notes n where n.owner = $1 limit $2 for update`
	unshareAll = `delete from note_shares where id = any (array(select id from note_shares where person = $1 limit $2))`
)

func (s *Store) Export(ctx context.Context, user uuid.UUID, each func(notes.Note, []notes.Share) error) error {
	rows, err := s.Query(ctx, owned, user)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return err
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	for part := range slices.Chunk(ids, exportNotes) {
		list, shares, err := s.withShares(ctx, part)
		if err != nil {
			return err
		}
		for _, n := range list {
			if err := each(n, shares[n.ID]); err != nil {
				return err
			}
		}
	}
	return nil
}

// withShares returns those notes that are still there, as their owners see them, and their shares.
func (s *Store) withShares(ctx context.Context, ids []uuid.UUID) (list []notes.Note, shares map[uuid.UUID][]notes.Share, err error) {
	rows, err := s.Query(ctx, some, ids)
	if err != nil {
		return nil, nil, err
	}
	list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (notes.Note, error) { return one(row) })
	if err != nil {
		return nil, nil, err
	}
	rows, err = s.Query(ctx, sharesOf, ids)
	if err != nil {
		return nil, nil, err
	}
	shares, err = byNote(rows)
	return list, shares, err
}

func byNote(rows pgx.Rows) (map[uuid.UUID][]notes.Share, error) {
	all, err := pgx.CollectRows(rows, scanShare)
	if err != nil {
		return nil, err
	}
	shares := map[uuid.UUID][]notes.Share{}
	for _, s := range all {
		shares[s.NoteID] = append(shares[s.NoteID], s)
	}
	return shares, nil
}

func (s *Store) SharedWith(ctx context.Context, user uuid.UUID, each func(notes.Share) error) error {
	var after uuid.UUID
	for {
		rows, err := s.Query(ctx, sharesWith, user, after, exportShares)
		if err != nil {
			return err
		}
		shares, err := pgx.CollectRows(rows, scanShare)
		if err != nil {
			return err
		}
		for _, share := range shares {
			if err := each(share); err != nil {
				return err
			}
			after = share.NoteID
		}
		if len(shares) < exportShares {
			return nil
		}
	}
}

func (s *Store) Erase(ctx context.Context, user uuid.UUID, max int, tell func(notes.Note, []notes.Share) ([]event.Message, error)) (e notes.Erased, done bool, err error) {
	err = s.Tx(ctx, func(tx pgx.Tx) (err error) {
		done = false
		if e, err = s.eraseNotes(ctx, tx, user, max, tell); err != nil || e.Notes == max {
			return err
		}
		tag, err := tx.Exec(ctx, unshareAll, user, max)
		if err != nil {
			return err
		}
		e.Shares += int(tag.RowsAffected())
		if done = tag.RowsAffected() < int64(max); !done {
			return nil
		}
		return s.Forget(ctx, tx, user)
	})
	if err != nil {
		return notes.Erased{}, false, err
	}
	return e, done, nil
}

func (s *Store) eraseNotes(ctx context.Context, tx pgx.Tx, owner uuid.UUID, max int, tell func(notes.Note, []notes.Share) ([]event.Message, error)) (e notes.Erased, err error) {
	rows, err := tx.Query(ctx, toErase, owner, max)
	if err != nil {
		return e, err
	}
	var ids []uuid.UUID
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (n notes.Note, err error) {
		err = row.Scan(&n.ID, &n.Owner, &n.Version)
		ids = append(ids, n.ID)
		return n, err
	})
	if err != nil || len(list) == 0 {
		return e, err
	}
	if rows, err = tx.Query(ctx, sharesOf, ids); err != nil {
		return e, err
	}
	shares, err := byNote(rows)
	if err != nil {
		return e, err
	}
	var events []event.Message
	for _, n := range list {
		told, err := tell(n, shares[n.ID])
		if err != nil {
			return e, err
		}
		events = append(events, told...)
		e.Shares += len(shares[n.ID])
	}
	e.Notes = len(list)
	if _, err := tx.Exec(ctx, `delete from notes where id = any($1)`, ids); err != nil {
		return e, err
	}
	return e, s.Emit(ctx, tx, events...)
}
