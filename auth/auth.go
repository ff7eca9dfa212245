// Package auth knows the users, logs them in and tells the other services who
// is calling.
package auth

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

// User is someone who may log in.
type User struct {
	ID            uuid.UUID `json:"id"`
	Email         *string   `json:"email"`
	Username      *string   `json:"username"`
	Name          string    `json:"name"`
	Roles         []string  `json:"roles"`
	EmailVerified bool      `json:"email_verified"`
	MFA           bool      `json:"mfa"`
	CreatedAt     time.Time `json:"created_at"`

	Password string `json:"-"` // its hash; "" for none, with which nobody logs in
	Disabled bool   `json:"-"`
}

// Session is one login, on one device, until it ends. Its refresh token is
// kept only as hashes; see refresh.go.
type Session struct {
	ID         uuid.UUID
	User       uuid.UUID
	Device     string // the User-Agent that logged in
	IP         string
	CreatedAt  time.Time
	LastSeenAt time.Time
	ExpiresAt  time.Time
	EndedAt    *time.Time

	Cookie     bool   // the refresh token travels in a cookie
	KnownBy    []byte // hash of the device's cookie, nil for none
	Chain      []byte // key that marks the refresh tokens of this session as issued
	Generation int64  // of the current refresh token
	Current    []byte // its hash
	Previous   []byte // hash of the one before, nil for none
	Salt       []byte // makes the current one of the one before
	RotatedAt  time.Time
	RotatedBy  []byte // fingerprint of the client that it was rotated for
}

// Ended is a session that has ended.
type Ended struct {
	ID uuid.UUID
	At time.Time
}

// Key signs access tokens from SignsFrom on, until the next key does, and is
// published before and after that.
type Key struct {
	ID        string
	Seed      []byte // of the Ed25519 private key
	CreatedAt time.Time
	SignsFrom time.Time
}

