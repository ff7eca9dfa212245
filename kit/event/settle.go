package event

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/openzipkin/zipkin-go/model"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/telemetry"
)

// outcome is what became of an event.
type outcome int

const (
	handled outcome = iota
	parked
	left // to another consumer
)

var errEnded = errors.New("the service ended each time that it was tried")

// settle tries an event until it is handled, or parked, or the consumer stops.
func (w *work) settle(d Delivery) outcome {
	h, ok := w.handlers[d.Source+" "+d.Type]
	if !ok {
		return handled // of no concern to this service
	}
	d.Attempts-- // this one has not failed yet
	var pause backoff
	for {
		err := errEnded
		if d.Attempts < MaxAttempts {
			if err = w.attempt(h, d); err == nil {
				w.Metrics.count(d, "handled")
				w.Metrics.late(d)
				return handled
			}
			if w.ctx.Err() != nil {
				return left
			}
			w.failed(&d, err, pause.first())
		}
		if d.Attempts >= MaxAttempts && w.park(d, err) {
			return parked
		}
		if w.stopping.Err() != nil {
			return left
		}
		pause.wait(w.stopping)
	}
}

// failed counts an attempt if it was the event that failed.
func (w *work) failed(d *Delivery, err error, first bool) {
	w.Metrics.count(*d, "failed")
	unwell := w.unwell(err)
	if unwell == nil {
		d.Attempts++
		_ = w.Logger.Log("level", "warn", "msg", "event not handled", "event", d.Type, "id", d.ID, "attempt", d.Attempts, "err", err)
	} else if first {
		_ = w.Logger.Log("level", "warn", "msg", "event waits", "event", d.Type, "id", d.ID, "for", unwell, "err", err)
	}
}

func (w *work) unwell(err error) error {
	if fault.Of(err).Kind == fault.Unavailable {
		return err
	}
	if w.Healthy == nil {
		return nil
	}
	return w.Healthy(w.ctx)
}

func (w *work) park(d Delivery, reason error) bool {
	ctx, cancel := context.WithTimeout(w.ctx, finishTime)
	defer cancel()
	if err := w.Bus.Park(ctx, w.Group, d, reason.Error()); err != nil {
		_ = w.Logger.Log("level", "warn", "msg", "event not parked", "event", d.Type, "id", d.ID, "err", err)
		return false
	}
	w.Metrics.count(d, "parked")
	_ = w.Logger.Log("level", "error", "msg", "event parked", "event", d.Type, "id", d.ID, "attempts", d.Attempts, "err", reason)
	return true
}

// attempt calls the handler once, within the event's trace.
func (w *work) attempt(h Handler, d Delivery) (err error) {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	select {
	case w.slots <- struct{}{}:
		defer func() { <-w.slots }()
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
	ctx, cancel := context.WithTimeout(w.ctx, handleTime)
	defer cancel()
	call := &endpoint.Call{Context: ctx, Began: time.Now(), RequestID: d.ID.String(), Tracer: w.Tracer}
	call.Span, call.Trace = w.Tracer.Start(d.Type, model.Consumer, telemetry.ParseTraceparent(d.Trace))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if call.Span != nil {
			if err != nil {
				call.Span.Tag("error", err.Error())
			}
			call.Span.Finish()
		}
	}()
	return h.handle(call, d.Message)
}
