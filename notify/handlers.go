package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/profile"
)

// Handlers handle what other services tell of. What they tell users has the
// event's id as its dedupe key.
func Handlers(s *Service) []event.Handler {
	return []event.Handler{
		event.On("auth", auth.UserRegistered, s.welcome),
		event.On("auth", auth.TokenReused, s.tokenReused),
		event.On("auth", auth.NewDevice, s.newDevice),
		event.On("auth", auth.PasswordSet, s.passwordSet),
		event.On("auth", auth.LinkWanted, s.linkWanted),
		event.On("auth", auth.SessionEnded, s.sessionEnded),
		event.On("auth", auth.UserErased, s.userErased),
		event.On("notes", notes.NoteCreated, s.noteTouched("note.created")),
		event.On("notes", notes.NoteChanged, s.noteTouched("note.changed")),
		event.On("notes", notes.NoteDeleted, s.noteTouched("note.deleted")),
		event.On("notes", notes.NoteShared, s.noteShared),
		event.On("notes", notes.NoteUnshared, s.noteUnshared),
		event.On("notes", notes.ReminderDue, s.reminderDue),
		event.On("profile", profile.ProfileChanged, s.profileChanged),
		event.On("profile", profile.ExportReady, s.exportReady),
		event.On("profile", profile.ErasureScheduled, s.erasureScheduled),
		event.On("profile", profile.ErasureCanceled, s.erasureCanceled),
	}
}

// Where the webapp shows what notifications are about.
const (
	homeLink     = "/"
	sessionsLink = "/account/sessions"
	accountLink  = "/account/data"
)

func noteLink(note uuid.UUID) string { return "/notes/" + note.String() }

// telling is what an event makes of a notification.
type telling struct {
	id       uuid.UUID // uuid.Nil for a new one
	category Category
	link     string
	collapse string
	data     any
	text     func(w *words, zone *time.Location) (title, body string)
}

// tell publishes a notification in its user's words.
func (s *Service) tell(ctx context.Context, event, user uuid.UUID, t telling) error {
	settings, _ := s.settings.get(ctx, user)
	n := Notification{ID: t.id, User: user, Category: t.category, Link: t.link}
	n.Title, n.Body = t.text(wordsFor(settings.Language), settings.Zone())
	if t.data == nil {
		t.data = struct{}{}
	}
	var err error
	if n.Data, err = json.Marshal(t.data); err != nil {
		return err
	}
	return s.publish(ctx, n, Keys{Dedupe: event.String(), Collapse: t.collapse})
}

func (s *Service) welcome(ctx context.Context, e event.Event[auth.Registered]) error {
	return s.tell(ctx, e.ID, e.Subject, telling{category: Account, link: homeLink,
		text: func(w *words, _ *time.Location) (string, string) { return w.welcome.say() }})
}

func (s *Service) tokenReused(ctx context.Context, e event.Event[auth.Login]) error {
	return s.tellLogin(ctx, e, func(w *words) line { return w.tokenReused })
}

func (s *Service) newDevice(ctx context.Context, e event.Event[auth.Login]) error {
	return s.tellLogin(ctx, e, func(w *words) line { return w.newDevice })
}

func (s *Service) tellLogin(ctx context.Context, e event.Event[auth.Login], text func(*words) line) error {
	return s.tell(ctx, e.ID, e.Subject, telling{category: Security, link: sessionsLink,
		data: struct {
			Session uuid.UUID `json:"session"`
			Device  string    `json:"device"`
			IP      string    `json:"ip"`
			At      time.Time `json:"at"`
		}{e.Data.Session, clip(e.Data.Device, 500), e.Data.IP, e.Time},
		text: func(w *words, zone *time.Location) (string, string) {
			return text(w).say("device", w.device(e.Data.Device), "ip", cmp.Or(e.Data.IP, "–"), "when", w.when(e.Time, zone))
		}})
}

func (s *Service) passwordSet(ctx context.Context, e event.Event[auth.PasswordChange]) error {
	return s.tell(ctx, e.ID, e.Subject, telling{category: Security, link: sessionsLink,
		data: struct {
			Reset bool      `json:"reset"`
			At    time.Time `json:"at"`
		}{e.Data.Reset, e.Time},
		text: func(w *words, zone *time.Location) (string, string) {
			text := w.passwordChanged
			if e.Data.Reset {
				text = w.passwordReset
			}
			return text.say("when", w.when(e.Time, zone))
		}})
}

// linkWanted sends a mail that is in no inbox: whoever is to verify an address
// or has lost their password reads it where they get their mail, or not at all.
func (s *Service) linkWanted(ctx context.Context, e event.Event[auth.LinkRequest]) error {
	kind := map[auth.Purpose]string{auth.VerifyEmail: VerifyMail, auth.ResetPassword: ResetMail}[e.Data.Purpose]
	if kind == "" {
		return fmt.Errorf("nobody knows links of purpose %q", e.Data.Purpose)
	}
	return s.enqueue(ctx, Delivery{ID: e.ID, User: e.Subject, Channel: Email, Kind: kind})
}

