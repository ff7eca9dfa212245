package django

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	sqlite3 "modernc.org/sqlite/lib"
)

// A source is the way to the bytes of a database: the file itself, or a
// private copy where SQLite would have to write to read it.
type source struct {
	path     string // as given, for messages
	file     string // what is opened
	wal      bool   // in WAL mode
	dir      string // the private copy's directory, or ""
	tolerant bool   // don't let a truncated file or a broken schema stop all reading
}

// newSource looks at the file before SQLite does, whose messages for what
// isn't a database are less helpful, and whose wait for a pipe has no end.
func newSource(path string) (*source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	if info.IsDir() {
		return nil, &Error{Path: path, Kind: ErrUnreadable, Text: "is a directory: name the SQLite file in it"}
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{Path: path, Kind: ErrUnreadable, Text: "is not a regular file: copy it to one"}
	}
	// The -wal file is beside the file that a link leads to.
	file, err := filepath.EvalSymlinks(path)
	if err == nil {
		file, err = filepath.Abs(file)
	}
	if err != nil {
		return nil, unreadable(path, err)
	}
	r, err := os.Open(file)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer r.Close()
	head := make([]byte, 100)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, unreadable(path, err)
	}
	if text := notDatabase(head[:n]); text != "" {
		return nil, &Error{Path: path, Kind: ErrNotDatabase, Text: text}
	}
	return &source{path: path, file: file, wal: head[18] == 2 || head[19] == 2}, nil
}

// notDatabase says why these can't be the first 100 bytes of a database, or "".
func notDatabase(head []byte) string {
	begins := func(s string) bool { return bytes.HasPrefix(head, []byte(s)) }
	switch {
	case len(head) == 0:
		return "is empty: import a copy made while the application was stopped"
	case len(head) == 100 && begins("SQLite format 3\x00"):
		return ""
	case begins("SQLite format 3\x00"):
		return "ends within its header: import a backup"
	case begins("\x1f\x8b"), begins("PK\x03\x04"), begins("BZh"), begins("\xfd7zXZ"), begins("\x28\xb5\x2f\xfd"):
		return "is compressed: unpack it first"
	case begins("PRAGMA "), begins("BEGIN"), begins("CREATE "), begins("--"):
		return "is an SQL dump, not a database: make one of it with \"sqlite3 new.sqlite3 <FILE\""
	}
	return "is not an SQLite database, or is encrypted: import the file that Django's settings name in DATABASES, decrypted"
}

// connect opens f.db and runs first on it, in the least of the ways in which
// that succeeds.
func (s *source) connect(ctx context.Context, f *File, first func() error) error {
	if s.wal && !s.shared() {
		if err := s.copy(ctx); err != nil {
			return err
		}
	}
	for {
		db, err := sql.Open("sqlite", s.dsn(f.wait.Milliseconds()))
		if err != nil {
			return err
		}
		db.SetMaxOpenConns(1)
		f.db, f.tolerant = db, s.tolerant

		var n int
		if err = db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master`).Scan(&n); err == nil {
			err = first()
		}
		switch c := code(err); {
		case c == sqlite3.SQLITE_CORRUPT && !s.tolerant:
			s.tolerant = true
		case (c == sqlite3.SQLITE_READONLY || c == sqlite3.SQLITE_CANTOPEN) && s.dir == "":
			// A journal to roll back, or a -shm file that is not ours to write.
			if err := s.copy(ctx); err != nil {
				return err
			}
		default:
			return err
		}
		db.Close()
	}
}

// dsn names the database to the driver: nothing is written, and neither
// functions nor double-quoted mistakes in its schema mean anything.
func (s *source) dsn(wait int64) string {
	q := url.Values{
		"mode":          {"ro"},
		"_busy_timeout": {strconv.FormatInt(wait, 10)},
		"_query_only":   {"1"},
		"_dqs":          {"0"},
		"_pragma":       {"trusted_schema(0)", "cell_size_check(1)", "mmap_size(0)"},
	}
	if s.dir != "" {
		q.Set("mode", "rw")
	}
	if s.tolerant {
		// The documented effect is that the schema may be written, which
		// query_only prevents; the one wanted is that a file shorter than its
		// header says is still opened.
		q.Add("_pragma", "writable_schema(1)")
	} else {
		q.Set("_defensive", "1")
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(s.file), RawQuery: q.Encode()}
	return u.String()
}

// shared reports whether another program has the database open in WAL mode,
// or had when it ended, so that its files can be used as they are.
func (s *source) shared() bool {
	_, wal := os.Stat(s.file + "-wal")
	_, shm := os.Stat(s.file + "-shm")
	return wal == nil && shm == nil
}

// copy makes a private copy to open instead.
func (s *source) copy(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "django-import-")
	if err != nil {
		return s.uncopied(err)
	}
	s.dir = dir
	file := filepath.Join(dir, "db.sqlite3")
	before := s.state()
	for _, suffix := range []string{"", "-wal", "-journal"} {
		err := copyFile(ctx, file+suffix, s.file+suffix)
		if err != nil && (suffix == "" || !errors.Is(err, os.ErrNotExist)) {
			return s.uncopied(err)
		}
	}
	if s.state() != before {
		return &Error{Path: s.path, Kind: ErrLocked,
			Text: "was written to while it was copied: stop the application, or import from a copy"}
	}
	s.file = file
	return nil
}

func (s *source) uncopied(err error) error {
	return &Error{Path: s.path, Kind: ErrUnreadable, Err: err, Text: fmt.Sprintf(
		"has changes in a -wal or -journal file, which are read from a temporary copy, and that failed: %v; make both readable, and room in TMPDIR", err)}
}

// state tells a file that was written to from one that wasn't.
func (s *source) state() string {
	var b bytes.Buffer
	for _, suffix := range []string{"", "-wal", "-journal"} {
		if info, err := os.Stat(s.file + suffix); err == nil {
			fmt.Fprintln(&b, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

// release removes the private copy.
func (s *source) release() {
	if s.dir != "" {
		os.RemoveAll(s.dir)
	}
}

func copyFile(ctx context.Context, to, from string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	for err == nil && ctx.Err() == nil {
		_, err = io.CopyN(w, r, 64<<20)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, ctx.Err(), w.Close())
}
