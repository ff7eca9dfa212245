package notes

import (
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
)

// What the notes service tells of. The subject is the note's owner; when an
// owner was erased, each reader who could read the note is told as the subject.
var (
	NoteCreated  = event.Define[Change]("note.created", 1, "A note was made.")
	NoteChanged  = event.Define[Change]("note.changed", 1, "A note was changed, moved to the trash or taken out of it.")
	NoteDeleted  = event.Define[Change]("note.deleted", 1, "A note was removed for good.")
	NoteShared   = event.Define[Sharing]("note.shared", 1, "A note was shared with somebody, or they got another role.")
	NoteUnshared = event.Define[Sharing]("note.unshared", 1, "A note is no longer shared with somebody.")
	ReminderDue  = event.Define[Reminder]("note.reminder_due", 1, "The time of a note's reminder has come.")
)

// Events is the table of what the notes service tells of.
var Events = []event.Kind{NoteCreated, NoteChanged, NoteDeleted, NoteShared, NoteUnshared, ReminderDue}

// Change is what happened to a note.
type Change struct {
	Note    uuid.UUID   `json:"note"`
	Version int64       `json:"version"`
	Readers []uuid.UUID `json:"readers"` // who may read it: its owner and with whom it is shared
}

// Sharing is a note and somebody who may read it, or might.
type Sharing struct {
	Note  uuid.UUID `json:"note"`
	Title string    `json:"title"`
	With  uuid.UUID `json:"with"`
	Role  Role      `json:"role"`
}

// Reminder is a note whose time has come.
type Reminder struct {
	Note  uuid.UUID `json:"note"`
	Title string    `json:"title"`
}
