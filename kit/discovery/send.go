package discovery

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/go-kit/kit/sd/lb"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/pause"
)

const (
	// mostTries bounds how often a request is carried out, by chance: what no
	// instance has heard of is not counted.
	mostTries = 3

	// longestPause is how long a retry waits for the time that a Retry-After
	// names; who is to wait longer gets the answer that says so.
	longestPause = 2 * time.Second

	// discardWithin is what the rest of an answer may take that is thrown away.
	discardWithin = 50 * time.Millisecond

	// fairTime is what an instance must have had for its answer, before one
	// that is late counts against it: a caller in a hurry proves nothing.
	fairTime = time.Second
)

// errTimeout is what a caller sees of an answer that doesn't come.
var errTimeout = fault.New(fault.Timeout, "service_timeout", "The service did not answer in time.").After(time.Second)

// sending is one request on its way to an instance, and perhaps another.
type sending struct {
	*pool
	*Sending
	in      *http.Request
	body    *replay // nil when there is none, or when the request can make it anew
	repeats bool
	began   time.Time
	until   time.Time // when the answer is late
	tried   []*target
	carried int // tries that may have been carried out

	room [mostTries]*target // for tried
	none Sending
}

// send tries one instance after another, as far as that is safe.
func (p *pool) send(r *http.Request) (*http.Response, error) {
	s := &sending{pool: p, in: r, began: time.Now()}
	s.tried = s.room[:0]
	var ok bool
	if s.Sending, ok = sendingIn(r.Context()); !ok {
		s.Sending = &s.none
	}
	s.repeats = !s.Copy && (s.Repeats || readOnly(r.Method) || len(r.Header["Idempotency-Key"]) > 0)
	s.until = s.began.Add(cmp.Or(s.Timeout, answerTimeout))
	if r.Body != nil && r.Body != http.NoBody && r.GetBody == nil {
		s.body = &replay{src: r.Body}
	}
	p.budget.deposit()
	resp, err := s.tryAll()
	switch {
	case s.body == nil:
		closeBody(r)
	case err != nil:
		s.body.close()
	default:
		s.body.settle()
	}
	s.Attempts = len(s.tried)
	return resp, err
}

func readOnly(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

func (s *sending) tryAll() (*http.Response, error) {
	if s.Timeout < 0 {
		return nil, errTimeout.Because(errLate)
	}
	cause := lb.ErrNoEndpoints
	for {
		t, done := s.pick(s.Sending, s.tried)
		if t == nil {
			return nil, s.unavailable(cause)
		}
		s.tried = append(s.tried, t)
		resp, v, err := s.tryOne(t, done)
		if v == fine || v == unsure || v == failed {
			return resp, err
		}
		if v != unheard {
			s.carried++
		}
		wait, ok := s.again(v, resp)
		switch {
		case ok:
		case v == unheard && s.in.Context().Err() == nil:
			return nil, s.unavailable(err)
		default:
			return resp, err
		}
		if cause = err; resp != nil {
			cause = fmt.Errorf("discovery: %s answered %s", t.addr, resp.Status)
			discard(resp)
		}
		if wait > 0 && !pause.For(s.in.Context(), wait) {
			return nil, s.in.Context().Err()
		}
	}
}

// again tells whether a request is sent to another instance, and after how
// long: at once what was not heard.
func (s *sending) again(v verdict, resp *http.Response) (pause time.Duration, ok bool) {
	now := time.Now()
	there, good := s.another(s.Sending, s.tried)
	if s.body != nil && !s.body.again() || !there || !now.Before(s.until) || s.in.Context().Err() != nil {
		return 0, false
	}
	if v == unheard { // for as long as it takes three instances to be found dead
		return 0, now.Before(s.began.Add(3 * dialTimeout))
	}
	if !good || !s.repeats || s.carried >= mostTries {
		return 0, false
	}
	pause = rand.N(10 * time.Millisecond << s.carried)
	if v == declined {
		wait := askedToWait(resp, now)
		if wait > longestPause {
			return 0, false
		}
		pause += wait
	}
	then := now.Add(pause)
	if until, ok := s.in.Context().Deadline(); !then.Before(s.until) || ok && !then.Before(until) {
		return 0, false
	}
	return pause, v == stalled || s.budget.withdraw() // what the watchdog moves, it has paid for
}

// askedToWait is what an answer's Retry-After says, in seconds or as a date.
func askedToWait(resp *http.Response, now time.Time) time.Duration {
	text := resp.Header.Get("Retry-After")
	if text == "" {
		return 0
	}
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), 1e6)) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return max(at.Sub(now), 0)
}

