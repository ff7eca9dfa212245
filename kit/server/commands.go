package server

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// Migrate is the command that brings a store's schema up to date, which
// opening it does.
func Migrate[C, S any](open func(context.Context, *Env, C) (S, error)) Command[C] {
	return Command[C]{
		Name: "migrate", Doc: "bring the store's schema up to date",
		Run: func(ctx context.Context, env *Env, config C, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("migrate takes no arguments, got %q", args)
			}
			_, err := open(ctx, env, config)
			return err
		},
	}
}

// Import is the command that takes over what a legacy database has. What take
// did and could not do, it writes to w.
func Import[C, S any](doc string, open func(context.Context, *Env, C) (S, error),
	take func(ctx context.Context, store S, path string, dryRun bool, w io.Writer) error) Command[C] {
	return Command[C]{
		Name: "import", Args: "[-dry-run] FILE", Doc: doc,
		Run: func(ctx context.Context, env *Env, config C, args []string) error {
			flags := flag.NewFlagSet("import", flag.ContinueOnError)
			dryRun := flags.Bool("dry-run", false, "report what would be done, and do nothing")
			if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
				return nil
			} else if err != nil {
				return err
			}
			if flags.NArg() != 1 {
				return errors.New("import takes the legacy database: import [-dry-run] FILE")
			}
			store, err := open(ctx, env, config)
			if err != nil {
				return err
			}
			fmt.Println("into", env.Store)
			return take(ctx, store, flags.Arg(0), *dryRun, os.Stdout)
		},
	}
}
