package notes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

// Service is what users may do with their notes and with those that others
// share with them.
type Service struct {
	store   Store
	people  People
	cursors transport.Cursors
	now     func() time.Time
}

// NewService returns a service that keeps its notes in the store.
func NewService(ctx context.Context, store Store, people People) (*Service, error) {
	key, err := store.Secret(ctx, "cursor")
	if err != nil {
		return nil, fmt.Errorf("cursor key: %w", err)
	}
	return &Service{store, people, transport.NewCursors(key), time.Now}, nil
}

const (
	defaultLimit = 20
	// maxPage bounds the memory of a list: a page of long notes ends early.
	maxPage = 4 << 20
)

// callerID is the user who calls; the stack lets nobody in without a token.
func callerID(ctx context.Context) (uuid.UUID, error) {
	id, err := uuid.Parse(endpoint.Caller(ctx).ID)
	if err != nil {
		return id, fmt.Errorf("the token's subject is no user: %w", err)
	}
	return id, nil
}

// micros is a time as it can be kept.
func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Create adds a note of the caller's.
func (s *Service) Create(ctx context.Context, r CreateRequest) (Note, error) {
	owner, err := callerID(ctx)
	if err != nil {
		return Note{}, err
	}
	now := micros(s.now())
	id, err := r.id(ctx, now)
	if err != nil {
		return Note{}, err
	}
	n := Note{
		ID: id, Owner: owner, Title: r.Title, Body: r.Body, Tags: unique(r.Tags), Pinned: r.Pinned,
		Status: orActive(r.Status), Version: 1, CreatedAt: now, UpdatedAt: now, Role: RoleOwner, Editor: owner, RevisedAt: now,
	}
	n.remind(r.ReminderAt)
	events, err := change(ctx, NoteCreated, n, nil)
	if err != nil {
		return Note{}, err
	}
	if err := s.store.Create(ctx, n, events...); errors.Is(err, ErrExists) {
		return s.made(ctx, n, r.ID != nil)
	} else if err != nil {
		return Note{}, err
	}
	return n, nil
}

// made returns the note that an earlier run of the same request made. With an
// id that the client chose it may be another.
func (s *Service) made(ctx context.Context, n Note, chosen bool) (Note, error) {
	made, err := s.store.Get(ctx, n.Owner, n.ID)
	if chosen && (errors.Is(err, ErrNotFound) || err == nil && !made.sameAs(n)) {
		return Note{}, ErrIDTaken
	}
	return made, err
}

// sameAs tells whether two notes say the same, and were never changed.
func (n Note) sameAs(other Note) bool {
	return n.Version == other.Version && n.Owner == other.Owner && n.Title == other.Title && n.Body == other.Body &&
		slices.Equal(n.Tags, other.Tags) && n.Pinned == other.Pinned && n.Status == other.Status &&
		(n.ReminderAt == nil) == (other.ReminderAt == nil) && (n.ReminderAt == nil || n.ReminderAt.Equal(*other.ReminderAt))
}

// change returns the events that tell a note's readers what became of it.
func change(ctx context.Context, kind event.Type[Change], n Note, shares []Share) ([]event.Message, error) {
	m, err := kind.About(ctx, n.Owner, Change{Note: n.ID, Version: n.Version, Readers: readers(n, shares)})
	return []event.Message{m}, err
}

// List returns a page of the caller's notes, or of those shared with them.
func (s *Service) List(ctx context.Context, r ListRequest) (page transport.Page[Note], err error) {
	reader, err := callerID(ctx)
	if err != nil {
		return page, err
	}
	if r.Q != "" {
		return s.search(ctx, reader, r)
	}
	q := Query{Shared: r.Shared, Status: orActive(r.Status), Tag: r.Tag, Pinned: r.Pinned, Sort: r.Sort, Limit: r.limit(), MaxBytes: maxPage}
	if q.Sort == "" {
		q.Sort = ByUpdatedDesc
	}
	list := q.name(reader)
	if r.Cursor != "" {
		q.After = new(Place)
		if err := s.cursors.Open(list, r.Cursor, q.After); err != nil {
			return page, err
		}
	}
	notes, more, err := s.store.List(ctx, reader, q)
	if err != nil {
		return page, err
	}
	next := ""
	if more {
		if next, err = s.cursors.Seal(list, q.Sort.PlaceOf(notes[len(notes)-1])); err != nil {
			return page, err
		}
	}
	return transport.NewPage(notes, next), nil
}

func (r ListRequest) limit() int {
	if r.Limit == nil {
		return defaultLimit
	}
	return *r.Limit
}

// name tells one list from another, so that a cursor fits only its own.
func (q Query) name(reader uuid.UUID) string {
	pinned := "any"
	if q.Pinned != nil {
		pinned = fmt.Sprint(*q.Pinned)
	}
	whose := "own"
	if q.Shared {
		whose = "shared"
	}
	return fmt.Sprintf("%s %s %s %s %s %q", reader, whose, q.Status, q.Sort, pinned, q.Tag)
}

