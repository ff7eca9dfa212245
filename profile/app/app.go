// Package app assembles the profile service.
package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/account"
	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/profile"
	"github.com/trellis-go/trellis/profile/mongo"
	"github.com/trellis-go/trellis/profile/sqlite"
)

type config struct {
	Store   string        `env:"STORE" default:"sqlite:data/profile.db" schemes:"sqlite mongodb mongodb+srv" takes:"sqlite:FILE or mongodb://USER@HOST/DATABASE" doc:"where profiles, preferences and exports are kept"`
	Holders services      `env:"HOLDERS" default:"auth,notes,notify" takes:"names of services, separated by commas" doc:"which other services keep something of users': they export it, and erase it"`
	Grace   time.Duration `env:"GRACE" default:"336h" takes:"a duration such as 336h" doc:"from when users ask to be erased until they are; they may take it back"`
	Memory  memory        `env:"MEMORY" default:"512" takes:"a number of MiB, 64 or more" doc:"in which pictures are drawn; what needs more alone is refused, what needs it together waits"`
}

// Profile is the profile service, ready for server.Main.
var Profile = server.New(
	server.App{Name: "profile", Doc: "Keeps who users are and how they want things, and leads accounts out.", Addr: "127.0.0.1:8003", Routes: profile.Routes(nil)},
	assemble,
	server.Migrate(open),
)

func assemble(ctx context.Context, env *server.Env, c config) (http.Handler, error) {
	store, err := open(ctx, env, c)
	if err != nil {
		return nil, err
	}
	service, err := profile.NewService(ctx, store, users{auth.NewClient(env.Peers)}, account.NewClient(env.Peers), profile.Config{
		Holders: c.Holders, Grace: c.Grace, Memory: int64(c.Memory),
		Failed: func(what string, err error) { _ = env.Logger.Log("level", "warn", "msg", what, "err", err) },
	})
	if err != nil {
		return nil, err
	}
	env.Health.Check("store", store.Ping)
	if err := env.Publish(ctx, profile.Events, store.Outbox()); err != nil {
		return nil, err
	}
	if err := env.Subscribe(ctx, service.Handlers()...); err != nil {
		return nil, err
	}
	env.Go(service.Run)
	return env.Handler(profile.Routes(service), store.Keeper())
}

// open opens the store that the configuration names, until the service stops.
func open(ctx context.Context, env *server.Env, c config) (store profile.Store, err error) {
	scheme, rest, _ := strings.Cut(c.Store, ":")
	if scheme == "sqlite" {
		store, err = sqlite.Open(ctx, rest)
	} else {
		store, err = mongo.Open(ctx, c.Store)
	}
	if err != nil {
		return nil, fmt.Errorf("PROFILE_STORE: %w", err)
	}
	env.Store = server.Redacted(c.Store)
	env.OnStop(store.Close)
	return store, nil
}

// users is the auth service, as a profile.Users.
type users struct{ auth.Client }

// Name returns a user's name; one whom auth does not know has none.
func (u users) Name(ctx context.Context, user uuid.UUID) (string, error) {
	known, err := u.ReadUser(ctx, user)
	if errors.Is(err, auth.ErrNoUser) {
		err = nil
	}
	return known.Name, err
}

// ConfirmPassword answers otherwise than auth, whose 401 would have a client
// get itself another token.
func (u users) ConfirmPassword(ctx context.Context, user uuid.UUID, password string) error {
	err := u.Client.ConfirmPassword(ctx, user, password)
	if errors.Is(err, auth.ErrCredentials) {
		err = profile.ErrPassword
	}
	return err
}

// services are names of services.
type services []string

// UnmarshalText reads names, separated by commas.
func (s *services) UnmarshalText(text []byte) error {
	*s = nil
	for name := range strings.SplitSeq(string(text), ",") {
		name = strings.TrimSpace(name)
		if name == "" || name == "profile" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return fmt.Errorf("%q is no other service's name", name)
		}
		*s = append(*s, name)
	}
	return nil
}

// memory is a number of bytes, told in MiB.
type memory int64

// UnmarshalText reads a number of MiB.
func (m *memory) UnmarshalText(text []byte) error {
	var n int64
	if _, err := fmt.Sscanf(string(text)+"$", "%d$", &n); err != nil || n < 64 || n > 1<<20 {
		return errors.New("out of range")
	}
	*m = memory(n << 20)
	return nil
}
