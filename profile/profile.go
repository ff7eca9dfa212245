// Package profile keeps who its users are to others, and how they want things;
// and it leads a user's account out of all services: taken along, or erased.
package profile

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"io"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

// Profile is who a user is to others.
type Profile struct {
	ID          uuid.UUID `json:"id"`
	DisplayName string    `json:"display_name"`
	Bio         string    `json:"bio"`
	Locale      string    `json:"locale" description:"A language tag (BCP 47), or nothing."`
	Timezone    string    `json:"timezone" description:"A name of the IANA's time zones, or nothing."`
	AvatarURL   string    `json:"avatar_url" description:"Another one whenever the picture is another."`
	HasAvatar   bool      `json:"has_avatar" description:"Otherwise the picture is the initials."`
	Version     int64     `json:"version"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// ETag is the profile's version, as If-Match takes it.
func (p Profile) ETag() string { return transport.ETag(p.Version) }

// Bounds of a profile, in characters.
const (
	MaxName = 100
	MaxBio  = 1000
)

// Record is all that is kept of one user: one document, which is changed as a
// whole. Big things are blobs that it names.
type Record struct {
	User     uuid.UUID  `json:"user"`     // zero when the account is erased for good
	Revision int64      `json:"revision"` // counts changes, of whatever in it; 0 for a user of whom nothing is kept
	Profile  Profile    `json:"profile"`  // Version 0 when it was not made yet
	Avatar   *Avatar    `json:"avatar"`   // nil for initials
	Wishes   Wishes     `json:"wishes"`
	Tasks    []Task     `json:"tasks"`
	Waste    []Waste    `json:"waste"`
	ErasedAt *time.Time `json:"erased_at"` // since when nothing more is taken in
	Erased   []Count    `json:"erased"`    // what was
}

// Avatar is a picture of a user's.
type Avatar struct {
	Blob uuid.UUID `json:"blob"`
	Type string    `json:"type"`
	Hash string    `json:"hash"`
}

// Waste is a blob to be removed, unless it is taken off the list before: one
// that the record no longer names, or does not yet.
type Waste struct {
	Blob   uuid.UUID `json:"blob"`
	DueAt  time.Time `json:"due_at"`
	Doomed bool      `json:"doomed"` // it is being removed, and cannot be taken off the list
}

// Count is how many of what were erased.
type Count struct {
	Of     string `json:"of"`
	Number int    `json:"number"`
}

// DueAt is when something about the record is to be done; nil for never.
func (r *Record) DueAt() (due *time.Time) {
	for i := range r.Tasks {
		due = sooner(due, r.Tasks[i].DueAt)
	}
	for i := range r.Waste {
		due = sooner(due, &r.Waste[i].DueAt)
	}
	return due
}

// ErasureDueAt is when an erasure is to be gone on with; nil for never.
func (r *Record) ErasureDueAt() (due *time.Time) {
	for i := range r.Tasks {
		if r.Tasks[i].Kind == KindErasure {
			due = sooner(due, r.Tasks[i].DueAt)
		}
	}
	return due
}

// sooner is the earlier of two times; nil is never.
func sooner(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.Before(*a) {
		return b
	}
	return a
}

// Normalize makes of a record what a store keeps of it.
func (r *Record) Normalize() {
	at := func(t *time.Time) *time.Time {
		if t == nil {
			return nil
		}
		return new(micros(*t))
	}
	if len(r.Wishes.Account) == 0 {
		r.Wishes.Account = nil
	}
	for i := range r.Wishes.Devices {
		d := &r.Wishes.Devices[i]
		if d.ChangedAt = micros(d.ChangedAt); len(d.Values) == 0 {
			d.Values = nil
		}
	}
	for i := range r.Tasks {
		t := &r.Tasks[i]
		t.CreatedAt, t.UpdatedAt = micros(t.CreatedAt), micros(t.UpdatedAt)
		t.DueAt, t.ExpiresAt, t.EraseAt = at(t.DueAt), at(t.ExpiresAt), at(t.EraseAt)
		for j := range t.Parts {
			t.Parts[j].ErasedAt = at(t.Parts[j].ErasedAt)
			if len(t.Parts[j].Erased) == 0 {
				t.Parts[j].Erased = nil
			}
		}
		t.Parts = orNil(t.Parts)
	}
	for i := range r.Waste {
		r.Waste[i].DueAt = micros(r.Waste[i].DueAt)
	}
	p := &r.Profile
	p.CreatedAt, p.UpdatedAt, r.ErasedAt = micros(p.CreatedAt), micros(p.UpdatedAt), at(r.ErasedAt)
	p.ID, p.AvatarURL, p.HasAvatar = uuid.Nil, "", false // which the reader is told from the rest
	r.Wishes.Devices, r.Tasks, r.Waste, r.Erased = orNil(r.Wishes.Devices), orNil(r.Tasks), orNil(r.Waste), orNil(r.Erased)
}

func orNil[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// micros is a time as it can be kept.
func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

var (
	ErrNotFound = fault.New(fault.NotFound, "profile_not_found", "There is no such profile.")
	ErrErased   = fault.New(fault.Gone, "account_erased", "This account is erased.")
	ErrStale    = fault.New(fault.Stale, "stale", "It has changed since you read it.")
	ErrNoBlob   = fault.New(fault.NotFound, "no_such_blob", "This is not kept.")
)

// Store keeps records, and the blobs that they name. Times are kept to the
// microsecond, in UTC; text, which is UTF-8 without U+0000, byte for byte.
//
// A record's key is a hash of its user (Key), so that it may stay when nothing
// in it says whose it was.
type Store interface {
	// Get returns a user's record, or ErrNotFound.
	Get(ctx context.Context, user uuid.UUID) (Record, error)
	// Find returns the record that has the task, or ErrNotFound.
	Find(ctx context.Context, task uuid.UUID) (Record, error)
	// Due returns up to limit records that something was to be done about by
	// a time, the most overdue first.
	Due(ctx context.Context, by time.Time, limit int) ([]Record, error)
	// DueErasures returns, of all the records that Due does for any limit, up
	// to limit of those with an erasure that was to be gone on with by the time.
	DueErasures(ctx context.Context, by time.Time, limit int) ([]Record, error)
	// Update lets change have a user's record as it is, or a new one of
	// Revision 0, and keeps what change makes of it, under the next revision,
	// together with the events that it returns; nobody else changes it
	// meanwhile. An error of change's is returned and nothing is kept. Change
	// may be called again when somebody else did change it, and must not call
	// the Store.
	Update(ctx context.Context, user uuid.UUID, change Edit) (Record, error)
	// Erase is Update, and removes all events about the user that are not
	// published yet, and those that are, too.
	Erase(ctx context.Context, user uuid.UUID, change Edit) (Record, error)

	// PutBlob keeps what r reads, under a new id. When it fails some of it may
	// be kept until DeleteBlob, but is never seen.
	PutBlob(ctx context.Context, id uuid.UUID, r io.Reader) (size int64, err error)
	// OpenBlob returns a blob and its size, or ErrNoBlob.
	OpenBlob(ctx context.Context, id uuid.UUID) (_ io.ReadCloser, size int64, err error)
	// DeleteBlob removes a blob, or what there is of it.
	DeleteBlob(ctx context.Context, id uuid.UUID) error

	// Secret returns 32 random bytes that all instances on this store share.
	Secret(ctx context.Context, name string) ([]byte, error)
	// Keeper keeps answers for Idempotency-Key beside the records.
	Keeper() transport.Keeper
	// Outbox is the events that were kept with records.
	Outbox() event.Outbox
	Ping(ctx context.Context) error
	Close() error
}

// Edit changes a record and says what is to be told of that.
type Edit func(*Record) ([]event.Message, error)

// KeySecret names the store's secret that Key takes.
const KeySecret = "records"

// Key is what a record is kept under. Without the secret nobody can tell whose
// it was, even if users' ids can be guessed.
func Key(secret []byte, user uuid.UUID) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write(user[:])
	return mac.Sum(nil)
}

// picturePath is where a user's picture is.
func picturePath(user uuid.UUID, hash string) string {
	return "/v1/profiles/" + user.String() + "/avatar?v=" + url.QueryEscape(hash)
}
