package cache

import (
	"net/http"
	"strconv"
	"time"
)

// found is what there is for a request: an entry, or a flight to lead or to
// follow, or nothing to wait for; and why it must go upstream.
type found struct {
	entry  *entry
	flight *flight // beside an entry it is to refresh it
	leads  bool
	why    string
}

// find looks for an answer and else for a flight, which it may begin.
func (c *Cache) find(q *asked) found {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if q.since < 0 {
		q.since = c.begun
	}
	r, e := c.store.get(q.key, q.Header)
	switch {
	case e != nil && e.serves(q, now):
		return found{entry: e}
	case e != nil && e.servesStale(q, now):
		k := keyIn(r, q)
		if c.flights[k] != nil {
			return found{entry: e}
		}
		return found{entry: e, flight: c.begin(q, k, e, now, false)}
	case q.onlyIfCached:
		return found{}
	case q.Method == http.MethodHead:
		return found{why: "fwd=method"}
	}
	why := reason(r, e, now)
	if r != nil && now.Before(r.passing) {
		return found{why: why}
	}
	k := keyIn(r, q)
	if f := c.flights[k]; f != nil && now.Sub(f.began) < patience {
		f.waiting++
		f.keep = f.keep || !q.noStore
		return found{flight: f, why: why}
	}
	return found{flight: c.begin(q, k, e, now, true), leads: true, why: why}
}

// reason is why a request goes upstream, in the words of RFC 9211.
func reason(r *resource, e *entry, now time.Time) string {
	switch {
	case e != nil && !e.control.noCache && e.ageAt(now) < e.lifetime():
		return "fwd=request"
	case e != nil:
		return "fwd=stale"
	case r != nil && len(r.entries) > 0:
		return "fwd=vary-miss"
	}
	return "fwd=uri-miss"
}

// hit answers from memory.
func (c *Cache) hit(q *asked, found found) *http.Response {
	c.hits.Add(1)
	if found.flight != nil {
		c.depart(q, found.flight)
	}
	now, e := c.now(), found.entry
	ttl := wholeSeconds(e.lifetime() - e.ageAt(now))
	return e.answer(q.Request, now, "hit; ttl="+strconv.FormatInt(ttl, 10))
}

// follow waits for another's flight. It returns neither answer nor error when
// what came is not for q.
func (c *Cache) follow(q *asked, f *flight, timeout <-chan time.Time, why string) (*http.Response, error) {
	defer c.leave(f)
	select {
	case <-f.done:
	case <-timeout:
		return c.pass(q.Request, why+"; collapsed=?0")
	case <-q.Context().Done():
		return nil, q.Context().Err()
	}
	now, e := c.now(), f.entry
	switch {
	case e != nil && e.matches(q.Header) && (f.number > q.since || e.serves(q, now)):
	case f.failed() && f.old != nil && f.old.excuses(q, now):
		e = f.old
	default:
		return nil, nil
	}
	c.coalesced.Add(1)
	return e.answer(q.Request, now, why+"; collapsed"), nil
}
