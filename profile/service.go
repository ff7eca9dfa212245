package profile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
	_ "time/tzdata" // time zones are the same on every machine

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/account"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/profile/avatar"
	"github.com/trellis-go/trellis/profile/preferences"
	"golang.org/x/text/language"
)

// Service is what users may do with their profile, their preferences and their
// account. Run is to run beside it.
type Service struct {
	store   Store
	users   Users
	holders Holders
	config  Config
	schema  *preferences.Schema
	avatars *avatar.Maker
	receipt []byte // the key of receipt tokens
	now     func() time.Time
	wake    chan struct{} // has one when something became due

	exports, erasures chan struct{} // have one for each job that runs here
}

// Users is what the profile service asks the auth service.
type Users interface {
	// Name returns a user's name.
	Name(ctx context.Context, user uuid.UUID) (string, error)
	// ConfirmPassword answers ErrPassword when the password is another.
	ConfirmPassword(ctx context.Context, user uuid.UUID, password string) error
	// CloseUser lets nobody log in as the user any more, and ends their sessions.
	CloseUser(ctx context.Context, user uuid.UUID) error
}

// Holders reach what other services keep of users. An account.Client is one.
type Holders interface {
	Export(ctx context.Context, service string, user uuid.UUID, w io.Writer) error
	Erase(ctx context.Context, service string, user uuid.UUID) (account.Receipt, error)
}

// Config is how a service does things.
type Config struct {
	Holders []string                     // the services, beside this one, that keep something of users'
	Grace   time.Duration                // from when a user asks to be erased until they are
	Memory  int64                        // in which pictures are drawn, in bytes
	Lease   time.Duration                // after which a job is taken from one who is silent; 30 s if 0
	Failed  func(what string, err error) // is told of work that will be tried again; may be nil
}

// NewService returns a service that keeps its records in the store.
func NewService(ctx context.Context, store Store, users Users, holders Holders, c Config) (*Service, error) {
	schema, err := preferences.Load()
	if err != nil {
		return nil, err
	}
	key, err := store.Secret(ctx, "receipt")
	if err != nil {
		return nil, fmt.Errorf("receipt key: %w", err)
	}
	if c.Lease == 0 {
		c.Lease = 30 * time.Second
	}
	if c.Failed == nil {
		c.Failed = func(string, error) {}
	}
	return &Service{
		store: store, users: users, holders: holders, config: c, schema: schema, avatars: avatar.NewMaker(c.Memory),
		receipt: key, now: time.Now, wake: make(chan struct{}, 1),
		exports: make(chan struct{}, exportsAtOnce), erasures: make(chan struct{}, erasuresAtOnce),
	}, nil
}

// Handlers are what the service does when others tell of something.
func (s *Service) Handlers() []event.Handler {
	return []event.Handler{event.On("auth", auth.UserRegistered, s.registered)}
}

// callerID is the user who calls; the stack lets nobody in without a token.
func callerID(ctx context.Context) (uuid.UUID, error) {
	id, err := uuid.Parse(endpoint.Caller(ctx).ID)
	if err != nil {
		return id, fmt.Errorf("the token's subject is no user: %w", err)
	}
	return id, nil
}

// get returns a user's record, an empty one if nothing is kept of them.
func (s *Service) get(ctx context.Context, user uuid.UUID) (Record, error) {
	r, err := s.store.Get(ctx, user)
	switch {
	case errors.Is(err, ErrNotFound):
		return Record{User: user}, nil
	case err == nil && r.ErasedAt != nil:
		err = ErrErased
	}
	return r, err
}

// own returns the caller's record.
func (s *Service) own(ctx context.Context) (Record, error) {
	user, err := callerID(ctx)
	if err != nil {
		return Record{}, err
	}
	return s.get(ctx, user)
}

// errSame is an edit's answer when there is nothing to change.
var errSame = errors.New("nothing is to be changed")

// update changes a user's record, unless they are erased.
func (s *Service) update(ctx context.Context, user uuid.UUID, edit Edit) (Record, error) {
	var same Record
	r, err := s.store.Update(ctx, user, func(r *Record) ([]event.Message, error) {
		if r.ErasedAt != nil {
			return nil, ErrErased
		}
		events, err := edit(r)
		if errors.Is(err, errSame) {
			same = *r
		}
		return events, err
	})
	if errors.Is(err, errSame) {
		return same, nil
	}
	return r, err
}

// change changes the caller's record.
func (s *Service) change(ctx context.Context, edit Edit) (Record, error) {
	user, err := callerID(ctx)
	if err != nil {
		return Record{}, err
	}
	return s.update(ctx, user, edit)
}

