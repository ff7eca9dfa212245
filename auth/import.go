package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/trellis-go/trellis/auth/password"
	"github.com/trellis-go/trellis/kit/django"
)

// What the legacy application kept users in.
var legacyUsers = django.Table{Name: "auth_user", Columns: []string{
	"username", "email", "password", "first_name", "last_name", "is_superuser", "is_staff", "is_active", "date_joined",
}}

// importBatch is how many users go into the store at once.
const importBatch = 500

// Import takes the users of a legacy Django database into the store, and
// writes what it did and could not do to w. A user who was taken before is
// left as they are now. With dryRun it only reports.
//
// Password hashes are taken verbatim and replaced at the first login; a user
// whose hash is of no known kind is taken without a password. Staff and
// superusers become the roles "staff" and "admin"; inactive users stay unable
// to log in. Where several users share an email, the first of those who can
// log in keeps it, and the others are taken without.
func Import(ctx context.Context, store Store, path string, dryRun bool, w io.Writer) error {
	file, err := django.Open(ctx, path, legacyUsers)
	if err != nil {
		return err
	}
	defer file.Close()
	total, err := file.Count(ctx, legacyUsers)
	if err != nil {
		total = -1 // damaged; the rows will tell
	}
	im := importer{report: django.NewReport(w, "users", total)}
	im.report.DryRun = dryRun
	for row, err := range file.Rows(ctx, legacyUsers) {
		if lost, ok := errors.AsType[*django.RowError](err); ok {
			im.report.Lost(lost)
			continue
		}
		if err != nil {
			return err
		}
		im.take(row)
	}
	im.settleEmails()
	// A username may be an email. It goes before that email, so that what is
	// given up is the email and not the account.
	slices.SortStableFunc(im.users, func(a, b legacyUser) int {
		return -cmp.Compare(strings.Count(a.name(), "@"), strings.Count(b.name(), "@"))
	})
	for batch := range slices.Chunk(im.users, importBatch) {
		if err := im.add(ctx, store, batch, dryRun); err != nil {
			return err
		}
	}
	im.report.Finish()
	return nil
}

type importer struct {
	report *django.Report
	users  []legacyUser
}

type legacyUser struct {
	User
	row int64
}

func (u legacyUser) name() string { return deref(u.Username) }

// take makes a user of a row, or names the row and says why none can be made.
func (im *importer) take(row *django.Row) {
	stored, email, hash := row.Text("username"), strings.TrimSpace(row.Text("email")), row.Text("password")
	username := Username(stored)
	u := legacyUser{row: row.ID(), User: User{
		Username: &username, Roles: []string{},
		Name:     strings.TrimSpace(row.Text("first_name") + " " + row.Text("last_name")),
		Disabled: !row.Bool("is_active"), CreatedAt: row.Time("date_joined"),
	}}
	if row.Bool("is_superuser") {
		u.Roles = append(u.Roles, "admin")
	}
	if row.Bool("is_staff") {
		u.Roles = append(u.Roles, "staff")
	}
	err := row.Err()
	switch {
	case err != nil:
	case username == "":
		err = errors.New("has no username")
	case utf8.RuneCountInString(username) > 150:
		err = errors.New("the username has more than 150 characters")
	case utf8.RuneCountInString(email) > 254:
		err = errors.New("the email has more than 254 characters")
	}
	if err != nil {
		im.report.Refused(u.row, username, err)
		return
	}
	if username != stored {
		im.report.Notice(u.row, stored, "logs in as "+username+", the form in which usernames are compared")
	}
	if email != "" {
		u.Email = &email
	}
	switch err := password.Check(hash); {
	case err == nil:
		u.Password = hash
	case errors.Is(err, password.ErrUnusable): // as in the legacy application: nobody logs in with it
	default:
		im.report.Notice(u.row, username, "taken without a password, which must be reset: "+err.Error())
	}
	u.ID = django.ID(legacyUsers.Name, u.row, u.CreatedAt)
	im.users = append(im.users, u)
}

// settleEmails leaves each email with one user.
func (im *importer) settleEmails() {
	canLogIn := func(u legacyUser) int {
		if u.Disabled || u.Password == "" {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(im.users, func(a, b legacyUser) int {
		return cmp.Or(cmp.Compare(canLogIn(a), canLogIn(b)), cmp.Compare(a.row, b.row))
	})
	holders := map[string]legacyUser{}
	for i := range im.users {
		u := &im.users[i]
		if u.Email == nil {
			continue
		}
		key := EmailKey(*u.Email)
		if holder, taken := holders[key]; taken {
			im.report.Notice(u.row, u.name(), fmt.Sprintf("taken without the email %s, which user %d %q has too and keeps", *u.Email, holder.row, holder.name()))
			u.Email = nil
			continue
		}
		holders[key] = *u
	}
}

// add puts a batch into the store, or with dryRun looks what would become of it.
func (im *importer) add(ctx context.Context, store Store, batch []legacyUser, dryRun bool) error {
	users := make([]User, len(batch))
	for i, u := range batch {
		users[i] = u.User
	}
	put := store.ImportUsers
	if dryRun {
		put = func(ctx context.Context, users []User) ([]error, error) { return rehearse(ctx, store, users) }
	}
	outcome, err := put(ctx, users)
	if err != nil {
		return fmt.Errorf("import users: %w", err)
	}
	for i, err := range outcome {
		u := batch[i]
		switch {
		case err == nil:
			im.report.Added()
		case errors.Is(err, ErrUserExists):
			im.report.Unchanged()
		case errors.Is(err, ErrEmailTaken):
			im.report.Added()
			im.report.Notice(u.row, u.name(), fmt.Sprintf("taken without the email %s, which another account has already", deref(u.Email)))
		default:
			im.report.Refused(u.row, u.name(), err)
		}
	}
	return nil
}

// rehearse tells what ImportUsers would, and adds nobody.
func rehearse(ctx context.Context, store Store, users []User) ([]error, error) {
	outcome := make([]error, len(users))
	for i, u := range users {
		_, err := store.User(ctx, u.ID)
		if err == nil {
			outcome[i] = ErrUserExists
			continue
		}
		if !errors.Is(err, ErrNoUser) {
			return nil, err
		}
		for _, q := range []struct {
			username, email string
			taken           error
		}{{deref(u.Username), EmailKey(deref(u.Username)), ErrUsernameTaken}, {deref(u.Email), EmailKey(deref(u.Email)), ErrEmailTaken}} {
			if q.username == "" {
				continue
			}
			_, err := store.FindUser(ctx, q.username, q.email)
			if err == nil && outcome[i] == nil {
				outcome[i] = q.taken
			} else if err != nil && !errors.Is(err, ErrNoUser) {
				return nil, err
			}
		}
	}
	return outcome, nil
}
