package server

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/event/redis"
	"github.com/trellis-go/trellis/kit/event/sqlite"
)

// events is what a service tells and hears of.
type events struct {
	bus     *bus
	tells   []event.Kind
	handles []event.Handler
}

// bus is the bus of a process, opened when a service first needs it.
type bus struct {
	url string

	mu   sync.Mutex
	open event.Bus
}

func (b *bus) get(ctx context.Context) (_ event.Bus, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		if file, ok := strings.CutPrefix(b.url, "sqlite:"); ok {
			b.open, err = sqlite.Open(ctx, file)
		} else {
			b.open, err = redis.Open(b.url)
		}
		if err != nil {
			b.open = nil
			return nil, fmt.Errorf("TRELLIS_EVENTS: %w", err)
		}
	}
	return b.open, nil
}

func (b *bus) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		return nil
	}
	return b.open.Close()
}

// Bus is what carries the events, for whoever looks after them.
func (e *Env) Bus(ctx context.Context) (event.Bus, error) { return e.events.bus.get(ctx) }

// Publish publishes the events that the service writes to its outbox, those
// of its table. Call it while the service is assembled, before Handler.
func (e *Env) Publish(ctx context.Context, table []event.Kind, outbox event.Outbox) error {
	bus, err := e.Bus(ctx)
	if err != nil {
		return err
	}
	e.events.tells = table
	e.Go(event.Relay{Source: e.Name, Outbox: outbox, Bus: bus, Logger: e.Logger}.Run)
	return nil
}

// Subscribe handles other services' events. Call it while the service is
// assembled, before Handler.
func (e *Env) Subscribe(ctx context.Context, handlers ...event.Handler) error {
	bus, err := e.Bus(ctx)
	if err != nil {
		return err
	}
	e.events.handles = handlers
	c := event.NewConsumer(e.Name, bus, handlers...)
	c.Healthy, c.Logger, c.Tracer, c.Metrics = e.Health.Err, e.Logger, e.Tracer, event.NewMetrics(e.Metrics)
	e.Go(c.Run)
	return nil
}
