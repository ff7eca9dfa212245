package token_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/token"
)

// world is an issuer, and a verifier that knows its keys.
type world struct {
	signer   token.Signer
	key      token.Key
	verifier *token.Verifier
	known    map[string]ed25519.PublicKey
	asked    atomic.Int64 // how often a key was looked up
}

func newWorld() *world {
	w := &world{
		signer: token.Signer{Issuer: "https://issuer.test", Audience: "trellis"},
		key:    newKey("k1"),
	}
	w.known = map[string]ed25519.PublicKey{"k1": w.public()}
	w.forget()
	return w
}

func newKey(id string) token.Key {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err) // of the system's random numbers
	}
	return token.Key{ID: id, Private: private}
}

// forget begins with an empty cache.
func (w *world) forget() { w.verifier = token.NewVerifier(w, w.signer.Issuer, w.signer.Audience) }

func (w *world) public() ed25519.PublicKey { return w.key.Private.Public().(ed25519.PublicKey) }

// Key implements token.Keys.
func (w *world) Key(_ context.Context, id string) (ed25519.PublicKey, error) {
	w.asked.Add(1)
	if key, ok := w.known[id]; ok {
		return key, nil
	}
	return nil, token.ErrInvalid
}

func (w *world) sign(t testing.TB, c token.Caller) string {
	t.Helper()
	text, err := w.signer.Sign(w.key, c, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

type object map[string]any

// header and claims are those of a valid token; the pairs given change
// members, or take them away when nil.
func (w *world) header(changes ...any) object {
	return object{"alg": "EdDSA", "kid": "k1", "typ": "at+jwt"}.with(changes)
}

func (w *world) claims(changes ...any) object {
	now := time.Now()
	return object{
		"iss": w.signer.Issuer, "aud": []string{w.signer.Audience}, "sub": "u1", "sid": "s1",
		"roles": []string{"admin"}, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}.with(changes)
}

func (o object) with(changes []any) object {
	for i := 0; i < len(changes); i += 2 {
		if name := changes[i].(string); changes[i+1] == nil {
			delete(o, name)
		} else {
			o[name] = changes[i+1]
		}
	}
	return o
}

func (o object) encode() string {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return encode(text)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// forge puts a token together by hand, signed by whatever sign does.
func forge(header, claims object, sign func(input string) []byte) string {
	input := header.encode() + "." + claims.encode()
	return input + "." + encode(sign(input))
}

// by signs with a key.
func by(key token.Key) func(string) []byte {
	return func(input string) []byte { return ed25519.Sign(key.Private, []byte(input)) }
}
