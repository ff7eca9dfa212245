package cache

import (
	"context"
	"errors"
	"net/http"
	"strconv"
)

// lead sends a flight and waits for the head of its answer.
func (c *Cache) lead(q *asked, f *flight, why string) (*http.Response, error) {
	c.misses.Add(1)
	c.depart(q, f)
	ctx := q.Context()
	select {
	case <-f.head:
	case <-ctx.Done():
		c.abandon(f, ctx.Err())
		return nil, ctx.Err()
	}
	if f.status != 0 && f.status != http.StatusOK {
		why += "; fwd-status=" + strconv.Itoa(f.status)
	}
	e, now := f.valid, c.now()
	if f.failed() && f.old != nil && f.old.excuses(q, now) {
		e = f.old
	}
	switch {
	case e != nil:
		c.abandon(f, errClosed)
		return e.answer(q.Request, now, why), nil
	case f.err != nil:
		c.abandon(f, errClosed)
		return nil, f.err
	}
	return c.stream(q, f, why)
}

// failed tells whether upstream could not answer, now that the head is known.
func (f *flight) failed() bool {
	return f.err != nil || f.status == http.StatusBadGateway || f.status == http.StatusServiceUnavailable || f.status == http.StatusGatewayTimeout
}

// stream gives the leader its answer while it comes.
func (c *Cache) stream(q *asked, f *flight, why string) (*http.Response, error) {
	res, ctx := f.answer, q.Context()
	if f.stored && !q.noStore {
		why += "; stored"
	}
	res.Request = q.Request
	mark(res.Header, why)
	if f.status == http.StatusOK && unmodified(q.Header, res.Header) {
		select { // the others want the body, and so will those who come later
		case <-f.done:
		case <-ctx.Done():
		}
		c.abandon(f, errClosed)
		return notModified(q.Request, res.Header), nil
	}
	stop := context.AfterFunc(ctx, func() { c.abandon(f, ctx.Err()) })
	res.Body = &streamed{f.spool, func() {
		if stop() {
			c.abandon(f, errClosed)
		}
	}}
	return res, nil
}

var errClosed = errors.New("cache: read of a closed body")

type streamed struct {
	*spool
	leave func()
}

func (s *streamed) Close() error {
	s.leave()
	return nil
}
