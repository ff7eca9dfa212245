package profile_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/account"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/server/servertest"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/profile"
	"github.com/trellis-go/trellis/profile/mongo"
	"github.com/trellis-go/trellis/profile/sqlite"
)

// onStores runs a test on every store.
func onStores(t *testing.T, test func(*testing.T, profile.Store)) {
	testenv.OnStores(t, test, map[string]func(testing.TB) profile.Store{
		"sqlite": func(t testing.TB) profile.Store {
			return testenv.Open(t, sqlite.Open, filepath.Join(t.TempDir(), "profile.db"))
		},
		"mongo": func(t testing.TB) profile.Store { return testenv.Open(t, mongo.Open, testenv.Mongo(t)) },
	})
}

// others are the auth service and those who keep something of users', as a
// test wants them to be.
type others struct {
	mu      sync.Mutex
	down    map[string]bool // by service; "auth" and "close" for what auth does beside holding
	did     []string        // "erase notes", in order
	hang    chan struct{}   // Export waits for it, if not nil
	hanging chan struct{}   // has one for each Export that waits
}

const password = "correct horse"

var errDown = fault.New(fault.Unavailable, "unreachable", "It is down.")

func (o *others) do(what, service string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down[service] || o.down[what+" "+service] {
		return errDown
	}
	o.did = append(o.did, what+" "+service)
	return nil
}

func (o *others) set(down ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = map[string]bool{}
	for _, d := range down {
		o.down[d] = true
	}
}

func (o *others) done() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string{}, o.did...)
}

func (o *others) Name(_ context.Context, user uuid.UUID) (string, error) {
	if err := o.do("name", "auth"); err != nil {
		return "", err
	}
	return "User " + user.String()[:4], nil
}

func (o *others) ConfirmPassword(_ context.Context, _ uuid.UUID, text string) error {
	if text != password {
		return profile.ErrPassword
	}
	return nil
}

func (o *others) CloseUser(context.Context, uuid.UUID) error { return o.do("close", "auth") }

