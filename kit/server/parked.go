package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/trellis-go/trellis/kit/event"
)

// eventsArgs and eventsDoc describe a command that every service has.
const (
	eventsArgs = "[replay ID…|all] [discard ID…]"
	eventsDoc  = "list the events that could not be handled, have them handled again, or forget them"
)

// hearing are those of a binary's services that may handle events; the gateway
// does not.
func hearing(apps []App) []App {
	return slices.DeleteFunc(slices.Clone(apps), func(a App) bool { return len(a.Routes) == 0 })
}

// printEvents runs the command "events" for the services of a binary.
func printEvents(ctx context.Context, out io.Writer, apps []App, args []string) error {
	common, err := loadCommon()
	if err != nil {
		return err
	}
	b := &bus{url: common.Events}
	events, err := b.get(ctx)
	if err != nil {
		return err
	}
	p := parked{events, apps, out}
	switch {
	case len(args) == 0:
		err = p.list(ctx)
	case args[0] == "replay" && len(args) == 2 && args[1] == "all":
		err = p.each(ctx, "replayed", events.Replay, nil)
	case args[0] == "replay" && len(args) > 1:
		err = p.each(ctx, "replayed", events.Replay, args[1:])
	case args[0] == "discard" && len(args) > 1:
		err = p.each(ctx, "discarded", events.Discard, args[1:])
	default:
		err = fmt.Errorf("events takes %s, got %q", eventsArgs, args)
	}
	return cmp.Or(err, b.close())
}

// parked is what services could not handle.
type parked struct {
	event.Bus
	apps []App
	out  io.Writer
}

func (p parked) list(ctx context.Context) error {
	t := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "ID\tSERVICE\tTYPE\tSUBJECT\tPARKED\tATTEMPTS\tREASON\n")
	for _, a := range p.apps {
		list, err := p.Parked(ctx, a.Name)
		if err != nil {
			return err
		}
		for _, e := range list {
			reason, _, _ := strings.Cut(e.Reason, "\n") // of a panic without its stack
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", e.ID, a.Name, e.Message.Type, e.Message.Subject, e.ParkedAt.UTC().Format(time.RFC3339), e.Attempts, reason)
		}
	}
	return t.Flush()
}

// each does something to events wherever they are parked. With an id that
// nobody knows it does nothing.
func (p parked) each(ctx context.Context, done string, do func(context.Context, string, ...string) (int, error), ids []string) error {
	unknown := slices.Clone(ids)
	for _, a := range p.apps {
		list, err := p.Parked(ctx, a.Name)
		if err != nil {
			return err
		}
		unknown = slices.DeleteFunc(unknown, func(id string) bool {
			return slices.ContainsFunc(list, func(e event.Parked) bool { return e.ID == id })
		})
	}
	if len(unknown) > 0 {
		return errors.New("no such event is parked: " + strings.Join(unknown, " "))
	}
	all := 0
	for _, a := range p.apps {
		n, err := do(ctx, a.Name, ids...)
		if err != nil {
			return err
		}
		all += n
	}
	_, err := fmt.Fprintln(p.out, done, all)
	return err
}
