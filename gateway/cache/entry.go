package cache

import (
	"bytes"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"
)

// entry is an answer that may be given to others. It never changes; header is
// without what was for one request only.
type entry struct {
	header   http.Header
	body     []byte
	vary     []string // headers of the request, sorted
	values   []string // what they were
	control  control
	age      time.Duration // when it was received
	received time.Time
}

// exchange is when a request was sent and its answer came.
type exchange struct{ sent, received time.Time }

// newEntry makes an entry without its body of the answer to a request with
// header asked. ok is false if the answer must not be kept, or would be of no
// use.
func newEntry(asked, answer http.Header, x exchange) (e *entry, ok bool) {
	e = &entry{header: shareable(answer), control: parseControl(answer["Cache-Control"]), received: x.received}
	if !e.storable() || !e.varyBy(asked) {
		return e, false
	}
	// RFC 9111, section 4.2.3.
	e.age = seconds(answer.Get("Age")) + x.received.Sub(x.sent)
	if date, ok := dateOf(answer); ok {
		e.age = max(e.age, x.received.Sub(date))
	} else {
		e.header["Date"] = []string{x.received.UTC().Format(http.TimeFormat)}
	}
	return e, true
}

func (e *entry) storable() bool {
	c := &e.control
	if c.malformed || c.noStore || c.private {
		return false
	}
	for _, name := range []string{"Set-Cookie", "Content-Range"} {
		if e.header[name] != nil {
			return false
		}
	}
	if e.lifetime() > 0 && !c.noCache {
		return true
	}
	explicit := c.noCache || c.maxAge.said || c.sharedMaxAge.said
	return explicit && (e.validates() || c.staleWhileRevalidate.said || c.staleIfError.said)
}

// varyBy notes on which headers of the request the answer depends; false if
// no two clients would have them in common.
func (e *entry) varyBy(asked http.Header) bool {
	for _, line := range e.header["Vary"] {
		for name := range strings.SplitSeq(line, ",") {
			name = textproto.CanonicalMIMEHeaderKey(strings.Trim(name, blank))
			if name == "" {
				continue
			}
			if !varies(name) {
				return false
			}
			e.vary = append(e.vary, name)
		}
	}
	slices.Sort(e.vary)
	e.vary = slices.Compact(e.vary)
	e.values = variant(e.vary, asked)
	return true
}

func variant(vary []string, asked http.Header) (values []string) {
	for _, name := range vary {
		values = append(values, normal(asked[name]))
	}
	return values
}

// matches tells whether a request has the headers that the answer depends on.
func (e *entry) matches(asked http.Header) bool {
	for i, name := range e.vary {
		if normal(asked[name]) != e.values[i] {
			return false
		}
	}
	return true
}

// lifetime is how long the answer is fresh. It is said, or there is none.
func (e *entry) lifetime() time.Duration {
	if e.control.sharedMaxAge.said {
		return e.control.sharedMaxAge.Duration
	}
	return e.control.maxAge.Duration
}

func (e *entry) ageAt(now time.Time) time.Duration { return e.age + max(now.Sub(e.received), 0) }

// serves tells whether the entry answers a request without validation.
func (e *entry) serves(q *asked, now time.Time) bool {
	age := e.ageAt(now)
	return !q.force && !e.control.noCache && age < e.lifetime() &&
		(!q.maxAge.said || age <= q.maxAge.Duration) &&
		(!q.margin.said || e.lifetime()-age >= q.margin.Duration)
}

// servesStale tells whether it answers one though it is stale, while it is
// refreshed; excuses, because it can't be (RFC 5861). s-maxage alone would
// forbid both, but who also says stale-… means that.
func (e *entry) servesStale(q *asked, now time.Time) bool {
	return e.stale(q, now, e.control.staleWhileRevalidate)
}

func (e *entry) excuses(q *asked, now time.Time) bool {
	return e.matches(q.Header) && e.stale(q, now, e.control.staleIfError)
}

func (e *entry) stale(q *asked, now time.Time, by span) bool {
	return by.said && q.acceptsStale() && !e.control.noCache && !e.control.mustRevalidate &&
		e.ageAt(now) < e.lifetime()+by.Duration
}

