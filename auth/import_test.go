package auth_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/auth/sqlite"
	"github.com/trellis-go/trellis/kit/django/djangotest"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/testenv"
)

func importInto(t *testing.T, store auth.Store, path string, dryRun bool) string {
	t.Helper()
	var report bytes.Buffer
	if err := auth.Import(t.Context(), store, path, dryRun, &report); err != nil {
		t.Fatal(err)
	}
	return report.String()
}

func wantLines(t *testing.T, report string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(report, line) {
			t.Errorf("the report does not say %q:\n%s", line, report)
		}
	}
}

func TestImportedUsersLogIn(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		path, _ := djangotest.Copy(t)
		wantLines(t, importInto(t, store, path, true), "10 read, 10 to add", "nothing was written")
		if _, err := store.FindUser(t.Context(), "alice", ""); err == nil {
			t.Fatal("a dry run added users")
		}
		wantLines(t, importInto(t, store, path, false), "10 read, 10 added",
			`notice  user 10 "bcrypt_bob": taken without the email alice@example.com, which user 3 "alice" has too and keeps`)

		c := serve(t, store)
		for _, l := range djangotest.Logins(t) {
			for range 2 { // at the first the hash is replaced
				for _, name := range []string{l.Username, l.AsGiven} {
					text := "no password of theirs"
					if l.Password != nil {
						text = *l.Password
					}
					tokens, err := c.Login(t.Context(), auth.LoginRequest{Login: name, Password: text})
					switch {
					case l.CanLogIn && err != nil:
						t.Errorf("%s: %v", name, err)
					case l.CanLogIn && *tokens.User.Username != l.Username:
						t.Errorf("%s logs in as %s", name, *tokens.User.Username)
					case !l.CanLogIn:
						wantCode(t, name, err, fault.Unauthenticated, "invalid_credentials")
					}
				}
			}
			u, err := store.FindUser(t.Context(), l.Username, "")
			if err != nil || l.CanLogIn && !strings.HasPrefix(u.Password, "$argon2id$") {
				t.Errorf("%s: hash %.12q after login, %v", l.Username, u.Password, err)
			}
		}
		tokens, err := c.Login(t.Context(), auth.LoginRequest{Login: "alice@example.com", Password: "correct horse battery staple"})
		if err != nil || *tokens.User.Username != "alice" || tokens.User.Name != "Alice Liddell" {
			t.Errorf("by the shared email: %+v, %v", tokens.User, err)
		}
		for name, want := range map[string][]string{"admin": {"admin", "staff"}, "staff_sam": {"staff"}, "alice": {}} {
			if u, err := store.FindUser(t.Context(), name, ""); err != nil || !slices.Equal(u.Roles, want) {
				t.Errorf("%s has the roles %v, want %v (%v)", name, u.Roles, want, err)
			}
		}
		wantLines(t, importInto(t, store, path, false), "10 read, 0 added, 10 unchanged")
		if _, err := c.Login(t.Context(), auth.LoginRequest{Login: "alice", Password: "correct horse battery staple"}); err != nil {
			t.Errorf("after a second import: %v", err)
		}
	})
}

func TestImportNamesWhatItCannotTake(t *testing.T) {
	onStores(t, func(t *testing.T, store auth.Store) {
		path, db := djangotest.Copy(t)
		djangotest.Exec(t, db,
			`update auth_user set username = '' where id = 1`,
			`update auth_user set date_joined = 'long ago' where id = 2`,
			`update auth_user set password = 'rot13$x$y' where id = 5`,
			`update auth_user set email = 'new@example.com' where id = 6`,
			`update auth_user set username = 'taken' where id = 9`,
		)
		c := serve(t, store)
		if _, err := c.Signup(t.Context(), auth.SignupRequest{Email: "new@example.com", Username: "taken", Password: goodPassword}); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			dryRun bool
			added  string
		}{{true, "7 to add"}, {false, "7 added"}} {
			wantLines(t, importInto(t, store, path, tt.dryRun), tt.added, "refused user 1 ", "refused user 2 ", "long ago",
				"user 5", "without a password", "user 6", "without the email new@example.com", "refused user 9", "10 read", "3 refused")
		}
	})
}

func TestImportOfWhatIsNoSuchDatabase(t *testing.T) {
	t.Parallel()
	store := testenv.Open(t, sqlite.Open, filepath.Join(t.TempDir(), "auth.db"))
	other := filepath.Join(t.TempDir(), "other.txt")
	if err := os.WriteFile(other, []byte("not a database, but long enough to look at as one would look at one"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{other, filepath.Join(t.TempDir(), "absent"), t.TempDir()} {
		if err := auth.Import(t.Context(), store, path, false, io.Discard); err == nil || !strings.Contains(err.Error(), filepath.Base(path)) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func BenchmarkImport2000(b *testing.B) {
	path, db := djangotest.Copy(b)
	djangotest.Exec(b, db, `with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
		insert into auth_user (password, is_superuser, username, last_name, email, is_staff, is_active, date_joined, first_name)
		select 'pbkdf2_sha256$260000$abc$c2FtcGxlc2FtcGxlc2FtcGxlc2FtcGxlc2FtcGxlMDA=', 0, 'user' || i, '', 'user' || i || '@example.com', 0, 1, '2020-01-01 00:00:00', '' from n`)
	for b.Loop() {
		store, err := sqlite.Open(context.Background(), filepath.Join(b.TempDir(), "auth.db"))
		if err != nil {
			b.Fatal(err)
		}
		if err := auth.Import(b.Context(), store, path, false, io.Discard); err != nil {
			b.Fatal(err)
		}
		if err := store.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
