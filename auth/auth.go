// Package auth knows the users, logs them in and tells the other services who
// is calling.
package auth

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
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

// Attempts counts the failed logins behind a key.
type Attempts struct {
	Failures int
	Last     time.Time
	Until    time.Time // no attempt before this
}

// MaxSessions is how many sessions a user may have at once.
const MaxSessions = 100

// Hash is a SHA-256.
type Hash = [sha256.Size]byte

var (
	ErrNoUser        = fault.New(fault.NotFound, "user_not_found", "There is no such user.")
	ErrNoSession     = fault.New(fault.NotFound, "session_not_found", "There is no such session.")
	ErrEmailTaken    = fault.New(fault.Conflict, "email_taken", "There is an account with this email already.")
	ErrUsernameTaken = fault.New(fault.Conflict, "username_taken", "This username is taken.")
	ErrUserExists    = fault.New(fault.Conflict, "user_exists", "This user is there already.")
)

// Store keeps users, their sessions and the signing keys. Times are kept to
// the microsecond, in UTC. A function given to change something may be called
// again when the database gave its transaction up, and must not call the Store.
//
// A user is found by email whatever its letter case (EmailKey), and by the
// exact username. No two users share an email or a username, nor has one user
// the username that is another's email.
type Store interface {
	// CreateUser adds a user: ErrUserExists when the id is taken,
	// ErrEmailTaken, ErrUsernameTaken.
	CreateUser(ctx context.Context, u User) error
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
	// ChangePassword is SetPassword, and ends at now the user's sessions but
	// the one to keep: both or neither.
	ChangePassword(ctx context.Context, user uuid.UUID, old, hash string, keep uuid.UUID, now time.Time) (replaced bool, err error)

	// CreateSession adds a session for a user who was found by a password
	// hash. It answers ErrNoUser unless that is still the user's and the user
	// is not disabled. Of more than MaxSessions the ones seen longest ago end.
	CreateSession(ctx context.Context, s Session, password string) error
	// Session returns a session, ended or not, or ErrNoSession.
	Session(ctx context.Context, id uuid.UUID) (Session, error)
	// UpdateSession lets change have the session and keeps what it makes of
	// it; nobody else changes it meanwhile. An error of change's is returned,
	// and nothing is kept. ErrNoSession when there is none.
	UpdateSession(ctx context.Context, id uuid.UUID, change func(*Session) error) error
	// Sessions returns the sessions of a user that have neither ended nor
	// expired at now, the last seen first.
	Sessions(ctx context.Context, user uuid.UUID, now time.Time) ([]Session, error)
	// EndSessions ends, at now, the sessions of a user for which pick is true
	// and that have not ended, expired or not, and returns their ids.
	EndSessions(ctx context.Context, user uuid.UUID, now time.Time, pick func(Session) bool) ([]uuid.UUID, error)
	// Ended returns the sessions that ended after a time, the first first.
	Ended(ctx context.Context, after time.Time) ([]Ended, error)
	// KnowsDevice tells whether a session of the user's, ended or not, has the device's hash.
	KnowsDevice(ctx context.Context, user uuid.UUID, device []byte) (bool, error)

	// UpdateKeys lets change have all signing keys, the oldest first, and
	// keeps what it returns. Nobody else changes them meanwhile. It returns
	// the keys as they then are.
	UpdateKeys(ctx context.Context, change func([]Key) []Key) ([]Key, error)
	// Attempts lets change have the attempts behind each of the keys, zero
	// where there were none, and keeps what it makes of them; a zero one is
	// forgotten. Nobody else changes them meanwhile. An error of change's is
	// returned, and nothing is kept.
	Attempts(ctx context.Context, keys []Hash, change func([]Attempts) error) error
	// Purge forgets sessions that ended or expired before a time, and
	// attempts of which the last was before another.
	Purge(ctx context.Context, sessions, attempts time.Time) error

	// Keeper keeps answers for Idempotency-Key beside the users.
	Keeper() transport.Keeper
	Ping(ctx context.Context) error
	Close() error
}
