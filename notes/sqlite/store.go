// Package sqlite keeps notes in a SQLite file.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"slices"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	kitsqlite "github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/notes"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is a notes.Store.
type Store struct{ *kitsqlite.DB }

// Open opens the database file at path.
func Open(ctx context.Context, path string) (*Store, error) {
	db, err := kitsqlite.Open(ctx, path, migrations)
	if err != nil {
		return nil, err
	}
	return &Store{db}, nil
}

const columns = `n.id, n.owner, n.title, n.tags, n.pinned, n.status, n.reminder_at, n.version, n.created_at, n.updated_at,
	coalesce(n.editor, n.owner), coalesce(n.revised_at, n.created_at), n.body`

const (
	insert = `insert into notes (id, owner, title, tags, pinned, status, reminder_at, version, created_at, updated_at, revised_at, body, indexed)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`
	insertTags = `insert into note_tags (owner, tag, note) select ?, value, ? from json_each(?) where true on conflict do nothing`
)

func (s *Store) Create(ctx context.Context, n notes.Note, events ...event.Message) error {
	return s.Tx(ctx, func(tx *sql.Tx) error {
		if err := admit(ctx, tx, n.Owner); err != nil {
			return err
		}
		added, err := add(ctx, tx, []notes.Note{n}, &n.Version)
		if err != nil {
			return err
		}
		if !added[0] {
			return notes.ErrExists
		}
		if err := index(ctx, tx, n); err != nil {
			return err
		}
		return s.Emit(ctx, tx, events...)
	})
}

