package preferences_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/profile/preferences"
)

func load(t testing.TB) *preferences.Schema {
	t.Helper()
	s, err := preferences.Load()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func patch(t testing.TB, text string) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// whole is the schema as a client would use it.
func whole(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(preferences.Text())))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("x.json", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("x.json")
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	values, sources := load(t).Effective(nil, nil)
	text, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"density":"comfortable","editor":{"font_size":16,"line_numbers":false,"spellcheck":true},"language":"en",` +
		`"notes":{"sort":"-updated_at"},"notifications":{"account":{"email":true,"in_app":true,"push":false},` +
		`"quiet_hours":{"enabled":false,"from":"22:00","to":"07:00"},"reminder":{"email":false,"in_app":true,"push":true},` +
		`"security":{"email":true,"in_app":true,"push":true},"sharing":{"email":false,"in_app":true,"push":true},` +
		`"system":{"email":false,"in_app":true,"push":false}},"theme":"system"}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
	for at, source := range sources {
		if source != preferences.Default {
			t.Errorf("%s comes from %s", at, source)
		}
	}
	if err := whole(t).Validate(patch(t, string(text))); err != nil {
		t.Error(err)
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	s := load(t)
	account, err := s.Patch(nil, preferences.Account, patch(t, `{"theme":"dark","editor":{"font_size":20,"spellcheck":false},"language":"pl"}`))
	if err != nil {
		t.Fatal(err)
	}
	device, err := s.Patch(nil, preferences.Device, patch(t, `{"theme":"light","editor":{"font_size":12}}`))
	if err != nil {
		t.Fatal(err)
	}
	told := func(account, device preferences.Values) string {
		values, sources := s.Effective(account, device)
		if err := whole(t).Validate(values); err != nil {
			t.Error(err)
		}
		editor := values["editor"].(map[string]any)
		return strings.TrimSpace(fmt.Sprintln(values["theme"], sources["/theme"], editor["font_size"], sources["/editor/font_size"], editor["spellcheck"], sources["/editor/spellcheck"], values["language"]))
	}
	for _, tt := range []struct {
		account, device preferences.Values
		want            string
	}{
		{account, device, "light device 12 device false account pl"},
		{account, nil, "dark account 20 account false account pl"},
		{nil, device, "light device 12 device true default en"},
		{preferences.Values{"/theme": "pink", "/gone": true, "/editor": 5.0}, preferences.Values{"/language": "pl", "/editor/font_size": 99.0}, "system default 16 default true default en"},
	} {
		if got := told(tt.account, tt.device); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
	back, err := s.Patch(account, preferences.Account, patch(t, `{"editor":null,"theme":null,"language":"en"}`))
	if diff := cmp.Diff(preferences.Values{"/language": "en"}, back); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if len(account) != 4 {
		t.Error("the values that were patched are changed")
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := load(t)
	for _, tt := range []struct{ scope, patch, want string }{
		{"account", `{"theme":"pink"}`, "/theme not_allowed"},
		{"account", `{"theme":{"a":1}}`, "/theme not_allowed"},
		{"account", `{"nonsense":1,"a/b~":null}`, "/a~1b~0 unknown_field, /nonsense unknown_field"},
		{"account", `{"editor":5}`, "/editor wrong_type"},
		{"account", `{"editor":{"font_size":11,"spellcheck":"yes","colour":1}}`, "/editor/colour unknown_field, /editor/font_size too_small, /editor/spellcheck wrong_type"},
		{"account", `{"editor":{"font_size":24.5}}`, "/editor/font_size wrong_type"},
		{"account", `{"editor":{"font_size":1e400}}`, ""},
		{"account", `{"editor":{"font_size":25}}`, "/editor/font_size too_large"},
		{"account", `{"notifications":{"security":{"in_app":false}}}`, "/notifications/security/in_app not_allowed"},
		{"account", `{"notifications":{"quiet_hours":{"from":"24:00"}}}`, "/notifications/quiet_hours/from malformed"},
		{"account", `{"editor/font_size":13}`, "/editor~1font_size unknown_field"},
		{"device", `{"language":"pl","theme":"dark"}`, "/language not_of_device"},
	} {
		var m map[string]any
		if json.Unmarshal([]byte(tt.patch), &m) != nil {
			continue // no JSON number
		}
		_, err := s.Patch(preferences.Values{"/theme": "dark"}, preferences.Scope(tt.scope), m)
		f, ok := errors.AsType[*fault.Error](err)
		if !ok {
			t.Errorf("%s: %v", tt.patch, err)
			continue
		}
		var got []string
		for _, field := range f.Fields {
			got = append(got, field.Pointer+" "+field.Code)
			if field.Detail == "" {
				t.Errorf("%s: no detail", tt.patch)
			}
		}
		if strings.Join(got, ", ") != tt.want {
			t.Errorf("%s: got %s, want %s", tt.patch, strings.Join(got, ", "), tt.want)
		}
	}
}
