// Package notes keeps each user's notes.
package notes

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notes/search"
)

// Note is a text that belongs to one user, who may share it.
type Note struct {
	ID         uuid.UUID  `json:"id"`
	Owner      uuid.UUID  `json:"-"`
	Title      string     `json:"title"`
	Body       string     `json:"body"`
	Tags       []string   `json:"tags"`
	Pinned     bool       `json:"pinned"`
	Status     Status     `json:"status"`
	ReminderAt *time.Time `json:"reminder_at"`
	Version    int64      `json:"version"`
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
	Role       Role       `json:"role"` // the reader's; not stored

	Highlights []Highlight `json:"highlights,omitzero"` // where a search found its words; not stored

	Editor    uuid.UUID `json:"-"` // who wrote the text as it is; zero when they are gone
	RevisedAt time.Time `json:"-"` // when the last revision was kept, or the note made
}

// ETag is the note's version, as If-Match takes it. A viewer's is another, so
// that what a browser keeps goes stale with the role; viewers change nothing.
func (n Note) ETag() string {
	if n.Role == RoleViewer {
		return fmt.Sprintf(`"%d-viewer"`, n.Version)
	}
	return transport.ETag(n.Version)
}

// Location is where the note is.
func (n Note) Location() string { return "/v1/notes/" + n.ID.String() }

// Normalize makes of a note what a store keeps of it.
func (n *Note) Normalize() {
	if n.Tags == nil {
		n.Tags = []string{}
	}
	if n.ReminderAt != nil {
		n.ReminderAt = new(micros(*n.ReminderAt))
	}
	if n.RevisedAt.IsZero() {
		n.RevisedAt = n.CreatedAt
	}
	n.CreatedAt, n.UpdatedAt, n.RevisedAt = micros(n.CreatedAt), micros(n.UpdatedAt), micros(n.RevisedAt)
}

// Bounds of a note. Characters are Unicode code points.
const (
	MaxTitle = 200     // characters
	MaxBody  = 1 << 20 // bytes
	MaxTags  = 32
	MaxTag   = 50 // characters
)

// Status is where a note is kept.
type Status string

const (
	Active   Status = "active"
	Archived Status = "archived"
	Trashed  Status = "trashed"
)

var (
	ErrNotFound   = fault.New(fault.NotFound, "note_not_found", "You have no such note.")
	ErrExists     = fault.New(fault.Conflict, "note_exists", "This note is there already.")
	ErrIDTaken    = fault.New(fault.Conflict, "id_taken", "There is a note with this id already.")
	ErrStale      = fault.New(fault.Stale, "stale", "The note has changed since you read it.")
	ErrTrashed    = fault.New(fault.Conflict, "note_trashed", "The note is in the trash. Restore it first.")
	ErrNotTrashed = fault.New(fault.Conflict, "note_not_trashed", "The note is not in the trash.")
	ErrErased     = fault.New(fault.Gone, "account_erased", "This account is erased.")
)