// changed is the event of a changed profile or changed preferences.
func (s *Service) changed(ctx context.Context, r *Record) ([]event.Message, error) {
	e, err := ProfileChanged.About(ctx, r.User, Change{r.Revision + 1})
	return []event.Message{e}, err
}

// view is what others see of a profile.
func (r *Record) view() Profile {
	p := r.Profile
	p.ID, p.HasAvatar = r.User, r.Avatar != nil
	p.AvatarURL = picturePath(r.User, r.picture())
	return p
}

// picture is the hash of a user's picture.
func (r *Record) picture() string {
	if r.Avatar != nil {
		return r.Avatar.Hash
	}
	return avatar.Initials(r.User, r.Profile.DisplayName).Hash
}

// make makes a profile.
func (r *Record) make(name string, now time.Time) {
	r.Profile = Profile{DisplayName: short(name), Version: 1, CreatedAt: micros(now), UpdatedAt: micros(now)}
}

// short cuts a name that was longer elsewhere.
func short(name string) string {
	n := 0
	for i := range name {
		if n++; n > MaxName {
			return name[:i]
		}
	}
	return name
}

// registered makes the profile of a new user.
func (s *Service) registered(ctx context.Context, e event.Event[auth.Registered]) error {
	_, err := s.ensure(ctx, e.Subject, func() (string, error) { return e.Data.Name, nil })
	if errors.Is(err, ErrErased) {
		return nil
	}
	return err
}

// ensure returns a user's record with a profile in it, made now if need be.
func (s *Service) ensure(ctx context.Context, user uuid.UUID, name func() (string, error)) (Record, error) {
	r, err := s.get(ctx, user)
	if err != nil || r.Profile.Version > 0 {
		return r, err
	}
	text, err := name()
	if err != nil {
		return r, err
	}
	return s.update(ctx, user, func(r *Record) ([]event.Message, error) {
		if r.Profile.Version > 0 {
			return nil, errSame
		}
		r.make(text, s.now())
		return s.changed(ctx, r)
	})
}

// ReadProfile returns the caller's profile. Users who were there before this
// service have it made now.
func (s *Service) ReadProfile(ctx context.Context, _ endpoint.None) (Profile, error) {
	user, err := callerID(ctx)
	if err != nil {
		return Profile{}, err
	}
	r, err := s.ensure(ctx, user, func() (string, error) { return s.users.Name(ctx, user) })
	return r.view(), err
}

// ChangeProfile changes parts of the caller's profile.
func (s *Service) ChangeProfile(ctx context.Context, r ChangeRequest) (Profile, error) {
	if err := r.check(); err != nil {
		return Profile{}, err
	}
	record, err := s.edit(ctx, &r.IfMatch, func(record *Record) error {
		p := &record.Profile
		r.DisplayName.To(&p.DisplayName)
		r.Bio.To(&p.Bio)
		r.Locale.To(&p.Locale)
		r.Timezone.To(&p.Timezone)
		if p.Locale != "" {
			p.Locale = language.Make(p.Locale).String() // the same tag has one spelling
		}
		return nil
	})
	if err != nil {
		return Profile{}, err
	}
	return record.view(), nil
}

// check tells whether locale and time zone are ones that there are.
func (r ChangeRequest) check() error {
	var wrong []fault.Field
	if tag := r.Locale.Value; tag != "" {
		if _, err := language.Parse(tag); err != nil {
			wrong = append(wrong, fault.Field{Pointer: "/locale", Code: "not_a_locale", Detail: `is no language tag such as "pl" or "en-GB"`})
		}
	}
	if zone := r.Timezone.Value; zone != "" {
		if _, err := time.LoadLocation(zone); err != nil || zone == "Local" {
			wrong = append(wrong, fault.Field{Pointer: "/timezone", Code: "not_a_time_zone", Detail: `is no time zone such as "Europe/Warsaw"`})
		}
	}
	if len(wrong) > 0 {
		return fault.Breaks(wrong...)
	}
	return nil
}

// edit changes the caller's profile, made now if need be, if it is at the
// version that match names.
func (s *Service) edit(ctx context.Context, match *transport.IfMatch, edit func(*Record) error) (Record, error) {
	user, err := callerID(ctx)
	if err != nil {
		return Record{}, err
	}
	if _, err := s.ensure(ctx, user, func() (string, error) { return s.users.Name(ctx, user) }); err != nil {
		return Record{}, err
	}
	return s.update(ctx, user, func(r *Record) ([]event.Message, error) {
		if !match.Matches(r.Profile.Version) {
			return nil, ErrStale.With(r.view())
		}
		if err := edit(r); err != nil {
			return nil, err
		}
		r.Profile.Version++
		r.Profile.UpdatedAt = micros(s.now())
		return s.changed(ctx, r)
	})
}

// due lets Run know that there is something to do.
func (s *Service) due() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
