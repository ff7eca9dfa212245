// Package profile keeps who its users are to others, and how they want things.
package profile

import (
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
)

// What the profile service tells of. The subject is the user.
var (
	ProfileChanged   = event.Define[Change]("profile.changed", 1, "A user's profile or account preferences were changed.")
	ExportReady      = event.Define[Job]("account.export_ready", 1, "What a user asked to take along is ready.")
	ErasureScheduled = event.Define[Erasure]("account.erasure_scheduled", 1, "A user asked for their account to be erased; until then they may take that back.")
	ErasureCanceled  = event.Define[Change]("account.erasure_canceled", 1, "A user took back that their account be erased.")
)

// Events is the table of what the profile service tells of.
var Events = []event.Kind{ProfileChanged, ExportReady, ErasureScheduled, ErasureCanceled}

// Change says which version it made of what the service keeps of the user, as
// Settings tell it. Versions may be left out, as what is told to nobody makes one, too.
type Change struct {
	Version int64 `json:"version"`
}

// Job names a job, GET /v1/account/jobs/{id}.
type Job struct {
	Job uuid.UUID `json:"job"`
}

// Erasure says when an account is to be erased.
type Erasure struct {
	Job     uuid.UUID `json:"job"`
	EraseAt time.Time `json:"erase_at"`
}