// Store keeps notes, with whom they are shared, and the events that tell of
// them. Times are kept to the microsecond, in UTC; text, which is UTF-8
// without U+0000, byte for byte; tags in their order.
//
// A note's readers are its owner and, unless it is in the trash, those whom it
// is shared with; to others it is ErrNotFound. A note comes with its reader's
// Role.
//
// A function given to the Store decides on a change: it sees the note as it
// is and its shares, the oldest first, and nobody else changes either
// meanwhile. It returns the events that tell of the change, which are kept
// exactly when the change is; its error is returned and nothing is kept. It
// may be called again when the database gave its transaction up, and must not
// call the Store.
type Store interface {
	// Create adds a note. It answers ErrErased when its owner is, else
	// ErrExists when the id is taken, whoever's it is.
	Create(ctx context.Context, n Note, events ...event.Message) error
	// Import adds the notes whose ids are not taken, all or none, and tells
	// for each whether it was added; of two with one id the second is not.
	// It tells of none: to other services these notes were always there.
	Import(ctx context.Context, notes []Note) (added []bool, err error)
	// Get returns a reader's note.
	Get(ctx context.Context, reader, id uuid.UUID) (Note, error)
	// List returns a reader's notes in the order that q names, and whether more follow.
	List(ctx context.Context, reader uuid.UUID, q Query) (list []Note, more bool, err error)
	// Update keeps what change makes of the note, but for its ID, Owner and
	// CreatedAt. If that moves RevisedAt, what the note was is kept as a
	// revision, and the oldest are dropped that are more than MaxRevisions or
	// MaxRevised. With an error comes no note.
	Update(ctx context.Context, reader, id uuid.UUID, change func(n *Note, shares []Share) ([]event.Message, error)) (Note, error)
	// Delete removes a note for good, and its shares, if allow lets it.
	Delete(ctx context.Context, reader, id uuid.UUID, allow func(n Note, shares []Share) ([]event.Message, error)) error

	// Share keeps the share that share returns: a new one, or what becomes of
	// the one with its ID. A note has one share with a person at most. It
	// answers ErrErased when the reader is, or that person. With an error
	// comes no share.
	Share(ctx context.Context, reader, id uuid.UUID, share func(n Note, shares []Share) (Share, []event.Message, error)) (Share, error)
	// Shares returns a note's shares, the oldest first: to its owner all, to
	// another reader their own.
	Shares(ctx context.Context, reader, id uuid.UUID) ([]Share, error)
	// Unshare removes a share of the note if allow lets it, or returns ErrNoShare.
	Unshare(ctx context.Context, reader, id, share uuid.UUID, allow func(n Note, s Share) ([]event.Message, error)) error

	// Revisions returns what the note was, the latest first, without the
	// bodies; Revision returns one of them whole, or ErrNoRevision.
	Revisions(ctx context.Context, reader, id uuid.UUID) ([]Revision, error)
	Revision(ctx context.Context, reader, id uuid.UUID, rev int64) (Revision, error)

	// Changes returns what became of the notes that a reader could or can read
	// since a position: of each the last thing, in the order in which these
	// happened; maxBytes is as in Query. A later call with the position that it
	// returns misses nothing, whatever was under way meanwhile. It returns
	// ErrResync for a position that is Lost.
	Changes(ctx context.Context, reader uuid.UUID, since Position, limit, maxBytes int) (Changes, error)
	// Prune forgets, up to max times, that a note went for somebody before a
	// time, and returns how often it did.
	Prune(ctx context.Context, before time.Time, max int) (int, error)
	// Index makes up to max notes be found that an earlier version of the
	// service wrote, which knew no search, and returns how many.
	Index(ctx context.Context, max int) (int, error)

	// Remind finds up to max notes whose ReminderAt has come by now, those that
	// are longest due first, but none in the trash, and tells of each with the
	// event that tell makes of its ID, Owner and Title. It returns how many. Of
	// all Reminds on the database one finds a note, once for each time that its
	// ReminderAt was changed.
	Remind(ctx context.Context, now time.Time, max int, tell func(Note) (event.Message, error)) (int, error)

	// Export calls each with the notes that the user owned at the start, the
	// shares of each, and its revisions. It has a few of them in memory at a time.
	Export(ctx context.Context, user uuid.UUID, each func(Note, []Share, []Revision) error) error
	// SharedWith calls each with the shares of others' notes with a user.
	SharedWith(ctx context.Context, user uuid.UUID, each func(Share) error) error
	// Erase takes a step in removing what is kept of a user: up to max of their
	// notes, whatever hangs on them, and up to max of the shares of others'
	// notes with them; with the last one go their events from the outbox, their
	// feed, and their name as the editor of others' texts, and it is done. The
	// events that tell makes of a note's ID, Owner and Version and its shares
	// are kept. From the first step on the user is erased: what Create and Share
	// had begun before is seen by it, or refused. It returns what all steps
	// together erased, those of earlier erasures too. A step on a user of whom
	// nothing is kept is done.
	Erase(ctx context.Context, user uuid.UUID, max int, now time.Time, tell func(n Note, shares []Share) ([]event.Message, error)) (all Erased, done bool, err error)

	// Outbox is the events that were kept.
	Outbox() event.Outbox
	// Secret returns 32 random bytes that all instances on this store share.
	Secret(ctx context.Context, name string) ([]byte, error)
	// Keeper keeps answers for Idempotency-Key beside the notes.
	Keeper() transport.Keeper
	Ping(ctx context.Context) error
	Close() error
}

// Erased is how much of a user's was erased.
type Erased struct {
	Notes, Shares int
	At            time.Time // when that was done for the first time; zero until it is
}

// ErasedKey is what is kept to know an erased user by: it does not say who it was.
func ErasedKey(user uuid.UUID) []byte {
	hash := sha256.Sum256(user[:])
	return hash[:]
}

// Query names the notes that a list has, and their order.
type Query struct {
	Shared   bool // those that others share with the reader, instead of their own
	Status   Status
	Tag      string // "" for any
	Pinned   *bool
	Search   search.Query // what they have; the best come first, whatever Sort and After say
	Skip     int          // with Search: how many of the best are left out
	Sort     Sort
	After    *Place // the list goes on behind this place
	Limit    int    // notes
	MaxBytes int    // of titles and bodies: a list ends once it has that many
}

// Sort is an order of notes; ties are in the order of ids. A minus sign turns it round.
type Sort string

const (
	ByUpdatedDesc Sort = "-updated_at"
	ByUpdated     Sort = "updated_at"
	ByCreatedDesc Sort = "-created_at"
	ByCreated     Sort = "created_at"
	ByTitle       Sort = "title" // in the order of bytes
	ByTitleDesc   Sort = "-title"
)

// Place is a note's place in a sorted list.
type Place struct {
	Time  time.Time `json:"t,omitzero"` // updated_at or created_at
	Title string    `json:"s,omitzero"`
	ID    uuid.UUID `json:"id"`
}

// By is the field that the order goes by, and whether from its greatest value down.
func (s Sort) By() (field string, descending bool) {
	field, descending = strings.CutPrefix(string(s), "-")
	switch field {
	case "updated_at", "created_at", "title":
		return field, descending
	}
	return "updated_at", true
}

// PlaceOf returns a note's place in the order.
func (s Sort) PlaceOf(n Note) Place {
	switch field, _ := s.By(); field {
	case "title":
		return Place{Title: n.Title, ID: n.ID}
	case "created_at":
		return Place{Time: n.CreatedAt, ID: n.ID}
	}
	return Place{Time: n.UpdatedAt, ID: n.ID}
}
