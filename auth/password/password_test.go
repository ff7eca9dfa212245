package password_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/trellis-go/trellis/auth/password"
)

func TestHashVerifies(t *testing.T) {
	t.Parallel()
	h := password.New(2)
	form := regexp.MustCompile(`^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`)
	for _, p := range []string{"correct horse battery staple", "", "\x00", "a\x00b", "\xff\xfe", strings.Repeat("é", 5000)} {
		encoded, err := h.Hash(t.Context(), p)
		if err != nil || !form.MatchString(encoded) {
			t.Fatalf("Hash(%.20q) = %q, %v", p, encoded, err)
		}
		if ok, stale, err := h.Verify(t.Context(), encoded, p); !ok || stale || err != nil {
			t.Errorf("Verify(%.20q): ok %v, stale %v, %v", p, ok, stale, err)
		}
		if ok, _, err := h.Verify(t.Context(), encoded, p+"\x00"); ok || err != nil {
			t.Errorf("Verify(%.20q and a NUL): ok %v, %v", p, ok, err)
		}
	}
	one, _ := h.Hash(t.Context(), "same")
	two, _ := h.Hash(t.Context(), "same")
	if one == two {
		t.Error("two hashes of one password are the same")
	}
}

func TestUnusable(t *testing.T) {
	t.Parallel()
	for _, encoded := range []string{"", "!", "!iBM7NTJZ7n5rMYMXNNi0mMAORUpjbnMG2ZHEaYP4"} {
		if err := password.Check(encoded); !errors.Is(err, password.ErrUnusable) {
			t.Errorf("Check(%q) = %v", encoded, err)
		}
		ok, stale, err := password.New(1).Verify(t.Context(), encoded, encoded)
		if ok || stale || !errors.Is(err, password.ErrUnusable) {
			t.Errorf("Verify(%q) = %v, %v, %v", encoded, ok, stale, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	const (
		salt = "c29tZXNhbHQ"                                 // 8 bytes
		key  = "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4" // 32 bytes
		key4 = "x8lJQ7VnDqPTfEjtRS2cw6rxucuqLwrky1HyPcVBS5Gojh7OcwGWo2DHvGmxewNsrKylGrsGFJbZNYQ2myxrNQ=="
		tail = "abcdefghijklmnopqrstuuFVPboFsn9b5jXRayYnJ8UfQ1Gbc3sUm"
		md5  = "e0eb3dd8270d5f88ee6f0a44c8c8daa6"
	)
	for _, encoded := range []string{
		"$", "$$", "x", "plain text", "crypt$$ab01FAX.bQRSU", "unknown$1$2$3", " " + md5, strings.Repeat("$", 2000),
		"argon2", "argon2$", "$argon2id$", "argon2$argon2id",
		"$argon2d$v=19$m=256,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=16$m=256,t=2,p=1$" + salt + "$" + key,
		"$argon2id$m=256,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=256,t=0,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=256,t=2,p=0$" + salt + "$" + key,
		"$argon2id$v=19$m=0,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=63,t=2,p=8$" + salt + "$" + key,
		"$argon2id$v=19$m=-1,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=+256,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$t=2,m=256,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=256,t=2,p=1,x=1$" + salt + "$" + key,
		"$argon2id$v=19$m=262145,t=1,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=262144,t=5,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=8,t=4294967295,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=99999999999999999999,t=1,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=65536,t=1,p=33$" + salt + "$" + key,
		"$argon2id$v=19$m=256,t=2,p=257$" + salt + "$" + key,
		"$argon2id$v=19$m=256,t=2,p=1$$" + key,
		"$argon2id$v=19$m=256,t=2,p=1$" + salt + "$",
		"$argon2id$v=19$m=256,t=2,p=1$" + salt + "=$" + key,
		"$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + key + "\n",
		"$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + key + "$",
		"$argon2id$v=19$m=256,t=2,p=1$" + strings.Repeat("A", 100) + "$" + key,
		"$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + strings.Repeat("A", 100),
		"pbkdf2_sha256", "pbkdf2_sha256$", "pbkdf2_sha256$$$",
		"pbkdf2_sha256$0$s$" + key + "=",
		"pbkdf2_sha256$-1$s$" + key + "=",
		"pbkdf2_sha256$5000001$s$" + key + "=",
		"pbkdf2_sha256$1000$s$" + key,
		"pbkdf2_sha256$1000$s$",
		"pbkdf2_sha256$1000$s$t$" + key + "=",
		"pbkdf2_sha256$1000$" + strings.Repeat("s", 257) + "$" + key + "=",
		"pbkdf2_sha1$1000$s$" + key + "=",
		"bcrypt$", "bcrypt$$2b$", "bcrypt$2b$04$" + tail,
		"bcrypt$$2x$04$" + tail, "bcrypt$$3b$04$" + tail, "bcrypt$$2$04$" + tail,
		"bcrypt$$2b$03$" + tail, "bcrypt$$2b$16$" + tail, "bcrypt$$2b$31$" + tail, "bcrypt$$2b$4$" + tail, "bcrypt$$2b$+4$" + tail,
		"bcrypt$$2b$04$" + tail[1:], "bcrypt$$2b$04$" + tail + "a", "bcrypt$$2b$04$" + tail[:20] + "=" + tail[21:],
		"bcrypt_sha256$$2b$99$" + tail,
		"scrypt$", "scrypt$16$s$8$3$", "scrypt$16$s$8$3$" + key + "=",
		"scrypt$0$s$8$3$" + key4, "scrypt$1$s$8$3$" + key4, "scrypt$17$s$8$3$" + key4,
		"scrypt$16$s$0$3$" + key4, "scrypt$16$s$8$0$" + key4,
		"scrypt$1048576$s$2$1$" + key4, "scrypt$131072$s$8$5$" + key4, "scrypt$2$s$1073741824$1$" + key4,
		"scrypt$16$" + strings.Repeat("s", 257) + "$8$3$" + key4,
		"sha1$", "sha1$s", "sha1$s$", "sha1$s$" + md5, "sha1$s$zz", "sha1$s$t$" + md5,
		"md5$", "md5$s$" + md5[1:], "md5$s$g" + md5[1:], "md5$" + strings.Repeat("s", 257) + "$" + md5,
		"g" + md5[1:], md5[1:], md5 + "0",
	} {
		if err := password.Check(encoded); !errors.Is(err, password.ErrMalformed) {
			t.Errorf("Check(%.80q) = %v", encoded, err)
		}
		ok, stale, err := password.New(1).Verify(t.Context(), encoded, "x")
		if ok || stale || !errors.Is(err, password.ErrMalformed) {
			t.Errorf("Verify(%.80q) = %v, %v, %v", encoded, ok, stale, err)
		}
	}
}

// What Django writes, or an operator who follows OWASP, is within bounds.
func TestWithinBounds(t *testing.T) {
	t.Parallel()
	for _, encoded := range []string{
		"pbkdf2_sha256$1500000$Ls4vTSlIbewvKB4iqI8rk9$zoGduxeVdcPhI6YOsVkavyG2rI2re2jx77JQziXT+Eg=",
		"argon2$argon2id$v=19$m=102400,t=2,p=8$cEs0V3FKdkkzUnhvQlhXTjlJTmJPVg$d8e6wLl50Whsuc1K2fkqTw",
		"scrypt$131072$s$8$1$x8lJQ7VnDqPTfEjtRS2cw6rxucuqLwrky1HyPcVBS5Gojh7OcwGWo2DHvGmxewNsrKylGrsGFJbZNYQ2myxrNQ==",
		"bcrypt$$2b$14$abcdefghijklmnopqrstuuFVPboFsn9b5jXRayYnJ8UfQ1Gbc3sUm",
		"pbkdf2_sha256$1000$соль соль$JslnJPfvgB0JCDZ9Q09oc0AmJ9TbhNBkJ+qlhueOppc=",
	} {
		if err := password.Check(encoded); err != nil {
			t.Errorf("Check(%q) = %v", encoded, err)
		}
	}
}

func TestAFewAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const parallel, waiting = 3, 3 * 16
		h := password.New(parallel)
		release := make(chan struct{})
		var running, most atomic.Int64
		var all sync.WaitGroup
		for range parallel + waiting {
			all.Go(func() {
				err := h.Run(t.Context(), func() {
					most.Store(max(most.Load(), running.Add(1)))
					<-release
					running.Add(-1)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if n := running.Load(); n != parallel {
			t.Errorf("%d run at once, want %d", n, parallel)
		}

		const legacy = "md5$$e0eb3dd8270d5f88ee6f0a44c8c8daa6"
		_, hash := h.Hash(t.Context(), "x")
		_, _, verify := h.Verify(t.Context(), legacy, "x")
		_, _, unusable := h.Verify(t.Context(), "!", "x")
		for _, err := range []error{hash, verify, unusable, h.Waste(t.Context(), "x")} {
			if !errors.Is(err, password.ErrBusy) {
				t.Errorf("with the queue full: %v", err)
			}
		}

		close(release)
		all.Wait()
		if n := most.Load(); n > parallel {
			t.Errorf("%d ran at once, want %d", n, parallel)
		}
		if err := h.Run(t.Context(), func() {}); err != nil {
			t.Errorf("after all were done: %v", err)
		}
	})
}

func TestWaitingEndsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := password.New(1)
		release := make(chan struct{})
		defer close(release)
		go h.Run(t.Context(), func() { <-release })
		synctest.Wait()

		for range 40 { // more than may wait: each gives its place back
			ctx, cancel := context.WithCancel(t.Context())
			result := make(chan error, 1)
			go func() { _, err := h.Hash(ctx, "x"); result <- err }()
			synctest.Wait()
			cancel()
			if err := <-result; !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := password.New(1).Waste(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestPanicGivesPlaceBack(t *testing.T) {
	t.Parallel()
	h := password.New(1)
	for range 40 {
		func() {
			defer func() { _ = recover() }()
			_ = h.Run(t.Context(), func() { panic("x") })
		}()
	}
	if err := h.Waste(t.Context(), "x"); err != nil {
		t.Error(err)
	}
}
