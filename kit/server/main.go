package server

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"runtime/debug"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/trellis-go/trellis/kit/discovery"
)

// Main is the main function of a binary that runs one service, or several in
// one process: "serve" unless its first argument is another command.
func Main(apps ...App) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := execute(ctx, os.Args[1:], os.Stdout, apps...); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func execute(ctx context.Context, args []string, out io.Writer, apps ...App) error {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	version := flags.Bool("version", false, "")
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		help(out, apps)
		return nil
	case err != nil:
		return fmt.Errorf("%w; -help tells what there is", err)
	case *version:
		printVersion(out)
		return nil
	}
	name := flags.Arg(0)
	switch name {
	case "", "serve":
		if flags.NArg() > 1 {
			return fmt.Errorf("serve takes no arguments, got %q", flags.Args()[1:])
		}
		return Run(ctx, out, apps...)
	case "routes":
		return printRoutes(out, apps)
	case "events":
		if hearing := hearing(apps); len(hearing) > 0 {
			return printEvents(ctx, out, hearing, flags.Args()[1:])
		}
	case "help":
		help(out, apps)
		return nil
	}
	if len(apps) == 1 {
		for _, c := range apps[0].commands {
			if c.name == name {
				return runCommand(ctx, apps[0], c, flags.Args()[1:])
			}
		}
	}
	return fmt.Errorf("there is no command %q; -help tells what there is", name)
}

// runCommand runs a service's command with its configuration, without serving.
func runCommand(ctx context.Context, app App, c command, args []string) error {
	common, err := loadCommon()
	if err != nil {
		return err
	}
	_, config, err := app.load()
	if err != nil {
		return err
	}
	events := &bus{url: common.Events}
	env, err := newEnv(app.Name, "", common, new(discovery.Memory), nil, events)
	if err != nil {
		return err
	}
	err = c.run(ctx, env, config, args)
	return cmp.Or(err, env.close(), events.close())
}

func help(out io.Writer, apps []App) {
	fmt.Fprintf(out, "usage: %s [command]\n\nServices:\n", binary())
	for _, a := range apps {
		fmt.Fprintf(out, "  %-8s %s\n", a.Name, a.Doc)
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "\nCommands:\n  serve\trun until interrupted (the default)\n  routes\tprint the table of routes\n")
	if len(hearing(apps)) > 0 {
		fmt.Fprintf(t, "  events %s\t%s\n", eventsArgs, eventsDoc)
	}
	if len(apps) == 1 {
		for _, c := range apps[0].commands {
			fmt.Fprintf(t, "  %s\t%s\n", strings.TrimSpace(c.name+" "+c.args), c.doc)
		}
	}
	fmt.Fprint(t, "  -version\tprint the version\n")
	_ = t.Flush()
	fmt.Fprint(out, "\nEnvironment:\n")
	vars := variables(shared, reflect.TypeFor[Common]())
	for _, a := range apps {
		vars = append(vars, a.variables()...)
	}
	printVariables(out, vars)
}

func binary() string {
	name := os.Args[0]
	return name[strings.LastIndexByte(name, '/')+1:]
}

func printVersion(out io.Writer) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		fmt.Fprintln(out, binary(), "of an unknown version")
		return
	}
	fmt.Fprintln(out, binary(), info.Main.Version, info.GoVersion)
}

// printRoutes prints what the services serve: one line an endpoint.
func printRoutes(out io.Writer, apps []App) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, a := range apps {
		for _, r := range a.Routes {
			access := "token"
			if r.Anonymous {
				access = "public"
			}
			if r.Hidden {
				access += ", internal"
			}
			rate := "any"
			if r.Rate.PerSecond > 0 {
				rate = fmt.Sprintf("%g/s", r.Rate.PerSecond)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Method, r.Path, access, rate, r.Name, r.Doc)
		}
	}
	return t.Flush()
}
