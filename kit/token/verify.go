package token

import (
	"context"
	"crypto/ed25519"
	"crypto/subtle"
	"errors"
	"hash/maphash"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/trellis-go/trellis/kit/fault"
)

// What is wrong with a token, as its bearer is told.
var (
	ErrMissing = fault.New(fault.Unauthenticated, "token_missing", "This needs an access token.")
	ErrInvalid = fault.New(fault.Unauthenticated, "token_invalid", "The access token is not valid.")
	ErrExpired = fault.New(fault.Unauthenticated, "token_expired", "The access token has expired.")
	ErrRevoked = fault.New(fault.Unauthenticated, "session_ended", "The session has ended.")
)

// Keys finds the public key with an id. It answers ErrInvalid when there is none.
type Keys interface {
	Key(ctx context.Context, id string) (ed25519.PublicKey, error)
}

// Verifier verifies access tokens. A token that was found valid is remembered
// until it expires, so that the signature is checked once.
type Verifier struct {
	keys             Keys
	issuer, audience string
	now              func() time.Time
	seed             maphash.Seed
	seen             *lru.Cache[uint64, remembered] // by a hash that nobody outside can compute
	revoked          *Revocations                   // nil for none
}

type remembered struct {
	token   []byte
	caller  *Caller
	session any // the caller's, a string
}

const (
	maxLength = 8 << 10         // bytes of a token; more is refused unread
	maxSeen   = 16 << 10        // tokens remembered
	leeway    = 5 * time.Second // how far clocks may be apart
)

// NewVerifier returns a verifier of one issuer's tokens for one audience.
func NewVerifier(keys Keys, issuer, audience string) *Verifier {
	seen, err := lru.New[uint64, remembered](maxSeen)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &Verifier{keys, issuer, audience, time.Now, maphash.MakeSeed(), seen, nil}
}

// Heed makes v refuse the tokens of sessions that have ended. Call it before
// the first token comes.
func (v *Verifier) Heed(r *Revocations) { v.revoked = r }

// Cached returns the caller of a token that was verified before, has not
// expired and is of no ended session, or nil. It costs one hash and no signature.
func (v *Verifier) Cached(token string) *Caller {
	r, ok := v.recall(token)
	if !ok || v.revoked.has(r.session) {
		return nil
	}
	return r.caller
}

// recall finds a token that was verified before and has not expired.
func (v *Verifier) recall(token string) (r remembered, ok bool) {
	if token == "" || len(token) > maxLength {
		return r, false
	}
	if r, ok = v.seen.Get(maphash.String(v.seed, token)); !ok {
		return r, false
	}
	var buf [1 << 10]byte // on the stack, where a []byte(token) would not be
	return r, subtle.ConstantTimeCompare(r.token, append(buf[:0], token...)) == 1 && v.now().Before(r.caller.Expires)
}

// Verify returns the caller that a token names. Errors are ErrMissing,
// ErrExpired, ErrRevoked, ErrInvalid with the cause for the logs, or that the
// keys or the ended sessions cannot be had.
func (v *Verifier) Verify(ctx context.Context, token string) (*Caller, error) {
	if token == "" {
		return nil, ErrMissing
	}
	r, ok := v.recall(token)
	if !ok {
		c, err := v.verify(ctx, token)
		if err == nil {
			err = v.revoked.wait(ctx)
		}
		if err != nil {
			return nil, err
		}
		r = remembered{[]byte(token), c, c.Session}
		v.seen.Add(maphash.String(v.seed, token), r)
	}
	if v.revoked.has(r.session) {
		return nil, ErrRevoked
	}
	return r.caller, nil
}

func (v *Verifier) verify(ctx context.Context, token string) (*Caller, error) {
	if len(token) > maxLength {
		return nil, ErrInvalid.Because(errors.New("too long"))
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.EdDSA}) // and no other: "none" and HMAC end here
	if err != nil {
		return nil, ErrInvalid.Because(err)
	}
	if len(parsed.Headers) != 1 {
		return nil, ErrInvalid.Because(errors.New("not one signature"))
	}
	header := parsed.Headers[0]
	if header.ExtraHeaders[jose.HeaderType] != kind {
		return nil, ErrInvalid.Because(errors.New("typ is not " + kind))
	}
	key, err := v.keys.Key(ctx, header.KeyID)
	if err != nil {
		return nil, err
	}
	var got claims
	if err := parsed.Claims(key, &got); err != nil {
		return nil, ErrInvalid.Because(err)
	}
	return v.check(got)
}

func (v *Verifier) check(got claims) (*Caller, error) {
	if got.Expiry == nil || got.Subject == "" || v.issuer == "" || v.audience == "" {
		return nil, ErrInvalid.Because(errors.New("exp, sub, iss or aud is missing"))
	}
	expected := jwt.Expected{Issuer: v.issuer, AnyAudience: jwt.Audience{v.audience}, Time: v.now()}
	switch err := got.ValidateWithLeeway(expected, leeway); {
	case errors.Is(err, jwt.ErrExpired):
		return nil, ErrExpired
	case err != nil:
		return nil, ErrInvalid.Because(err)
	}
	return &Caller{ID: got.Subject, Session: got.Session, Roles: got.Roles, Scope: got.Scope, Expires: got.Expiry.Time().Add(leeway)}, nil
}
