package app_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/notify/app"
	"github.com/trellis-go/trellis/notify/mailbox"
	"github.com/trellis-go/trellis/profile"
)

var (
	ann   = uuid.MustParse("01900000-0000-7000-8000-00000000000a")
	email = "ann@example.org"
)

// part is a service that plays another's part.
func part(name string, routes []transport.Route, ready func(*server.Env)) server.App {
	return server.New(server.App{Name: name, Doc: "Plays a part.", Addr: "127.0.0.1:0", Routes: routes}, func(_ context.Context, env *server.Env, _ struct{}) (http.Handler, error) {
		env.Revocations = token.NewRevocations()
		ready(env)
		return env.Handler(routes, nil)
	})
}

func authPart(ready func(*server.Env)) server.App {
	user := func(_ context.Context, r auth.UserRequest) (auth.Account, error) {
		if r.ID != ann {
			return auth.Account{}, auth.ErrNoUser
		}
		return auth.Account{User: auth.User{ID: ann, Email: &email, EmailVerified: true, Name: "Ann", Roles: []string{}}}, nil
	}
	link := func(_ context.Context, r auth.LinkFor) (auth.Link, error) {
		return auth.Link{Email: email, Name: "Ann", Token: "trk_" + string(r.Purpose), ExpiresAt: time.Now().Add(time.Hour)}, nil
	}
	return part("auth", []transport.Route{
		transport.Get("/internal/v1/auth/users/{id}", endpoint.New(user, "Read a user.").Named("ReadUser").Internal()),
		transport.Post("/internal/v1/auth/links", endpoint.New(link, "Make a link.").Named("MakeLink").Internal()),
	}, ready)
}

func profilePart() server.App {
	settings := func(_ context.Context, r profile.UserRequest) (profile.Settings, error) {
		all := profile.Channels{InApp: true, Email: true}
		return profile.Settings{User: r.User, Language: "pl", Timezone: "Europe/Warsaw", Notifications: profile.Notifications{Security: all, Account: all, Sharing: all, Reminder: all, System: all}}, nil
	}
	return part("profile", []transport.Route{
		transport.Get("/internal/v1/profiles/{user}/settings", endpoint.New(settings, "Read settings.").Named("ReadSettings").Internal()),
	}, func(*server.Env) {})
}

// Events become mails in the box, in their user's language, by way of the
// services that know who that is and what they want.
func TestFromEventToMail(t *testing.T) {
	dir := t.TempDir()
	page := freeAddr(t)
	for name, value := range map[string]string{
		"TRELLIS_DISCOVERY": "memory:", "TRELLIS_EVENTS": "sqlite:" + filepath.Join(dir, "events.db"), "TRELLIS_DRAIN": "0s",
		"NOTIFY_ADDR": "127.0.0.1:0", "NOTIFY_STORE": "sqlite:" + filepath.Join(dir, "notify.db"),
		"NOTIFY_MAIL_DIR": filepath.Join(dir, "mail"), "NOTIFY_MAIL_ADDR": page, "NOTIFY_WEB_URL": "https://trellis.example.org",
	} {
		t.Setenv(name, value)
	}
	ctx, stop := context.WithCancel(t.Context())
	envs, done := make(chan *server.Env, 1), make(chan error, 1)
	go func() {
		done <- server.Run(ctx, io.Discard, authPart(func(env *server.Env) { envs <- env }), profilePart(), app.Notify)
	}()
	env := <-envs
	bus, err := env.Bus(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wanted, err1 := auth.LinkWanted.About(t.Context(), ann, auth.LinkRequest{Purpose: auth.ResetPassword})
	device, err2 := auth.NewDevice.About(t.Context(), ann, auth.Login{Device: "curl/8", IP: "192.0.2.7"})
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	wanted.Source, device.Source = "auth", "auth"
	if err := bus.Publish(t.Context(), "auth", event.Batch{Messages: []event.Message{wanted, device}}); err != nil {
		t.Fatal(err)
	}
	client, news := notify.NewClient(env.Peers), notify.NotifyRequest{Users: []uuid.UUID{ann}, Category: notify.System, Title: "News", Link: "/news"}
	testenv.Eventually(t, "news are taken", func() bool { return client.Notify(t.Context(), news) == nil })
	want := map[string]string{
		"Ustaw nowe hasło":     "https://trellis.example.org/reset#token=trk_reset",
		"Nowe logowanie: curl": "https://trellis.example.org/account/sessions",
		"News":                 "https://trellis.example.org/news",
	}
	var mails []mailbox.Mail
	testenv.Eventually(t, "all mails are there", func() bool {
		mails = read(t, "http://"+page+"/messages?to="+email)
		return len(mails) >= len(want)
	})
	for _, m := range mails {
		if link, ok := want[m.Subject]; !ok || !strings.Contains(m.Text, link) {
			t.Errorf("%s: %s", m.Subject, m.Text)
		}
		delete(want, m.Subject)
	}
	if len(want) > 0 {
		t.Errorf("no mails of %v", want)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func read(t *testing.T, url string) []mailbox.Mail {
	t.Helper()
	res, err := testenv.Client.Get(url)
	if err != nil {
		return nil // not yet
	}
	defer res.Body.Close()
	var list struct{ Messages []mailbox.Mail }
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list.Messages
}

// Wrong configuration is named, and no password repeated.
func TestConfiguration(t *testing.T) {
	for name, value := range map[string]string{
		"NOTIFY_STORE": "postgres://a:geheim@b", "NOTIFY_FROM": "nobody", "NOTIFY_WEB_URL": "localhost", "NOTIFY_SMTP": "http://a:geheim@b", "NOTIFY_MAIL_ADDR": "here",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("TRELLIS_DISCOVERY", "memory:")
			t.Setenv("TRELLIS_EVENTS", "sqlite:"+filepath.Join(dir, "events.db"))
			t.Setenv("NOTIFY_ADDR", "127.0.0.1:0")
			t.Setenv("NOTIFY_STORE", "sqlite:"+filepath.Join(dir, "notify.db"))
			t.Setenv(name, value)
			err := server.Run(t.Context(), io.Discard, app.Notify)
			if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("NOTIFY_SMTP without a host", func(t *testing.T) {
		dir := t.TempDir()
		t.Setenv("TRELLIS_EVENTS", "sqlite:"+filepath.Join(dir, "events.db"))
		t.Setenv("NOTIFY_ADDR", "127.0.0.1:0")
		t.Setenv("NOTIFY_STORE", "sqlite:"+filepath.Join(dir, "notify.db"))
		t.Setenv("NOTIFY_SMTP", "smtp:geheim")
		if err := server.Run(t.Context(), io.Discard, app.Notify); err == nil || !strings.Contains(err.Error(), "NOTIFY_SMTP") || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v", err)
		}
	})
}
