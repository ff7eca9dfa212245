// Package realtime serves users' streams as they go on: over WebSocket and as
// server-sent events.
//
// A stream that is served keeps the position up to which it was sent, and no
// queue. The entry behind that is written when the store tells of it; whatever
// else there may be is read from the store. So nothing is lost, nothing comes
// twice, and a client that is slow costs no memory.
package realtime

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/google/uuid"
	"github.com/lxzan/gws"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/notify"
)

// Options are what a Hub needs beside its store; all may be left out.
type Options struct {
	Draining context.Context           // when it ends, streams end
	Ended    func(session string) bool // tells whether a session has ended; then its streams do
	Origins  []string                  // whose pages may open a WebSocket, beside the host's own: "https://app.example"

	PerUser     int // streams; 20 if not given
	PerInstance int // 20,000 if not given

	Logger  log.Logger
	Metrics *telemetry.Metrics
}

// times are how long things take; tests hurry them.
type times struct {
	beat     time.Duration // a fifth of the time in which each stream is looked at once
	hold     time.Duration // that a WebSocket has to say where it resumes
	ping     time.Duration // from one to the next
	comment  time.Duration // the same for server-sent events
	patience time.Duration // for a client to take in what is written
	farewell time.Duration // for it to take in the last of that, and to go
	present  time.Duration // from one telling who is there to the next
	life     time.Duration // of what was told
	drain    time.Duration // until who has not gone is cut
	retry    time.Duration // before a store that failed is asked again, at first
	age      time.Duration // of a stream, at most: then its client comes back, and shows who it is anew
}

var usual = times{
	beat: 100 * time.Millisecond, hold: time.Second,
	ping: 30 * time.Second, comment: 15 * time.Second,
	patience: 10 * time.Second, farewell: time.Second,
	present: 20 * time.Second, life: 45 * time.Second,
	drain: 5 * time.Second, retry: 500 * time.Millisecond,
	age: time.Hour, // for who is let in once stays, though their session is over and nobody heard
}

// Hub serves the streams of one instance.
type Hub struct {
	options  Options
	store    notify.Store
	times    times
	metrics  hubMetrics
	upgrader *gws.Upgrader

	users     [shardCount]shard
	open      atomic.Int64  // streams, and those that are being opened
	gone      chan struct{} // has one when the last has gone
	gaps      atomic.Uint32 // in what the store told live
	newcomers newcomers

	reading  context.Context // of the store; ends when Run returns
	endReads context.CancelFunc
	reads    chan struct{} // as many as are under way
	warned   atomic.Int64  // the Unix time when the log was last told of a failure

	draining context.Context // ends when streams are to
	drain    context.CancelFunc
}

const maxReads = 64

// NewHub returns a hub that serves what is in the store, once it runs.
func NewHub(store notify.Store, o Options) *Hub {
	o.PerUser, o.PerInstance = cmp.Or(o.PerUser, 20), cmp.Or(o.PerInstance, 20_000)
	if o.Draining == nil {
		o.Draining = context.Background()
	}
	if o.Ended == nil {
		o.Ended = func(string) bool { return false }
	}
	if o.Logger == nil {
		o.Logger = log.NewNopLogger()
	}
	if o.Metrics == nil {
		o.Metrics = telemetry.NewMetrics()
	}
	h := &Hub{
		options: o, store: store, times: usual, metrics: newMetrics(o.Metrics), upgrader: newUpgrader(),
		gone: make(chan struct{}, 1), newcomers: newcomers{came: make(chan struct{}, 1)}, reads: make(chan struct{}, maxReads),
	}
	for i := range h.users {
		h.users[i].streams = map[uuid.UUID][]*stream{}
	}
	h.reading, h.endReads = context.WithCancel(context.Background())
	h.draining, h.drain = context.WithCancel(o.Draining)
	return h
}

var _ notify.Streams = (*Hub)(nil)

// Drain makes Run send the clients away and return. No more are let in.
func (h *Hub) Drain() { h.drain() }

// Run sees to the streams until ctx ends or the hub drains. Then it sends the
// clients away, and returns when they have gone; who has not after 5 s is cut.
func (h *Hub) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, h.drain)
	defer stop()
	defer h.endReads()
	telling, cancel := context.WithCancel(context.WithoutCancel(ctx)) // until the last client has gone
	var both sync.WaitGroup
	both.Go(func() { h.store.Live(telling, h.entry, h.gap) })
	both.Go(func() { h.tellPresence(telling) })
	h.watch()
	h.sendAway()
	cancel()
	both.Wait()
}

// awayAtOnce is how many clients are sent away in half a beat: those who come
// back do it somewhere else, all at the same time.
const awayAtOnce = 1000

func (h *Hub) sendAway() {
	over := time.NewTimer(h.times.drain)
	defer over.Stop()
	n := 0
	for i := range h.users {
		h.users[i].each(func(s *stream) { s.finish(restarting); n++ })
		if n >= awayAtOnce {
			n = 0
			time.Sleep(h.times.beat / 2)
		}
	}
	for h.open.Load() > 0 {
		select {
		case <-h.gone:
		case <-over.C:
			for i := range h.users {
				h.users[i].each((*stream).cut)
			}
			return
		}
	}
}

// warn tells the log of a failure, once a second at most.
func (h *Hub) warn(doing string, err error) {
	now := time.Now().Unix()
	if last := h.warned.Load(); last != now && h.warned.CompareAndSwap(last, now) {
		_ = h.options.Logger.Log("level", "warn", "msg", "streams: "+doing, "err", err)
	}
}
