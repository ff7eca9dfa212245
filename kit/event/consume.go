package event

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/telemetry"
)

// Consumer is one instance of a service that handles events: those of one
// subject one after another, those of several side by side.
//
// An event that a handler fails on is tried again, ever more slowly, and those
// of its subject wait behind it. After MaxAttempts it is parked, for an
// operator to look at. A failure is no attempt when it is not the event's: while
// the service is not well, by Healthy, or another one is away, by an error of
// the kind fault.Unavailable.
//
// Events that no handler is for are let pass; so a new handler sees all of its
// kind only once the last instance that does not have it has gone.
type Consumer struct {
	Group    Group
	Handlers []Handler
	Bus      Bus
	Healthy  func(context.Context) error // nil: it always is
	Logger   log.Logger
	Tracer   *telemetry.Tracer
	Metrics  Metrics
}

// MaxAttempts is how often an event is tried.
const MaxAttempts = 10

const (
	// Claim is the usual Group.Claim.
	Claim = 30 * time.Second

	handleTime = 20 * time.Second // that one attempt may take
	finishTime = 10 * time.Second // that handlers have when the consumer stops, and what is told of it then
	held       = 256              // events at once
	workers    = 16
)

// NewConsumer returns a consumer of its own name in the service's group.
func NewConsumer(service string, bus Bus, handlers ...Handler) *Consumer {
	c := &Consumer{
		Group:    Group{Name: service, Consumer: uuid.NewString(), Claim: Claim},
		Handlers: handlers, Bus: bus, Logger: log.NewNopLogger(), Tracer: &telemetry.Tracer{},
	}
	for _, h := range handlers {
		if !slices.Contains(c.Group.Sources, h.Source) {
			c.Group.Sources = append(c.Group.Sources, h.Source)
		}
	}
	return c
}

// Run handles events until ctx ends, and lets those in hand finish.
func (c *Consumer) Run(ctx context.Context) {
	if len(c.Handlers) == 0 {
		return
	}
	w := &work{
		Consumer: c, stopping: ctx, handlers: map[string]Handler{},
		slots: make(chan struct{}, workers), finished: make(chan Delivery, held), freed: make(chan struct{}, 1),
		queues: map[uuid.UUID][]Delivery{}, inHand: map[string]Delivery{},
	}
	for _, h := range c.Handlers {
		w.handlers[h.Source+" "+h.Kind.Type()] = h
	}
	var cancel context.CancelFunc
	w.ctx, cancel = lasting(ctx, finishTime)
	defer cancel()
	var background sync.WaitGroup
	background.Go(w.report)
	background.Go(w.hold)
	background.Go(w.count)
	w.receive()
	w.running.Wait()
	cancel()
	close(w.finished)
	background.Wait()
	w.leave()
}

// work is a Consumer while it runs.
type work struct {
	*Consumer
	ctx      context.Context // the handlers'
	stopping context.Context
	handlers map[string]Handler
	slots    chan struct{} // one for each handler that runs
	finished chan Delivery // what was handled
	freed    chan struct{} // has one when there is less in hand
	running  sync.WaitGroup

	mu     sync.Mutex
	queues map[uuid.UUID][]Delivery // by subject, while one of its events is in hand
	inHand map[string]Delivery      // by Ref, until the bus has been told what became of it
}

func (w *work) receive() {
	var pause backoff
	for w.stopping.Err() == nil {
		w.mu.Lock()
		room := held - len(w.inHand)
		w.mu.Unlock()
		if room < held/4 {
			select {
			case <-w.freed:
			case <-w.stopping.Done():
			}
			continue
		}
		deliveries, err := w.Bus.Receive(w.stopping, w.Group, room)
		if err != nil {
			if pause.first() && w.stopping.Err() == nil {
				_ = w.Logger.Log("level", "warn", "msg", "events wait to be handled", "err", err)
			}
			pause.wait(w.stopping)
			continue
		}
		pause.reset()
		for _, d := range deliveries {
			w.take(d)
		}
	}
}

// take puts an event in its subject's queue, and begins to work on that.
func (w *work) take(d Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, twice := w.inHand[d.Ref]; twice {
		return
	}
	w.inHand[d.Ref] = d
	queue, busy := w.queues[d.Subject]
	w.queues[d.Subject] = append(queue, d)
	if !busy {
		w.running.Go(func() { w.empty(d.Subject) })
	}
}

// next takes the next event out of a subject's queue, which ends with the last.
func (w *work) next(subject uuid.UUID) (d Delivery, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	queue := w.queues[subject]
	if len(queue) == 0 {
		delete(w.queues, subject)
		return d, false
	}
	w.queues[subject] = queue[1:]
	return queue[0], true
}

// empty works on a subject's queue until there is nothing in it. Behind an
// event that is left to another consumer the queue stays, for later ones must
// not overtake it.
func (w *work) empty(subject uuid.UUID) {
	for {
		d, ok := w.next(subject)
		if !ok {
			return
		}
		switch w.settle(d) {
		case handled:
			w.finished <- d
		case parked:
			w.release(d)
		case left:
			return
		}
	}
}

// release lets events go out of hand.
func (w *work) release(gone ...Delivery) {
	w.mu.Lock()
	for _, d := range gone {
		delete(w.inHand, d.Ref)
	}
	w.mu.Unlock()
	select {
	case w.freed <- struct{}{}:
	default:
	}
}
