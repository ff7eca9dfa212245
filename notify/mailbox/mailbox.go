// Package mailbox takes the place of a mail server: it keeps mails in files and
// shows them on a page, for whoever develops or tries the system.
package mailbox

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/notify/email"
)

// Box is a folder of mails, an .eml file each.
type Box struct {
	dir    string
	writer email.Writer
}

var _ notify.Mailer = (*Box)(nil)

const (
	maxMails = 500
	maxMail  = 1 << 20 // bytes that are shown
	ending   = ".eml"
)

// Open opens the folder, and makes it if need be.
func Open(dir string, w email.Writer) (*Box, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &Box{dir, w}, nil
}

func (b *Box) path(id uuid.UUID) string { return filepath.Join(b.dir, id.String()+ending) }

// Send keeps a mail; the same one again changes nothing. Of more than 500 the
// oldest go.
func (b *Box) Send(_ context.Context, m notify.Mail) error {
	msg, err := b.writer.Message(m)
	if err != nil {
		return err
	}
	if err := b.keep(m.ID, msg); err != nil {
		return &notify.Trouble{Reason: "The mail cannot be kept.", Cause: err}
	}
	return b.prune()
}

// keep writes a file in one step: nobody sees half a mail.
func (b *Box) keep(id uuid.UUID, msg io.WriterTo) error {
	if _, err := os.Stat(b.path(id)); err == nil {
		return nil
	}
	file, err := os.CreateTemp(b.dir, "new-*") // 0600
	if err != nil {
		return err
	}
	_, err = msg.WriteTo(file)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), b.path(id))
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}

// entry is a mail in the folder.
type entry struct {
	id uuid.UUID
	at time.Time
}

// entries returns what is in the folder, the newest first.
func (b *Box) entries() ([]entry, error) {
	files, err := os.ReadDir(b.dir)
	if err != nil {
		return nil, err
	}
	var list []entry
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ending)
		id, err := uuid.Parse(name)
		if !ok || err != nil || !f.Type().IsRegular() {
			continue
		}
		if info, err := f.Info(); err == nil { // else it has just gone
			list = append(list, entry{id, info.ModTime()})
		}
	}
	slices.SortFunc(list, func(x, y entry) int { return cmp.Or(y.at.Compare(x.at), bytes.Compare(y.id[:], x.id[:])) })
	return list, nil
}

func (b *Box) prune() error {
	list, err := b.entries()
	if err != nil || len(list) <= maxMails {
		return err
	}
	for _, old := range list[maxMails:] {
		if err := os.Remove(b.path(old.id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// read returns a mail, or fs.ErrNotExist.
func (b *Box) read(e entry) (Mail, error) {
	file, err := os.Open(b.path(e.id))
	if err != nil {
		return Mail{}, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxMail))
	if err != nil {
		return Mail{}, err
	}
	if e.at.IsZero() {
		info, err := file.Stat()
		if err != nil {
			return Mail{}, err
		}
		e.at = info.ModTime()
	}
	m, err := parse(text)
	if err != nil {
		return Mail{}, fmt.Errorf("%s: %w", b.path(e.id), err)
	}
	m.ID, m.At = e.id, e.at.UTC()
	return m, nil
}

// list returns all mails that can be read, the newest first.
func (b *Box) list() ([]Mail, error) {
	entries, err := b.entries()
	if err != nil {
		return nil, err
	}
	mails := make([]Mail, 0, len(entries))
	for _, e := range entries {
		if m, err := b.read(e); err == nil {
			mails = append(mails, m)
		}
	}
	return mails, nil
}
