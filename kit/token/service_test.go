package token_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/token"
)

// mac signs with HMAC.
func mac(key []byte) func(string) []byte {
	return func(input string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(input))
		return h.Sum(nil)
	}
}

func TestServiceKey(t *testing.T) {
	t.Parallel()
	key := token.NewServiceKey()
	now := time.Now()
	text, err := key.Sign("auth", now)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Duration{0, time.Minute} {
		caller, err := key.Verify(text, now.Add(at))
		if err != nil || caller.Service != "auth" || caller.ID != "" || caller.Session != "" || caller.Roles != nil {
			t.Errorf("after %v the caller is %+v, %v", at, caller, err)
		} else if lasts := caller.Expires.Sub(now); lasts < time.Minute || lasts > 2*time.Minute {
			t.Errorf("it lasts %v", lasts)
		}
	}
	if _, err := key.Verify(text, now.Add(2*time.Minute)); !errors.Is(err, token.ErrExpired) {
		t.Errorf("an old one is %v", err)
	}
	if token.NewServiceKey().String() == string(token.NewServiceKey()) || string(key) == string(token.NewServiceKey()) {
		t.Error("keys are not random")
	}
}

// Every way to come in that is known of.
func TestServiceAttacks(t *testing.T) {
	t.Parallel()
	w := newWorld()
	key := token.NewServiceKey()
	now := time.Now()
	header := func(changes ...any) object { return object{"alg": "HS256", "typ": "svc+jwt"}.with(changes) }
	claims := func(changes ...any) object {
		return object{"sub": "auth", "aud": []string{"trellis-services"}, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}.with(changes)
	}
	valid := forge(header(), claims(), mac(key))
	if _, err := key.Verify(valid, now); err != nil {
		t.Fatalf("the forger forges badly: %v", err)
	}
	user := w.sign(t, token.Caller{ID: "auth", Expires: now.Add(time.Hour)})
	none := func(string) []byte { return nil }
	for name, tt := range map[string]struct {
		token string
		want  error
	}{
		"nothing":               {"", token.ErrMissing},
		"no token":              {"auth", token.ErrInvalid},
		"two parts":             {valid[:strings.LastIndexByte(valid, '.')], token.ErrInvalid},
		"no signature":          {valid[:strings.LastIndexByte(valid, '.')+1], token.ErrInvalid},
		"another key":           {forge(header(), claims(), mac(token.NewServiceKey())), token.ErrInvalid},
		"an empty key":          {forge(header(), claims(), mac(nil)), token.ErrInvalid},
		"alg none":              {forge(header("alg", "none"), claims(), none), token.ErrInvalid},
		"alg None":              {forge(header("alg", "None"), claims(), none), token.ErrInvalid},
		"alg missing":           {forge(header("alg", nil), claims(), mac(key)), token.ErrInvalid},
		"alg EdDSA":             {forge(header("alg", "EdDSA"), claims(), by(w.key)), token.ErrInvalid},
		"alg HS512":             {forge(header("alg", "HS512"), claims(), mac512(key)), token.ErrInvalid},
		"typ at+jwt":            {forge(header("typ", "at+jwt"), claims(), mac(key)), token.ErrInvalid},
		"typ JWT":               {forge(header("typ", "JWT"), claims(), mac(key)), token.ErrInvalid},
		"typ missing":           {forge(header("typ", nil), claims(), mac(key)), token.ErrInvalid},
		"expired":               {forge(header(), claims("exp", now.Add(-time.Hour).Unix()), mac(key)), token.ErrExpired},
		"exp missing":           {forge(header(), claims("exp", nil), mac(key)), token.ErrInvalid},
		"exp text":              {forge(header(), claims("exp", "never"), mac(key)), token.ErrInvalid},
		"not yet":               {forge(header(), claims("nbf", now.Add(time.Hour).Unix()), mac(key)), token.ErrInvalid},
		"of the future":         {forge(header(), claims("iat", now.Add(time.Hour).Unix(), "exp", now.Add(2*time.Hour).Unix()), mac(key)), token.ErrInvalid},
		"sub missing":           {forge(header(), claims("sub", nil), mac(key)), token.ErrInvalid},
		"aud missing":           {forge(header(), claims("aud", nil), mac(key)), token.ErrInvalid},
		"for users":             {forge(header(), claims("aud", "trellis"), mac(key)), token.ErrInvalid},
		"a user's":              {user, token.ErrInvalid},
		"a user's, signed anew": {forge(w.header("alg", "HS256"), w.claims(), mac(key)), token.ErrInvalid},
		"by the public key":     {forge(header(), claims(), mac(w.public())), token.ErrInvalid},
		"too long":              {valid + strings.Repeat("A", 1<<20), token.ErrInvalid},
	} {
		if caller, err := key.Verify(tt.token, now); caller != nil || !errors.Is(err, tt.want) {
			t.Errorf("%s: %+v, %v", name, caller, err)
		}
	}
	if caller, err := w.verifier.Verify(t.Context(), valid); err == nil {
		t.Errorf("a service's token is a user's: %+v", caller)
	}
}

func mac512(key []byte) func(string) []byte {
	return func(input string) []byte {
		h := hmac.New(sha512.New, key)
		h.Write([]byte(input))
		return h.Sum(nil)
	}
}

// Without a key, or with one that can be guessed, nobody comes in.
func TestNoServiceKey(t *testing.T) {
	t.Parallel()
	now := time.Now()
	valid, err := token.NewServiceKey().Sign("auth", now)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]token.ServiceKey{"none": nil, "empty": {}, "short": token.ServiceKey("0123456789012345678901234567890")} {
		if text, err := key.Sign("auth", now); err == nil {
			t.Errorf("%s signs %s", name, text)
		}
		for _, text := range []string{valid, forge(object{"alg": "HS256", "typ": "svc+jwt"}, object{"sub": "auth", "aud": "trellis-services", "exp": now.Add(time.Minute).Unix()}, mac(key))} {
			if _, err := key.Verify(text, now); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestServiceKeyText(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{"": true, strings.Repeat("x", 31): false, strings.Repeat("x", 32): true, strings.Repeat("ü", 16): true} {
		var key token.ServiceKey
		if err := key.UnmarshalText([]byte(text)); (err == nil) != ok || ok && string(key) != text {
			t.Errorf("%q: %v", text, err)
		}
	}
	key := token.ServiceKey(strings.Repeat("hush", 8))
	holder := struct{ Secret token.ServiceKey }{key}
	shown, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(key), fmt.Sprintf("%s %q %v %+v %#v %x %d", key, key, holder, holder, holder, key, key), string(shown)} {
		for _, secret := range []string{"hush", "68757368", "aHVzaG", "104 117", "0x68"} {
			if strings.Contains(text, secret) {
				t.Errorf("the key is shown: %s", text)
			}
		}
	}
}
