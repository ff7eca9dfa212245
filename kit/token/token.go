// Package token signs and verifies access tokens, and says who is calling: a
// JSON Web Token (RFC 7519, RFC 9068) with an Ed25519 signature (RFC 8037),
// verified against a published key set (RFC 7517).
package token

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Caller is who a valid token was given to.
type Caller struct {
	ID      string   // the user, or "" for nobody and for a service
	Service string   // the service that calls, or ""
	Session string   // the session that the token belongs to
	Roles   []string // such as "admin"
	Scope   string   // what the token is for, blank-separated
	Expires time.Time
}

// Is tells whether the caller has a role.
func (c *Caller) Is(role string) bool { return slices.Contains(c.Roles, role) }

// Key signs tokens.
type Key struct {
	ID      string
	Private ed25519.PrivateKey
}

// Public is the key as others may see it.
func (k Key) Public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.Private.Public(), KeyID: k.ID, Algorithm: string(jose.EdDSA), Use: "sig"}
}

const kind = "at+jwt" // RFC 9068; a token made for another purpose is no access token

type claims struct {
	jwt.Claims
	Session string   `json:"sid,omitempty"`
	Roles   []string `json:"roles"`
	Scope   string   `json:"scope,omitempty"`
}

// Signer signs tokens in the name of one issuer.
type Signer struct{ Issuer, Audience string }

// Sign returns a token that says who the caller is until c.Expires.
func (s Signer) Sign(k Key, c Caller, now time.Time) (string, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: k.Private, KeyID: k.ID}},
		(&jose.SignerOptions{}).WithType(kind))
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	roles := c.Roles
	if roles == nil {
		roles = []string{}
	}
	text, err := jwt.Signed(signer).Claims(claims{
		Claims: jwt.Claims{
			Issuer:   s.Issuer,
			Audience: jwt.Audience{s.Audience},
			Subject:  c.ID,
			IssuedAt: jwt.NewNumericDate(now),
			Expiry:   jwt.NewNumericDate(c.Expires),
		},
		Session: c.Session, Roles: roles, Scope: c.Scope,
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return text, nil
}
