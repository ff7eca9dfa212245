package event

import (
	"context"
	"time"

	"github.com/trellis-go/trellis/kit/pause"
)

// report takes handled events off the group, several at a time, until the bus
// has noted it; when the consumer stops it tries once more.
func (w *work) report() {
	for d := range w.finished {
		done := []Delivery{d}
		for more := true; more && len(done) < held; {
			select {
			case d, more = <-w.finished:
				if more {
					done = append(done, d)
				}
			default:
				more = false
			}
		}
		w.done(done)
		w.release(done...)
	}
}

func (w *work) done(list []Delivery) {
	var pause backoff
	for {
		last := w.stopping.Err() != nil
		ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), finishTime)
		err := w.Bus.Done(ctx, w.Group, list)
		cancel()
		if err == nil {
			return
		}
		if pause.first() || last {
			_ = w.Logger.Log("level", "warn", "msg", "handled events stay with the bus", "events", len(list), "err", err)
		}
		if last {
			return // they will be handled again, which changes nothing
		}
		pause.wait(w.stopping)
	}
}

// hold keeps others from claiming what is in hand.
func (w *work) hold() {
	for pause.For(w.ctx, w.Group.Claim/3) {
		if err := w.Bus.Hold(w.ctx, w.Group); err != nil && w.ctx.Err() == nil {
			_ = w.Logger.Log("level", "warn", "msg", "events in hand may be claimed", "err", err)
		}
	}
}

// leave gives to others at once what they would claim later.
func (w *work) leave() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), finishTime)
	defer cancel()
	if err := w.Bus.Leave(ctx, w.Group); err != nil {
		_ = w.Logger.Log("level", "warn", "msg", "events in hand wait to be claimed", "err", err)
	}
}

// countEvery is how often parked events are counted, which any process may
// park, replay and discard.
const countEvery = 15 * time.Second

func (w *work) count() {
	for ok := w.Metrics.waiting != nil; ok; ok = pause.For(w.stopping, countEvery) {
		ctx, cancel := context.WithTimeout(w.stopping, finishTime)
		if n, err := w.Bus.CountParked(ctx, w.Group.Name); err == nil {
			w.Metrics.waiting.Set(float64(n))
		}
		cancel()
	}
}
