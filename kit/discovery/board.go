package discovery

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/go-kit/kit/sd"
)

// board shows the latest state of one watched thing to whoever subscribes.
// The zero board is ready, and knows nothing yet.
//
// go-kit's own is internal, and its writer waits for the slowest subscriber.
type board struct {
	mu     sync.Mutex
	event  *sd.Event // nil until something is known
	feeds  map[subscription]*feed
	closed bool
}

type subscription struct {
	view *view
	ch   chan<- sd.Event
}

// show replaces what the board says.
func (b *board) show(instances []string) {
	instances = slices.Compact(slices.Sorted(slices.Values(instances)))
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.event != nil && b.event.Err == nil && slices.Equal(b.event.Instances, instances) {
		return
	}
	b.replace(sd.Event{Instances: instances})
}

// fail tells that nothing can be known, unless something is known already.
func (b *board) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.event == nil || b.event.Err != nil {
		b.replace(sd.Event{Err: err})
	}
}

func (b *board) replace(e sd.Event) {
	b.event = &e
	for _, f := range b.feeds {
		f.wake()
	}
}

// latest returns a copy: go-kit's subscribers sort theirs in place.
func (b *board) latest() sd.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return sd.Event{Instances: slices.Clone(b.event.Instances), Err: b.event.Err}
}

// close ends every subscription; those made later get nothing.
func (b *board) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.unsubscribe(func(subscription) bool { return true })
}

func (b *board) subscribe(s subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	f, ok := b.feeds[s]
	if !ok {
		f = b.feed(s.ch)
		if b.feeds == nil {
			b.feeds = map[subscription]*feed{}
		}
		b.feeds[s] = f
	}
	if b.event != nil {
		f.wake()
	}
}

// unsubscribe stops feeds before it forgets them, so that whoever ends the
// same one at the same time waits as well.
func (b *board) unsubscribe(which func(subscription) bool) {
	b.mu.Lock()
	feeds := maps.Clone(b.feeds)
	b.mu.Unlock()
	maps.DeleteFunc(feeds, func(s subscription, _ *feed) bool { return !which(s) })
	for _, f := range feeds {
		f.stop()
		<-f.done
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.DeleteFunc(b.feeds, func(s subscription, f *feed) bool { return feeds[s] == f })
}

// feed sends what a board says to one subscriber, at that one's pace.
type feed struct {
	news chan struct{}
	stop context.CancelFunc
	done chan struct{}
}

func (b *board) feed(ch chan<- sd.Event) *feed {
	ctx, stop := context.WithCancel(context.Background())
	f := &feed{news: make(chan struct{}, 1), stop: stop, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		var event sd.Event
		var out chan<- sd.Event // nil when there is nothing to send
		for {
			select {
			case <-ctx.Done():
				return
			case <-f.news:
				event, out = b.latest(), ch
			case out <- event:
				out = nil
			}
		}
	}()
	return f
}

func (f *feed) wake() {
	select {
	case f.news <- struct{}{}:
	default:
	}
}

// view is one caller's sd.Instancer on a board that others use too.
type view struct{ board *board }

func (v *view) Register(ch chan<- sd.Event) { v.board.subscribe(subscription{v, ch}) }

func (v *view) Deregister(ch chan<- sd.Event) {
	v.board.unsubscribe(func(s subscription) bool { return s == subscription{v, ch} })
}

func (v *view) Stop() {
	v.board.unsubscribe(func(s subscription) bool { return s.view == v })
}