func (e *entry) validates() bool {
	return e.header["Etag"] != nil || e.header["Last-Modified"] != nil
}

// condition makes a request ask only for what differs from the entry.
func (e *entry) condition(h http.Header) {
	if tag := e.header.Get("Etag"); tag != "" {
		h["If-None-Match"] = []string{tag}
	}
	if date := e.header.Get("Last-Modified"); date != "" {
		h["If-Modified-Since"] = []string{date}
	}
}

// confirmedBy tells whether a 304 is about this entry.
func (e *entry) confirmedBy(answer http.Header) bool {
	tag := answer.Get("Etag")
	return tag == "" || strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(e.header.Get("Etag"), "W/")
}

// renewed is the entry as a 304 says it is now (RFC 9111, section 4.3.4). ok
// is false if it must no longer be kept.
func (e *entry) renewed(asked, answer http.Header, x exchange) (_ *entry, ok bool) {
	h := e.header.Clone()
	delete(h, "Date")
	for name, values := range answer {
		if !slices.Contains(ofContent, name) && name != "Etag" {
			h[name] = values
		}
	}
	renewed, ok := newEntry(asked, h, x)
	renewed.body = e.body
	return renewed, ok
}

func wholeSeconds(d time.Duration) int64 {
	if d < 0 {
		return -wholeSeconds(-d)
	}
	return int64(d / time.Second)
}

// answer makes an answer to r of the entry.
func (e *entry) answer(r *http.Request, now time.Time, how string) *http.Response {
	h := copyOf(e.header)
	h["Age"] = []string{strconv.FormatInt(wholeSeconds(e.ageAt(now)), 10)}
	mark(h, how)
	if unmodified(r.Header, h) {
		return notModified(r, h)
	}
	res := response(r, http.StatusOK, h)
	res.ContentLength = int64(len(e.body))
	if r.Method == http.MethodGet {
		res.Body = &held{*bytes.NewReader(e.body)}
	}
	return res
}

// copyOf is Clone with room for what an answer adds.
func copyOf(h http.Header) http.Header {
	c, all := make(http.Header, len(h)+2), make([]string, 0, 2*len(h))
	for name, values := range h {
		begin := len(all)
		all = append(all, values...)
		c[name] = all[begin:len(all):len(all)]
	}
	return c
}

// ofContent are headers that speak of the content, which a 304 has none of.
var ofContent = []string{"Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Range"}

// notModified is a 304 with the headers that go with one.
func notModified(r *http.Request, h http.Header) *http.Response {
	for _, name := range ofContent {
		delete(h, name)
	}
	return response(r, http.StatusNotModified, h)
}

// response is a 200 or a 304.
func response(r *http.Request, status int, h http.Header) *http.Response {
	text := "200 OK"
	if status == http.StatusNotModified {
		text = "304 Not Modified"
	}
	return &http.Response{
		Status: text, StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: http.NoBody, Request: r,
	}
}

type held struct{ bytes.Reader }

func (*held) Close() error { return nil }

// size is about how much memory the entry takes.
func (e *entry) size() int64 {
	n := int64(512 + cap(e.body))
	for name, values := range e.header {
		n += int64(64 + len(name))
		for _, v := range values {
			n += int64(16 + len(v))
		}
	}
	for i, name := range e.vary {
		n += int64(32 + len(name) + len(e.values[i]))
	}
	return n
}

// shareable returns a copy of an answer's header without what belongs to the
// connection, to one request, or to the caches before this one.
func shareable(h http.Header) http.Header {
	h = h.Clone()
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			delete(h, textproto.CanonicalMIMEHeaderKey(strings.Trim(name, blank)))
		}
	}
	for name := range h {
		if perRequest(name) {
			delete(h, name)
		}
	}
	return h
}

func perRequest(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authentication-Info",
		"Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Age", "B3", "Baggage", "Cache-Status", "Ratelimit", "Ratelimit-Policy", "Retry-After", "Server-Timing",
		"Traceparent", "Traceresponse", "Tracestate", "X-Request-Id", "X-Correlation-Id":
		return true
	}
	return strings.HasPrefix(name, "X-B3-") || strings.HasPrefix(name, "X-Ratelimit-") || strings.HasPrefix(name, "X-User-")
}
