package notes

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/account"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

// maxRequest is the bound of a request with a note in it: a body of MaxBody
// bytes may be six times as long in JSON, when all of it must be escaped.
const maxRequest = 6*MaxBody + 64<<10

// Routes is the notes API. Each line reads outside in: the path, the endpoint
// behind it, the service method behind that.
func Routes(s *Service) []transport.Route {
	return append([]transport.Route{
		transport.Get("/v1/notes", endpoint.New(s.List, "List your notes, or those that others share with you.")),
		transport.Post("/v1/notes", endpoint.New(s.Create, "Create a note.").Limit(20)).Created().MaxBody(maxRequest),
		transport.Get("/v1/notes/changes", endpoint.New(s.Changes, "Follow what becomes of the notes that you can read.")),
		transport.Get("/v1/notes/{id}", endpoint.New(s.Get, "Read a note.").Hedged()),
		transport.Patch("/v1/notes/{id}", endpoint.New(s.Change, "Change parts of a note.")).MaxBody(maxRequest),
		transport.Delete("/v1/notes/{id}", endpoint.Do(s.Delete, "Move a note to the trash, or remove one there for good.")),
		transport.Post("/v1/notes/{id}/restore", endpoint.New(s.Restore, "Take a note out of the trash.")),
		transport.Get("/v1/notes/{id}/revisions", endpoint.New(s.ListRevisions, "List what a note was.")),
		transport.Get("/v1/notes/{id}/revisions/{rev}", endpoint.New(s.Revision, "Read what a note was.")),
		transport.Post("/v1/notes/{id}/revisions/{rev}/restore", endpoint.New(s.RestoreRevision, "Have a note say what it said in a revision.")),
		transport.Post("/v1/notes/{id}/shares", slowly(endpoint.New(s.Share, "Share a note with somebody, or give them another role."))).Created(),
		transport.Get("/v1/notes/{id}/shares", endpoint.New(s.ListShares, "List with whom your note is shared, or how another's is with you.")),
		transport.Delete("/v1/notes/{id}/shares/{sid}", endpoint.Do(s.Unshare, "Take a note back from somebody, or leave another's.")),
	}, account.Routes(s)...)
}

// slowly lets a note be shared with some people at once, and keeps a caller
// from finding out quickly who has an account.
func slowly(e endpoint.Endpoint) endpoint.Endpoint {
	e.Rate = endpoint.Rate{PerSecond: 0.2, Burst: 20}
	return e
}

// CreateRequest is a note to be.
type CreateRequest struct {
	ID         *uuid.UUID `json:"id,omitzero" description:"A UUID of version 7 that you made, so that the note has its name before it is sent. Without it the service makes one."`
	Title      string     `json:"title" validate:"max=200"`
	Body       string     `json:"body" validate:"maxbytes=1048576"`
	Tags       []string   `json:"tags" validate:"max=32,dive,min=1,max=50"`
	Pinned     bool       `json:"pinned"`
	Status     Status     `json:"status,omitempty" validate:"omitempty,oneof=active archived"`
	ReminderAt *time.Time `json:"reminder_at"`
}

// aheadOf is by how much the clock of a client that makes ids may be ahead.
const aheadOf = 24 * time.Hour

// id is the one that the client chose, or a new one.
func (r CreateRequest) id(ctx context.Context, now time.Time) (uuid.UUID, error) {
	if r.ID == nil {
		return endpoint.NewID(ctx)
	}
	if r.ID.Version() != 7 || r.ID.Variant() != uuid.RFC4122 {
		return *r.ID, fault.Breaks(fault.Field{Pointer: "/id", Code: "not_v7", Detail: "is no UUID of version 7"})
	}
	if time.Unix(r.ID.Time().UnixTime()).After(now.Add(aheadOf)) {
		return *r.ID, fault.Breaks(fault.Field{Pointer: "/id", Code: "in_future", Detail: "is of a time to come"})
	}
	return *r.ID, nil
}

// ListRequest names the notes to list. Without a status they are the active
// ones, without a sort the last changed come first.
type ListRequest struct {
	Shared bool   `query:"shared" json:"-" description:"Those that others share with you, instead of your own. Notes in the trash are not among them."`
	Q      string `query:"q" json:"-" validate:"max=256" description:"Words that a note has, or has one that begins with. The best come first; sort is not taken with it."`
	Tag    string `query:"tag" json:"-" validate:"max=255"`
	Status Status `query:"status" json:"-" validate:"omitempty,oneof=active archived trashed"`
	Pinned *bool  `query:"pinned" json:"-"`
	Sort   Sort   `query:"sort" json:"-" validate:"omitempty,oneof=updated_at -updated_at created_at -created_at title -title"`
	Limit  *int   `query:"limit" json:"-" validate:"omitempty,min=1,max=100"`
	Cursor string `query:"cursor" json:"-"`
}

// NoteRequest names one note.
type NoteRequest struct {
	ID uuid.UUID `path:"id" json:"-"`
}

// ChangeRequest changes the parts of a note that it has; null empties one.
type ChangeRequest struct {
	ID         uuid.UUID                      `path:"id" json:"-"`
	IfMatch    transport.IfMatch              `header:"If-Match" json:"-"`
	Title      transport.Optional[string]     `json:"title,omitzero" validate:"omitempty,max=200"`
	Body       transport.Optional[string]     `json:"body,omitzero" validate:"omitempty,maxbytes=1048576"`
	Tags       transport.Optional[[]string]   `json:"tags,omitzero" validate:"omitempty,max=32,dive,min=1"`
	Pinned     transport.Optional[bool]       `json:"pinned,omitzero"`
	Status     transport.Optional[Status]     `json:"status,omitzero" validate:"omitempty,oneof=active archived trashed"`
	ReminderAt transport.Optional[*time.Time] `json:"reminder_at,omitzero"`
}

// DeleteRequest names a note to move to the trash, or with Permanent one there to remove.
type DeleteRequest struct {
	ID        uuid.UUID         `path:"id" json:"-"`
	IfMatch   transport.IfMatch `header:"If-Match" json:"-"`
	Permanent bool              `query:"permanent" json:"-"`
}

// RestoreRequest names a note to take out of the trash.
type RestoreRequest struct {
	ID      uuid.UUID          `path:"id" json:"-"`
	IfMatch *transport.IfMatch `header:"If-Match" json:"-"`
}

// ShareRequest says with whom to share a note; without a role they are a viewer.
type ShareRequest struct {
	ID   uuid.UUID `path:"id" json:"-"`
	User string    `json:"user" validate:"required,max=320" description:"A username, or an email that its owner has verified."`
	Role Role      `json:"role,omitempty" validate:"omitempty,oneof=viewer editor"`
}

// UnshareRequest names a share to end.
type UnshareRequest struct {
	ID    uuid.UUID `path:"id" json:"-"`
	Share uuid.UUID `path:"sid" json:"-"`
}
