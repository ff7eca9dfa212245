package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
)

// A link is wanted with an event, and made when the mail is written that it
// goes into (MakeLink): nobody but its reader has its token, and the Store a
// hash of it.
const (
	verifyLife = 24 * time.Hour
	resetLife  = time.Hour

	linkPrefix = "trk_"
	linkSize   = 32
)

// linksWanted are the paces of mails to one user. Whoever asks for more gets no
// more sent. Anybody may ask for a new password in another's name, and so begin
// the pause in which the owner is sent nothing: it ends while the last link,
// which went to the owner too, is good for half of its life.
var linksWanted = map[Purpose]pace{
	VerifyEmail:   {2, time.Minute, 6 * time.Hour, 24 * time.Hour},
	ResetPassword: {2, time.Minute, resetLife / 2, 24 * time.Hour},
}

var (
	ErrNoEmail      = fault.New(fault.Conflict, "no_email", "The account has no email.")
	ErrVerified     = fault.New(fault.Conflict, "email_verified", "The email is verified already.")
	errManyRequests = fault.New(fault.TooMany, "too_many_requests", "Too many mails were asked for. Wait a moment.")
	errManyLinks    = fault.New(fault.TooMany, "too_many_mails", "We have sent you several mails already. Look for the last one, or wait a while.")
)

// linkHash is what the Store knows a link by. Whatever else a text is, it is
// treated like a link that has expired.
func linkHash(text string) (h Hash, err error) {
	encoded, ok := strings.CutPrefix(text, linkPrefix)
	secret, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(secret) != linkSize {
		return h, ErrLinkExpired.Because(errors.New("not issued here"))
	}
	return Hash(hash(secret)), nil
}

// MakeLink makes a link for a user's email, and returns what its mail is
// written with. It refuses what would be of no use.
func (s *Service) MakeLink(ctx context.Context, r LinkFor) (Link, error) {
	u, err := s.store.User(ctx, r.User)
	if err != nil {
		return Link{}, err
	}
	if err := u.linkable(r.Purpose); err != nil {
		return Link{}, err
	}
	life := verifyLife
	if r.Purpose == ResetPassword {
		life = resetLife
	}
	secret, now := random(linkSize), s.now().UTC().Truncate(time.Microsecond)
	kept := KeptLink{Hash(hash(secret)), u.ID, r.Purpose, EmailKey(*u.Email), now, now.Add(life)}
	if err := s.store.AddLink(ctx, kept); err != nil {
		return Link{}, err
	}
	return Link{*u.Email, u.Name, linkPrefix + base64.RawURLEncoding.EncodeToString(secret), kept.ExpiresAt}, nil
}

// linkable tells whether the user may have a link, and has a use for it.
func (u User) linkable(p Purpose) error {
	switch {
	case u.Disabled:
		return ErrNoUser
	case u.Email == nil:
		return ErrNoEmail
	case p == VerifyEmail && u.EmailVerified:
		return ErrVerified
	}
	return nil
}

// want has a link sent to a user, if that is not too soon.
func (s *Service) want(ctx context.Context, u User, p Purpose) error {
	if err := u.linkable(p); err != nil {
		return err
	}
	wanted, err := LinkWanted.About(ctx, u.ID, LinkRequest{p})
	if err != nil {
		return err
	}
	now := s.now()
	return s.store.WantLink(ctx, u.ID, p, func(a *Attempts) error {
		if wait := a.Until.Sub(now); wait > 0 {
			return errManyLinks.After(wait)
		}
		a.count(now, linksWanted[p])
		return nil
	}, wanted)
}

// Verification is the answer to VerifyEmail.
type Verification struct{ status int }

// StatusCode tells what was done from what will be.
func (v Verification) StatusCode() int { return v.status }

// VerifyEmail takes a link's token from anybody: mails are read elsewhere. The
// endpoint is public for that, so who wants another link is looked at here.
func (s *Service) VerifyEmail(ctx context.Context, r VerifyRequest) (Verification, error) {
	switch {
	case r.Resend && r.Token != "":
		return Verification{}, fault.Breaks(fault.Field{Pointer: "/resend", Code: "not_allowed", Detail: "stands alone, without a token"})
	case r.Resend:
		return Verification{http.StatusAccepted}, s.resend(ctx)
	case r.Token == "":
		return Verification{}, fault.Breaks(fault.Field{Pointer: "/token", Code: "required", Detail: "is required"})
	}
	h, err := linkHash(r.Token)
	if err != nil {
		return Verification{}, err
	}
	return Verification{http.StatusNoContent}, s.store.VerifyEmail(ctx, h, s.now())
}

func (s *Service) resend(ctx context.Context) error {
	c, err := s.verifier.Verify(ctx, endpoint.From(ctx).Token)
	if err != nil {
		return err
	}
	id, _, err := s.living(ctx, c)
	if err != nil {
		return err
	}
	u, err := s.store.User(ctx, id)
	if err != nil {
		return err
	}
	return s.want(ctx, u, VerifyEmail)
}

// ForgotPassword has a link sent to whoever has the email. Neither the answer
// nor the time that it takes tells whether anybody does.
func (s *Service) ForgotPassword(ctx context.Context, r ForgotRequest) error {
	began := s.now()
	var g guess
	g.count("forgot "+endpoint.Block(endpoint.From(ctx).Client).String(), requestsOfAddress)
	if err := s.try(ctx, g); err != nil {
		if errors.Is(err, errThrottled) {
			return errManyRequests.After(fault.Of(err).RetryAfter)
		}
		return err
	}
	u, err := s.store.FindUser(ctx, "", EmailKey(r.Email))
	if err == nil {
		err = s.want(ctx, u, ResetPassword)
	}
	s.levelOut(ctx, began)
	if errors.Is(err, ErrNoUser) || errors.Is(err, errManyLinks) {
		return nil
	}
	return err
}

// ResetPassword gives the user of a link a new password. All of their sessions
// end: whoever had the old one has nothing any more.
func (s *Service) ResetPassword(ctx context.Context, r ResetRequest) error {
	link, err := linkHash(r.Token)
	if err != nil {
		return err
	}
	u, err := s.store.LinkUser(ctx, link, ResetPassword, s.now())
	if err != nil {
		return err
	}
	if err := checkPassword("/password", r.Password, deref(u.Email), deref(u.Username), u.Name); err != nil {
		return err
	}
	hash, err := s.hasher.Hash(ctx, r.Password)
	if err != nil {
		return hashing(err)
	}
	changed, err := PasswordSet.About(ctx, u.ID, PasswordChange{Reset: true})
	if err != nil {
		return err
	}
	err = s.store.ResetPassword(ctx, link, hash, s.now(), changed)
	s.feed.wake()
	return err
}
