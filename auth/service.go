package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth/password"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/token"
)

// Service is what a user may do with their account.
type Service struct {
	store    Store
	hasher   *password.Hasher
	signer   token.Signer
	verifier *token.Verifier
	keys     *Keyring
	feed     *Feed
	now      func() time.Time
	floor    time.Duration
}

// refusalTime is how long a refused login takes, or a multiple of it, whoever
// it was for: time is not to tell whether an account is there, nor that its
// password was imported and is of another kind.
const refusalTime = 500 * time.Millisecond

// NewService returns a service that keeps its users in the store and signs
// access tokens in the name of the signer. Keys and feed are the same store's.
func NewService(store Store, hasher *password.Hasher, signer token.Signer, keys *Keyring, feed *Feed) *Service {
	verifier := token.NewVerifier(keys, signer.Issuer, signer.Audience)
	verifier.Heed(feed.Revocations())
	return &Service{store, hasher, signer, verifier, keys, feed, time.Now, refusalTime}
}

var (
	ErrCredentials = fault.New(fault.Unauthenticated, "invalid_credentials", "The login or the password is wrong.")
	errBusy        = fault.New(fault.Unavailable, "busy", "Too many logins just now. Try again in a moment.").After(time.Second)
)

// Signup opens an account and begins its first session.
func (s *Service) Signup(ctx context.Context, r SignupRequest) (Tokens, error) {
	username := Username(r.Username)
	if err := checkUsername(username); err != nil {
		return Tokens{}, err
	}
	if err := checkPassword("/password", r.Password, r.Email, r.Name, username); err != nil {
		return Tokens{}, err
	}
	hash, err := s.hasher.Hash(ctx, r.Password)
	if err != nil {
		return Tokens{}, hashing(err)
	}
	id, err := endpoint.NewID(ctx)
	if err != nil {
		return Tokens{}, err
	}
	u := User{ID: id, Email: &r.Email, Name: r.Name, Roles: []string{}, Password: hash, CreatedAt: s.now().UTC().Truncate(time.Microsecond)}
	if username != "" {
		u.Username = &username
	}
	registered, err := UserRegistered.About(ctx, id, Registered{u.Name})
	if err != nil {
		return Tokens{}, err
	}
	wanted, err := LinkWanted.About(ctx, id, LinkRequest{VerifyEmail})
	if err != nil {
		return Tokens{}, err
	}
	switch err := s.store.CreateUser(ctx, u, registered, wanted); {
	case errors.Is(err, ErrUserExists): // made by an earlier run of this very request
		if u, err = s.store.User(ctx, id); err != nil {
			return Tokens{}, err
		}
	case err != nil:
		return Tokens{}, err
	}
	return s.open(ctx, u, r.client, r.Session)
}

// checkUsername lets through what can be typed, is not taken for an email,
// and hides nothing.
func checkUsername(name string) error {
	for _, c := range name {
		if !unicode.IsLetter(c) && !unicode.IsMark(c) && !unicode.IsDigit(c) && !strings.ContainsRune("._+-", c) {
			return fault.Breaks(fault.Field{Pointer: "/username", Code: "not_allowed", Detail: "may have letters, digits and . _ + -"})
		}
	}
	return nil
}

func checkPassword(pointer, text string, about ...string) error {
	err := password.Acceptable(text, about...)
	if err == nil {
		return nil
	}
	code := "too_common"
	switch {
	case errors.Is(err, password.ErrTooShort):
		code = "too_short"
	case errors.Is(err, password.ErrTooLong):
		code = "too_long"
	case errors.Is(err, password.ErrNotText):
		code = "not_text"
	}
	return fault.Breaks(fault.Field{Pointer: pointer, Code: code, Detail: err.Error()})
}

// hashing is an error of the hasher's as the caller sees it.
func hashing(err error) error {
	if errors.Is(err, password.ErrBusy) {
		return errBusy.Because(err)
	}
	return err
}

// Login begins a session for whoever knows the password.
func (s *Service) Login(ctx context.Context, r LoginRequest) (Tokens, error) {
	began := s.now()
	u, err := s.authenticate(ctx, r)
	if errors.Is(err, ErrCredentials) {
		s.levelOut(ctx, began)
	}
	if err != nil {
		return Tokens{}, err
	}
	return s.open(ctx, u, r.client, r.Session)
}

// levelOut waits until a refusal has taken as long as others do.
func (s *Service) levelOut(ctx context.Context, began time.Time) {
	select {
	case <-time.After(s.floor - s.now().Sub(began)%s.floor):
	case <-ctx.Done():
	}
}

