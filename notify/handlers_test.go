package notify_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/profile"
)

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

// about is an event of a fixed time.
func about[E any](t *testing.T, kind event.Type[E], subject uuid.UUID, data E) event.Message {
	t.Helper()
	m, err := kind.About(t.Context(), subject, data)
	if err != nil {
		t.Fatal(err)
	}
	m.Time = time.Date(2031, 5, 1, 18, 4, 0, 0, time.UTC)
	return m
}

// Each event tells Ann one thing, however often it is handled.
func TestEventsTell(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		note, job := uuid.New(), uuid.New()
		login := auth.Login{Session: uuid.New(), Device: firefox, IP: "192.0.2.7"}
		for name, tt := range map[string]struct {
			source string
			event  func(ann, bob uuid.UUID) event.Message
			want   notify.Notification
		}{
			"registered": {"auth", func(ann, _ uuid.UUID) event.Message {
				return about(t, auth.UserRegistered, ann, auth.Registered{Name: "Ann"})
			},
				notify.Notification{Category: notify.Account, Title: "Welcome to Trellis", Body: "Your account is ready.", Link: "/"}},
			"token reused": {"auth", func(ann, _ uuid.UUID) event.Message { return about(t, auth.TokenReused, ann, login) },
				notify.Notification{Category: notify.Security, Title: "We ended one of your sessions", Body: "Firefox on Linux, address 192.0.2.7, 1 May 2031, 20:04 CEST", Link: "/account/sessions"}},
			"new device": {"auth", func(ann, _ uuid.UUID) event.Message { return about(t, auth.NewDevice, ann, login) },
				notify.Notification{Category: notify.Security, Title: "New login: Firefox on Linux", Body: "address 192.0.2.7, 1 May 2031, 20:04 CEST", Link: "/account/sessions"}},
			"password": {"auth", func(ann, _ uuid.UUID) event.Message { return about(t, auth.PasswordSet, ann, auth.PasswordChange{}) },
				notify.Notification{Category: notify.Security, Title: "Your password was changed", Body: "on 1 May 2031, 20:04 CEST", Link: "/account/sessions"}},
			"password reset": {"auth", func(ann, _ uuid.UUID) event.Message {
				return about(t, auth.PasswordSet, ann, auth.PasswordChange{Reset: true})
			}, notify.Notification{Category: notify.Security, Title: "Your password was set anew", Body: "with a link", Link: "/account/sessions"}},
			"shared": {"notes", func(ann, bob uuid.UUID) event.Message {
				return about(t, notes.NoteShared, bob, notes.Sharing{Note: note, Title: "Seeds\r\n<b>{name}</b>", With: ann, Role: "viewer"})
			}, notify.Notification{Category: notify.Sharing, Title: "Bob shared “Seeds <b>{name}</b>” with you", Body: "You can read it.", Link: "/notes/" + note.String()}},
			"shared to change": {"notes", func(ann, bob uuid.UUID) event.Message {
				return about(t, notes.NoteShared, bob, notes.Sharing{Note: note, With: ann, Role: "editor"})
			}, notify.Notification{Category: notify.Sharing, Title: "Bob shared “Untitled note” with you", Body: "You can read and change it.", Link: "/notes/" + note.String()}},
			"reminder": {"notes", func(ann, _ uuid.UUID) event.Message {
				return about(t, notes.ReminderDue, ann, notes.Reminder{Note: note, Title: "Seeds"})
			}, notify.Notification{Category: notify.Reminder, Title: "Reminder: Seeds", Body: "reminded", Link: "/notes/" + note.String()}},
			"export": {"profile", func(ann, _ uuid.UUID) event.Message { return about(t, profile.ExportReady, ann, profile.Job{Job: job}) },
				notify.Notification{Category: notify.Account, Title: "Your data is ready", Body: "download", Link: "/account/data"}},
			"erasure": {"profile", func(ann, _ uuid.UUID) event.Message {
				return about(t, profile.ErasureScheduled, ann, profile.Erasure{Job: job, EraseAt: time.Date(2031, 6, 1, 0, 0, 0, 0, time.UTC)})
			}, notify.Notification{Category: notify.Account, Title: "Your account will be erased", Body: "on 1 June 2031, 02:00 CEST", Link: "/account/data"}},
			"erasure canceled": {"profile", func(ann, _ uuid.UUID) event.Message {
				return about(t, profile.ErasureCanceled, ann, profile.Change{})
			}, notify.Notification{Category: notify.Account, Title: "Your account stays", Body: "took back", Link: "/account/data"}},
		} {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, store)
				w.profiles.set(w.ann, notify.Settings{TimeZone: "Europe/Warsaw"})
				w.happens(t, tt.source, 3, tt.event(w.ann, w.bob))
				n := w.only(t, notify.All)
				if n.Category != tt.want.Category || n.Title != tt.want.Title || !strings.Contains(n.Body, tt.want.Body) || n.Link != tt.want.Link {
					t.Errorf("told %+v", n)
				}
				if strings.Contains(n.Body, "{") || n.Data.Kind() != '{' {
					t.Errorf("body %q, data %s", n.Body, n.Data)
				}
			})
		}
	})
}