// KeptLink is a link that was sent to a user, as the Store knows it: by the
// hash of its token.
type KeptLink struct {
	Hash      Hash
	User      uuid.UUID
	Purpose   Purpose
	EmailKey  string // of the email that it was sent to; for another it is of no use
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Attempts counts the failed logins behind a key, or the links that a user was sent.
type Attempts struct {
	Failures int
	Last     time.Time
	Until    time.Time // no attempt before this
}

const (
	MaxSessions = 100 // that a user may have at once
	MaxLinks    = 8   // that a user may have at once, for each purpose
)

// Hash is a SHA-256.
type Hash = [sha256.Size]byte

var (
	ErrNoUser        = fault.New(fault.NotFound, "user_not_found", "There is no such user.")
	ErrNoSession     = fault.New(fault.NotFound, "session_not_found", "There is no such session.")
	ErrEmailTaken    = fault.New(fault.Conflict, "email_taken", "There is an account with this email already.")
	ErrUsernameTaken = fault.New(fault.Conflict, "username_taken", "This username is taken.")
	ErrUserExists    = fault.New(fault.Conflict, "user_exists", "This user is there already.")
	ErrLinkExpired   = fault.New(fault.Gone, "link_expired", "The link has expired, or was used before. Ask for a new one.")
)

// Store keeps users, their sessions and the signing keys. Times are kept to
// the microsecond, in UTC. A function given to change something may be called
// again when the database gave its transaction up, and must not call the Store.
//
// Events that a method is given, or that a function given to it returns, go to
// the outbox in the transaction of the change that they tell of: they are there
// exactly when it is. That a session has ended the Store tells by itself,
// whatever has ended it (Endings).
//
// A user is found by email whatever its letter case (EmailKey), and by the
// exact username. No two users share an email or a username, nor has one user
// the username that is another's email.
type Store interface {
	// CreateUser adds a user: ErrUserExists when the id is taken,
	// ErrEmailTaken, ErrUsernameTaken.
	CreateUser(ctx context.Context, u User, events ...event.Message) error
	// ImportUsers adds the users whose ids are not taken, each by itself, and
	// returns what became of each: nil, ErrUserExists, ErrUsernameTaken; a
	// user whose email is taken is added without it, and ErrEmailTaken told.
	ImportUsers(ctx context.Context, users []User) ([]error, error)
	// User returns the user with the id, or ErrNoUser.
	User(ctx context.Context, id uuid.UUID) (User, error)
	// FindUser returns the user with the username, else the one with the
	// email, else ErrNoUser.
	FindUser(ctx context.Context, username, emailKey string) (User, error)
	// SetPassword replaces a user's password hash, if it is still old.
	SetPassword(ctx context.Context, user uuid.UUID, old, hash string) (replaced bool, err error)
	// ChangePassword is SetPassword; it ends at now the user's sessions but
	// the one to keep, and voids the links that reset the password.
	ChangePassword(ctx context.Context, user uuid.UUID, old, hash string, keep uuid.UUID, now time.Time, events ...event.Message) (replaced bool, err error)
	// CloseUser disables a user, and ends their sessions at now. The events
	// are not for one who is disabled already. ErrNoUser when there is none.
	CloseUser(ctx context.Context, user uuid.UUID, now time.Time, events ...event.Message) error
	// EraseUser removes a user and all that is kept of them, their events in
	// the outbox too, before the new ones are added. It returns how many of
	// what there were; of a user who is not there nothing, and no event.
	// That their sessions have ended, at now if they had not, is still told by
	// Ended until the purge, and by no event.
	EraseUser(ctx context.Context, user uuid.UUID, now time.Time, events ...event.Message) (erased map[string]int, err error)

	// AddLink adds a link for a user who has the email that it is for and is
	// not disabled, else ErrNoUser. Of more than MaxLinks of a user for one
	// purpose the oldest are void.
	AddLink(ctx context.Context, l KeptLink) error
	// LinkUser returns the user of a link that is good at now: it has not
	// expired and was not used, its user still has the email that it was sent
	// to and is not disabled. Else ErrLinkExpired.
	LinkUser(ctx context.Context, link Hash, purpose Purpose, now time.Time) (User, error)
	// VerifyEmail uses a good link for VerifyEmail; else ErrLinkExpired.
	VerifyEmail(ctx context.Context, link Hash, now time.Time) error
	// ResetPassword uses a good link for ResetPassword, and voids the user's
	// others; else ErrLinkExpired. The user has the password hash, and their
	// email is verified; all of their sessions end at now.
	ResetPassword(ctx context.Context, link Hash, hash string, now time.Time, events ...event.Message) error
	// WantLink lets change have how many links for the purpose were wanted for
	// a user, at first zero, and keeps what it makes of it, with the events;
	// nobody else changes it meanwhile. An error of change's is returned, and
	// nothing is kept. ErrNoUser when there is no such user, or a disabled one.
	WantLink(ctx context.Context, user uuid.UUID, purpose Purpose, change func(*Attempts) error, events ...event.Message) error

	// CreateSession adds a session for a user who was found by a password
	// hash. It answers ErrNoUser unless that is still the user's and the user
	// is not disabled. Of more than MaxSessions the ones seen longest ago end.
	CreateSession(ctx context.Context, s Session, password string, events ...event.Message) error
	// Session returns a session, ended or not, or ErrNoSession.
	Session(ctx context.Context, id uuid.UUID) (Session, error)
	// UpdateSession lets change have the session and keeps what it makes of
	// it; nobody else changes it meanwhile. An error of change's is returned,
	// and nothing is kept. ErrNoSession when there is none.
	UpdateSession(ctx context.Context, id uuid.UUID, change func(*Session) ([]event.Message, error)) error
	// Sessions returns the sessions of a user that have neither ended nor
	// expired at now, the last seen first.
	Sessions(ctx context.Context, user uuid.UUID, now time.Time) ([]Session, error)
	// AllSessions returns the sessions of a user, ended and expired too, the
	// last begun first.
	AllSessions(ctx context.Context, user uuid.UUID) ([]Session, error)
	// EndSessions ends, at now, the sessions of a user for which pick is true
	// and that have not ended, expired or not, and returns their ids.
	EndSessions(ctx context.Context, user uuid.UUID, now time.Time, pick func(Session) bool) ([]uuid.UUID, error)
	// Ended returns the sessions that ended after a time, the first first.
	Ended(ctx context.Context, after time.Time) ([]Ended, error)
	// KnowsDevice tells whether a session of the user's, ended or not, has the device's hash.
	KnowsDevice(ctx context.Context, user uuid.UUID, device []byte) (bool, error)
	// HadSession tells whether the user has a session, ended or not.
	HadSession(ctx context.Context, user uuid.UUID) (bool, error)

	// UpdateKeys lets change have all signing keys, the oldest first, and
	// keeps what it returns. Nobody else changes them meanwhile. It returns
	// the keys as they then are.
	UpdateKeys(ctx context.Context, change func([]Key) []Key) ([]Key, error)
	// Attempts lets change have the attempts behind each of the keys, zero
	// where there were none, and keeps what it makes of them; a zero one is
	// forgotten. Nobody else changes them meanwhile. An error of change's is
	// returned, and nothing is kept.
	Attempts(ctx context.Context, keys []Hash, change func([]Attempts) error) error
	// Purge forgets sessions that ended or expired before a time; and before
	// another, attempts of which the last was, links that expired and the
	// ends of erased users' sessions.
	Purge(ctx context.Context, sessions, others time.Time) error

	// Outbox is the events that were written.
	Outbox() event.Outbox
	// Keeper keeps answers for Idempotency-Key beside the users.
	Keeper() transport.Keeper
	Ping(ctx context.Context) error
	Close() error
}