func (o *others) Export(ctx context.Context, service string, user uuid.UUID, w io.Writer) error {
	if o.hang != nil && service == "notes" {
		o.hanging <- struct{}{}
		select {
		case <-o.hang:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := o.do("export", service); err != nil {
		return err
	}
	z := zip.NewWriter(w)
	for _, name := range []string{"data.txt", "../../etc/passwd", "/a/./b"} {
		f, err := z.Create(name)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprint(f, service, user); err != nil {
			return err
		}
	}
	return z.Close()
}

func (o *others) Erase(_ context.Context, service string, user uuid.UUID) (account.Receipt, error) {
	return account.Receipt{Service: service, ErasedAt: time.Now(), Erased: map[string]int{"things": len(service)}}, o.do("erase", service)
}

// config is a service's with which a test need not wait.
func config(t testing.TB, edits ...func(*profile.Config)) profile.Config {
	c := profile.Config{
		Holders: []string{"auth", "notes", "notify"}, Grace: time.Hour, Memory: 256 << 20, Lease: time.Second,
		Failed: func(what string, err error) { fmt.Fprintln(t.Output(), what, err) },
	}
	for _, edit := range edits {
		edit(&c)
	}
	return c
}

// scene is a service being served and run.
type scene struct {
	*servertest.Service
	profile.Client
	service *profile.Service
	store   profile.Store
	others  *others
}

func serve(t *testing.T, store profile.Store, edits ...func(*profile.Config)) *scene {
	t.Helper()
	s := &scene{store: store, others: &others{}}
	var err error
	s.service, err = profile.NewService(t.Context(), store, s.others, s.others, config(t, edits...))
	must(t, err)
	profile.Wind(s.service)
	routes := profile.Routes(s.service)
	for i := range routes {
		routes[i].Rate.PerSecond = 0
	}
	s.Service = servertest.Serve(t, routes, store.Keeper(), nil)
	s.Client = profile.NewClient(s.Over)
	return s
}

// run runs the service's jobs until the test ends, or stop is called.
func (s *scene) run(t *testing.T) (stop func()) {
	t.Helper()
	return run(t, s.service)
}

func run(t *testing.T, service *profile.Service) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); service.Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// send sends a request of a user's to a path.
func (s *scene) send(t *testing.T, user uuid.UUID, method, path string, body []byte, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, bytes.NewReader(body))
	must(t, err)
	if user != uuid.Nil {
		r.Header.Set("Authorization", "Bearer "+s.Token(t, user))
	}
	for _, h := range headers {
		if name, value, ok := strings.Cut(h, ": "); ok {
			r.Header.Set(name, value)
		}
	}
	res, err := testenv.Client.Do(r)
	must(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	return res, string(text)
}

// wantCode fails the test unless err is a fault with the code.
func wantCode(t *testing.T, what string, err error, kind fault.Kind, code string) *fault.Error {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != kind || f.Code != code {
		t.Errorf("%s: got %v, want %d %s", what, err, kind, code)
		return &fault.Error{}
	}
	return f
}

// wantFields fails the test unless err names what is wrong with which parts.
func wantFields(t *testing.T, what string, err error, want ...string) {
	t.Helper()
	var got []string
	for _, f := range wantCode(t, what, err, fault.Invalid, "invalid").Fields {
		got = append(got, f.Pointer+f.Parameter+" "+f.Code)
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("%s: names %q, want %q", what, got, want)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// told is what the service told of a user since it was last asked.
func (s *scene) told(t *testing.T, user uuid.UUID) string {
	t.Helper()
	var list []string
	_, err := s.store.Outbox().Pass(t.Context(), 100, func(b event.Batch) error {
		for _, m := range b.Messages {
			if m.Subject == user {
				list = append(list, m.Type)
			}
		}
		return nil
	})
	must(t, err)
	return strings.Join(list, " ")
}

func TestProfile(t *testing.T) {
	onStores(t, func(t *testing.T, store profile.Store) {
		s, user := serve(t, store), uuid.New()
		ann := s.As(t, user)
		s.others.set("auth")
		_, err := s.ReadProfile(ann)
		wantCode(t, "of one whose name cannot be had now", err, fault.Unavailable, "unreachable")
		s.others.set()
		p, err := s.ReadProfile(ann)
		must(t, err)
		if p.ID != user || p.DisplayName != "User "+user.String()[:4] || p.Version != 1 || p.HasAvatar || !strings.HasPrefix(p.AvatarURL, "/v1/profiles/"+user.String()+"/avatar?v=") {
			t.Errorf("made %+v", p)
		}
		if again, err := s.ReadProfile(ann); err != nil || again != p {
			t.Errorf("then %+v, %v", again, err)
		}
		v1 := transport.IfMatch{Version: 1}
		changed, err := s.ChangeProfile(ann, profile.ChangeRequest{
			IfMatch: v1, DisplayName: transport.Some("Ann"), Bio: transport.Some("Grows peas."), Locale: transport.Some("pl_pl"), Timezone: transport.Some("Europe/Warsaw"),
		})
		must(t, err)
		if changed.DisplayName != "Ann" || changed.Bio != "Grows peas." || changed.Locale != "pl-PL" || changed.Timezone != "Europe/Warsaw" || changed.Version != 2 || changed.AvatarURL == p.AvatarURL {
			t.Errorf("changed to %+v", changed)
		}
		_, err = s.ChangeProfile(ann, profile.ChangeRequest{IfMatch: v1, Bio: transport.Some("lost")})
		if current, ok := wantCode(t, "a stale change", err, fault.Stale, "stale").Current.(map[string]any); !ok || current["bio"] != "Grows peas." || current["avatar_url"] != changed.AvatarURL {
			t.Errorf("the 412 carries %v", current)
		}
		_, err = s.ChangeProfile(ann, profile.ChangeRequest{Bio: transport.Some("blind")})
		wantCode(t, "a change that names no version", err, fault.VersionMissing, "if_match_missing")
		any := transport.IfMatch{Any: true}
		_, err = s.ChangeProfile(ann, profile.ChangeRequest{IfMatch: any, DisplayName: transport.Some(strings.Repeat("é", 101)), Bio: transport.Some(strings.Repeat("é", 1001))})
		wantFields(t, "too much", err, "/display_name too_long", "/bio too_long")
		_, err = s.ChangeProfile(ann, profile.ChangeRequest{IfMatch: any, Locale: transport.Some("xx-nonsense-1"), Timezone: transport.Some("Mars/Olympus")})
		wantFields(t, "nonsense", err, "/locale not_a_locale", "/timezone not_a_time_zone")
		for _, zone := range []string{"Local", "../../etc/passwd", "/etc/localtime", "Europe"} {
			_, err = s.ChangeProfile(ann, profile.ChangeRequest{IfMatch: any, Timezone: transport.Some(zone)})
			wantFields(t, zone, err, "/timezone not_a_time_zone")
		}
		res, body := s.send(t, user, "PATCH", "/v1/profile", []byte(`{"bio":null,"locale":null,"timezone":"UTC"}`), "If-Match: \"2\"", "Content-Type: application/merge-patch+json")
		if res.StatusCode != 200 || res.Header.Get("ETag") != `"3"` || !strings.Contains(body, `"bio":""`) || !strings.Contains(body, `"locale":""`) || !strings.Contains(body, `"display_name":"Ann"`) {
			t.Errorf("%s %v %s", res.Status, res.Header, body)
		}
		if res, _ := s.send(t, user, "GET", "/v1/profile", nil, "If-None-Match: \"3\""); res.StatusCode != 304 {
			t.Errorf("unchanged: %s", res.Status)
		}
		if res, body := s.send(t, user, "PATCH", "/v1/profile", []byte(`{"avatar_url":"x"}`), "If-Match: *", "Content-Type: application/json"); res.StatusCode != 422 || !strings.Contains(body, "unknown_field") {
			t.Errorf("%s %s", res.Status, body)
		}
		if res, _ := s.send(t, uuid.Nil, "GET", "/v1/profile", nil); res.StatusCode != 401 {
			t.Errorf("nobody: %s", res.Status)
		}
		if got := s.told(t, user); got != strings.TrimSpace(strings.Repeat("profile.changed.v1 ", 3)) {
			t.Errorf("told %q", got)
		}
	})
}

func TestPreferences(t *testing.T) {
	onStores(t, func(t *testing.T, store profile.Store) {
		s, user := serve(t, store), uuid.New()
		ann := s.As(t, user)
		account := profile.PreferencesRequest{}
		p, err := s.ReadPreferences(ann, account)
		must(t, err)
		if p.Version != 1 || p.Values["theme"] != "system" || p.Sources["/theme"] != "default" || p.Scope != "account" {
			t.Errorf("at first %+v", p)
		}
		patch := func(device, match, body string) (*http.Response, string) {
			t.Helper()
			query := ""
			if device != "" {
				query = "?scope=device&device=" + device
			}
			return s.send(t, user, "PATCH", "/v1/profile/preferences"+query, []byte(body), "If-Match: "+match, "Content-Type: application/merge-patch+json")
		}
		is := func(res *http.Response, body string, status int, parts ...string) {
			t.Helper()
			for _, part := range append(parts, "") {
				if res.StatusCode != status || !strings.Contains(body, part) {
					t.Errorf("%s %s, want %d %s", res.Status, body, status, part)
				}
			}
		}
		res, body := patch("", `"1"`, `{"theme":"dark","editor":{"font_size":20}}`)
		is(res, body, 200, `"version":2`, `"theme":"dark"`, `"/theme":"account"`, `"font_size":20`)
		if res.Header.Get("ETag") != `"2"` {
			t.Errorf("ETag %s", res.Header.Get("ETag"))
		}
		res, body = patch("", `"1"`, `{"theme":"light"}`)
		is(res, body, 412, `"current":{`, `"version":2`)
		res, body = patch("phone", `"2"`, `{"theme":"light"}`)
		is(res, body, 200, `"theme":"light"`, `"/theme":"device"`, `"/editor/font_size":"account"`, `"device":"phone"`, `"version":3`)
		res, body = patch("phone", `"3"`, `{"language":"pl"}`)
		is(res, body, 422, `"pointer":"/language"`, `not_of_device`)
		res, body = patch("", `"2"`, `{"editor":{"font_size":11},"notifications":{"security":{"in_app":false}},"nonsense":1}`)
		is(res, body, 422, `/nonsense`, `unknown_field`)
		res, body = patch("", `"2"`, `{"editor":{"font_size":11},"notifications":{"security":{"in_app":false}}}`)
		is(res, body, 422, `"pointer":"/editor/font_size"`, `too_small`, `/notifications/security/in_app`)
		res, body = patch("", `"2"`, `{"theme":null,"language":"pl"}`)
		is(res, body, 200, `"theme":"system"`, `"/theme":"default"`, `"language":"pl"`)
		res, body = patch("phone", `"4"`, `{"theme":null}`)
		is(res, body, 200, `"theme":"system"`, `"/theme":"default"`)
		res, body = patch("", ``, `{}`)
		is(res, body, 400)
		res, body = s.send(t, user, "GET", "/v1/profile/preferences?scope=device", nil)
		is(res, body, 422, `"parameter":"device"`)
		res, body = s.send(t, user, "GET", "/v1/profile/preferences?scope=device&device="+strings.Repeat("x", 65), nil)
		is(res, body, 422, `"parameter":"device"`)
		res, body = s.send(t, user, "GET", "/v1/profile/preferences?scope=all", nil)
		is(res, body, 422, `"parameter":"scope"`)
		res, body = s.send(t, uuid.Nil, "GET", "/v1/profile/preferences/schema", nil)
		is(res, body, 200, `"additionalProperties": false`)
		if got := s.told(t, user); got != "profile.changed.v1 profile.changed.v1" {
			t.Errorf("told %q", got)
		}
		for i := range profile.MaxDevices {
			res, body := patch(fmt.Sprint("d", i), "*", `{"theme":"dark"}`)
			is(res, body, 200)
		}
		p, err = s.ReadPreferences(ann, profile.PreferencesRequest{})
		must(t, err)
		version := p.Version
		for device, want := range map[string]string{"phone": "default", "d0": "device", "d19": "device"} {
			res, body := s.send(t, user, "GET", "/v1/profile/preferences?scope=device&device="+device, nil)
			is(res, body, 200, `"/theme":"`+want+`"`)
		}
		if version <= 5 {
			t.Errorf("the version of the account is %d, and a device that is gone might see 5 again", version)
		}
	})
}

func TestSettings(t *testing.T) {
	onStores(t, func(t *testing.T, store profile.Store) {
		s, user := serve(t, store), uuid.New()
		set, err := s.ReadSettings(t.Context(), user)
		must(t, err)
		n := set.Notifications
		if set.User != user || set.Locale != "en" || set.Language != "en" || set.Timezone != "UTC" || set.Version != 0 || !n.Security.Email || !n.Security.InApp || n.System.Push || n.QuietHours != (profile.QuietHours{From: "22:00", To: "07:00"}) {
			t.Errorf("of somebody unknown: %+v", set)
		}
		ann := s.As(t, user)
		_, err = s.ChangeProfile(ann, profile.ChangeRequest{IfMatch: transport.IfMatch{Any: true}, DisplayName: transport.Some("Ann"), Timezone: transport.Some("Europe/Warsaw")})
		must(t, err)
		_, err = s.ChangePreferences(ann, profile.PatchPreferencesRequest{
			IfMatch: transport.IfMatch{Version: 1}, Language: transport.Some(new("pl")),
			Notifications: transport.Some(map[string]any{"sharing": map[string]any{"email": true}, "quiet_hours": map[string]any{"enabled": true}}),
		})
		must(t, err)
		set, err = s.ReadSettings(t.Context(), user)
		must(t, err)
		n = set.Notifications
		if set.DisplayName != "Ann" || set.Locale != "pl" || set.Timezone != "Europe/Warsaw" || set.Version != 3 || !n.Sharing.Email || !n.QuietHours.Enabled {
			t.Errorf("then: %+v", set)
		}
		if res, _ := s.send(t, user, "GET", "/internal/v1/profiles/"+user.String()+"/settings", nil); res.StatusCode != 401 {
			t.Errorf("with a user's token: %s", res.Status)
		}
	})
}

// register has the service handle that somebody registered.
func (s *scene) register(t *testing.T, user uuid.UUID, name string) {
	t.Helper()
	must(t, profile.Register(s.service, t.Context(), user, name))
}

func TestRegistered(t *testing.T) {
	onStores(t, func(t *testing.T, store profile.Store) {
		s, user := serve(t, store), uuid.New()
		for range 2 {
			s.register(t, user, strings.Repeat("Ann", 50))
		}
		p, err := s.ReadProfile(s.As(t, user))
		must(t, err)
		if len(p.DisplayName) != profile.MaxName || p.Version != 1 || len(s.others.done()) != 0 {
			t.Errorf("%+v, %v", p, s.others.done())
		}
		_, err = s.ChangeProfile(s.As(t, user), profile.ChangeRequest{IfMatch: transport.IfMatch{Version: 1}, DisplayName: transport.Some("")})
		must(t, err)
		s.register(t, user, "Ann")
		if p, err := s.ReadProfile(s.As(t, user)); err != nil || p.DisplayName != "" {
			t.Errorf("%+v, %v", p, err)
		}
	})
}
