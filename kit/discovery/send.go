package discovery

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/go-kit/kit/sd/lb"
	"github.com/trellis-go/trellis/kit/fault"
)

// mostTries bounds how often a request is carried out, by chance: what no
// instance has heard of is not counted.
const mostTries = 3

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
}

// send tries one instance after another, as far as that is safe.
func (p *pool) send(r *http.Request, how *Sending) (*http.Response, error) {
	s := &sending{pool: p, began: time.Now(), Sending: how, in: r,
		repeats: !how.Copy && (how.Repeats || readOnly(r.Method) || len(r.Header["Idempotency-Key"]) > 0)}
	s.until = s.began.Add(cmp.Or(how.Timeout, answerTimeout))
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
	var cause error = lb.ErrNoEndpoints
	for carried := 0; ; {
		t, done := s.pick(s.Sending, s.tried)
		if t == nil {
			return nil, s.unavailable(cause)
		}
		s.tried = append(s.tried, t)
		resp, err, v := s.tryOne(t, done)
		if v == fine || v == unsure || v == failed {
			return resp, err
		}
		if v != unheard {
			carried++
		}
		if !s.again(v, carried) {
			if v == unheard && s.in.Context().Err() == nil {
				err = s.unavailable(err)
			}
			return resp, err
		}
		if resp != nil {
			discard(resp)
		}
		cause = err
	}
}

// again tells whether a request is sent to another instance, and if so waits
// a little, but for what was not heard.
func (s *sending) again(v verdict, carried int) bool {
	there, good := s.another(s.Sending, s.tried)
	if s.body != nil && !s.body.again() || !there || !time.Now().Before(s.until) || s.in.Context().Err() != nil {
		return false
	}
	if v == unheard { // for as long as it takes three instances to be found dead
		return time.Now().Before(s.began.Add(3 * dialTimeout))
	}
	if !good || !s.repeats || carried >= mostTries || v != stalled && !s.budget.withdraw() {
		return false
	}
	return sleep(s.in.Context(), rand.N(10*time.Millisecond<<carried))
}

func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // a short answer's connection serves again
	resp.Body.Close()
}

// tryOne sends the request to one instance, and to a second one if the
// caller's Hedge says so.
func (s *sending) tryOne(t *target, done func(bool)) (*http.Response, error, verdict) {
	if wait, ok := s.Hedge.after(); ok && readOnly(s.in.Method) && s.body == nil {
		return s.hedged(t, done, wait)
	}
	s.Instance = t.Addr
	return s.carry(t, newTry(s.in.Context(), s.repeats), done)
}

// carry carries out one try. The body of its answer ends it.
func (s *sending) carry(t *target, x *try, done func(bool)) (*http.Response, error, verdict) {
	out, err := s.request(t, x)
	if err != nil {
		done(true)
		x.stop(err)
		return nil, err, unsure
	}
	t.begin(x)
	timer := time.AfterFunc(time.Until(s.until), func() { x.stop(errLate) })
	resp, err := t.via.RoundTrip(out)
	timer.Stop()
	v := s.judge(x, resp, err)
	t.end(x, v)
	done(v != broken && v != stalled)
	switch v {
	case fine:
		if s.Hedge != nil {
			s.Hedge.observe(time.Since(x.began))
		}
	case unheard:
		t.putOut(Unreachable, time.Now().Add(aside))
	case failed, declined, broken:
		s.eject(t)
	}
	if err != nil {
		err = s.explain(x, err)
		x.over()
		return nil, err, v
	}
	resp.Body = answerBody(resp.Body, x)
	return resp, nil, v
}

// request is the caller's request as it goes to an instance.
func (s *sending) request(t *target, x *try) (*http.Request, error) {
	out := s.in.WithContext(x.ctx)
	u := *s.in.URL
	u.Host = t.Addr
	out.URL = &u
	out.Host = cmp.Or(s.in.Host, s.in.URL.Host) // http.Client leaves Host empty when it follows a redirect
	switch {
	case s.body != nil:
		out.Body = s.body.lend()
		out.GetBody = func() (io.ReadCloser, error) { // for a connection that closed before anything was written
			if !s.body.again() {
				return nil, errTakenBack
			}
			return s.body.lend(), nil
		}
	case s.in.GetBody != nil: // an http.Transport sends a bytes.Reader in one packet with the header, if it sees it
		body, err := s.in.GetBody()
		if err != nil {
			return nil, err
		}
		out.Body = body
	}
	return out, nil
}

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
	switch cause := context.Cause(x.ctx); {
	case s.in.Context().Err() != nil, cause == errBeaten:
		return unsure
	case cause == errStalled:
		return stalled
	case cause == errLate:
		return broken
	case s.body != nil && s.body.failed(): // the caller's fault, not the instance's
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
	switch cause := context.Cause(x.ctx); cause {
	case errLate, errStalled:
		return errTimeout.Because(cause)
	}
	return err
}

type outcome struct {
	resp *http.Response
	err  error
	v    verdict
}

// hedged sends the request to a second instance too, when the first takes
// long. The answer that begins first counts, if it is no failure.
func (s *sending) hedged(t *target, done func(bool), wait time.Duration) (*http.Response, error, verdict) {
	first, second := newTry(s.in.Context(), s.repeats), newTry(s.in.Context(), false)
	var other *target
	var o outcome
	over := make(chan struct{})
	timer := time.AfterFunc(wait, func() {
		defer close(over)
		if _, good := s.another(s.Sending, []*target{t}); !good || !s.budget.withdraw() {
			return
		}
		var done func(bool)
		if other, done = s.pick(s.Sending, []*target{t}); other == nil {
			return
		}
		o.resp, o.err, o.v = s.carry(other, second, done)
		if o.v == fine {
			first.stop(errBeaten)
		}
	})
	s.Instance = t.Addr
	resp, err, v := s.carry(t, first, done)
	if timer.Stop() {
		second.stop(nil)
		return resp, err, v
	}
	if v == fine {
		second.stop(errBeaten)
	}
	<-over
	if other != nil {
		s.tried = append(s.tried, other)
	}
	if other == nil || v == fine || o.v != fine {
		if o.resp != nil {
			o.resp.Body.Close()
		}
		return resp, err, v
	}
	if resp != nil {
		resp.Body.Close()
	}
	s.Instance = other.Addr
	return o.resp, o.err, o.v
}
