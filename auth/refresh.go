package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/fault"
)

// A refresh token serves once: it is exchanged for the next one of its
// session (RFC 9700, section 4.14.2). The store has only hashes, and the
// salt with which a token makes its successor, so that
//
//   - two tabs that present the same token within sharedFor both get the same
//     successor, and go on;
//   - a client that lost the answer and comes back later gets another
//     successor, and the lost one is dead;
//   - whoever comes with a token that was replaced, an older one or a dead
//     one, shows that two hold what only one should: the session ends.
//
// A thief is in the third case, or the owner is after him: whichever of the
// two comes second holds a dead token.
type refreshToken struct {
	session    uuid.UUID
	generation int64
	secret     []byte // secretSize bytes
	mark       []byte // proves that the session issued it, without keeping all it ever issued
}

const (
	secretSize = 32
	markSize   = 16
	tokenSize  = 16 + 8 + secretSize + markSize
	prefix     = "trr_" // for those who look for leaked secrets

	sharedFor   = 10 * time.Second
	sessionLife = 30 * 24 * time.Hour // since the last refresh
)

var (
	ErrRefreshInvalid = fault.New(fault.Unauthenticated, "refresh_invalid", "The refresh token is not valid. Log in again.")
	ErrRefreshReused  = fault.New(fault.Unauthenticated, "refresh_reused", "The refresh token was used before, so the session was ended. Log in again.")
)

func parseRefresh(text string) (t refreshToken, err error) {
	encoded, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return t, errors.New("no refresh token")
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(b) != tokenSize {
		return t, errors.New("no refresh token")
	}
	t.session = uuid.UUID(b[:16])
	t.generation = int64(binary.BigEndian.Uint64(b[16:24]))
	t.secret, t.mark = b[24:24+secretSize], b[24+secretSize:]
	return t, nil
}

func (t refreshToken) String() string {
	b := make([]byte, 0, tokenSize)
	b = append(b, t.session[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.generation))
	b = append(b, t.secret...)
	b = append(b, t.mark...)
	return prefix + base64.RawURLEncoding.EncodeToString(b)
}

// token is the session's refresh token with a secret, at its present generation.
func (s *Session) token(secret []byte) refreshToken {
	return refreshToken{s.ID, s.Generation, secret, mark(s.Chain, s.Generation, secret)}
}

func mark(chain []byte, generation int64, secret []byte) []byte {
	mac := hmac.New(sha256.New, chain)
	_ = binary.Write(mac, binary.BigEndian, generation)
	mac.Write(secret)
	return mac.Sum(nil)[:markSize]
}

func successor(secret, salt []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write(salt)
	return mac.Sum(nil)
}

func hash(b []byte) []byte { h := sha256.Sum256(b); return h[:] }

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// begin gives a new session its first refresh token.
func (s *Session) begin() refreshToken {
	secret := random(secretSize)
	s.Chain, s.Current = random(32), hash(secret)
	return s.token(secret)
}

// exchange takes a refresh token and returns its successor, or ErrRefreshInvalid,
// or ends the session and returns ErrRefreshReused.
func (s *Session) exchange(t refreshToken, by []byte, now time.Time) (refreshToken, error) {
	if s.EndedAt != nil || now.After(s.ExpiresAt) {
		return t, ErrRefreshInvalid.Because(errors.New("the session has ended"))
	}
	if !hmac.Equal(t.mark, mark(s.Chain, t.generation, t.secret)) {
		return t, ErrRefreshInvalid.Because(errors.New("not issued here"))
	}
	switch h := hash(t.secret); {
	case t.generation == s.Generation && hmac.Equal(h, s.Current):
		s.Generation++
		s.Previous = h
		s.rotate(t.secret, by, now)
	case t.generation == s.Generation-1 && hmac.Equal(h, s.Previous):
		if now.Sub(s.RotatedAt) > sharedFor || !hmac.Equal(by, s.RotatedBy) {
			s.rotate(t.secret, by, now) // the one that was sent is dead
		}
	default:
		s.EndedAt = &now
		return t, ErrRefreshReused.Because(fmt.Errorf("session %s: generation %d of %d", s.ID, t.generation, s.Generation))
	}
	s.LastSeenAt, s.ExpiresAt = now, now.Add(sessionLife)
	return s.token(successor(t.secret, s.Salt)), nil
}

func (s *Session) rotate(secret, by []byte, now time.Time) {
	s.Salt = random(32)
	s.Current = hash(successor(secret, s.Salt))
	s.RotatedAt, s.RotatedBy = now, by
}

// fingerprint tells one client's tabs from another client: its name, its
// device's cookie and where it is.
func fingerprint(ctx context.Context, c client) []byte {
	return hash([]byte(c.UserAgent + "\x00" + c.Device + "\x00" + endpoint.Block(endpoint.From(ctx).Client).String()))
}

// Refresh exchanges a refresh token for the next one and a new access token.
func (s *Service) Refresh(ctx context.Context, r RefreshRequest) (Tokens, error) {
	text := r.RefreshToken
	if text == "" {
		text = r.Cookie
	}
	if text == "" {
		return Tokens{}, ErrRefreshInvalid
	}
	t, err := parseRefresh(text)
	if err != nil {
		return Tokens{}, ErrRefreshInvalid.Because(err)
	}
	var session Session
	var next refreshToken
	var reused error // which ends the session, and that is to be kept
	err = s.store.UpdateSession(ctx, t.session, func(o *Session) (events []event.Message, err error) {
		next, err = o.exchange(t, fingerprint(ctx, r.client), s.now().UTC().Truncate(time.Microsecond))
		if reused = nil; errors.Is(err, ErrRefreshReused) {
			reused = err
			events, err = messages(TokenReused.About(ctx, o.User, Login{o.ID, o.Device, o.IP}))
		}
		if r.Session == "cookie" {
			o.Cookie = true
		}
		session = *o
		return events, err
	})
	switch {
	case errors.Is(err, ErrNoSession):
		return Tokens{}, ErrRefreshInvalid.Because(err)
	case err != nil:
		return Tokens{}, err
	case reused != nil:
		s.feed.wake()
		return Tokens{}, reused
	}
	u, err := s.store.User(ctx, session.User)
	if err != nil {
		return Tokens{}, err
	}
	if u.Disabled {
		return Tokens{}, ErrRefreshInvalid.Because(errors.New("the user is disabled"))
	}
	return s.tokens(u, session, next, "")
}
