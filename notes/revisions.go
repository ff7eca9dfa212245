package notes

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

// Revision is what a note's text was.
type Revision struct {
	Rev       int64     `json:"rev"` // the note's version then
	Title     string    `json:"title"`
	Body      *string   `json:"body,omitzero"` // not in lists
	Tags      []string  `json:"tags"`
	Size      int       `json:"size"`        // bytes of the body
	By        uuid.UUID `json:"by,omitzero"` // who wrote it, unless their account is gone
	UpdatedAt time.Time `json:"updated_at"`  // when it was written
}

// Bounds of what is kept of a note beside itself.
const (
	MaxRevisions = 50
	MaxRevised   = 8 << 20 // bytes of their titles and bodies; the last is kept in any case

	// revisionEvery is how much writing at a stretch is one revision.
	revisionEvery = 10 * time.Minute
	// muchText is how many bytes may go at once without one.
	muchText = 200
)

// ErrNoRevision is returned for a revision that is not, or no longer, there.
var ErrNoRevision = fault.New(fault.NotFound, "revision_not_found", "The note has no such revision.")

// RevisionRequest names a revision of a note.
type RevisionRequest struct {
	ID  uuid.UUID `path:"id" json:"-"`
	Rev int64     `path:"rev" json:"-"`
}

// RestoreRevisionRequest names a revision of a note to go back to.
type RestoreRevisionRequest struct {
	ID      uuid.UUID          `path:"id" json:"-"`
	Rev     int64              `path:"rev" json:"-"`
	IfMatch *transport.IfMatch `header:"If-Match" json:"-"`
}

// ListRevisions lists what a note was, the latest first: the states in which
// somebody left it for a while, or that another took over or cut down.
func (s *Service) ListRevisions(ctx context.Context, r NoteRequest) (page transport.Page[Revision], err error) {
	reader, err := callerID(ctx)
	if err != nil {
		return page, err
	}
	list, err := s.store.Revisions(ctx, reader, r.ID)
	return transport.NewPage(list, ""), err
}

// Revision returns what a note was.
func (s *Service) Revision(ctx context.Context, r RevisionRequest) (Revision, error) {
	reader, err := callerID(ctx)
	if err != nil {
		return Revision{}, err
	}
	return s.store.Revision(ctx, reader, r.ID, r.Rev)
}

// RestoreRevision has a note say what it said in a revision. What it says now
// becomes one.
func (s *Service) RestoreRevision(ctx context.Context, r RestoreRevisionRequest) (Note, error) {
	was, err := s.Revision(ctx, RevisionRequest{r.ID, r.Rev})
	if err != nil {
		return Note{}, err
	}
	return s.update(ctx, r.ID, RoleEditor, r.IfMatch, func(n *Note) error {
		if n.Status == Trashed {
			return ErrTrashed
		}
		n.Title, n.Body, n.Tags = was.Title, *was.Body, was.Tags
		n.RevisedAt = time.Time{}
		return nil
	})
}

// revise marks a note that was changed by an editor, so that what it was is
// kept if that should not be lost.
func (n *Note) revise(was Note, editor uuid.UUID) {
	if n.Title == was.Title && n.Body == was.Body && slices.Equal(n.Tags, was.Tags) {
		n.RevisedAt = was.RevisedAt
		return
	}
	n.Editor = editor
	if n.RevisedAt.IsZero() || was.Editor != editor || n.UpdatedAt.Sub(was.RevisedAt) >= revisionEvery ||
		len(was.Body)-len(n.Body) > max(muchText, len(was.Body)/2) {
		n.RevisedAt = n.UpdatedAt
	}
}
