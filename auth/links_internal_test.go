package auth

import (
	"encoding/base64"
	"errors"
	"testing"
)

// Of all texts one is a link's token, and whatever is none has expired.
func FuzzLinkHash(f *testing.F) {
	secret := random(linkSize)
	genuine := linkPrefix + base64.RawURLEncoding.EncodeToString(secret)
	for _, text := range []string{genuine, genuine[:len(genuine)-1], genuine + "A", genuine + "=", genuine[len(linkPrefix):], linkPrefix, ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := linkHash(text)
		if err != nil && !errors.Is(err, ErrLinkExpired) {
			t.Errorf("%q: %v", text, err)
		}
		if (err == nil && h == Hash(hash(secret))) != (text == genuine) {
			t.Errorf("%q: %x, %v", text, h, err)
		}
	})
}
