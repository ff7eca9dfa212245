package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/google/uuid"
	kitsqlite "github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/notes"
)

const (
	revisionHeaders = `r.rev, r.title, r.tags, coalesce(r.editor, n.owner), r.updated_at, r.size`
	fromRevisions   = ` from note_revisions r join notes n on n.id = r.note where r.note = ?`

	revisions      = `select ` + revisionHeaders + `, null` + fromRevisions + ` order by r.rev desc`
	wholeRevisions = `select ` + revisionHeaders + `, r.body` + fromRevisions + ` order by r.rev desc`
	revision       = `select ` + revisionHeaders + `, r.body` + fromRevisions + ` and r.rev = ?`

	insertRevision = `insert into note_revisions (note, rev, title, tags, editor, updated_at, size, body)
		values (?, ?, ?, ?, nullif(?, ?), ?, ?, ?) on conflict do nothing`
	unname    = `update notes set editor = zeroblob(16) where id in (select id from notes where editor = ? limit ?)`
	unnameWas = `update note_revisions set editor = zeroblob(16) where rowid in (select rowid from note_revisions where editor = ? limit ?)`

	dropRevisions = `delete from note_revisions where note = ?1 and rev in (select rev from (
			select rev, row_number() over latest as place, sum(octet_length(title) + size) over latest as bytes
			from note_revisions where note = ?1 window latest as (order by rev desc)
		) where place > ?2 or place > 1 and bytes > ?3)`
)

func (s *Store) Revisions(ctx context.Context, reader, id uuid.UUID) ([]notes.Revision, error) {
	if _, err := s.Get(ctx, reader, id); err != nil {
		return nil, err
	}
	return collect(ctx, s.Reader, scanRevision, revisions, id[:])
}

func (s *Store) Revision(ctx context.Context, reader, id uuid.UUID, rev int64) (notes.Revision, error) {
	if _, err := s.Get(ctx, reader, id); err != nil {
		return notes.Revision{}, err
	}
	found, err := collect(ctx, s.Reader, scanRevision, revision, id[:], rev)
	if err == nil && len(found) == 0 {
		err = notes.ErrNoRevision
	}
	if err != nil {
		return notes.Revision{}, err
	}
	return found[0], nil
}

// keep makes a revision of a note.
func keep(ctx context.Context, tx *sql.Tx, n notes.Note) error {
	tags, err := encode(n.Tags)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, insertRevision, n.ID[:], n.Version, n.Title, tags, n.Editor[:], n.Owner[:],
		kitsqlite.Micros(n.UpdatedAt), len(n.Body), n.Body)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, dropRevisions, n.ID[:], notes.MaxRevisions, notes.MaxRevised)
	return err
}

func scanRevision(rows *sql.Rows) (r notes.Revision, err error) {
	var tags []byte
	var updated int64
	if err := rows.Scan(&r.Rev, &r.Title, &tags, &r.By, &updated, &r.Size, &r.Body); err != nil {
		return notes.Revision{}, err
	}
	r.UpdatedAt = kitsqlite.Time(updated)
	return r, json.Unmarshal(tags, &r.Tags)
}