func (s *Store) Import(ctx context.Context, list []notes.Note) (added []bool, err error) {
	err = s.Tx(ctx, func(tx *sql.Tx) (err error) {
		added, err = add(ctx, tx, list, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	return added, nil
}

func add(ctx context.Context, tx *sql.Tx, list []notes.Note, indexed *int64) (added []bool, err error) {
	note, err := tx.PrepareContext(ctx, insert)
	if err != nil {
		return nil, err
	}
	defer note.Close()
	tag, err := tx.PrepareContext(ctx, insertTags)
	if err != nil {
		return nil, err
	}
	defer tag.Close()
	added = make([]bool, len(list))
	for i, n := range list {
		n.Normalize()
		tags, err := encode(n.Tags)
		if err != nil {
			return nil, err
		}
		result, err := note.ExecContext(ctx, n.ID[:], n.Owner[:], n.Title, tags, n.Pinned, n.Status, reminder(n),
			n.Version, kitsqlite.Micros(n.CreatedAt), kitsqlite.Micros(n.UpdatedAt), kitsqlite.Micros(n.RevisedAt), n.Body, indexed)
		if err != nil {
			return nil, err
		}
		count, err := result.RowsAffected()
		if err != nil {
			return nil, err
		}
		added[i] = count == 1
		if !added[i] || len(n.Tags) == 0 {
			continue
		}
		if _, err := tag.ExecContext(ctx, n.Owner[:], n.ID[:], tags); err != nil {
			return nil, err
		}
	}
	return added, nil
}

// Two statements, because one that joins takes twice as long to prepare.
const (
	get       = `select ` + columns + `, 'owner' from notes n where n.id = ? and n.owner = ?`
	getShared = `select ` + columns + `, s.role from note_shares s join notes n on n.id = s.note
		where s.note = ? and s.person = ? and n.status <> 'trashed'`
)

func (s *Store) Get(ctx context.Context, reader, id uuid.UUID) (notes.Note, error) {
	n, err := one(s.Reader.QueryRowContext(ctx, get, id[:], reader[:]))
	if errors.Is(err, notes.ErrNotFound) {
		n, err = one(s.Reader.QueryRowContext(ctx, getShared, id[:], reader[:]))
	}
	return n, err
}

// hold returns a note as its reader sees it, and its shares.
func hold(ctx context.Context, tx *sql.Tx, reader, id uuid.UUID) (n notes.Note, shares []notes.Share, err error) {
	if n, err = one(tx.QueryRowContext(ctx, `select `+columns+`, '' from notes n where n.id = ?`, id[:])); err != nil {
		return n, nil, err
	}
	if shares, err = sharesOf(ctx, tx, id); err != nil {
		return n, nil, err
	}
	n.Role, err = n.RoleOf(reader, shares)
	return n, shares, err
}

func (s *Store) Update(ctx context.Context, reader, id uuid.UUID, change func(*notes.Note, []notes.Share) ([]event.Message, error)) (n notes.Note, err error) {
	err = s.Tx(ctx, func(tx *sql.Tx) error {
		was, shares, err := hold(ctx, tx, reader, id)
		if err != nil {
			return err
		}
		n = was
		n.Tags = slices.Clone(was.Tags)
		events, err := change(&n, shares)
		if err != nil {
			return err
		}
		n.ID, n.Owner, n.CreatedAt, n.Role = was.ID, was.Owner, was.CreatedAt, was.Role
		n.Normalize()
		if err := update(ctx, tx, was, n); err != nil {
			return err
		}
		return s.Emit(ctx, tx, events...)
	})
	if err != nil {
		return notes.Note{}, err
	}
	return n, nil
}

func update(ctx context.Context, tx *sql.Tx, was, n notes.Note) error {
	tags, err := encode(n.Tags)
	if err != nil {
		return err
	}
	retagged := !slices.Equal(n.Tags, was.Tags)
	rewritten := retagged || n.Title != was.Title || n.Body != was.Body
	_, err = tx.ExecContext(ctx, `update notes set title = ?, tags = ?, pinned = ?, status = ?,
		reminder_at = ?5, reminded_at = case when reminder_at is ?5 then reminded_at end, version = ?6, updated_at = ?,
		editor = nullif(?, owner), revised_at = ?, indexed = case when ? or indexed = version then ?6 end, body = ? where id = ?`,
		n.Title, tags, n.Pinned, n.Status, reminder(n), n.Version, kitsqlite.Micros(n.UpdatedAt),
		n.Editor[:], kitsqlite.Micros(n.RevisedAt), rewritten, n.Body, n.ID[:])
	if err != nil {
		return err
	}
	if !n.RevisedAt.Equal(was.RevisedAt) {
		if err := keep(ctx, tx, was); err != nil {
			return err
		}
	}
	if rewritten {
		if err := index(ctx, tx, n); err != nil {
			return err
		}
	}
	if !retagged {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `delete from note_tags where note = ?`, n.ID[:]); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, insertTags, n.Owner[:], n.ID[:], tags)
	return err
}

func (s *Store) Delete(ctx context.Context, reader, id uuid.UUID, allow func(notes.Note, []notes.Share) ([]event.Message, error)) error {
	return s.Tx(ctx, func(tx *sql.Tx) error {
		n, shares, err := hold(ctx, tx, reader, id)
		if err != nil {
			return err
		}
		events, err := allow(n, shares)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `delete from notes where id = ?`, id[:]); err != nil {
			return err
		}
		return s.Emit(ctx, tx, events...)
	})
}

func one(row *sql.Row) (notes.Note, error) {
	n, err := scan(row)
	if errors.Is(err, sql.ErrNoRows) {
		err = notes.ErrNotFound
	}
	return n, err
}

// scan reads the columns and, behind them, the reader's role.
func scan(row interface{ Scan(...any) error }) (n notes.Note, err error) {
	var tags []byte
	var reminder *int64
	var created, updated, revised int64
	if err := row.Scan(&n.ID, &n.Owner, &n.Title, &tags, &n.Pinned, &n.Status, &reminder, &n.Version, &created, &updated,
		&n.Editor, &revised, &n.Body, &n.Role); err != nil {
		return notes.Note{}, err
	}
	if reminder != nil {
		n.ReminderAt = new(kitsqlite.Time(*reminder))
	}
	n.CreatedAt, n.UpdatedAt, n.RevisedAt = kitsqlite.Time(created), kitsqlite.Time(updated), kitsqlite.Time(revised)
	return n, json.Unmarshal(tags, &n.Tags)
}

func encode(tags []string) (string, error) {
	if len(tags) == 0 {
		return `[]`, nil
	}
	text, err := json.Marshal(tags)
	return string(text), err
}

func reminder(n notes.Note) *int64 {
	if n.ReminderAt == nil {
		return nil
	}
	return new(kitsqlite.Micros(*n.ReminderAt))
}