// Get returns a note that the caller may read.
func (s *Service) Get(ctx context.Context, r NoteRequest) (Note, error) {
	reader, err := callerID(ctx)
	if err != nil {
		return Note{}, err
	}
	return s.store.Get(ctx, reader, r.ID)
}

// Change changes parts of a note; one in the trash only by taking it out.
func (s *Service) Change(ctx context.Context, r ChangeRequest) (Note, error) {
	takes := RoleEditor
	if r.Pinned.Set || r.Status.Set || r.ReminderAt.Set {
		takes = RoleOwner
	}
	return s.update(ctx, r.ID, takes, &r.IfMatch, func(n *Note) error {
		if n.Status == Trashed && (!r.Status.Set || r.Status.Value == Trashed) {
			return ErrTrashed
		}
		if err := checkTags(r.Tags.Value, n.Tags); err != nil {
			return err
		}
		r.Title.To(&n.Title)
		r.Body.To(&n.Body)
		r.Pinned.To(&n.Pinned)
		if r.Tags.Set {
			n.Tags = unique(r.Tags.Value)
		}
		if r.Status.Set {
			n.Status = orActive(r.Status.Value)
		}
		if r.ReminderAt.Set {
			n.remind(r.ReminderAt.Value)
		}
		return nil
	})
}

// Delete moves a note to the trash, or removes one there for good.
func (s *Service) Delete(ctx context.Context, r DeleteRequest) error {
	if r.Permanent {
		return s.remove(ctx, r)
	}
	_, err := s.update(ctx, r.ID, RoleOwner, &r.IfMatch, func(n *Note) error {
		if n.Status == Trashed {
			return ErrTrashed
		}
		n.Status = Trashed
		return nil
	})
	return err
}

func (s *Service) remove(ctx context.Context, r DeleteRequest) error {
	caller, err := callerID(ctx)
	if err != nil {
		return err
	}
	return s.store.Delete(ctx, caller, r.ID, func(n Note, shares []Share) ([]event.Message, error) {
		if err := allow(n, RoleOwner, &r.IfMatch); err != nil {
			return nil, err
		}
		if n.Status != Trashed {
			return nil, ErrNotTrashed
		}
		return change(ctx, NoteDeleted, n, shares)
	})
}

// Restore takes a note out of the trash.
func (s *Service) Restore(ctx context.Context, r RestoreRequest) (Note, error) {
	return s.update(ctx, r.ID, RoleOwner, r.IfMatch, func(n *Note) error {
		if n.Status != Trashed {
			return ErrNotTrashed
		}
		n.Status = Active
		return nil
	})
}

// update edits a note that the caller has the role for, if it is at the
// version that match names.
func (s *Service) update(ctx context.Context, id uuid.UUID, takes Role, match *transport.IfMatch, edit func(*Note) error) (Note, error) {
	caller, err := callerID(ctx)
	if err != nil {
		return Note{}, err
	}
	return s.store.Update(ctx, caller, id, func(n *Note, shares []Share) ([]event.Message, error) {
		if err := allow(*n, takes, match); err != nil {
			return nil, err
		}
		was := *n
		if err := edit(n); err != nil {
			return nil, err
		}
		n.Version++
		n.UpdatedAt = micros(s.now())
		n.revise(was, caller)
		return change(ctx, NoteChanged, *n, shares)
	})
}

// allow returns why the note's reader may not do what takes a role and the
// version that match names.
func allow(n Note, takes Role, match *transport.IfMatch) error {
	if err := n.Role.may(takes); err != nil {
		return err
	}
	if !match.Matches(n.Version) {
		return ErrStale.With(n)
	}
	return nil
}

func (n *Note) remind(at *time.Time) {
	n.ReminderAt = at
	if at != nil {
		n.ReminderAt = new(micros(*at))
	}
}

func orActive(s Status) Status {
	if s == "" {
		return Active
	}
	return s
}

// unique returns tags without repetitions, in their order; never nil.
func unique(tags []string) []string {
	kept := make([]string, 0, len(tags))
	for _, t := range tags {
		if !slices.Contains(kept, t) {
			kept = append(kept, t)
		}
	}
	return kept
}

// checkTags bounds the length of tags that a note does not have already: the
// legacy application let them be longer, and those may stay.
func checkTags(tags, present []string) error {
	for i, t := range tags {
		if utf8.RuneCountInString(t) > MaxTag && !slices.Contains(present, t) {
			return fault.Breaks(fault.Field{Pointer: fmt.Sprintf("/tags/%d", i), Code: "too_long", Detail: fmt.Sprintf("may have at most %d characters", MaxTag)})
		}
	}
	return nil
}