func TestEventsInPolish(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		w.profiles.set(w.ann, notify.Settings{Language: "pl-PL", TimeZone: "Europe/Warsaw"})
		w.profiles.set(w.bob, notify.Settings{Name: "Bob B."})
		w.happens(t, "notes", 1, about(t, notes.NoteShared, w.bob, notes.Sharing{Note: uuid.New(), Title: "Nasiona", With: w.ann, Role: "viewer"}))
		if n := w.only(t, notify.All); n.Title != "Bob B. udostępnia Ci notatkę „Nasiona”" {
			t.Errorf("told %q", n.Title)
		}
		w.happens(t, "auth", 1, about(t, auth.NewDevice, w.ann, auth.Login{Device: firefox}))
		if n := w.inbox(t, notify.All).Data[0]; n.Title != "Nowe logowanie: Firefox, Linux" || !strings.Contains(n.Body, "adres –, 1 maja 2031, 20:04 CEST") {
			t.Errorf("told %q, %q", n.Title, n.Body)
		}
	})
}

// What is no longer shared, or no longer there, is in nobody's inbox, and
// nothing on its way tells of it.
func TestSharingIsWithdrawn(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		for name, over := range map[string]func(owner, with, note uuid.UUID) event.Message{
			"unshared": func(owner, with, note uuid.UUID) event.Message {
				return about(t, notes.NoteUnshared, owner, notes.Sharing{Note: note, With: with})
			},
			"deleted": func(owner, with, note uuid.UUID) event.Message {
				return about(t, notes.NoteDeleted, owner, notes.Change{Note: note, Readers: []uuid.UUID{owner, with}})
			},
		} {
			w := newWorld(t, store)
			w.profiles.set(w.ann, everywhere())
			note := uuid.New()
			share := func(role notes.Role) {
				w.happens(t, "notes", 1, about(t, notes.NoteShared, w.bob, notes.Sharing{Note: note, Title: "Seeds", With: w.ann, Role: role}))
			}
			share("viewer")
			share("editor")
			if n := w.only(t, notify.All); n.Body != "You can read and change it." {
				t.Errorf("%s: told %+v", name, n)
			}
			w.happens(t, "notes", 2, over(w.bob, w.ann, note))
			if page := w.inbox(t, notify.All); len(page.Data) != 0 || page.Unread != 0 {
				t.Errorf("%s: %+v", name, page)
			}
			if _, err := w.sender.Step(t.Context()); err != nil || len(w.mailer.sent()) != 0 {
				t.Errorf("%s: mails %+v, %v", name, w.mailer.sent(), err)
			}
			share("viewer")
			w.only(t, notify.All)
		}
	})
}

// Reminders of one note are one, until it is read.
func TestRemindersCollapse(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		note := uuid.New()
		for range 3 {
			w.happens(t, "notes", 1, about(t, notes.ReminderDue, w.ann, notes.Reminder{Note: note, Title: "Seeds"}))
		}
		w.only(t, notify.All)
	})
}

func TestSharingWhileNobodyKnowsNames(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		w.profiles.fail(errAway)
		w.people.away = errAway
		w.people.set(w.bob, notify.Person{})
		w.happens(t, "notes", 1, about(t, notes.NoteShared, w.bob, notes.Sharing{Note: uuid.New(), Title: "Seeds", With: w.ann}))
		if n := w.only(t, notify.All); n.Title != "Somebody shared “Seeds” with you" {
			t.Errorf("told %q", n.Title)
		}
	})
}