func (s *Service) authenticate(ctx context.Context, r LoginRequest) (User, error) {
	u, err := s.store.FindUser(ctx, Username(r.Login), EmailKey(r.Login))
	known := err == nil
	if err != nil && !errors.Is(err, ErrNoUser) {
		return User{}, err
	}
	g, err := s.loginGuess(ctx, r, u, known)
	if err != nil {
		return User{}, err
	}
	if err := s.try(ctx, g); err != nil {
		return User{}, err
	}
	if known {
		err = s.verify(ctx, &u, r.Password)
	} else if err = s.hasher.Waste(ctx, r.Password); err == nil {
		err = ErrCredentials
	} else {
		err = hashing(err)
	}
	return u, s.settle(ctx, g, err)
}

// verify checks a user's password, and replaces a hash that is not of today's
// kind. It answers ErrCredentials.
func (s *Service) verify(ctx context.Context, u *User, text string) error {
	ok, stale, err := s.hasher.Verify(ctx, u.Password, text)
	switch {
	case errors.Is(err, password.ErrUnusable), err == nil && !ok, err == nil && u.Disabled:
		return ErrCredentials
	case errors.Is(err, password.ErrMalformed):
		return ErrCredentials.Because(fmt.Errorf("user %s: %w", u.ID, err))
	case err != nil:
		return hashing(err)
	case !stale:
		return nil
	}
	fresh, err := s.hasher.Hash(ctx, text)
	if err != nil {
		return hashing(err)
	}
	replaced, err := s.store.SetPassword(ctx, u.ID, u.Password, fresh)
	if err != nil {
		return err
	}
	if !replaced { // another login did it, or the password was changed meanwhile
		if *u, err = s.store.User(ctx, u.ID); err != nil {
			return err
		}
		return s.verify(ctx, u, text)
	}
	u.Password = fresh
	return nil
}

// caller is the user and the session that the request's token names.
func (s *Service) caller(ctx context.Context) (user, session uuid.UUID, err error) {
	return s.living(ctx, endpoint.Caller(ctx))
}

// living is the user and the session that a valid token names. The session
// must live: a token outlives it by some minutes.
func (s *Service) living(ctx context.Context, c *token.Caller) (user, session uuid.UUID, err error) {
	if user, err = uuid.Parse(c.ID); err == nil {
		session, err = uuid.Parse(c.Session)
	}
	if err != nil {
		return user, session, fmt.Errorf("the token names no user and session: %w", err)
	}
	switch known, err := s.store.Session(ctx, session); {
	case errors.Is(err, ErrNoSession), err == nil && known.User != user:
		return user, session, token.ErrInvalid.Because(errors.New("there is no such session"))
	case err == nil && known.EndedAt != nil:
		return user, session, token.ErrRevoked
	default:
		return user, session, err
	}
}

// Me returns the caller.
func (s *Service) Me(ctx context.Context, _ endpoint.None) (User, error) {
	id, _, err := s.caller(ctx)
	if err != nil {
		return User{}, err
	}
	return s.store.User(ctx, id)
}

// ChangePassword replaces the caller's password and ends their other sessions.
func (s *Service) ChangePassword(ctx context.Context, r PasswordRequest) error {
	id, session, err := s.caller(ctx)
	if err != nil {
		return err
	}
	u, err := s.store.User(ctx, id)
	if err != nil {
		return err
	}
	if err := checkPassword("/password", r.New, deref(u.Email), deref(u.Username), u.Name); err != nil {
		return err
	}
	wrong := fault.Breaks(fault.Field{Pointer: "/current_password", Code: "wrong", Detail: "is not your password"})
	switch err := s.confirm(ctx, &u, r.Current); {
	case errors.Is(err, ErrCredentials):
		return wrong
	case err != nil:
		return err
	}
	hash, err := s.hasher.Hash(ctx, r.New)
	if err != nil {
		return hashing(err)
	}
	changed, err := PasswordSet.About(ctx, id, PasswordChange{})
	if err != nil {
		return err
	}
	replaced, err := s.store.ChangePassword(ctx, id, u.Password, hash, session, s.now(), changed)
	s.feed.wake()
	if err == nil && !replaced { // it was changed meanwhile, elsewhere
		return wrong
	}
	return err
}

// confirm is verify for a user who is logged in: guesses are counted.
func (s *Service) confirm(ctx context.Context, u *User, text string) error {
	var g guess
	g.count(passwordGuess(u.ID), guessesOfAccount)
	if err := s.try(ctx, g); err != nil {
		return err
	}
	return s.settle(ctx, g, s.verify(ctx, u, text))
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
