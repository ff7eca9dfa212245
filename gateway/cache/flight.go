package cache

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// flightKey tells which requests may wait for the same answer: for one URL,
// and with the same values of the headers that its answers are known to vary by.
type flightKey struct {
	key
	variant string
}

func keyIn(r *resource, q *asked) flightKey {
	if r == nil || len(r.entries) == 0 || len(r.entries[0].vary) == 0 {
		return flightKey{key: q.key}
	}
	return flightKey{q.key, strings.Join(variant(r.entries[0].vary, q.Header), "\x00")}
}

// flight is one request upstream and those who wait for it.
type flight struct {
	key    flightKey
	number int64
	led    bool // by a request; else it is a refresh
	began  time.Time
	old    *entry // that it validates, or nil
	ctx    context.Context
	stop   context.CancelFunc

	// Guarded by the Cache's mu.
	waiting  int
	keep     bool  // the answer, if it can be
	outdated bool  // by a change, or a flight, that came later
	unled    error // why there is no leader any more

	head   chan struct{}  // closed when the following are set
	err    error          // why there is no answer
	status int            // the answer's
	valid  *entry         // old, which a 304 renewed
	answer *http.Response // to the leader, if there is no valid
	spool  *spool         // the answer's body
	stored bool           // the answer will be, if nothing goes wrong

	done   chan struct{} // closed when the following are set
	entry  *entry        // for all who wait, or nil
	unkept bool          // the answer, by what it says or because it is large
	gate   chan struct{} // through which they go when there is none
}

// begin begins a flight that q leads, or that nobody waits for; c.mu is held.
func (c *Cache) begin(q *asked, k flightKey, old *entry, now time.Time, led bool) *flight {
	c.begun++
	f := &flight{
		key: k, number: c.begun, led: led, began: now, old: old, waiting: 1, keep: !q.noStore || !led,
		head: make(chan struct{}), done: make(chan struct{}),
	}
	ctx := context.WithoutCancel(q.Context())
	if led {
		f.ctx, f.stop = context.WithCancel(ctx)
	} else {
		f.ctx, f.stop = context.WithTimeout(ctx, refreshing)
		f.unled = context.Canceled
	}
	if late := c.flights[k]; late != nil {
		late.outdated = true // it hangs
	}
	c.flights[k] = f
	return f
}

// leave is for one who waits no more. The last one ends the flight.
func (c *Cache) leave(f *flight) {
	c.mu.Lock()
	f.waiting--
	last := f.waiting == 0
	if last && c.flights[f.key] == f {
		delete(c.flights, f.key)
	}
	c.mu.Unlock()
	if last {
		f.stop()
	}
}

// abandon is leave for the leader.
func (c *Cache) abandon(f *flight, why error) {
	c.mu.Lock()
	f.unled = why
	s := f.spool
	c.mu.Unlock()
	if s != nil {
		s.leave(why)
	}
	c.leave(f)
}

// forget drops what is kept of a URL, and keeps nothing of what is under way;
// c.mu is held.
func (c *Cache) forget(k key) {
	c.store.remove(k)
	maps.DeleteFunc(c.flights, func(of flightKey, f *flight) bool {
		f.outdated = f.outdated || of.key == k
		return of.key == k
	})
}

// depart sends a flight's request, made of q's.
func (c *Cache) depart(q *asked, f *flight) {
	r := q.Clone(f.ctx)
	r.Method, r.Body = http.MethodGet, nil
	for name := range r.Header {
		if personal(name) {
			delete(r.Header, name)
		}
	}
	unconditional(r.Header)
	if f.old != nil {
		f.old.condition(r.Header)
	}
	go func() {
		c.fly(f, r)
		if !f.led {
			c.leave(f)
		}
	}()
}

// fly sends a flight's request and takes in the answer.
func (c *Cache) fly(f *flight, r *http.Request) {
	x := exchange{sent: c.now()}
	res, err := c.send(r)
	x.received = c.now()
	switch {
	case err != nil:
		f.err = err
		c.land(f, nil)
		close(f.head)
	case res.StatusCode == http.StatusNotModified && f.old != nil:
		res.Body.Close()
		if !f.old.confirmedBy(res.Header) {
			f.old = nil
			unconditional(r.Header)
			c.fly(f, r)
			return
		}
		c.renew(f, r, res, x)
	default:
		c.receive(f, r, res, x)
	}
}

// send is next's RoundTrip. It is nobody's goroutine, so a panic is an error.
func (c *Cache) send(r *http.Request) (res *http.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			res, err = nil, fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return c.next.RoundTrip(r)
}

// renew takes in a 304.
func (c *Cache) renew(f *flight, r *http.Request, res *http.Response, x exchange) {
	f.status = res.StatusCode
	e, ok := f.old.renewed(r.Header, res.Header, x)
	if ok {
		f.valid = e
		c.land(f, e)
		close(f.head)
		return
	}
	whole := response(nil, http.StatusOK, e.header)
	whole.ContentLength, whole.Body = int64(len(e.body)), &held{*bytes.NewReader(e.body)}
	f.unkept = true
	c.hand(f, whole)
}

// receive takes in another answer.
func (c *Cache) receive(f *flight, r *http.Request, res *http.Response, x exchange) {
	f.status = res.StatusCode
	if f.status != http.StatusOK {
		c.hand(f, res)
		return
	}
	e, ok := newEntry(r.Header, res.Header, x)
	var room int64
	if ok && res.Trailer == nil {
		room = largest - e.size() - f.key.size()
	}
	if room <= max(res.ContentLength, 0) {
		f.unkept = true
		c.hand(f, res)
		return
	}
	first := *res
	first.Header = e.header.Clone()
	if e.age >= time.Second {
		first.Header["Age"] = []string{strconv.FormatInt(wholeSeconds(e.age), 10)}
	}
	f.stored = res.ContentLength >= 0
	c.lay(f, &first)
	body, err := f.spool.fill(room)
	switch err {
	case io.EOF:
		e.body = body
		if !f.stored { // it was read into more than it takes
			e.body = bytes.Clone(body)
		}
		e.header["Content-Length"] = []string{strconv.Itoa(len(body))}
		c.land(f, e)
	default:
		f.unkept = err == errLarge
		c.land(f, nil)
	}
	f.spool.finish(body, err)
}

// hand gives an answer to the leader alone.
func (c *Cache) hand(f *flight, res *http.Response) {
	c.land(f, nil)
	c.lay(f, res)
	f.spool.finish(nil, errLarge)
}

// lay lays an answer before the leader, if it is still there.
func (c *Cache) lay(f *flight, res *http.Response) {
	s := newSpool(res.Body, res.ContentLength)
	f.answer = res
	c.mu.Lock()
	f.spool = s
	if f.unled != nil {
		s.leave(f.unled)
	}
	c.mu.Unlock()
	close(f.head)
}

// land ends the waiting for a flight: with an entry, or with none.
func (c *Cache) land(f *flight, e *entry) {
	f.entry = e
	if e == nil {
		f.gate = make(chan struct{}, abreast)
	}
	c.mu.Lock()
	if c.flights[f.key] == f {
		delete(c.flights, f.key)
	}
	switch k := f.key.key; {
	case f.outdated:
	case e != nil && f.keep:
		c.store.put(k, e)
	case f.unkept:
		c.store.pass(k, c.now().Add(passing))
	case f.status == http.StatusNotFound || f.status == http.StatusGone:
		c.store.remove(k)
	}
	c.mu.Unlock()
	close(f.done)
}
