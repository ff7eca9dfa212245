package auth

import (
	"context"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
)

// What the auth service tells of. The subject is the user.
var (
	UserRegistered = event.Define[Registered]("user.registered", 1, "Somebody opened an account.")
	UserDisabled   = event.Define[Disabled]("user.disabled", 1, "A user may no longer log in.")
	UserErased     = event.Define[Erased]("user.erased", 1, "A user was erased, in every service.")
	SessionEnded   = event.Define[Ending]("session.ended", 1, "A session has ended.")
	TokenReused    = event.Define[Login]("session.token_reused", 1, "A refresh token was used a second time: it was stolen, or its thief was found out. The session has ended.")
	NewDevice      = event.Define[Login]("session.new_device", 1, "A user logged in on a device that none of their sessions knew.")
	PasswordSet    = event.Define[PasswordChange]("user.password_changed", 1, "A user has a new password.")
	LinkWanted     = event.Define[LinkRequest]("user.link_wanted", 1, "A user is to be sent a link that verifies their email or lets them set a new password.")
)

// Events is the table of what the auth service tells of.
var Events = []event.Kind{UserRegistered, UserDisabled, UserErased, SessionEnded, TokenReused, NewDevice, PasswordSet, LinkWanted}

// Registered is the payload of UserRegistered.
type Registered struct {
	Name string `json:"name"`
}

// Disabled and Erased say nothing beside whom.
type (
	Disabled struct{}
	Erased   struct{}
)

// Ending is a session that has ended.
type Ending struct {
	Session uuid.UUID `json:"session"`
}

// Endings are the events of a user's sessions that have ended, for a Store.
func Endings(ctx context.Context, user uuid.UUID, sessions ...uuid.UUID) (events []event.Message, err error) {
	for _, id := range sessions {
		m, err := SessionEnded.About(ctx, user, Ending{id})
		if err != nil {
			return nil, err
		}
		events = append(events, m)
	}
	return events, nil
}

// Login says where a session is or was.
type Login struct {
	Session uuid.UUID `json:"session"`
	Device  string    `json:"device"` // the User-Agent
	IP      string    `json:"ip"`
}

// PasswordChange says how: with the old password, or with a link.
type PasswordChange struct {
	Reset bool `json:"reset"`
}

// Purpose is what a link is for.
type Purpose string

const (
	VerifyEmail   Purpose = "verify"
	ResetPassword Purpose = "reset"
)

// LinkRequest asks for a link. The link's token is made when it is sent
// (Client.MakeLink), so that none lies about.
type LinkRequest struct {
	Purpose Purpose `json:"purpose"`
}
