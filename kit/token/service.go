package token

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// ServiceKey is the secret by which services know each other: who has it may
// call their internal endpoints. An empty one lets nobody in.
type ServiceKey []byte

// MinServiceKey is how long a ServiceKey must be, in bytes.
const MinServiceKey = 32

const (
	serviceKind = "svc+jwt"
	serviceLife = time.Minute
	servicePeer = "trellis-services" // the audience
)

// NewServiceKey returns a random key.
func NewServiceKey() ServiceKey { return ServiceKey(rand.Text() + rand.Text()) }

// UnmarshalText takes a key of at least MinServiceKey bytes, or none.
func (k *ServiceKey) UnmarshalText(text []byte) error {
	if len(text) > 0 && len(text) < MinServiceKey {
		return fmt.Errorf("it is shorter than %d characters", MinServiceKey)
	}
	*k = append(ServiceKey{}, text...)
	return nil
}

// String, and what else a printer, a log or an encoder may ask for, keep the
// key out of sight.
func (k ServiceKey) String() string               { return "…" }
func (k ServiceKey) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, k.String()) }
func (k ServiceKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Sign returns a token by which a service shows who it is, for a minute.
func (k ServiceKey) Sign(service string, now time.Time) (string, error) {
	if len(k) < MinServiceKey {
		return "", errors.New("token: the services share no secret")
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(k)}, (&jose.SignerOptions{}).WithType(serviceKind))
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	text, err := jwt.Signed(signer).Claims(jwt.Claims{
		Subject: service, Audience: jwt.Audience{servicePeer},
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(serviceLife)),
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return text, nil
}

// Verify returns the service that a token names. Errors are ErrMissing,
// ErrExpired, or ErrInvalid with the cause for the logs.
func (k ServiceKey) Verify(token string, now time.Time) (*Caller, error) {
	switch {
	case token == "":
		return nil, ErrMissing
	case len(k) < MinServiceKey:
		return nil, ErrInvalid.Because(errors.New("the services share no secret"))
	case len(token) > maxLength:
		return nil, ErrInvalid.Because(errors.New("too long"))
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return nil, ErrInvalid.Because(err)
	}
	if len(parsed.Headers) != 1 || parsed.Headers[0].ExtraHeaders[jose.HeaderType] != serviceKind {
		return nil, ErrInvalid.Because(errors.New("typ is not " + serviceKind))
	}
	var got jwt.Claims
	if err := parsed.Claims([]byte(k), &got); err != nil {
		return nil, ErrInvalid.Because(err)
	}
	if got.Expiry == nil || got.Subject == "" {
		return nil, ErrInvalid.Because(errors.New("exp or sub is missing"))
	}
	switch err := got.ValidateWithLeeway(jwt.Expected{AnyAudience: jwt.Audience{servicePeer}, Time: now}, leeway); {
	case errors.Is(err, jwt.ErrExpired):
		return nil, ErrExpired
	case err != nil:
		return nil, ErrInvalid.Because(err)
	}
	return &Caller{Service: got.Subject, Expires: got.Expiry.Time().Add(leeway)}, nil
}
