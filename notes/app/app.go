// Package app assembles the notes service.
package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/notes"
	"github.com/trellis-go/trellis/notes/postgres"
	"github.com/trellis-go/trellis/notes/sqlite"
)

type config struct {
	Store string `env:"STORE" default:"sqlite:data/notes.db" schemes:"sqlite postgres postgresql" takes:"sqlite:FILE or postgres://USER@HOST/DATABASE" doc:"where the notes are kept"`
}

// Notes is the notes service, ready for server.Main.
var Notes = server.New(
	server.App{Name: "notes", Doc: "Keeps each user's notes.", Addr: "127.0.0.1:8002", Routes: notes.Routes(nil)},
	assemble,
	server.Migrate(open),
	server.Import("take over the notes of a legacy Django database", open, notes.Import),
)

func assemble(ctx context.Context, env *server.Env, c config) (http.Handler, error) {
	store, err := open(ctx, env, c)
	if err != nil {
		return nil, err
	}
	service, err := notes.NewService(ctx, store, people{auth.NewClient(env.Peers)})
	if err != nil {
		return nil, err
	}
	if err := env.Publish(ctx, notes.Events, store.Outbox()); err != nil {
		return nil, err
	}
	env.Go(func(ctx context.Context) {
		service.Remind(ctx, func(err error) { _ = env.Logger.Log("level", "error", "msg", "reminders wait", "err", err) })
	})
	env.Go(func(ctx context.Context) {
		service.Upkeep(ctx, func(err error) { _ = env.Logger.Log("level", "error", "msg", "upkeep waits", "err", err) })
	})
	env.Health.Check("store", store.Ping)
	return env.Handler(notes.Routes(service), store.Keeper())
}

// people are the users that the auth service knows, but for those who can't log
// in. Of an email that nobody has verified it is not known whose it is: whoever
// signed up with it may only say that it is theirs.
type people struct{ auth auth.Client }

func (p people) FindUser(ctx context.Context, login string) (notes.Person, error) {
	u, err := p.auth.FindUser(ctx, login)
	if errors.Is(err, auth.ErrNoUser) {
		err = notes.ErrNoPerson
	}
	if err != nil {
		return notes.Person{}, err
	}
	byUsername := u.Username != nil && *u.Username == auth.Username(login)
	if u.Disabled || !u.EmailVerified && !byUsername {
		return notes.Person{}, notes.ErrNoPerson
	}
	return notes.Person{ID: u.ID, Name: u.Name}, nil
}

// open opens the store that the configuration names, until the service stops.
func open(ctx context.Context, env *server.Env, c config) (store notes.Store, err error) {
	scheme, rest, _ := strings.Cut(c.Store, ":")
	if scheme == "sqlite" {
		store, err = sqlite.Open(ctx, rest)
	} else {
		store, err = postgres.Open(ctx, c.Store)
	}
	if err != nil {
		return nil, fmt.Errorf("NOTES_STORE: %w", err)
	}
	env.Store = server.Redacted(c.Store)
	env.OnStop(store.Close)
	return store, nil
}
