// Package notes keeps each user's notes.
package notes

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

// Note is a text that belongs to one user.
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
}

// ETag is the note's version, as If-Match takes it.
func (n Note) ETag() string { return transport.ETag(n.Version) }

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
	n.CreatedAt, n.UpdatedAt = micros(n.CreatedAt), micros(n.UpdatedAt)
	n.Role = ""
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

// Role is what a reader may do with a note.
type Role string

const RoleOwner Role = "owner"

var (
	ErrNotFound   = fault.New(fault.NotFound, "note_not_found", "You have no such note.")
	ErrExists     = fault.New(fault.Conflict, "note_exists", "This note is there already.")
	ErrStale      = fault.New(fault.Stale, "stale", "The note has changed since you read it.")
	ErrTrashed    = fault.New(fault.Conflict, "note_trashed", "The note is in the trash. Restore it first.")
	ErrNotTrashed = fault.New(fault.Conflict, "note_not_trashed", "The note is not in the trash.")
)

// Store keeps notes. Times are kept to the microsecond, in UTC; text, which is
// UTF-8 without U+0000, byte for byte; tags in their order. A function given
// to it may be called again when the database gave its transaction up, and
// must not call the Store.
type Store interface {
	// Create adds a note. It answers ErrExists when the id is taken, whoever's it is.
	Create(ctx context.Context, n Note) error
	// Import adds the notes whose ids are not taken, all or none, and tells
	// for each whether it was added; of two with one id the second is not.
	Import(ctx context.Context, notes []Note) (added []bool, err error)
	// Get returns an owner's note, or ErrNotFound.
	Get(ctx context.Context, owner, id uuid.UUID) (Note, error)
	// List returns an owner's notes in the order that q names, and whether more follow.
	List(ctx context.Context, owner uuid.UUID, q Query) (list []Note, more bool, err error)
	// Update lets change have the note as it is and keeps what change makes
	// of it, but for its ID, Owner and CreatedAt; nobody else changes it
	// meanwhile. An error of change's is returned and nothing is kept.
	// ErrNotFound when there is no such note. With an error comes no note.
	Update(ctx context.Context, owner, id uuid.UUID, change func(*Note) error) (Note, error)
	// Delete removes a note for good, if allow, which is given the note as it is, lets it.
	Delete(ctx context.Context, owner, id uuid.UUID, allow func(Note) error) error

	// Secret returns 32 random bytes that all instances on this store share.
	Secret(ctx context.Context, name string) ([]byte, error)
	// Keeper keeps answers for Idempotency-Key beside the notes.
	Keeper() transport.Keeper
	Ping(ctx context.Context) error
	Close() error
}

// Query names the notes that a list has, and their order.
type Query struct {
	Status   Status
	Tag      string // "" for any
	Pinned   *bool
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
