package server

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"

	"github.com/trellis-go/trellis/kit/transport"
)

// App is one service: its name, its table of routes and how to assemble it.
type App struct {
	Name   string
	Doc    string            // one sentence
	Addr   string            // where it listens unless NAME_ADDR says otherwise
	Routes []transport.Route // for people to read; assemble binds them to a service

	config   reflect.Type
	assemble func(context.Context, *Env, any) (http.Handler, error)
	commands []command
}

// Command is something else that a service's binary does: "import FILE".
// Run is given the arguments behind the command's name.
type Command[C any] struct {
	Name, Args, Doc string
	Run             func(ctx context.Context, env *Env, config C, args []string) error
}

type command struct {
	name, args, doc string
	run             func(context.Context, *Env, any, []string) error
}

// New returns a service whose configuration is a C, a struct as load
// describes it, with variables that begin with the service's name in capitals.
func New[C any](app App, assemble func(context.Context, *Env, C) (http.Handler, error), commands ...Command[C]) App {
	app.config = reflect.TypeFor[C]()
	app.assemble = func(ctx context.Context, env *Env, config any) (http.Handler, error) {
		return assemble(ctx, env, *config.(*C))
	}
	for _, c := range commands {
		app.commands = append(app.commands, command{c.Name, c.Args, c.Doc,
			func(ctx context.Context, env *Env, config any, args []string) error {
				return c.Run(ctx, env, *config.(*C), args)
			}})
	}
	return app
}

// own is what every service has beside its own configuration.
type own struct {
	Addr      Address `env:"ADDR" takes:"HOST:PORT" doc:"where the service listens"`
	Advertise Address `env:"ADVERTISE" default:"" takes:"HOST:PORT, or nothing for the address it listens on" doc:"where other services reach it"`
	Weight    Count   `env:"WEIGHT" default:"1" takes:"a number from 1 to 100" doc:"its share of requests beside other instances'"`
}

func (a App) prefix() string { return strings.ToUpper(a.Name) }

func (a App) ownVariables() []variable {
	vars := variables(a.prefix(), reflect.TypeFor[own]())
	vars[0].Default = a.Addr
	return vars
}

// variables is the service's table of configuration.
func (a App) variables() []variable {
	return append(a.ownVariables(), variables(a.prefix(), a.config)...)
}

func (a App) load() (o own, config any, err error) {
	config = reflect.New(a.config).Interface()
	err = errors.Join(load(a.ownVariables(), &o), load(variables(a.prefix(), a.config), config))
	return o, config, err
}
