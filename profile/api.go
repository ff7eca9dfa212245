package profile

import (
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/account"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/profile/avatar"
	"github.com/trellis-go/trellis/profile/preferences"
)

// downloadTime is in which an export's download must begin.
const downloadTime = time.Minute

// Routes is the profile API. Each line reads outside in: the path, the endpoint
// behind it, the service method behind that.
func Routes(s *Service) []transport.Route {
	routes := []transport.Route{
		transport.Get("/v1/profile", endpoint.New(s.ReadProfile, "Read your profile.")),
		transport.Patch("/v1/profile", endpoint.New(s.ChangeProfile, "Change parts of your profile.").Limit(5)),
		transport.Put("/v1/profile/avatar", transport.Raw("PutAvatar", "Send a picture of yourself: PNG, JPEG or WebP.", s.PutAvatar).Limit(1)).MaxBody(avatar.MaxBytes),
		transport.Delete("/v1/profile/avatar", endpoint.Do(s.DeleteAvatar, "Remove your picture; your initials take its place.").Limit(2)),
		transport.Get("/v1/profiles/{id}/avatar", transport.Raw("Avatar", "See somebody's picture.", s.Avatar).Public().Shared()),
		transport.Get("/v1/profile/preferences", endpoint.New(s.ReadPreferences, "Read what you prefer, for the account or on a device.")),
		transport.Patch("/v1/profile/preferences", endpoint.New(s.ChangePreferences, "Change what you prefer; null takes a choice back.").Limit(5)),
		transport.Get("/v1/profile/preferences/schema", transport.Raw("PreferencesSchema", "Read what can be preferred, as a JSON Schema.", schema).Public().Shared()),
		transport.Post("/v1/account/export", endpoint.New(s.StartExport, "Take along all that is kept of you.").Limit(1)).Accepted(),
		transport.Delete("/v1/account", endpoint.New(s.CloseAccount, "Have your account erased, everywhere, after a time of grace.").Limit(2)).Accepted(),
		transport.Post("/v1/account/restore", endpoint.New(s.RestoreAccount, "Take back that your account is to be erased.").Limit(1)),
		transport.Post("/v1/account/receipts", endpoint.New(s.ReadReceipts, "See what became of an erasure, when the account is gone.").Public().Limit(1)),
		transport.Get("/v1/account/jobs", endpoint.New(s.ListJobs, "List your exports and erasures.")),
		transport.Get("/v1/account/jobs/{id}", endpoint.New(s.ReadJob, "See how far an export or an erasure is.")),
		transport.Get("/v1/account/jobs/{id}/download", transport.Raw("DownloadExport", "Download an export.", s.DownloadExport).Within(downloadTime).Limit(1)),
		transport.Get("/internal/v1/profiles/{user}/settings", endpoint.New(s.ReadSettings, "Read how a user wants to be turned to.").Internal()),
	}
	return append(routes, account.Routes(holder{s})...)
}

// ChangeRequest changes the parts of a profile that it has; null empties one.
type ChangeRequest struct {
	IfMatch     transport.IfMatch          `header:"If-Match" json:"-"`
	DisplayName transport.Optional[string] `json:"display_name,omitzero" validate:"omitempty,max=100"`
	Bio         transport.Optional[string] `json:"bio,omitzero" validate:"omitempty,max=1000"`
	Locale      transport.Optional[string] `json:"locale,omitzero" validate:"omitempty,max=35" description:"A language tag (BCP 47)."`
	Timezone    transport.Optional[string] `json:"timezone,omitzero" validate:"omitempty,max=64" description:"A name of the IANA's time zones."`
}

// DeleteAvatarRequest may say which version of the profile it is based on.
type DeleteAvatarRequest struct {
	IfMatch *transport.IfMatch `header:"If-Match" json:"-"`
}

// scoped says whose preferences a request is about.
type scoped struct {
	Scope  preferences.Scope `query:"scope" json:"-" validate:"omitempty,oneof=account device"`
	Device string            `query:"device" json:"-" validate:"max=64" description:"A name of the client's choice that stays the same; required when the scope is device."`
}

// PreferencesRequest asks for preferences; without a scope the account's.
type PreferencesRequest struct{ scoped }

// PatchPreferencesRequest is a merge patch of preferences. Its members are the
// schema's; what they may be, the schema says.
type PatchPreferencesRequest struct {
	scoped
	IfMatch       transport.IfMatch                  `header:"If-Match" json:"-"`
	Theme         transport.Optional[*string]        `json:"theme,omitzero"`
	Language      transport.Optional[*string]        `json:"language,omitzero"`
	Density       transport.Optional[*string]        `json:"density,omitzero"`
	Editor        transport.Optional[map[string]any] `json:"editor,omitzero"`
	Notes         transport.Optional[map[string]any] `json:"notes,omitzero"`
	Notifications transport.Optional[map[string]any] `json:"notifications,omitzero"`
}

// patch is the merge patch as the schema takes it.
func (r PatchPreferencesRequest) patch() map[string]any {
	patch := map[string]any{}
	for name, text := range map[string]transport.Optional[*string]{"theme": r.Theme, "language": r.Language, "density": r.Density} {
		if text.Set {
			patch[name] = nil
		}
		if text.Value != nil {
			patch[name] = *text.Value
		}
	}
	for name, group := range map[string]transport.Optional[map[string]any]{"editor": r.Editor, "notes": r.Notes, "notifications": r.Notifications} {
		if group.Set {
			patch[name] = nil
		}
		if group.Value != nil {
			patch[name] = group.Value
		}
	}
	return patch
}

// CloseRequest has the caller's password.
type CloseRequest struct {
	Password string `json:"password" validate:"required,maxbytes=4096"`
}

// ForceRequestBody has the body of a DELETE described, too.
func (CloseRequest) ForceRequestBody() {}

// JobRequest names a job.
type JobRequest struct {
	ID uuid.UUID `path:"id" json:"-"`
}

// ReceiptRequest has the token that came with an erasure.
type ReceiptRequest struct {
	Token string `json:"token" validate:"required,max=128"`
}

// UserRequest names a user.
type UserRequest struct {
	User uuid.UUID `path:"user" json:"-"`
}

// schema sends the preferences' schema, which changes with this program only.
func schema(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "application/schema+json")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	_, err := w.Write(preferences.Text()) // of which HEAD sends nothing
	return err
}
