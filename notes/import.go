package notes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/django"
)

// What the legacy application kept notes in.
var (
	legacyUsers = django.Table{Name: "auth_user", Columns: []string{"date_joined"}}
	legacyNotes = django.Table{Name: "notes_note", Columns: []string{"title", "content", "tags", "created_at", "updated_at", "owner_id"}}
)

// importBatch is how many notes go into the store at once.
const importBatch = 500

// Import takes the notes of a legacy Django database into the store, and
// writes what it did and could not do to w. A note that was taken before is
// left as it is now. With dryRun it only reports.
func Import(ctx context.Context, store Store, path string, dryRun bool, w io.Writer) error {
	file, err := django.Open(ctx, path, legacyUsers, legacyNotes)
	if err != nil {
		return err
	}
	defer file.Close()
	owners, err := readOwners(ctx, file)
	if err != nil {
		return err
	}
	total, err := file.Count(ctx, legacyNotes)
	if err != nil {
		total = -1 // damaged; the rows will tell
	}
	im := importer{store: store, owners: owners, report: django.NewReport(w, "notes", total)}
	im.report.DryRun = dryRun
	for row, err := range file.Rows(ctx, legacyNotes) {
		if lost, ok := errors.AsType[*django.RowError](err); ok {
			im.report.Lost(lost)
			continue
		}
		if err != nil {
			return err
		}
		if err := im.take(ctx, row); err != nil {
			return err
		}
	}
	if err := im.flush(ctx); err != nil {
		return err
	}
	im.report.Finish()
	return nil
}

// readOwners maps the legacy users' numbers to their new ids, which the auth
// service derives in the same way.
func readOwners(ctx context.Context, file *django.File) (map[int64]uuid.UUID, error) {
	owners := map[int64]uuid.UUID{}
	for row, err := range file.Rows(ctx, legacyUsers) {
		if _, lost := errors.AsType[*django.RowError](err); lost {
			continue // whose notes will be found to have no owner
		}
		if err != nil {
			return nil, err
		}
		joined := row.Time("date_joined")
		if row.Err() == nil {
			owners[row.ID()] = django.ID(legacyUsers.Name, row.ID(), joined)
		}
	}
	return owners, nil
}

type importer struct {
	store  Store
	owners map[int64]uuid.UUID
	report *django.Report
	batch  []Note
	rows   []int64 // of the batch
}

func (im *importer) take(ctx context.Context, row *django.Row) error {
	n, err := im.read(row)
	if err != nil {
		im.report.Refused(row.ID(), n.Title, err)
		return nil
	}
	for _, t := range n.Tags {
		if utf8.RuneCountInString(t) > MaxTag {
			im.report.Notice(row.ID(), n.Title, fmt.Sprintf("a tag of %d characters is kept, though new ones may have only %d", utf8.RuneCountInString(t), MaxTag))
		}
	}
	im.batch, im.rows = append(im.batch, n), append(im.rows, row.ID())
	if len(im.batch) == importBatch {
		return im.flush(ctx)
	}
	return nil
}

// read makes a note of a row, or says why none can be made.
func (im *importer) read(row *django.Row) (Note, error) {
	n := Note{
		Title: row.Text("title"), Body: row.Text("content"), Tags: splitTags(row.Text("tags")),
		Status: Active, Version: 1, CreatedAt: row.Time("created_at"), UpdatedAt: row.Time("updated_at"),
	}
	number := row.Int("owner_id")
	if err := row.Err(); err != nil {
		return n, err
	}
	owner, ok := im.owners[number]
	switch {
	case !ok:
		return n, fmt.Errorf("its owner, user %d, is not there", number)
	case utf8.RuneCountInString(n.Title) > MaxTitle:
		return n, fmt.Errorf("the title has %d characters and may have %d", utf8.RuneCountInString(n.Title), MaxTitle)
	case len(n.Body) > MaxBody:
		return n, fmt.Errorf("the text has %d bytes and may have %d", len(n.Body), MaxBody)
	case len(n.Tags) > MaxTags:
		return n, fmt.Errorf("there are %d tags and may be %d", len(n.Tags), MaxTags)
	}
	n.Owner, n.ID = owner, django.ID(legacyNotes.Name, row.ID(), n.CreatedAt)
	return n, nil
}

// splitTags reads what the legacy application kept in one field: tags
// separated by commas, with blanks around them that do not count.
func splitTags(text string) []string {
	var tags []string
	for t := range strings.SplitSeq(text, ",") {
		if t = strings.TrimSpace(t); t != "" {
			tags = append(tags, t)
		}
	}
	return unique(tags)
}

func (im *importer) flush(ctx context.Context) error {
	if len(im.batch) == 0 {
		return nil
	}
	var added []bool
	var err error
	if im.report.DryRun {
		added, err = im.absent(ctx)
	} else {
		added, err = im.store.Import(ctx, im.batch)
	}
	if err != nil {
		return fmt.Errorf("notes %d to %d: %w", im.rows[0], im.rows[len(im.rows)-1], err)
	}
	for _, a := range added {
		if a {
			im.report.Added()
		} else {
			im.report.Unchanged()
		}
	}
	im.batch, im.rows = im.batch[:0], im.rows[:0]
	return nil
}

// absent tells for each note of the batch whether it would be added.
func (im *importer) absent(ctx context.Context) ([]bool, error) {
	absent := make([]bool, len(im.batch))
	for i, n := range im.batch {
		_, err := im.store.Get(ctx, n.Owner, n.ID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		absent[i] = err != nil
	}
	return absent, nil
}
