package token_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/token"
)

func TestValid(t *testing.T) {
	t.Parallel()
	w := newWorld()
	want := token.Caller{ID: "u1", Session: "s1", Roles: []string{"admin", "author"}, Scope: "notes:read", Expires: time.Now().Add(time.Hour)}
	text := w.sign(t, want)
	for range 2 { // the second from the cache
		got, err := w.verifier.Verify(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		if late := got.Expires.Sub(want.Expires); late < -time.Second || late > 10*time.Second {
			t.Errorf("expires %v, want about %v", got.Expires, want.Expires)
		}
		same := *got
		same.Expires = want.Expires
		if !reflect.DeepEqual(same, want) {
			t.Errorf("caller is %+v, want %+v", got, want)
		}
		if !got.Is("author") || got.Is("root") || got.Is("") {
			t.Errorf("roles are %q", got.Roles)
		}
	}
	if w.asked.Load() != 1 {
		t.Errorf("%d signatures were checked, want 1", w.asked.Load())
	}
}

// Every way to come in that is known of. The last part of each token is
// signed as well as an attacker could.
func TestAttacks(t *testing.T) {
	t.Parallel()
	w := newWorld()
	evil := newKey("k1") // names itself as the real one
	valid := forge(w.header(), w.claims(), by(w.key))
	part := strings.Split(valid, ".")
	foreign := w.sign(t, token.Caller{ID: "u2", Expires: time.Now().Add(time.Hour)})
	spki, err := x509.MarshalPKIXPublicKey(w.public())
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	hs256 := func(secret []byte) func(string) []byte {
		return func(input string) []byte {
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(input))
			return mac.Sum(nil)
		}
	}
	rs256 := func(input string) []byte {
		sum := sha256.Sum256([]byte(input))
		sig, err := rsa.SignPKCS1v15(nil, rsaKey, crypto.SHA256, sum[:])
		if err != nil {
			t.Error(err)
		}
		return sig
	}
	none := func(string) []byte { return nil }
	jwk := func(k any) object {
		text, err := json.Marshal(jose.JSONWebKey{Key: k, KeyID: "k1", Algorithm: "EdDSA"})
		var o object
		if err == nil {
			err = json.Unmarshal(text, &o)
		}
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	var fetched atomic.Int64
	lure := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fetched.Add(1) }))
	t.Cleanup(func() {
		lure.Close()
		if fetched.Load() != 0 {
			t.Error("a URL that a token named was fetched")
		}
	})
	now := time.Now().Unix()
	mine := w.claims("sub", "admin")
	b64 := base64.RawURLEncoding

	for name, tt := range map[string]struct {
		token string
		want  *fault.Error // token_invalid if nil
	}{
		"empty":                    {"", token.ErrMissing},
		"blank":                    {" ", nil},
		"no token":                 {"hunter2", nil},
		"two parts":                {part[0] + "." + part[1], nil},
		"no signature":             {part[0] + "." + part[1] + ".", nil},
		"four parts":               {valid + ".x", nil},
		"five parts, as encrypted": {"a.b.c.d.e", nil},
		"9 KiB":                    {forge(w.header(), w.claims("pad", strings.Repeat("x", 9<<10)), by(w.key)), nil},

		"alg none":                       {forge(w.header("alg", "none"), mine, none), nil},
		"alg None":                       {forge(w.header("alg", "None"), mine, none), nil},
		"alg empty":                      {forge(w.header("alg", ""), mine, none), nil},
		"alg missing":                    {forge(w.header("alg", nil), mine, by(w.key)), nil},
		"alg is no text":                 {forge(w.header("alg", 1), mine, by(w.key)), nil},
		"alg none with a good signature": {forge(w.header("alg", "none"), mine, by(w.key)), nil},
		"HS256 with the public key":      {forge(w.header("alg", "HS256"), mine, hs256(w.public())), nil},
		"HS256 with its base64":          {forge(w.header("alg", "HS256"), mine, hs256([]byte(b64.EncodeToString(w.public())))), nil},
		"HS256 with its PEM": {forge(w.header("alg", "HS256"), mine,
			hs256(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))), nil},
		"RS256":                          {forge(w.header("alg", "RS256"), mine, rs256), nil},
		"RS256's signature called EdDSA": {forge(w.header(), mine, rs256), nil},

		"another key":                  {forge(w.header(), mine, by(evil)), nil},
		"a foreign kid":                {forge(w.header("kid", "k2"), mine, by(evil)), nil},
		"a foreign kid, the right key": {forge(w.header("kid", "k2"), mine, by(w.key)), nil},
		"no kid":                       {forge(w.header("kid", nil), mine, by(w.key)), nil},
		"kid is no text":               {forge(w.header("kid", []string{"k1"}), mine, by(w.key)), nil},
		"kid is a path":                {forge(w.header("kid", "../../dev/null"), mine, by(evil)), nil},
		"a key in the header":          {forge(w.header("jwk", jwk(evil.Private.Public())), mine, by(evil)), nil},
		"a key in the header, no kid":  {forge(w.header("jwk", jwk(evil.Private.Public()), "kid", nil), mine, by(evil)), nil},
		"a private key in the header":  {forge(w.header("jwk", jwk(evil.Private)), mine, by(evil)), nil},
		"jku":                          {forge(w.header("jku", lure.URL), mine, by(evil)), nil},
		"x5u":                          {forge(w.header("x5u", lure.URL), mine, by(evil)), nil},
		"x5c":                          {forge(w.header("x5c", []string{base64.StdEncoding.EncodeToString(spki)}), mine, by(evil)), nil},
		"crit":                         {forge(w.header("crit", []string{"exp"}), mine, by(w.key)), nil},
		"crit of what is not there":    {forge(w.header("crit", []string{"nothing"}), mine, by(w.key)), nil},

		"typ JWT":                {forge(w.header("typ", "JWT"), mine, by(w.key)), nil},
		"typ of a refresh token": {forge(w.header("typ", "rt+jwt"), mine, by(w.key)), nil},
		"typ missing":            {forge(w.header("typ", nil), mine, by(w.key)), nil},
		"typ is no text":         {forge(w.header("typ", []string{"at+jwt"}), mine, by(w.key)), nil},

		"another issuer":    {forge(w.header(), w.claims("iss", "https://evil.test"), by(w.key)), nil},
		"issuer missing":    {forge(w.header(), w.claims("iss", nil), by(w.key)), nil},
		"issuer empty":      {forge(w.header(), w.claims("iss", ""), by(w.key)), nil},
		"another audience":  {forge(w.header(), w.claims("aud", "other"), by(w.key)), nil},
		"audience missing":  {forge(w.header(), w.claims("aud", nil), by(w.key)), nil},
		"audience empty":    {forge(w.header(), w.claims("aud", []string{}), by(w.key)), nil},
		"subject missing":   {forge(w.header(), w.claims("sub", nil), by(w.key)), nil},
		"subject empty":     {forge(w.header(), w.claims("sub", ""), by(w.key)), nil},
		"subject a number":  {forge(w.header(), w.claims("sub", 1), by(w.key)), nil},
		"expiry missing":    {forge(w.header(), w.claims("exp", nil), by(w.key)), nil},
		"expiry a text":     {forge(w.header(), w.claims("exp", "never"), by(w.key)), nil},
		"expired":           {forge(w.header(), w.claims("exp", now-10), by(w.key)), token.ErrExpired},
		"expired in 1970":   {forge(w.header(), w.claims("exp", 0), by(w.key)), token.ErrExpired},
		"not yet":           {forge(w.header(), w.claims("nbf", now+60), by(w.key)), nil},
		"from the future":   {forge(w.header(), w.claims("iat", now+60), by(w.key)), nil},
		"claims are a list": {part[0] + "." + encode([]byte("[]")) + "." + part[2], nil},

		"payload of another":       {part[0] + "." + strings.Split(foreign, ".")[1] + "." + part[2], nil},
		"header of another":        {w.header("x", 1).encode() + "." + part[1] + "." + part[2], nil},
		"signature of another":     {part[0] + "." + part[1] + "." + strings.Split(foreign, ".")[2], nil},
		"signature a bit off":      {part[0] + "." + part[1] + "." + flip(t, part[2]), nil},
		"signature cut":            {part[0] + "." + part[1] + "." + part[2][:80], nil},
		"signature of zeros":       {part[0] + "." + part[1] + "." + encode(make([]byte, 64)), nil},
		"S that is not reduced":    {part[0] + "." + part[1] + "." + unreduced(t, part[2]), nil},
		"JSON serialization":       {`{"protected":"` + part[0] + `","payload":"` + part[1] + `","signature":"` + part[2] + `"}`, nil},
		"two signatures":           {`{"payload":"` + part[1] + `","signatures":[{"protected":"` + part[0] + `","signature":"` + part[2] + `"},{"protected":"` + part[0] + `","signature":"` + part[2] + `"}]}`, nil},
		"two tokens":               {valid + "," + valid, nil},
		"standard base64":          {part[0] + "." + part[1] + "." + base64.StdEncoding.EncodeToString([]byte("\xfb\xff")), nil},
		"a token within the token": {forge(w.header("cty", "JWT"), object{"jwt": valid}, by(w.key)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := tt.want
			if want == nil {
				want = token.ErrInvalid
			}
			for range 2 { // a refused token is not in the cache
				c, err := w.verifier.Verify(t.Context(), tt.token)
				if c != nil || !errors.Is(err, want) {
					t.Errorf("caller %+v, error %v, want %s", c, err, want.Code)
				}
				if f := fault.Of(err); f.Kind != fault.Unauthenticated || f.Message != want.Message {
					t.Errorf("the bearer is told %d %q", f.Kind, f.Message)
				}
				if w.verifier.Cached(tt.token) != nil {
					t.Error("it is in the cache")
				}
			}
		})
	}

	// Lest it be the forging that fails.
	for name, text := range map[string]string{
		"as it was made":        valid,
		"with a jku":            forge(w.header("jku", lure.URL), w.claims(), by(w.key)),
		"for several audiences": forge(w.header(), w.claims("aud", []string{"other", "trellis"}), by(w.key)),
		"for one, as text":      forge(w.header(), w.claims("aud", "trellis"), by(w.key)),
	} {
		if _, err := w.verifier.Verify(t.Context(), text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// flip changes one bit in the middle of a base64 text.
func flip(t *testing.T, text string) string {
	b := decode(t, text)
	b[len(b)/2] ^= 1
	return encode(b)
}

// unreduced adds the group's order to the signature's S: the same signature in
// another form, which RFC 8032 wants refused.
func unreduced(t *testing.T, text string) string {
	b := decode(t, text)
	order := []byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10}
	carry := 0
	for i, o := range order {
		carry += int(b[32+i]) + int(o)
		b[32+i] = byte(carry)
		carry >>= 8
	}
	return encode(b)
}

func decode(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A verifier that was not told whom to believe believes nobody.
func TestVerifierWithoutIssuer(t *testing.T) {
	t.Parallel()
	w := newWorld()
	text := forge(w.header(), w.claims("iss", "", "aud", ""), by(w.key))
	for _, v := range []*token.Verifier{token.NewVerifier(w, "", ""), token.NewVerifier(w, "", "trellis"), token.NewVerifier(w, w.signer.Issuer, "")} {
		for _, text := range []string{text, forge(w.header(), w.claims(), by(w.key))} {
			if c, err := v.Verify(t.Context(), text); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("caller %+v, error %v", c, err)
			}
		}
	}
}

// Clocks may be five seconds apart, and no more; the cache ends where
// verification does.
func TestExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		text := w.sign(t, token.Caller{ID: "u1", Expires: time.Now().Add(time.Minute)})
		if w.verifier.Cached(text) != nil {
			t.Error("in the cache before it was verified")
		}
		if _, err := w.verifier.Verify(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute + 4*time.Second)
		if w.verifier.Cached(text) == nil {
			t.Error("not in the cache before it expires")
		}
		if _, err := w.verifier.Verify(t.Context(), text); err != nil || w.asked.Load() != 1 {
			t.Errorf("before it expires: %v, %d signatures checked", err, w.asked.Load())
		}
		time.Sleep(2 * time.Second)
		if w.verifier.Cached(text) != nil {
			t.Error("in the cache after it expired")
		}
		for range 2 {
			if _, err := w.verifier.Verify(t.Context(), text); !errors.Is(err, token.ErrExpired) {
				t.Errorf("after it expired: %v", err)
			}
		}
	})
}

func TestNotBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		text := forge(w.header(), w.claims("nbf", time.Now().Add(time.Minute).Unix()), by(w.key))
		if _, err := w.verifier.Verify(t.Context(), text); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("too early: %v", err)
		}
		time.Sleep(time.Minute)
		if _, err := w.verifier.Verify(t.Context(), text); err != nil {
			t.Errorf("in time: %v", err)
		}
	})
}

// That the keys cannot be had is no fault of the token.
func TestKeysAway(t *testing.T) {
	t.Parallel()
	w := newWorld()
	away := fault.New(fault.Unavailable, "keys_unavailable", "")
	v := token.NewVerifier(keysFunc(func() error { return away }), w.signer.Issuer, w.signer.Audience)
	text := w.sign(t, token.Caller{ID: "u1", Expires: time.Now().Add(time.Hour)})
	if _, err := v.Verify(t.Context(), text); !errors.Is(err, away) {
		t.Errorf("error is %v", err)
	}
}

type keysFunc func() error

func (f keysFunc) Key(context.Context, string) (ed25519.PublicKey, error) { return nil, f() }

func TestPublicKeyHasNoPrivatePart(t *testing.T) {
	t.Parallel()
	key := newKey("k1")
	text, err := json.Marshal(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	var got object
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := object{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "alg": "EdDSA", "use": "sig",
		"x": encode(key.Private.Public().(ed25519.PublicKey))}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("published: %v, want %v", got, want)
	}
}

