package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/profile"
)

// chunk is how much of a blob is written, and read, at once: the one writer is
// not kept for longer.
const chunk = 1 << 20

// PutBlob writes the chunks first; the blob is there when its size is.
func (s *Store) PutBlob(ctx context.Context, id uuid.UUID, r io.Reader) (size int64, err error) {
	buf := make([]byte, chunk)
	for n := 0; ; n++ {
		read, err := io.ReadFull(r, buf)
		if read > 0 {
			size += int64(read)
			if _, err := s.Writer.ExecContext(ctx, `insert into blob_chunks (blob, n, data) values (?, ?, ?)`, id[:], n, buf[:read]); err != nil {
				return 0, err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	_, err = s.Writer.ExecContext(ctx, `insert into blobs (id, size) values (?, ?)`, id[:], size)
	return size, err
}

func (s *Store) OpenBlob(ctx context.Context, id uuid.UUID) (io.ReadCloser, int64, error) {
	b := &blob{ctx: ctx, db: s.Reader, id: id}
	err := s.Reader.QueryRowContext(ctx, `select size from blobs where id = ?`, id[:]).Scan(&b.left)
	if errors.Is(err, sql.ErrNoRows) {
		err = profile.ErrNoBlob
	}
	return b, b.left, err
}

func (s *Store) DeleteBlob(ctx context.Context, id uuid.UUID) error {
	return s.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `delete from blobs where id = ?`, id[:]); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `delete from blob_chunks where blob = ?`, id[:])
		return err
	})
}

// blob reads a blob chunk by chunk, and holds no connection between them.
type blob struct {
	ctx  context.Context
	db   *sql.DB
	id   uuid.UUID
	n    int
	left int64
	buf  []byte
}

func (b *blob) Read(p []byte) (int, error) {
	if len(b.buf) == 0 {
		if b.left == 0 {
			return 0, io.EOF
		}
		err := b.db.QueryRowContext(b.ctx, `select data from blob_chunks where blob = ? and n = ?`, b.id[:], b.n).Scan(&b.buf)
		if errors.Is(err, sql.ErrNoRows) || err == nil && len(b.buf) == 0 {
			err = profile.ErrNoBlob // it was deleted meanwhile
		}
		if err != nil {
			return 0, err
		}
		b.n++
		b.left -= int64(len(b.buf))
	}
	n := copy(p, b.buf)
	b.buf = b.buf[n:]
	return n, nil
}

func (*blob) Close() error { return nil }