func (s *Service) sessionEnded(ctx context.Context, e event.Event[auth.Ending]) error {
	return s.signal(ctx, e.Subject, "session.ended", e.Data, e.ID.String())
}

func (s *Service) userErased(ctx context.Context, e event.Event[auth.Erased]) error {
	_, err := s.Erase(ctx, e.Subject)
	return err
}

type touched struct {
	ID      uuid.UUID `json:"id"`
	Version int64     `json:"version"`
}

func (s *Service) noteTouched(kind string) func(context.Context, event.Event[notes.Change]) error {
	return func(ctx context.Context, e event.Event[notes.Change]) error {
		for _, reader := range e.Data.Readers {
			if err := s.signal(ctx, reader, kind, touched{e.Data.Note, e.Data.Version}, e.ID.String()); err != nil {
				return err
			}
			if kind != "note.deleted" {
				continue
			}
			if err := s.withdraw(ctx, reader, e.Data.Note); err != nil {
				return err
			}
		}
		return nil
	}
}

type shared struct {
	ID   uuid.UUID  `json:"id"`
	Role notes.Role `json:"role,omitempty"`
}

func (s *Service) noteShared(ctx context.Context, e event.Event[notes.Sharing]) error {
	if err := s.signal(ctx, e.Data.With, "note.shared", shared{e.Data.Note, e.Data.Role}, e.ID.String()); err != nil {
		return err
	}
	owner := s.nameOf(ctx, e.Subject)
	return s.tell(ctx, e.ID, e.Data.With, telling{id: sharingOf(e.Data.Note, e.Data.With), category: Sharing, link: noteLink(e.Data.Note),
		data: struct {
			Note  uuid.UUID  `json:"note"`
			Owner uuid.UUID  `json:"owner"`
			Role  notes.Role `json:"role"`
		}{e.Data.Note, e.Subject, e.Data.Role},
		text: func(w *words, _ *time.Location) (string, string) {
			text := w.sharedToRead
			if e.Data.Role != "viewer" {
				text = w.sharedToEdit
			}
			return text.say("name", cmp.Or(clip(owner, 80), w.somebody), "title", w.note(e.Data.Title))
		}})
}

// nameOf returns what a user is called, or "" when nobody says so now: who
// something was shared with is to hear of it all the same.
func (s *Service) nameOf(ctx context.Context, user uuid.UUID) string {
	if settings, _ := s.settings.get(ctx, user); settings.Name != "" {
		return settings.Name
	}
	ctx, cancel := context.WithTimeout(ctx, settingsWait)
	defer cancel()
	person, _ := s.people.Person(ctx, user)
	return person.Name
}

func (s *Service) noteUnshared(ctx context.Context, e event.Event[notes.Sharing]) error {
	if err := s.signal(ctx, e.Data.With, "note.unshared", shared{ID: e.Data.Note}, e.ID.String()); err != nil {
		return err
	}
	return s.withdraw(ctx, e.Data.With, e.Data.Note)
}

// sharingOf is the id of the notification that a note is shared with a user:
// a later one takes its place, and withdraw finds it.
func sharingOf(note, with uuid.UUID) uuid.UUID { return uuid.NewSHA1(note, with[:]) }

// withdraw takes back that a note is shared with a user, which names a note
// that they no longer see.
func (s *Service) withdraw(ctx context.Context, user, note uuid.UUID) error {
	err := s.store.Delete(ctx, user, sharingOf(note, user))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return known(err)
}

func (s *Service) reminderDue(ctx context.Context, e event.Event[notes.Reminder]) error {
	return s.tell(ctx, e.ID, e.Subject, telling{category: Reminder, link: noteLink(e.Data.Note), collapse: "reminder " + e.Data.Note.String(),
		data: struct {
			Note uuid.UUID `json:"note"`
		}{e.Data.Note},
		text: func(w *words, _ *time.Location) (string, string) {
			return w.reminder.say("title", w.note(e.Data.Title))
		}})
}

func (s *Service) profileChanged(ctx context.Context, e event.Event[profile.Change]) error {
	s.settings.stale(e.Subject)
	return s.signal(ctx, e.Subject, "profile.changed", e.Data, e.ID.String())
}

func (s *Service) exportReady(ctx context.Context, e event.Event[profile.Job]) error {
	return s.tell(ctx, e.ID, e.Subject, telling{category: Account, link: accountLink, data: e.Data,
		text: func(w *words, _ *time.Location) (string, string) { return w.exportReady.say() }})
}

func (s *Service) erasureScheduled(ctx context.Context, e event.Event[profile.Erasure]) error {
	return s.tell(ctx, e.ID, e.Subject, telling{category: Account, link: accountLink, data: e.Data,
		text: func(w *words, zone *time.Location) (string, string) {
			return w.erasureScheduled.say("when", w.when(e.Data.EraseAt, zone))
		}})
}

func (s *Service) erasureCanceled(ctx context.Context, e event.Event[profile.Change]) error {
	return s.tell(ctx, e.ID, e.Subject, telling{category: Account, link: accountLink,
		text: func(w *words, _ *time.Location) (string, string) { return w.erasureCanceled.say() }})
}
