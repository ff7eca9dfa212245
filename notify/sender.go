package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/kit/metrics"
	"github.com/go-kit/log"
	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/telemetry"
)

// Sender sends what is on its way by email and push. Several may run on one
// store. What one had in hand when its process died is sent again, under the
// same id. Which browsers a push has reached only the sender knows that tried
// it: one that goes on, as another instance or after a restart, sends it to all
// of them again.
type Sender struct {
	service *Service
	mailer  Mailer
	pusher  Pusher
	logger  log.Logger
	count   metrics.Counter
	waiting atomic.Bool                            // for another service, and that was logged
	reached *lru.Cache[uuid.UUID, map[string]bool] // browsers that a push has reached, while others are tried again
}

// NewSender returns a sender of the service's deliveries.
func NewSender(s *Service, mailer Mailer, pusher Pusher, logger log.Logger, m *telemetry.Metrics) (*Sender, error) {
	reached, err := lru.New[uuid.UUID, map[string]bool](1000)
	count := m.Counter("trellis_deliveries_total", "Mails and pushes that were tried, by their channel and what became of them: sent, failed, skipped, or pending to be tried again.", "channel", "outcome")
	return &Sender{service: s, mailer: mailer, pusher: pusher, logger: logger, count: count, reached: reached}, err
}

// MaxAttempts is how often a delivery is tried.
const MaxAttempts = 10

const (
	sendLease   = 3 * time.Minute
	sendTime    = 90 * time.Second // that one delivery may take
	sendWorkers = 8                // of each channel: one that hangs does not hold up the other
	lookEvery   = time.Second
	stopTime    = 10 * time.Second // that those in hand have when the sender stops

	firstRetry = 5 * time.Second
	lastRetry  = time.Hour
	awayRetry  = 20 * time.Second
)

// Run sends until ctx ends, and lets what is in hand finish.
func (s *Sender) Run(ctx context.Context) {
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopTime, cancel) })()
	var channels sync.WaitGroup
	for over := range s.service.pending {
		channels.Go(func() { s.run(ctx, working, over) })
	}
	channels.Wait()
}

// run sends over a channel until ctx ends, and lets what is in hand finish,
// unless working ends.
func (s *Sender) run(ctx, working context.Context, over Channel) {
	var workers sync.WaitGroup
	defer workers.Wait()
	busy := make(chan struct{}, sendWorkers)
	for ctx.Err() == nil {
		room := sendWorkers - len(busy)
		deliveries, err := s.take(ctx, over, room)
		if err != nil && ctx.Err() == nil {
			_ = s.logger.Log("level", "warn", "msg", "deliveries wait to be sent", "channel", over, "err", err)
		}
		for _, d := range deliveries {
			busy <- struct{}{}
			workers.Go(func() {
				s.settle(working, d)
				<-busy
				if len(busy) >= sendWorkers-1 {
					s.service.wakeFor(over)
				}
			})
		}
		if room == 0 || len(deliveries) < room {
			s.wait(ctx, over)
		}
	}
}

func (s *Sender) take(ctx context.Context, over Channel, max int) ([]Delivery, error) {
	if max == 0 {
		return nil, nil
	}
	return s.service.store.Take(ctx, over, s.service.now(), sendLease, max)
}

// wait waits until there may be something to take.
func (s *Sender) wait(ctx context.Context, over Channel) {
	pause := time.NewTimer(lookEvery)
	defer pause.Stop()
	select {
	case <-ctx.Done():
	case <-pause.C:
	case <-s.service.pending[over]:
	}
}

// outcome is what became of a delivery that was taken.
type outcome struct {
	state  State
	reason string
	after  time.Duration // of a pending one
	tried  bool          // counts as an attempt
	cause  error         // for the logs
}

func skipped(reason string) outcome { return outcome{state: Skipped, reason: reason} }

func putOff(after time.Duration, reason string) outcome {
	return outcome{state: Pending, reason: reason, after: max(after, time.Second)}
}

// settle tries a delivery and keeps what became of it. When that can't be
// kept, the delivery is taken again after its lease.
func (s *Sender) settle(ctx context.Context, d Delivery) {
	o := s.try(ctx, d)
	if ctx.Err() != nil && o.cause != nil {
		return // stopped, and nobody's fault
	}
	now := micros(s.service.now())
	d.State, d.Reason, d.NextAt, d.UpdatedAt = o.state, o.reason, now, now
	if o.tried {
		d.Attempts++
	}
	switch {
	case d.State == Pending && o.tried && d.Attempts >= MaxAttempts:
		d.State = Failed
	case d.State == Pending && o.tried:
		d.NextAt = now.Add(max(backoff(d.Attempts), o.after))
	case d.State == Pending:
		d.NextAt = now.Add(o.after)
	}
	if o.tried {
		s.waiting.Store(false)
	}
	if o.cause != nil && (o.tried || s.waiting.CompareAndSwap(false, true)) {
		_ = s.logger.Log("level", "warn", "msg", "not delivered", "delivery", d.ID, "channel", d.Channel, "state", d.State, "attempt", d.Attempts, "reason", d.Reason, "err", o.cause)
	}
	if err := s.service.store.Settle(ctx, d); err != nil {
		_ = s.logger.Log("level", "error", "msg", "what became of a delivery is not kept", "delivery", d.ID, "state", d.State, "err", err)
		return
	}
	if d.State != Pending {
		s.reached.Remove(d.ID)
	}
	s.count.With("channel", string(d.Channel), "outcome", string(d.State)).Add(1)
}

// backoff is how long to wait after so many attempts: from 5 seconds, three
// times as long each time, to an hour; a fifth more or less, so that what
// failed together is not tried together.
func backoff(attempts int) time.Duration {
	d := firstRetry
	for range attempts - 1 {
		d = min(3*d, lastRetry)
	}
	return d - d/5 + rand.N(2*d/5+1)
}

func (s *Sender) try(ctx context.Context, d Delivery) (o outcome) {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			o = outcome{state: Pending, reason: "Something went wrong on our side.", tried: true, cause: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		}
	}()
	switch {
	case d.Kind != KindNotification:
		return s.mailLink(ctx, d)
	case d.Channel == Email, d.Channel == Push:
		return s.sendNotification(ctx, d)
	}
	return outcome{state: Failed, reason: "There is no such channel."}
}

// after is what becomes of a delivery when a channel or another service has
// answered err. While another service is away nothing counts as an attempt.
func after(err error) outcome {
	if t, ok := errors.AsType[*Trouble](err); ok {
		if t.Final {
			return outcome{state: Failed, reason: t.Reason, tried: true, cause: err}
		}
		return outcome{state: Pending, reason: t.Reason, after: t.After, tried: true, cause: err}
	}
	o := outcome{state: Pending, reason: "It waits for another part of Trellis.", after: awayRetry + rand.N(awayRetry/2), cause: err}
	switch fault.Of(err).Kind {
	case fault.Unavailable, fault.Timeout, fault.BadGateway, fault.TooMany, fault.Canceled:
	default:
		o.tried, o.reason = true, "Something went wrong on our side."
	}
	return o
}
