package app

import (
	"cmp"
	"context"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/profile"
)

// people is the auth service, as a notify.People.
type people struct{ auth auth.Client }

func (p people) Person(ctx context.Context, user uuid.UUID) (notify.Person, error) {
	u, err := p.auth.ReadUser(ctx, user)
	if err != nil {
		return notify.Person{}, err
	}
	text := func(s *string) string { return *cmp.Or(s, new(string)) }
	return notify.Person{Name: cmp.Or(u.Name, text(u.Username)), Email: text(u.Email), Verified: u.EmailVerified, Disabled: u.Disabled}, nil
}

func (p people) Link(ctx context.Context, user uuid.UUID, kind string) (notify.Link, error) {
	purpose := auth.VerifyEmail
	if kind == notify.ResetMail {
		purpose = auth.ResetPassword
	}
	l, err := p.auth.MakeLink(ctx, user, purpose)
	return notify.Link{Email: l.Email, Name: l.Name, Token: l.Token, Expires: l.ExpiresAt}, err
}

// profiles is the profile service, as a notify.Profiles.
type profiles struct{ profile profile.Client }

func (p profiles) Settings(ctx context.Context, user uuid.UUID) (notify.Settings, error) {
	s, err := p.profile.ReadSettings(ctx, user)
	if err != nil {
		return notify.Settings{}, err
	}
	n := s.Notifications
	return notify.Settings{
		Name: s.DisplayName, Language: s.Language, TimeZone: s.Timezone,
		Channels: map[notify.Category]notify.Channels{
			notify.Security: notify.Channels(n.Security), notify.Account: notify.Channels(n.Account), notify.Sharing: notify.Channels(n.Sharing),
			notify.Reminder: notify.Channels(n.Reminder), notify.System: notify.Channels(n.System),
		},
		Quiet: notify.QuietHours(n.QuietHours),
	}, nil
}
