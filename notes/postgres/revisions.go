package postgres

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/notes"
)

const (
	revisionHeaders = `r.rev, r.title, r.tags, coalesce(r.editor, n.owner), r.updated_at, octet_length(r.body)`
	fromRevisions   = ` from note_revisions r join notes n on n.id = r.note where r.note = $1`

	revisions      = `select ` + revisionHeaders + `, null` + fromRevisions + ` order by r.rev desc`
	wholeRevisions = `select ` + revisionHeaders + `, r.body` + fromRevisions + ` order by r.rev desc`
	revision       = `select ` + revisionHeaders + `, r.body` + fromRevisions + ` and r.rev = $2`

	revise = `insert into note_revisions (note, rev, title, tags, editor, updated_at, body)
		values ($1, $2, $3, $4, nullif($5::uuid, $6), $7, $8) on conflict do nothing`
	unname    = `update notes set editor = '00000000-0000-0000-0000-000000000000' where id = any (array(select id from notes where editor = $1 limit $2))`
	unnameWas = `update note_revisions set editor = '00000000-0000-0000-0000-000000000000' where ctid = any (array(select ctid from note_revisions where editor = $1 limit $2))`

	dropRevisions = `delete from note_revisions where note = $1 and rev in (select rev from (
			select rev, row_number() over latest as place, sum(octet_length(title) + octet_length(body)) over latest as bytes
			from note_revisions where note = $1 window latest as (order by rev desc)
		) kept where place > $2 or place > 1 and bytes > $3)`
)

func (s *Store) Revisions(ctx context.Context, reader, id uuid.UUID) ([]notes.Revision, error) {
	if _, err := s.Get(ctx, reader, id); err != nil {
		return nil, err
	}
	rows, err := s.Query(ctx, revisions, id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanRevision)
}

func (s *Store) Revision(ctx context.Context, reader, id uuid.UUID, rev int64) (notes.Revision, error) {
	if _, err := s.Get(ctx, reader, id); err != nil {
		return notes.Revision{}, err
	}
	rows, err := s.Query(ctx, revision, id, rev)
	if err != nil {
		return notes.Revision{}, err
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanRevision)
	if errors.Is(err, pgx.ErrNoRows) {
		err = notes.ErrNoRevision
	}
	return r, err
}

func scanRevision(row pgx.CollectableRow) (r notes.Revision, err error) {
	err = row.Scan(&r.Rev, &r.Title, &r.Tags, &r.By, &r.UpdatedAt, &r.Size, &r.Body)
	r.UpdatedAt = r.UpdatedAt.UTC()
	return r, err
}
