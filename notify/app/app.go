// Package app assembles the notify service.
package app

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	_ "time/tzdata" // for machines without it: users live in time zones

	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/notify/email"
	"github.com/trellis-go/trellis/notify/push"
	"github.com/trellis-go/trellis/notify/realtime"
	"github.com/trellis-go/trellis/notify/redis"
	"github.com/trellis-go/trellis/notify/sqlite"
	"github.com/trellis-go/trellis/profile"
)

type config struct {
	Store    string         `env:"STORE" default:"sqlite:data/notify.db" schemes:"sqlite redis rediss" takes:"sqlite:FILE or redis://HOST:PORT" doc:"where inboxes are kept, and what is to be sent"`
	WebURL   server.URL     `env:"WEB_URL" default:"http://localhost:3000" takes:"a URL" doc:"where the webapp is, for links in mails; its pages may open WebSockets"`
	From     email.Address  `env:"FROM" default:"Trellis <trellis@localhost>" takes:"an address such as Trellis <trellis@example.org>" doc:"who mails are from"`
	SMTP     string         `env:"SMTP" default:"" schemes:"smtp smtps" takes:"smtp://USER:PASSWORD@HOST:587 or smtps://…, or nothing" doc:"the mail server; without one mails are kept in NOTIFY_MAIL_DIR"`
	MailDir  string         `env:"MAIL_DIR" default:"data/mail" takes:"a folder" doc:"where mails are kept when there is no mail server: the last 500"`
	MailAddr server.Address `env:"MAIL_ADDR" default:"127.0.0.1:8025" takes:"HOST:PORT" doc:"where a page shows them, to everybody who reaches it"`
}

// Notify is the notify service, ready for server.Main.
var Notify = server.New(
	server.App{Name: "notify", Doc: "Tells users what concerns them.", Addr: "127.0.0.1:8004", Routes: notify.Routes(nil, nil)},
	assemble,
	server.Migrate(open),
)

func assemble(ctx context.Context, env *server.Env, c config) (http.Handler, error) {
	store, err := open(ctx, env, c)
	if err != nil {
		return nil, err
	}
	mailer, err := openMailer(env, c)
	if err != nil {
		return nil, err
	}
	pusher, err := openPusher(ctx, store, c)
	if err != nil {
		return nil, err
	}
	service, err := notify.NewService(ctx, store, people{auth.NewClient(env.Peers)}, profiles{profile.NewClient(env.Peers)}, pusher.PublicKey())
	if err != nil {
		return nil, err
	}
	sender, err := notify.NewSender(service, mailer, pusher, env.Logger, env.Metrics)
	if err != nil {
		return nil, err
	}
	env.Stack() // follows which sessions end
	hub := realtime.NewHub(store, realtime.Options{
		Draining: env.Draining, Ended: env.Revocations.Ended, Origins: []string{origin(c.WebURL)}, Logger: env.Logger, Metrics: env.Metrics,
	})
	if err := env.Subscribe(ctx, notify.Handlers(service)...); err != nil {
		return nil, err
	}
	env.Go(hub.Run)
	env.Go(sender.Run)
	env.Go(func(ctx context.Context) { service.Ring(ctx, warning(env, "timers")) })
	env.Go(func(ctx context.Context) { service.Purge(ctx, warning(env, "purge")) })
	env.Health.Check("store", store.Ping)
	return env.Handler(notify.Routes(service, hub), store.Keeper())
}

func warning(env *server.Env, what string) func(error) {
	return func(err error) { _ = env.Logger.Log("level", "warn", "msg", what, "err", err) }
}

// origin is what a browser calls the site of a page.
func origin(page server.URL) string {
	u, err := url.Parse(string(page))
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func openPusher(ctx context.Context, store notify.Store, c config) (*push.Pusher, error) {
	secret, err := store.Secret(ctx, "vapid")
	if err != nil {
		return nil, fmt.Errorf("push key: %w", err)
	}
	contact := c.From.Address.Address
	if strings.HasPrefix(string(c.WebURL), "https:") {
		contact = string(c.WebURL)
	}
	return push.New(secret, push.Options{Contact: contact})
}

// open opens the store that the configuration names, until the service stops.
func open(ctx context.Context, env *server.Env, c config) (store notify.Store, err error) {
	scheme, rest, _ := strings.Cut(c.Store, ":")
	if scheme == "sqlite" {
		store, err = sqlite.Open(ctx, rest)
	} else {
		store, err = openRedis(ctx, env, c.Store)
	}
	if err != nil {
		return nil, fmt.Errorf("NOTIFY_STORE: %w", err)
	}
	env.Store = server.Redacted(c.Store)
	env.OnStop(store.Close)
	return store, nil
}

// openRedis opens a Redis, and says so if that may forget what it is told.
func openRedis(ctx context.Context, env *server.Env, url string) (notify.Store, error) {
	store, err := redis.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	for _, risk := range store.Risks {
		_ = env.Logger.Log("level", "warn", "msg", "inboxes may be lost", "risk", risk)
	}
	return store, nil
}
