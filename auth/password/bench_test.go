package password_test

import (
	"strings"
	"testing"

	"github.com/trellis-go/trellis/auth/password"
)

func BenchmarkHash(b *testing.B) {
	h := password.New(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Hash(b.Context(), "correct horse battery staple"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	h := password.New(1)
	current, err := h.Hash(b.Context(), sample)
	if err != nil {
		b.Fatal(err)
	}
	costs := map[string]string{
		"current":                          current,
		"django argon2id m=102400,t=2,p=8": "argon2$argon2id$v=19$m=102400,t=2,p=8$cEs0V3FKdkkzUnhvQlhXTjlJTmJPVg$d8e6wLl50Whsuc1K2fkqTw",
		"pbkdf2_sha256 260000":             "pbkdf2_sha256$260000$Ls4vTSlIbewvKB4iqI8rk9$zoGduxeVdcPhI6YOsVkavyG2rI2re2jx77JQziXT+Eg=",
		"pbkdf2_sha256 1500000":            "pbkdf2_sha256$1500000$Ls4vTSlIbewvKB4iqI8rk9$zoGduxeVdcPhI6YOsVkavyG2rI2re2jx77JQziXT+Eg=",
		"pbkdf2_sha1 260000":               "pbkdf2_sha1$260000$seasalt$3HjohVjPgru1QqHaD7ZtH3yBAKY=",
		"bcrypt_sha256 12":                 "bcrypt_sha256$$2b$12$QlvfTzvNbSapKpFzwfEJ3uiiKf3SM4L557FupOzrZajEfIkBF.kB.",
		"scrypt 16384,8,5":                 "scrypt$16384$seasalt$8$5$fKPC7Skq4Meq4ptq/9vxXsUm2/VySVJPYyJagWjqRM4d8MK7yPbEXoDsCGEkARFabE8OUZZiiVUI8aSHTdbNfA==",
		"md5":                              "md5$seasalt$83c861e3c1331a6b6256e15b7cce28e4",
		"sha1":                             "sha1$seasalt$f2f15e1757a874a6bc5c038199422a712375ca17",
		"unusable":                         "!",
	}
	for name, encoded := range costs {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, _, _ = h.Verify(b.Context(), encoded, sample)
			}
		})
	}
}

func BenchmarkAcceptable(b *testing.B) {
	for name, p := range map[string]string{
		"phrase": "correct horse battery staple",
		"short":  "Password123!",
		"digits": strings.Repeat("7391820465482", 10)[:127] + "x",
		"l33t":   strings.Repeat("4@8({[<369!|7$5+", 8)[:127] + "x",
		"keys":   strings.Repeat("qwe,dcv1", 16)[:127] + "x",
		"wide":   strings.Repeat("ﷺ", 127) + "x",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_ = password.Acceptable(p, "alice@example.com", "Alice Smith")
			}
		})
	}
}
