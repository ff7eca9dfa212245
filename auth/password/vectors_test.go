package password_test

import (
	"strings"
	"testing"

	"github.com/trellis-go/trellis/auth/password"
)

const sample = "pässword 🔑"

// vectors were made by others: those of sample by Python 3.11's hashlib and
// crypt, composed as Django does; those of "password" are from the test suite of
// Argon2's reference implementation; the rest a Django application wrote.
var vectors = []struct{ kind, encoded, password string }{
	{"argon2id", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"},
	{"django argon2id", "argon2$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"},
	{"django argon2i", "argon2$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8", "password"},
	{"pbkdf2_sha256", "pbkdf2_sha256$1000$seasalt$JslnJPfvgB0JCDZ9Q09oc0AmJ9TbhNBkJ+qlhueOppc=", sample},
	{"pbkdf2_sha256 NUL", "pbkdf2_sha256$1000$seasalt$CxEXWC0Hm+im2rDagDmktIFRytAx1pZDV4GJCn5S7Iw=", "before\x00after1"},
	{"pbkdf2_sha1", "pbkdf2_sha1$1000$seasalt$3HjohVjPgru1QqHaD7ZtH3yBAKY=", sample},
	{"bcrypt 2a", "bcrypt$$2a$04$abcdefghijklmnopqrstuuFVPboFsn9b5jXRayYnJ8UfQ1Gbc3sUm", sample},
	{"bcrypt 2b", "bcrypt$$2b$04$abcdefghijklmnopqrstuuFVPboFsn9b5jXRayYnJ8UfQ1Gbc3sUm", sample},
	{"bcrypt 2y", "bcrypt$$2y$04$abcdefghijklmnopqrstuuFVPboFsn9b5jXRayYnJ8UfQ1Gbc3sUm", sample},
	{"bcrypt of 72 bytes", "bcrypt$$2b$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe", strings.Repeat("a", 72)},
	{"bcrypt of 100 bytes", "bcrypt$$2b$04$abcdefghijklmnopqrstuuKiIlCeXB6chNXkLyAo8C7XcLPzh6zUe", strings.Repeat("é", 50)},
	{"bcrypt_sha256", "bcrypt_sha256$$2b$04$abcdefghijklmnopqrstuuJk.aEGlFIRem/NGUB/WsPtlA1X2nYNu", sample},
	{"bcrypt_sha256 NUL", "bcrypt_sha256$$2b$04$abcdefghijklmnopqrstuuW8hMQE5jtkf8v/yYAagg4up6krnvtUq", "before\x00after1"},
	{"scrypt", "scrypt$16$seasalt$8$3$x8lJQ7VnDqPTfEjtRS2cw6rxucuqLwrky1HyPcVBS5Gojh7OcwGWo2DHvGmxewNsrKylGrsGFJbZNYQ2myxrNQ==", sample},
	{"sha1", "sha1$seasalt$f2f15e1757a874a6bc5c038199422a712375ca17", sample},
	{"sha1 unsalted", "sha1$$5f79bad3de1ab4595c1af7e94f93acabb7e05d02", sample},
	{"md5", "md5$seasalt$83c861e3c1331a6b6256e15b7cce28e4", sample},
	{"md5 NUL", "md5$seasalt$cea687923da0c8b949d587ba32d5ea99", "before\x00after1"},
	{"md5 unsalted", "md5$$e0eb3dd8270d5f88ee6f0a44c8c8daa6", sample},
	{"md5 bare", "e0eb3dd8270d5f88ee6f0a44c8c8daa6", sample},

	{"admin", "pbkdf2_sha256$260000$Ls4vTSlIbewvKB4iqI8rk9$zoGduxeVdcPhI6YOsVkavyG2rI2re2jx77JQziXT+Eg=", "Adm1n!pass-phrase"},
	{"staff_sam", "pbkdf2_sha256$260000$lLmPs0mMxEIw6uohFkytlV$z9U0t/A3d1e7y3e2T7f9sSJVkKLIpCr/7Q265Dj9aLI=", "Staff&Sam=2020"},
	{"alice", "pbkdf2_sha256$260000$T6kiv6nNlnbR7Sr6T5dZFB$SdrRnkjaVxmnJ1fUD2t2hZgLLj/QhO+v941TZ2ykdLA=", "correct horse battery staple"},
	{"Alice", "pbkdf2_sha256$260000$GUADwrqaN5ZWuzj5EfQYh4$a8FbLltJCE4OfTC8JCSzuZ1AsNj60mCxJBw1ZgA0zHU=", "another-Alice-7"},
	{"мария.иванова", "pbkdf2_sha256$260000$nyYCDHAl1MGSZLLxFzO3Ul$6d5KHk497cGVtr/5q11HfSrDGvHmJWe4qe28VN+DCq4=", "пароль-Мария-Ёж-9"},
	{"zoë.office", "pbkdf2_sha256$260000$MCSMT7a1TmGNZfynx2ZzHn$bWEcdK3sv/EPlh2V4BzCLC7rsGWmJkav8Y/GfrTGFas=", "naïve café 🔑 pass"},
	{"inactive_ivan", "pbkdf2_sha256$260000$okvOjAuGRmBR68kPsWFI7e$gBnfcleBndhxxqUocAualA7L9dHNrPPNGaXePr7oA4Y=", "ivan-was-here-1"},
	{"argon_ana", "argon2$argon2id$v=19$m=102400,t=2,p=8$cEs0V3FKdkkzUnhvQlhXTjlJTmJPVg$d8e6wLl50Whsuc1K2fkqTw", "argon-Ana-2021"},
	{"bcrypt_bob", "bcrypt_sha256$$2b$12$QlvfTzvNbSapKpFzwfEJ3uiiKf3SM4L557FupOzrZajEfIkBF.kB.", "bcrypt-Bob-2021"},
	{"scrypt of Django 4", "scrypt$16384$seasalt$8$5$fKPC7Skq4Meq4ptq/9vxXsUm2/VySVJPYyJagWjqRM4d8MK7yPbEXoDsCGEkARFabE8OUZZiiVUI8aSHTdbNfA==", sample},
}

func TestVectors(t *testing.T) {
	t.Parallel()
	h := password.New(2)
	for _, v := range vectors {
		t.Run(v.kind, func(t *testing.T) {
			t.Parallel()
			ok, stale, err := h.Verify(t.Context(), v.encoded, v.password)
			if !ok || !stale || err != nil {
				t.Errorf("right password: ok %v, stale %v, %v", ok, stale, err)
			}
			wrong := "X" + v.password[1:]
			ok, stale, err = h.Verify(t.Context(), v.encoded, wrong)
			if ok || stale || err != nil {
				t.Errorf("wrong password: ok %v, stale %v, %v", ok, stale, err)
			}
		})
	}
}

// A digit of the key that differs must matter, wherever it stands.
func TestKeyIsComparedWhole(t *testing.T) {
	t.Parallel()
	for _, v := range vectors[:20] {
		key := v.encoded[strings.LastIndexByte(v.encoded, '$')+1:]
		if strings.HasPrefix(v.encoded, "bcrypt") {
			key = key[22:]
		}
		for _, i := range []int{0, len(key) / 2, len(key) - 4} {
			other := byte('0')
			if key[i] == other {
				other = '1'
			}
			at := len(v.encoded) - len(key) + i
			changed := v.encoded[:at] + string(other) + v.encoded[at+1:]
			if ok, err := password.Matches(changed, v.password); ok || err != nil {
				t.Errorf("%s, digit %d: ok %v, %v", v.kind, i, ok, err)
			}
		}
	}
}
