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
	update *Update // nil until something is known
	feeds  map[subscription]*feed
	closed bool
}

// subscription is a watcher's own key, or for go-kit's Instancer the view and
// the channel that was registered with it.
type subscription struct {
	view *view
	ch   any
}

// show replaces what the board says.
func (b *board) show(instances []Instance) {
	instances = slices.SortedStableFunc(slices.Values(instances), byAddr)
	instances = slices.CompactFunc(instances, func(x, y Instance) bool { return byAddr(x, y) == 0 })
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.update != nil && b.update.Err == nil && slices.EqualFunc(b.update.Instances, instances, Instance.equal) {
		return
	}
	b.replace(Update{Instances: instances})
}

// fail tells that nothing can be known, unless something is known already.
func (b *board) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.update == nil || b.update.Err != nil {
		b.replace(Update{Err: err})
	}
}

func (b *board) replace(u Update) {
	b.update = &u
	for _, f := range b.feeds {
		f.wake()
	}
}

// latest returns a copy: whoever gets it may sort it in place.
func (b *board) latest() Update {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Update{slices.Clone(b.update.Instances), b.update.Err}
}

// close ends every subscription; those made later get nothing.
func (b *board) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.unsubscribe(func(subscription) bool { return true })
}

// subscribe sends what the board says to ch, as the function makes it.
func subscribe[T any](b *board, s subscription, ch chan<- T, as func(Update) T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	f, ok := b.feeds[s]
	if !ok {
		f = newFeed(b, ch, as)
		if b.feeds == nil {
			b.feeds = map[subscription]*feed{}
		}
		b.feeds[s] = f
	}
	if b.update != nil {
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

func newFeed[T any](b *board, ch chan<- T, as func(Update) T) *feed {
	ctx, stop := context.WithCancel(context.Background())
	f := &feed{news: make(chan struct{}, 1), stop: stop, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		var news T
		var out chan<- T // nil when there is nothing to send
		for {
			select {
			case <-ctx.Done():
				return
			case <-f.news:
				news, out = as(b.latest()), ch
			case out <- news:
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

// watch is Registry.Watch of what the board is about.
func (b *board) watch(ch chan<- Update) (stop func()) {
	s := subscription{nil, new(byte)}
	subscribe(b, s, ch, func(u Update) Update { return u })
	return func() { b.unsubscribe(func(other subscription) bool { return other == s }) }
}

// view is one caller's sd.Instancer on a board that others use too. Its events
// name each instance by what the function returns.
type view struct {
	board *board
	name  func(Instance) string
}

func (v *view) Register(ch chan<- sd.Event) {
	subscribe(v.board, subscription{v, ch}, ch, func(u Update) sd.Event {
		e := sd.Event{Err: u.Err}
		for _, i := range u.Instances {
			e.Instances = append(e.Instances, v.name(i))
		}
		return e
	})
}

func (v *view) Deregister(ch chan<- sd.Event) {
	v.board.unsubscribe(func(s subscription) bool { return s == subscription{v, ch} })
}

func (v *view) Stop() {
	v.board.unsubscribe(func(s subscription) bool { return s.view == v })
}

func addr(i Instance) string { return i.Addr }
func name(i Instance) string { return i.Service }