// Whatever the bytes: what is accepted was signed by the key, as it stands.
func FuzzVerify(f *testing.F) {
	w := newWorld()
	w.key.Private = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)) // the same in each of the fuzzer's processes
	w.known["k1"] = w.public()
	exp := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	signed := map[string]bool{}
	for _, claims := range []object{
		w.claims("iat", 1, "exp", exp),
		w.claims("iat", 1, "exp", exp, "sub", "u2", "roles", []string{}, "scope", "a b"),
	} {
		text := forge(w.header(), claims, by(w.key))
		signed[text[:strings.LastIndexByte(text, '.')]] = true
		part := strings.Split(text, ".")
		for _, seed := range []string{
			text, text + "=", text + "\n", " " + text, text + ".", text[:len(text)-1], text[1:],
			text[:len(text)-1] + "_", part[0] + "." + part[1], part[0] + ".." + part[2], part[0] + "." + part[1] + ".",
			forge(w.header("alg", "none"), claims, func(string) []byte { return nil }),
			forge(w.header("jwk", object{"kty": "OKP", "crv": "Ed25519", "x": encode(newKey("").Private.Public().(ed25519.PublicKey))}), claims, by(newKey("k1"))),
			`{"protected":"` + part[0] + `","payload":"` + part[1] + `","signature":"` + part[2] + `"}`,
		} {
			f.Add(seed)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := w.verifier.Verify(t.Context(), text)
		if err != nil {
			if kind := fault.Of(err).Kind; c != nil || kind != fault.Unauthenticated {
				t.Errorf("caller %+v, error %v", c, err)
			}
			return
		}
		// base64 has several spellings of the same bytes: in other white space, and in its last bits.
		strip := strings.NewReplacer("\n", "", "\r", "", " ", "", "\t", "", "=", "")
		part := strings.Split(strip.Replace(text), ".")
		if len(part) != 3 {
			t.Fatalf("accepted: %q", text)
		}
		input := encode(decode(t, part[0])) + "." + encode(decode(t, part[1]))
		if !signed[input] || !ed25519.Verify(w.public(), []byte(input), decode(t, part[2])) {
			t.Errorf("accepted, and not signed: %q", text)
		}
	})
}