// discard closes an answer that nobody wants. The connection of a short one
// serves again; an answer that doesn't end at once isn't worth it.
func discard(resp *http.Response) {
	if n := resp.ContentLength; n >= 0 && n <= 4<<10 {
		late := time.AfterFunc(discardWithin, func() { resp.Body.Close() })
		_, _ = io.Copy(io.Discard, resp.Body)
		late.Stop()
	}
	resp.Body.Close()
}

// tryOne sends the request to one instance, and to a second one if the
// caller's Hedge says so.
func (s *sending) tryOne(t *target, done func(bool)) (*http.Response, verdict, error) {
	s.Instance = t.addr
	x := newTry(s.in.Context(), s.repeats, s.body)
	if s.Hedge == nil || s.Copy || s.body != nil || !readOnly(s.in.Method) {
		return s.carry(t, x, done)
	}
	return s.hedged(t, x, done)
}

// carry carries out one try. The body of its answer ends it.
func (s *sending) carry(t *target, x *try, done func(bool)) (*http.Response, verdict, error) {
	t.begin(x)
	timer := time.AfterFunc(time.Until(s.until), x.late)
	resp, err := s.exchange(t, x)
	timer.Stop()
	if !x.settle() && err == nil {
		resp.Body.Close()
		resp, err = nil, x.cause()
	}
	v := s.judge(x, resp, err)
	t.end(x, v, done)
	switch v {
	case unheard:
		t.putOut(Unreachable, time.Now().Add(aside))
	case failed, declined, broken, overdue:
		s.eject(t)
	}
	if err != nil {
		err = s.explain(x, err)
		x.over()
		return nil, v, err
	}
	resp.Body = answerBody(resp.Body, x)
	return resp, v, nil
}

// exchange sends the request over one connection, or over another if it turns
// out that the server had closed the first one before anything was written.
func (s *sending) exchange(t *target, x *try) (*http.Response, error) {
	for stale := 0; ; stale++ {
		out, err := s.request(t, x)
		if err != nil {
			return nil, err
		}
		resp, err := t.via.RoundTrip(out)
		if err == nil || !closedBefore(err) || stale == 3 || s.body != nil && !s.body.again() || x.ctx.Err() != nil {
			return resp, err
		}
	}
}

// closedBefore tells that a connection was closed while it was idle. An
// http.Transport says so only of one that was before it took the request, but
// doesn't repeat a POST; its error has no other name.
func closedBefore(err error) bool { return err.Error() == "http: server closed idle connection" }

// request is the caller's request as it goes to an instance.
func (s *sending) request(t *target, x *try) (*http.Request, error) {
	out := s.in.WithContext(x.ctx)
	x.url = *s.in.URL
	x.url.Host = t.addr
	out.URL = &x.url
	out.Host = cmp.Or(s.in.Host, s.in.URL.Host) // http.Client leaves Host empty when it follows a redirect
	switch {
	case s.body != nil:
		out.Body = s.body.lend()
		out.GetBody = func() (io.ReadCloser, error) { // for a connection that closed before anything was written
			if !s.body.again() {
				return nil, errNotKept
			}
			return s.body.lend(), nil
		}
	case s.in.GetBody != nil: // an http.Transport sends a bytes.Reader in one packet with the header, if it sees it
		body, err := s.in.GetBody()
		if err != nil {
			return nil, bodyError{err}
		}
		out.Body = body
	}
	return out, nil
}

// bodyError is the caller's fault: its body can't be had again.
type bodyError struct{ error }

func (e bodyError) Unwrap() error { return e.error }

// judge says what came of a try.
func (s *sending) judge(x *try, resp *http.Response, err error) verdict {
	if err == nil {
		switch resp.StatusCode {
		case http.StatusInternalServerError:
			return failed
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return declined
		}
		return fine
	}
	if s.in.Context().Err() != nil {
		return unsure
	}
	switch x.fate.Load() {
	case late:
		if time.Since(x.began) < fairTime {
			return unsure
		}
		return overdue
	case moved:
		return stalled
	case beaten:
		return unsure
	}
	if _, ok := err.(bodyError); ok || s.body != nil && s.body.failed() { // the caller's fault, not the instance's
		return unsure
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return unheard
	}
	return broken
}

// explain makes what the caller is to see of a transport's error.
func (s *sending) explain(x *try, err error) error {
	if ctxErr := s.in.Context().Err(); ctxErr != nil {
		return ctxErr
	}
	if cause := x.cause(); cause != nil {
		return errTimeout.Because(cause)
	}
	return err
}
