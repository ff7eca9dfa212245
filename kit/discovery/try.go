package discovery

import (
	"context"
	"errors"
	"net/url"
	"sync/atomic"
	"time"
)

// try is one attempt at sending a request to an instance.
type try struct {
	ctx    context.Context
	cancel context.CancelFunc
	moves  bool    // it may be abandoned, and the request sent elsewhere
	body   *replay // that must still be whole then; nil when nothing stands against it
	fate   atomic.Int32
	ended  atomic.Bool

	target *target
	began  time.Time
	url    url.URL
	answer readBody
}

// What becomes of a try is decided once: there is an answer (or an error), or
// it was abandoned before.
const (
	undecided int32 = iota
	settled
	late
	moved
	beaten
)

var (
	errLate    = errors.New("discovery: no answer in time")
	errStalled = errors.New("discovery: the instance stopped answering")
	errBeaten  = errors.New("discovery: another instance was faster")
)

func newTry(ctx context.Context, moves bool, body *replay) *try {
	x := &try{moves: moves, body: body}
	x.ctx, x.cancel = context.WithCancel(ctx)
	return x
}

// abandon ends a try that has no answer yet.
func (x *try) abandon(why int32) {
	if x.fate.CompareAndSwap(undecided, why) {
		x.cancel()
	}
}

func (x *try) late() { x.abandon(late) }

// settle tells whether what came counts: nobody abandoned the try before.
func (x *try) settle() bool { return x.fate.CompareAndSwap(undecided, settled) }

// cause is why the try was abandoned; nil if it wasn't.
func (x *try) cause() error {
	switch x.fate.Load() {
	case late:
		return errLate
	case moved:
		return errStalled
	case beaten:
		return errBeaten
	}
	return nil
}

// movable tells whether the request can be sent elsewhere instead.
func (x *try) movable() bool { return x.moves && (x.body == nil || x.body.again()) }

// over is when the answer was read, or there won't be one.
func (x *try) over() {
	if x.ended.CompareAndSwap(false, true) {
		x.target.inFlight.Add(-1)
		x.cancel()
	}
}