func TestSignals(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		id := uuid.MustParse("01900000-0000-7000-8000-000000000001")
		change := notes.Change{Note: id, Version: 7, Readers: []uuid.UUID{w.ann, w.bob}}
		for _, kind := range []event.Type[notes.Change]{notes.NoteCreated, notes.NoteChanged, notes.NoteDeleted} {
			w.happens(t, "notes", 2, about(t, kind, w.ann, change))
		}
		w.happens(t, "notes", 2, about(t, notes.NoteShared, w.ann, notes.Sharing{Note: id, With: w.bob, Role: "viewer"}))
		w.happens(t, "notes", 2, about(t, notes.NoteUnshared, w.ann, notes.Sharing{Note: id, With: w.bob}))
		w.happens(t, "profile", 2, about(t, profile.ProfileChanged, w.ann, profile.Change{Version: 3}))
		w.happens(t, "auth", 2, about(t, auth.SessionEnded, w.ann, auth.Ending{Session: id}))
		both := []string{
			`note.created {"id":"` + id.String() + `","version":7}`,
			`note.changed {"id":"` + id.String() + `","version":7}`,
			`note.deleted {"id":"` + id.String() + `","version":7}`,
		}
		want := append(slices.Clone(both), `profile.changed {"version":3}`, `session.ended {"session":"`+id.String()+`"}`)
		if got := w.signals(t, w.ann); !slices.Equal(got, want) {
			t.Errorf("Ann's stream has %q", got)
		}
		want = append(both, `note.shared {"id":"`+id.String()+`","role":"viewer"}`, `note.unshared {"id":"`+id.String()+`"}`)
		if got := w.signals(t, w.bob); len(got) != len(want)+1 || !slices.Equal(got[:len(want)], want) || !strings.HasPrefix(got[len(want)], notify.EntryDeleted) {
			t.Errorf("Bob's stream has %q", got)
		}
	})
}

// What is known of settings is asked for again when they have changed, and
// after a while when nobody said so.
func TestSettingsAreRemembered(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		tell := func() { w.notify(t, notify.NotifyRequest{Category: notify.System, Title: "t"}) }
		asked := func(want int, when string) {
			t.Helper()
			tell()
			tell()
			if w.profiles.asked != want {
				t.Errorf("%s: asked %d times, want %d", when, w.profiles.asked, want)
			}
		}
		asked(1, "at first")
		w.clock.pass(29 * time.Second)
		asked(1, "after 29 seconds")
		w.clock.pass(2 * time.Second)
		asked(2, "after 31 seconds")
		w.happens(t, "profile", 1, about(t, profile.ProfileChanged, w.ann, profile.Change{Version: 2}))
		asked(3, "after a change")
	})
}

func TestErasedUserIsToldNothing(t *testing.T) {
	onStores(t, func(t *testing.T, store notify.Store) {
		w := newWorld(t, store)
		w.subscribe(t, "phone")
		w.notify(t, notify.NotifyRequest{Category: notify.Security, Title: "t"})
		at := w.clock.Now().Add(time.Hour)
		w.notify(t, notify.NotifyRequest{Category: notify.Security, Title: "t", DeliverAt: &at})
		w.happens(t, "auth", 2, about(t, auth.UserErased, w.ann, auth.Erased{}))
		w.happens(t, "auth", 1, about(t, auth.PasswordSet, w.ann, auth.PasswordChange{}))
		w.happens(t, "auth", 1, about(t, auth.LinkWanted, w.ann, auth.LinkRequest{Purpose: auth.VerifyEmail}))
		w.happens(t, "profile", 1, about(t, profile.ProfileChanged, w.ann, profile.Change{}))
		w.notify(t, notify.NotifyRequest{Category: notify.Security, Title: "t"})
		w.notify(t, notify.NotifyRequest{Category: notify.Security, Title: "t", DeliverAt: new(at.Add(time.Hour))})
		w.clock.pass(3 * time.Hour)
		w.ring(t, 0)
		if n, err := w.sender.Step(t.Context()); n != 0 || err != nil {
			t.Errorf("%d deliveries, %v", n, err)
		}
		if page := w.inbox(t, notify.All); len(page.Data) != 0 || page.Unread != 0 {
			t.Errorf("%+v", page)
		}
	})
}
