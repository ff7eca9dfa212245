package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	kitsqlite "github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/notes"
)

const (
	owned      = `select n.id from notes n where n.owner = ?`
	some       = `select ` + columns + `, 'owner' from notes n where n.id in (select unhex(value) from json_each(?)) order by n.id`
	someShares = `select ` + shareColumns + ` from note_shares where note in (select unhex(value) from json_each(?)) order by note, created_at, id`
	toErase    = `select n.id, n.owner, n.version from notes n where n.owner = ? limit ?`
	eraseSome  = `delete from notes where id in (select unhex(value) from json_each(?))`
	unshareAll = `delete from note_shares where id in (select id from note_shares where person = ? limit ?)`
	isErased   = `select exists (select 1 from erased_users where hash = ?)`
	countUp    = `insert into erased_users (hash, notes, shares, erased_at) values (?, ?, ?, ?)
		on conflict (hash) do update set notes = notes + excluded.notes, shares = shares + excluded.shares, erased_at = coalesce(erased_at, excluded.erased_at)
		returning notes, shares, erased_at`
)

// admit answers ErrErased when a user is.
func admit(ctx context.Context, tx *sql.Tx, user uuid.UUID) error {
	var erased bool
	if err := tx.QueryRowContext(ctx, isErased, notes.ErasedKey(user)).Scan(&erased); err != nil || !erased {
		return err
	}
	return notes.ErrErased
}

// In memory at a time: a note may have more than a megabyte.
const (
	exportNotes  = 20
	exportShares = 1000
)

func (s *Store) Export(ctx context.Context, user uuid.UUID, each func(notes.Note, []notes.Share, []notes.Revision) error) error {
	ids, err := collect(ctx, s.Reader, func(rows *sql.Rows) (id uuid.UUID, err error) { return id, rows.Scan(&id) }, owned, user[:])
	if err != nil {
		return err
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	for part := range slices.Chunk(ids, exportNotes) {
		list, err := collect(ctx, s.Reader, func(rows *sql.Rows) (notes.Note, error) { return scan(rows) }, some, encodeIDs(part))
		if err != nil {
			return err
		}
		shares, err := byNote(ctx, s.Reader, part)
		if err != nil {
			return err
		}
		for _, n := range list {
			was, err := collect(ctx, s.Reader, scanRevision, wholeRevisions, n.ID[:])
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

// byNote returns the shares of some notes.
func byNote(ctx context.Context, q querier, ids []uuid.UUID) (map[uuid.UUID][]notes.Share, error) {
	list, err := collect(ctx, q, scanShare, someShares, encodeIDs(ids))
	if err != nil {
		return nil, err
	}
	shares := map[uuid.UUID][]notes.Share{}
	for _, s := range list {
		shares[s.NoteID] = append(shares[s.NoteID], s)
	}
	return shares, nil
}

// encodeIDs makes of ids what json_each takes.
func encodeIDs(ids []uuid.UUID) string {
	b := []byte{'['}
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = hex.AppendEncode(b, id[:])
		b = append(b, '"')
	}
	return string(append(b, ']'))
}

func (s *Store) SharedWith(ctx context.Context, user uuid.UUID, each func(notes.Share) error) error {
	var after uuid.UUID
	for {
		shares, err := collect(ctx, s.Reader, scanShare, sharesWith, user[:], after[:], exportShares)
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
	err = s.Tx(ctx, func(tx *sql.Tx) error {
		e, err := s.eraseNotes(ctx, tx, user, max, tell)
		if err != nil {
			return err
		}
		done = e.Notes < max
		for _, rest := range []string{unshareAll, eraseFeed, unname, unnameWas} {
			if !done {
				break
			}
			result, err := tx.ExecContext(ctx, rest, user[:], max)
			if err != nil {
				return err
			}
			count, err := result.RowsAffected()
			if err != nil {
				return err
			}
			if rest == unshareAll {
				e.Shares += int(count)
			}
			done = count < int64(max)
		}
		var doneAt *int64
		if done {
			if _, err := tx.ExecContext(ctx, erasePrune, user[:]); err != nil {
				return err
			}
			if err := s.Forget(ctx, tx, user); err != nil {
				return err
			}
			doneAt = new(kitsqlite.Micros(now))
		}
		all, err = counted(tx.QueryRowContext(ctx, countUp, notes.ErasedKey(user), e.Notes, e.Shares, doneAt))
		return err
	})
	if err != nil {
		return notes.Erased{}, false, err
	}
	return all, done, nil
}

func counted(row *sql.Row) (all notes.Erased, err error) {
	var at *int64
	if err := row.Scan(&all.Notes, &all.Shares, &at); err != nil || at == nil {
		return all, err
	}
	all.At = kitsqlite.Time(*at)
	return all, nil
}

func (s *Store) eraseNotes(ctx context.Context, tx *sql.Tx, owner uuid.UUID, max int, tell func(notes.Note, []notes.Share) ([]event.Message, error)) (e notes.Erased, err error) {
	list, err := collect(ctx, tx, func(rows *sql.Rows) (n notes.Note, err error) {
		return n, rows.Scan(&n.ID, &n.Owner, &n.Version)
	}, toErase, owner[:], max)
	if err != nil || len(list) == 0 {
		return e, err
	}
	ids := make([]uuid.UUID, len(list))
	for i, n := range list {
		ids[i] = n.ID
	}
	shares, err := byNote(ctx, tx, ids)
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
	if _, err := tx.ExecContext(ctx, eraseSome, encodeIDs(ids)); err != nil {
		return e, err
	}
	return e, s.Emit(ctx, tx, events...)
}
