package profile

import (
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/profile/preferences"
)

// Wishes are what a user prefers. Versions are those of Last at the time, so
// that a scope never has the same one twice.
type Wishes struct {
	Account preferences.Values `json:"account"`
	Version int64              `json:"version"` // of Account
	Devices []Device           `json:"devices"`
	Last    int64              `json:"last"`
}

// Device is what a user prefers on one device.
type Device struct {
	ID        string             `json:"id"`
	Values    preferences.Values `json:"values"`
	Version   int64              `json:"version"`
	ChangedAt time.Time          `json:"changed_at"`
}

// MaxDevices is of how many devices preferences are kept; the one whose were
// changed the longest ago goes.
const MaxDevices = 20

// device returns a device's preferences, or nil.
func (w *Wishes) device(id string) *Device {
	i := slices.IndexFunc(w.Devices, func(d Device) bool { return d.ID == id })
	if i < 0 {
		return nil
	}
	return &w.Devices[i]
}

// set sets what is preferred in a scope.
func (w *Wishes) set(device string, values preferences.Values, now time.Time) {
	w.Last++
	if device == "" {
		w.Account, w.Version = values, w.Last
		return
	}
	d := w.device(device)
	if d == nil {
		if len(w.Devices) >= MaxDevices {
			oldest := slices.MinFunc(w.Devices, func(a, b Device) int { return a.ChangedAt.Compare(b.ChangedAt) })
			w.Devices = slices.DeleteFunc(w.Devices, func(d Device) bool { return d.ID == oldest.ID })
			w.Version = w.Last // what that device sees next is no older version
		}
		w.Devices = append(w.Devices, Device{ID: device})
		d = &w.Devices[len(w.Devices)-1]
	}
	d.Values, d.Version, d.ChangedAt = values, w.Last, micros(now)
}

// Preferences are what holds for a user, for the account or on a device.
type Preferences struct {
	Scope   preferences.Scope            `json:"scope"`
	Device  string                       `json:"device,omitempty"`
	Values  map[string]any               `json:"values" description:"All there are, in the schema's shape."`
	Sources map[string]preferences.Scope `json:"sources" description:"Where each value comes from, by its JSON pointer: default, account or device."`
	Version int64                        `json:"version"`
}

// ETag is the preferences' version, as If-Match takes it.
func (p Preferences) ETag() string { return transport.ETag(p.Version) }

// see returns what holds on a device, or with "" for the account.
func (s *Service) see(w *Wishes, device string) Preferences {
	p := Preferences{Scope: preferences.Account, Device: device, Version: w.Version + 1} // as with everything, the first is 1
	var own preferences.Values
	if device != "" {
		p.Scope = preferences.Device
		if d := w.device(device); d != nil {
			own, p.Version = d.Values, max(d.Version, w.Version)+1
		}
	}
	p.Values, p.Sources = s.schema.Effective(w.Account, own)
	return p
}

// device checks which preferences a request is about.
func (r scoped) device() (string, error) {
	switch {
	case r.Scope != preferences.Device:
		return "", nil
	case r.Device == "":
		return "", fault.Breaks(fault.Field{Parameter: "device", Code: "required", Detail: "is required when the scope is device"})
	}
	return r.Device, nil
}

// ReadPreferences returns what the caller prefers.
func (s *Service) ReadPreferences(ctx context.Context, r PreferencesRequest) (Preferences, error) {
	device, err := r.device()
	if err != nil {
		return Preferences{}, err
	}
	record, err := s.own(ctx)
	if err != nil {
		return Preferences{}, err
	}
	return s.see(&record.Wishes, device), nil
}

// ChangePreferences changes what the caller prefers, for the account or on one device.
func (s *Service) ChangePreferences(ctx context.Context, r PatchPreferencesRequest) (Preferences, error) {
	device, err := r.device()
	if err != nil {
		return Preferences{}, err
	}
	record, err := s.change(ctx, func(record *Record) ([]event.Message, error) {
		w := &record.Wishes
		if now := s.see(w, device); !r.IfMatch.Matches(now.Version) {
			return nil, ErrStale.With(now)
		}
		values, scope := w.Account, preferences.Account
		if device != "" {
			values, scope = nil, preferences.Device
			if d := w.device(device); d != nil {
				values = d.Values
			}
		}
		patched, err := s.schema.Patch(values, scope, r.patch())
		if err != nil {
			return nil, err
		}
		w.set(device, patched, s.now())
		if device != "" {
			return nil, nil
		}
		return s.changed(ctx, record)
	})
	if err != nil {
		return Preferences{}, err
	}
	return s.see(&record.Wishes, device), nil
}

// Settings are what other services go by when they turn to a user.
type Settings struct {
	User          uuid.UUID     `json:"user"`
	DisplayName   string        `json:"display_name"`
	Locale        string        `json:"locale"`   // BCP 47
	Language      string        `json:"language"` // "en" or "pl", for texts of ours
	Timezone      string        `json:"timezone"` // IANA
	Notifications Notifications `json:"notifications"`
	Version       int64         `json:"version"` // as ProfileChanged tells it
}

// Notifications say by which ways a user wants to hear of what.
type Notifications struct {
	Security   Channels   `json:"security"`
	Account    Channels   `json:"account"`
	Sharing    Channels   `json:"sharing"`
	Reminder   Channels   `json:"reminder"`
	System     Channels   `json:"system"`
	QuietHours QuietHours `json:"quiet_hours"`
}

// Channels are the ways to a user.
type Channels struct {
	InApp bool `json:"in_app"`
	Email bool `json:"email"`
	Push  bool `json:"push"`
}

// QuietHours are when nothing is to make a sound, in the user's time zone: from
// From until To, of the next day if that is earlier.
type QuietHours struct {
	Enabled bool   `json:"enabled"`
	From    string `json:"from"` // "22:00"
	To      string `json:"to"`
}

// ReadSettings tells another service how a user wants things. Nothing needs to
// be kept of the user.
func (s *Service) ReadSettings(ctx context.Context, r UserRequest) (Settings, error) {
	record, err := s.get(ctx, r.User)
	if err != nil {
		return Settings{}, err
	}
	values, _ := s.schema.Effective(record.Wishes.Account, nil)
	set := Settings{
		User: r.User, DisplayName: record.Profile.DisplayName, Locale: record.Profile.Locale,
		Timezone: record.Profile.Timezone, Version: record.Revision,
	}
	text, err := json.Marshal(values)
	if err == nil {
		err = json.Unmarshal(text, &set)
	}
	if set.Locale == "" {
		set.Locale = set.Language
	}
	if set.Timezone == "" {
		set.Timezone = "UTC"
	}
	return set, err
}
