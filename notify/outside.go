package notify

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

// People knows the users. Its errors are faults; NotFound means that there is
// no such user.
type People interface {
	Person(ctx context.Context, user uuid.UUID) (Person, error)
	// Link makes a link for a user: VerifyMail or ResetMail. An error that is
	// no Failure means that there is none to be had.
	Link(ctx context.Context, user uuid.UUID, kind string) (Link, error)
}

// Person is who a user is, and where they get their mail.
type Person struct {
	Name     string
	Email    string // "" for none
	Verified bool   // the email
	Disabled bool
}

// Link lets whoever has its token do something in a user's name.
type Link struct {
	Email, Name string
	Token       string
	Expires     time.Time
}

// Profiles knows how users want to be told. NotFound and Gone mean that a user
// has never said so, or is no more.
type Profiles interface {
	Settings(ctx context.Context, user uuid.UUID) (Settings, error)
}

// Settings are how a user wants to be told.
type Settings struct {
	Name     string // as others see it
	Language string // "pl"; "" for English
	TimeZone string // of the IANA database; "" for UTC
	Channels map[Category]Channels
	Quiet    QuietHours
}

// Channels are those over which a user wants to hear of a category.
type Channels struct{ InApp, Email, Push bool }

// defaults are what a user wants of whom nobody knows it: what profile's schema says.
var defaults = map[Category]Channels{
	Security: {InApp: true, Email: true, Push: true},
	Account:  {InApp: true, Email: true},
	Sharing:  {InApp: true, Push: true},
	Reminder: {InApp: true, Push: true},
	System:   {InApp: true},
}

// For returns the channels over which the user wants to hear of a category.
func (s Settings) For(c Category) Channels {
	if channels, ok := s.Channels[c]; ok {
		return channels
	}
	return defaults[c]
}

// Zone is the user's time zone, or UTC when nobody knows it.
func (s Settings) Zone() *time.Location {
	if zone, err := time.LoadLocation(s.TimeZone); err == nil && s.TimeZone != "Local" {
		return zone
	}
	return time.UTC
}

// Mailer sends mails. Its errors are Trouble.
type Mailer interface {
	Send(ctx context.Context, m Mail) error
}

// Mail is a mail to one user. Its texts are plain, and may be theirs.
type Mail struct {
	ID       uuid.UUID // the same for the same mail, should it be sent twice
	To, Name string
	Language string // of its words, BCP 47
	Subject  string
	Body     []string // paragraphs
	Link     string   // a path of the webapp, or ""
	Action   string   // what the link does
	Footer   string
}

// Pusher sends messages to browsers. Its errors are Trouble, or ErrUnsubscribed.
type Pusher interface {
	PublicKey() string // VAPID (RFC 8292): base64url
	Push(ctx context.Context, to Subscription, p Message) error
}

// Message is what a browser shows.
type Message struct {
	ID       uuid.UUID `json:"id"` // another with the same takes its place
	Title    string    `json:"title"`
	Body     string    `json:"body"`
	Link     string    `json:"link"`
	Category Category  `json:"-"`
}

// ErrUnsubscribed is the error of a subscription that the browser has ended.
var ErrUnsubscribed = errors.New("the browser no longer takes pushes")

// Trouble is why a channel did not take something.
type Trouble struct {
	Reason string        // fit to be seen by the user
	Final  bool          // another time changes nothing
	After  time.Duration // when it is to be tried again, at the earliest; 0 says nothing
	Cause  error         // for the logs
}

func (t *Trouble) Error() string {
	if t.Cause != nil {
		return t.Reason + ": " + t.Cause.Error()
	}
	return t.Reason
}

func (t *Trouble) Unwrap() error { return t.Cause }
