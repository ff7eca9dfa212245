package notes

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

// Share makes a person a reader of another's note.
type Share struct {
	ID        uuid.UUID `json:"id"`
	NoteID    uuid.UUID `json:"note_id"`
	User      Person    `json:"user"`
	Role      Role      `json:"role"`
	CreatedAt time.Time `json:"created_at"`
}

// Location is where the share is.
func (s Share) Location() string {
	return "/v1/notes/" + s.NoteID.String() + "/shares/" + s.ID.String()
}

// Person is somebody as the owner of a note found them.
type Person struct {
	ID    uuid.UUID `json:"id"`
	Name  string    `json:"name"`
	Login string    `json:"login" description:"The email or username by which they were found."`
}

// People finds those whom a note can be shared with.
type People interface {
	// FindUser returns the ID and Name of the user with a username, or with an
	// email that they have verified, or ErrNoPerson.
	FindUser(ctx context.Context, login string) (Person, error)
}

// MaxShares is with how many people a note can be shared.
const MaxShares = 100

// Role is what a reader may do with a note. An editor may change its title,
// body and tags; all else is the owner's.
type Role string

const (
	RoleOwner  Role = "owner"
	RoleEditor Role = "editor"
	RoleViewer Role = "viewer"
)

var (
	ErrNoPerson   = fault.New(fault.NotFound, "person_not_found", "There is nobody with this username or verified email.")
	ErrNoShare    = fault.New(fault.NotFound, "share_not_found", "There is no such share.")
	ErrReadOnly   = fault.New(fault.Forbidden, "note_read_only", "This note is shared with you to read. You may not change it.")
	ErrOwnersOnly = fault.New(fault.Forbidden, "note_owners_only", "You may change this note's title, body and tags. The rest is its owner's alone.")
	ErrManyShares = fault.New(fault.Conflict, "shares_full", "A note can be shared with %d people at most.", MaxShares)
)

// may returns why a reader of this role may not do what takes another.
func (r Role) may(takes Role) error {
	switch {
	case r == RoleOwner || r == takes:
		return nil
	case r == RoleEditor:
		return ErrOwnersOnly
	}
	return ErrReadOnly
}

// RoleOf is the role of a reader of the note, which has these shares; others
// get ErrNotFound.
func (n Note) RoleOf(reader uuid.UUID, shares []Share) (Role, error) {
	if n.Owner == reader {
		return RoleOwner, nil
	}
	i := slices.IndexFunc(shares, func(s Share) bool { return s.User.ID == reader })
	if i < 0 || n.Status == Trashed {
		return "", ErrNotFound
	}
	return shares[i].Role, nil
}

// readers are those who may read a note, in the trash or not.
func readers(n Note, shares []Share) []uuid.UUID {
	list := []uuid.UUID{n.Owner}
	for _, s := range shares {
		list = append(list, s.User.ID)
	}
	return list
}

// Share shares a note of the caller's with somebody, or gives them another role.
func (s *Service) Share(ctx context.Context, r ShareRequest) (Share, error) {
	caller, err := callerID(ctx)
	if err != nil {
		return Share{}, err
	}
	n, err := s.store.Get(ctx, caller, r.ID) // nobody is looked for on behalf of a note that can't be shared
	if err == nil {
		err = shareable(n)
	}
	if err != nil {
		return Share{}, err
	}
	person, err := s.findUser(ctx, r.User)
	if err != nil {
		return Share{}, err
	}
	if person.ID == caller {
		return Share{}, breaksUser("is_owner", "is you, and the note is yours already")
	}
	id, err := endpoint.NewID(ctx)
	if err != nil {
		return Share{}, err
	}
	return s.store.Share(ctx, caller, r.ID, func(n Note, shares []Share) (Share, []event.Message, error) {
		if err := shareable(n); err != nil {
			return Share{}, nil, err
		}
		share := Share{ID: id, NoteID: n.ID, CreatedAt: micros(s.now())}
		if i := slices.IndexFunc(shares, func(s Share) bool { return s.User.ID == person.ID }); i >= 0 {
			share = shares[i]
		} else if len(shares) >= MaxShares {
			return Share{}, nil, ErrManyShares
		}
		was := share.Role
		share.User, share.Role = person, r.Role
		if share.Role == "" {
			share.Role = RoleViewer
		}
		if share.Role == was {
			return share, nil, nil
		}
		events, err := sharing(ctx, NoteShared, n, share)
		return share, events, err
	})
}

// shareable returns why a note can't be shared by its reader.
func shareable(n Note) error {
	if err := n.Role.may(RoleOwner); err != nil {
		return err
	}
	if n.Status == Trashed {
		return ErrTrashed
	}
	return nil
}

func (s *Service) findUser(ctx context.Context, login string) (Person, error) {
	p, err := s.people.FindUser(ctx, login)
	if errors.Is(err, ErrNoPerson) {
		return p, breaksUser("unknown_user", "is nobody's username or verified email")
	}
	p.Login = login
	return p, err
}

func breaksUser(code, detail string) error {
	return fault.Breaks(fault.Field{Pointer: "/user", Code: code, Detail: detail})
}

// ListShares returns with whom a note of the caller's is shared, or how
// another's is with the caller.
func (s *Service) ListShares(ctx context.Context, r NoteRequest) (page transport.Page[Share], err error) {
	caller, err := callerID(ctx)
	if err != nil {
		return page, err
	}
	shares, err := s.store.Shares(ctx, caller, r.ID)
	if err != nil {
		return page, err
	}
	return transport.NewPage(shares, ""), nil // MaxShares are no more than a page may have
}

// Unshare takes a note back from somebody, or lets the caller leave another's.
func (s *Service) Unshare(ctx context.Context, r UnshareRequest) error {
	caller, err := callerID(ctx)
	if err != nil {
		return err
	}
	return s.store.Unshare(ctx, caller, r.ID, r.Share, func(n Note, share Share) ([]event.Message, error) {
		if n.Role != RoleOwner && share.User.ID != caller {
			return nil, ErrNoShare // which the caller can only have guessed
		}
		return sharing(ctx, NoteUnshared, n, share)
	})
}

func sharing(ctx context.Context, kind event.Type[Sharing], n Note, s Share) ([]event.Message, error) {
	m, err := kind.About(ctx, n.Owner, Sharing{Note: n.ID, Title: n.Title, With: s.User.ID, Role: s.Role})
	return []event.Message{m}, err
}
