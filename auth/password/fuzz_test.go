package password_test

import (
	"errors"
	"regexp"
	"testing"

	"github.com/trellis-go/trellis/auth/password"
)

// costly says which hashes the fuzzer only parses: those with a number of
// three digits or more, and bcrypt above its least cost.
var costly = regexp.MustCompile(`[0-9]{3,}[$,]|t=[0-9]{2}|\$2[aby]\$(0[5-9]|1)|scrypt\$.*\$[0-9]{2}\$`)

func FuzzVerify(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.encoded, v.password)
	}
	f.Add("!unusable", "")
	f.Add("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "\x00")
	f.Add("pbkdf2_sha256$1$$zoGduxeVdcPhI6YOsVkavyG2rI2re2jx77JQziXT+Eg=", "")
	f.Fuzz(func(t *testing.T, encoded, p string) {
		err := password.Check(encoded)
		switch {
		case errors.Is(err, password.ErrUnusable):
			return
		case err != nil && !errors.Is(err, password.ErrMalformed):
			t.Fatal(err)
		case err == nil && costly.MatchString(encoded):
			return
		}
		_, verr := password.Matches(encoded, p)
		if (verr == nil) != (err == nil) {
			t.Fatalf("Check says %v, verifying %v", err, verr)
		}
	})
}
