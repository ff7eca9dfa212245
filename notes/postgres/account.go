package postgres

import (
	"context"
	"slices"
	"time"

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
	isErased   = `select exists (select from erased_users where hash = $1)`
	countUp    = `insert into erased_users as e (hash, notes, shares, erased_at) values ($1, $2, $3, $4)
		on conflict (hash) do update set notes = e.notes + excluded.notes, shares = e.shares + excluded.shares, erased_at = coalesce(e.erased_at, excluded.erased_at)
		returning notes, shares, erased_at`
)

// eraseLock is the class of the advisory locks by user that erasures hold, and
// share those whom they must not miss.
const eraseLock = 0x65726173 // "eras"

// protect queues what keeps a user from being erased until the transaction ends.
func protect(b *pgx.Batch, user uuid.UUID) {
	b.Queue(`select pg_advisory_xact_lock_shared($1::int, hashtext($2))`, eraseLock, user.String())
}

// admit protects a user, or makes the transaction answer ErrErased. Whether
// they are is selected behind the lock: what its own statement would see is
// from before it waited.
func admit(b *pgx.Batch, user uuid.UUID) {
	protect(b, user)
	b.Queue(isErased, notes.ErasedKey(user)).QueryRow(func(row pgx.Row) error {
		var erased bool
		if err := row.Scan(&erased); err != nil || !erased {
			return err
		}
		return notes.ErrErased
	})
}

func (s *Store) Export(ctx context.Context, user uuid.UUID, each func(notes.Note, []notes.Share, []notes.Revision) error) error {
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
			rows, err := s.Query(ctx, wholeRevisions, n.ID)
			if err != nil {
				return err
			}
			was, err := pgx.CollectRows(rows, scanRevision)
			if err != nil {
				return err
			}
			if err := each(n, shares[n.ID], was); err != nil {
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

func (s *Store) Erase(ctx context.Context, user uuid.UUID, max int, now time.Time, tell func(notes.Note, []notes.Share) ([]event.Message, error)) (all notes.Erased, done bool, err error) {
	err = s.Tx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock($1::int, hashtext($2))`, eraseLock, user.String()); err != nil {
			return err
		}
		e, err := s.eraseNotes(ctx, tx, user, max, tell)
		if err != nil {
			return err
		}
		done = e.Notes < max
		for _, rest := range []string{unshareAll, eraseFeed, unname, unnameWas} {
			if !done {
				break
			}
			tag, err := tx.Exec(ctx, rest, user, max)
			if err != nil {
				return err
			}
			if rest == unshareAll {
				e.Shares += int(tag.RowsAffected())
			}
			done = tag.RowsAffected() < int64(max)
		}
		var doneAt *time.Time
		if done {
			if _, err := tx.Exec(ctx, erasePrune, user); err != nil {
				return err
			}
			if err := s.Forget(ctx, tx, user); err != nil {
				return err
			}
			doneAt = &now
		}
		all, err = counted(tx.QueryRow(ctx, countUp, notes.ErasedKey(user), e.Notes, e.Shares, doneAt))
		return err
	})
	if err != nil {
		return notes.Erased{}, false, err
	}
	return all, done, nil
}

func counted(row pgx.Row) (all notes.Erased, err error) {
	var at *time.Time
	if err := row.Scan(&all.Notes, &all.Shares, &at); err != nil || at == nil {
		return all, err
	}
	all.At = at.UTC()
	return all, nil
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
	if err != nil {
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
	readers := []uuid.UUID{owner}
	for _, n := range list {
		for _, share := range shares[n.ID] {
			readers = append(readers, share.User.ID)
		}
		told, err := tell(n, shares[n.ID])
		if err != nil {
			return e, err
		}
		events = append(events, told...)
		e.Shares += len(shares[n.ID])
	}
	e.Notes = len(list)
	if _, err := tx.Exec(ctx, `select note_lock($1)`, readers); err != nil {
		return e, err
	}
	if _, err := tx.Exec(ctx, `delete from notes where id = any($1)`, ids); err != nil {
		return e, err
	}
	return e, s.Emit(ctx, tx, events...)
}
