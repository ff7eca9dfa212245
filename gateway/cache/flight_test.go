package cache_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trellis-go/trellis/gateway/cache"
)

// upstream answers the nth request, from 1, in a bubble of synctest.
type upstream struct {
	answer                   func(r *http.Request, n int64) (*http.Response, error)
	n, running, widest, open atomic.Int64
}

func (u *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	n, running := u.n.Add(1), u.running.Add(1)
	defer u.running.Add(-1)
	for widest := u.widest.Load(); running > widest && !u.widest.CompareAndSwap(widest, running); widest = u.widest.Load() {
	}
	res, err := u.answer(r, n)
	if err == nil {
		u.open.Add(1)
		res.Body = &counted{ReadCloser: res.Body, open: &u.open}
	}
	return res, err
}

// counted is a body that is open until it is closed.
type counted struct {
	io.ReadCloser
	open *atomic.Int64
	once sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.ReadCloser.Close()
}

// settled fails the test if a body stays open once nothing happens any more.
func (u *upstream) settled(t *testing.T) {
	synctest.Wait()
	if n := u.open.Load(); n != 0 {
		t.Errorf("%d bodies were left open", n)
	}
}

// after answers after a while, if the request is still wanted then.
func after(d time.Duration, r *http.Request, res *http.Response) (*http.Response, error) {
	select {
	case <-time.After(d):
		return res, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func answer(status int, body, lines string) *http.Response {
	res := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
	setLines(res.Header, lines)
	return res
}

// result is what a client got.
type result struct {
	status       int
	body, marked string
	err          error
	took         time.Duration
}

// get asks like a client that reads all of the answer.
func get(ctx context.Context, c *cache.Cache, lines string) (got result) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://notes/v1/tags", nil)
	if err != nil {
		return result{err: err}
	}
	setLines(r.Header, lines)
	begin := time.Now()
	defer func() { got.took = time.Since(begin) }()
	res, err := c.RoundTrip(r)
	if err != nil {
		return result{err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return result{status: res.StatusCode, body: string(body), marked: strings.TrimPrefix(res.Header.Get("Cache-Status"), "trellis; "), err: err}
}

// crowd is n clients that ask at the same time, after the leader did.
func crowd(t *testing.T, c *cache.Cache, n int, lines string) (leader result, others []result) {
	var all sync.WaitGroup
	all.Go(func() { leader = get(t.Context(), c, lines) })
	synctest.Wait()
	others = make([]result, n-1)
	for i := range others {
		all.Go(func() { others[i] = get(t.Context(), c, lines) })
	}
	all.Wait()
	return leader, others
}

const ms = time.Millisecond

func TestCrowd(t *testing.T) {
	t.Parallel()
	kept := "Cache-Control: max-age=9"
	for name, test := range map[string]struct {
		answer   func(r *http.Request, n int64) (*http.Response, error)
		lines    string        // of the requests
		leader   string        // what it gets
		others   string        // what they get
		requests int64         // upstream, of 100
		widest   int64         // at a time
		took     time.Duration // the last one
	}{
		"one answer for all": {
			answer: func(r *http.Request, _ int64) (*http.Response, error) { return after(10*ms, r, answer(200, "a", kept)) },
			leader: "a", others: "a", requests: 1, widest: 1, took: 10 * ms,
		},
		"who insists gets what was asked for after it came": {
			answer: func(r *http.Request, n int64) (*http.Response, error) {
				return after(10*ms, r, answer(200, string('0'+rune(n)), kept))
			},
			lines: "Cache-Control: no-cache", leader: "1", others: "2", requests: 2, widest: 1, took: 20 * ms,
		},
		"so does who asks for what is stale at once": {
			answer: func(r *http.Request, n int64) (*http.Response, error) {
				return after(10*ms, r, answer(200, string('0'+rune(n)), "Cache-Control: max-age=0\nEtag: \"1\""))
			},
			leader: "1", others: "2", requests: 2, widest: 1, took: 20 * ms,
		},
		"a refusal is for one": {
			answer: func(r *http.Request, n int64) (*http.Response, error) {
				if n == 1 {
					return after(10*ms, r, answer(403, "no", ""))
				}
				return after(10*ms, r, answer(200, "a", kept))
			},
			leader: "no", others: "a", requests: 2, widest: 1, took: 20 * ms,
		},
		"a failure is tried once more, and then a few at a time": {
			answer: func(r *http.Request, _ int64) (*http.Response, error) { return after(10*ms, r, answer(503, "no", "")) },
			leader: "no", others: "no", requests: 100, widest: 8, took: 150 * ms,
		},
		"what can't be kept is asked for a few at a time": {
			answer: func(r *http.Request, _ int64) (*http.Response, error) { return after(10*ms, r, answer(200, "a", "")) },
			leader: "a", others: "a", requests: 100, widest: 8, took: 140 * ms,
		},
		"a failure with something to show for it": {
			answer: func(r *http.Request, n int64) (*http.Response, error) {
				if n == 1 {
					return answer(200, "old", "Cache-Control: max-age=0, stale-if-error=9"), nil
				}
				return after(10*ms, r, answer(502, "no", ""))
			},
			lines: "X-Primed: 1", leader: "old", others: "old", requests: 2, widest: 1, took: 10 * ms,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				u := &upstream{answer: test.answer}
				c := cache.New(u, megabyte, time.Now)
				defer u.settled(t)
				if test.lines == "X-Primed: 1" {
					get(t.Context(), c, "")
				}
				leader, others := crowd(t, c, 100, test.lines)
				if leader.err != nil || leader.body != test.leader {
					t.Errorf("the leader got %+v", leader)
				}
				var took time.Duration
				for _, o := range others {
					took = max(took, o.took)
					if o.err != nil || o.body != test.others {
						t.Fatalf("another got %+v", o)
					}
				}
				if u.n.Load() != test.requests || u.widest.Load() > test.widest || took != test.took {
					t.Errorf("%d requests, %d at a time, in %v; want %d, %d, %v", u.n.Load(), u.widest.Load(), took, test.requests, test.widest, test.took)
				}
				if s := c.Stats(); test.requests == 1 && (s.Coalesced != 99 || s.Misses != 1) {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

func TestVaryAmongThoseWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{answer: func(r *http.Request, _ int64) (*http.Response, error) {
			return after(10*ms, r, answer(200, r.Header.Get("Accept-Language"), "Cache-Control: max-age=9\nVary: Accept-Language"))
		}}
		c := cache.New(u, megabyte, time.Now)
		defer u.settled(t)
		var all sync.WaitGroup
		for range 20 {
			for _, want := range []string{"de", "en", "fr"} {
				all.Go(func() {
					if got := get(t.Context(), c, "Accept-Language: "+want); got.body != want {
						t.Errorf("%+v, want %s", got, want)
					}
				})
			}
		}
		all.Wait()
		if u.n.Load() != 3 {
			t.Errorf("%d requests", u.n.Load())
		}
	})
}

func TestLeaderGoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{answer: func(r *http.Request, _ int64) (*http.Response, error) {
			return after(time.Second, r, answer(200, "a", "Cache-Control: max-age=9"))
		}}
		c := cache.New(u, megabyte, time.Now)
		defer u.settled(t)
		ctx, cancel := context.WithCancel(t.Context())
		var leader, follower result
		var all sync.WaitGroup
		all.Go(func() { leader = get(ctx, c, "") })
		synctest.Wait()
		all.Go(func() { follower = get(t.Context(), c, "") })
		synctest.Wait()
		cancel()
		all.Wait()
		if !errors.Is(leader.err, context.Canceled) || leader.took != 0 {
			t.Errorf("the leader got %+v", leader)
		}
		if follower.body != "a" || follower.marked != "fwd=uri-miss; collapsed" || u.n.Load() != 1 {
			t.Errorf("the follower got %+v of %d requests", follower, u.n.Load())
		}
	})
}

func TestFollowerGoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{answer: func(r *http.Request, _ int64) (*http.Response, error) {
			return after(2*time.Second, r, answer(200, "a", "Cache-Control: max-age=9"))
		}}
		c := cache.New(u, megabyte, time.Now)
		defer u.settled(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var leader, follower result
		var all sync.WaitGroup
		all.Go(func() { leader = get(t.Context(), c, "") })
		synctest.Wait()
		all.Go(func() { follower = get(ctx, c, "") })
		all.Wait()
		if leader.body != "a" || !errors.Is(follower.err, context.DeadlineExceeded) || follower.took != time.Second {
			t.Errorf("leader %+v, follower %+v", leader, follower)
		}
	})
}

func TestEverybodyGoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ended error
		u := &upstream{answer: func(r *http.Request, n int64) (*http.Response, error) {
			if n > 1 {
				return answer(200, "a", "Cache-Control: max-age=9"), nil
			}
			<-r.Context().Done()
			ended = r.Context().Err()
			return nil, ended
		}}
		c := cache.New(u, megabyte, time.Now)
		defer u.settled(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { get(ctx, c, "") })
		}
		all.Wait()
		synctest.Wait()
		if !errors.Is(ended, context.Canceled) {
			t.Errorf("upstream's context: %v", ended)
		}
		if got := get(t.Context(), c, ""); got.body != "a" {
			t.Errorf("the next got %+v", got)
		}
	})
}

func TestPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{answer: func(r *http.Request, n int64) (*http.Response, error) {
			if n == 1 {
				return after(time.Minute, r, answer(200, "late", "Cache-Control: max-age=9"))
			}
			return answer(200, "a", "Cache-Control: max-age=9"), nil
		}}
		c := cache.New(u, megabyte, time.Now)
		defer u.settled(t)
		leader, others := crowd(t, c, 3, "")
		if leader.body != "late" {
			t.Errorf("the leader got %+v", leader)
		}
		for _, o := range others {
			if o.body != "a" || o.took != 5*time.Second || o.marked != "fwd=uri-miss; collapsed=?0" {
				t.Errorf("another got %+v", o)
			}
		}
	})
}

func TestNobodyJoinsWhatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{answer: func(r *http.Request, n int64) (*http.Response, error) {
			if n == 1 {
				return after(time.Minute, r, answer(200, "late", "Cache-Control: max-age=99"))
			}
			return answer(200, "a", "Cache-Control: max-age=99"), nil
		}}
		c := cache.New(u, megabyte, time.Now)
		defer u.settled(t)
		go get(t.Context(), c, "")
		time.Sleep(6 * time.Second) // of the bubble's time
		if got := get(t.Context(), c, ""); got.body != "a" || got.took != 0 {
			t.Errorf("%+v", got)
		}
		time.Sleep(time.Minute)
		if got := get(t.Context(), c, ""); got.body != "a" || got.marked != "hit; ttl=39" {
			t.Errorf("after the late answer: %+v", got)
		}
	})
}

// drip is a body that comes in parts.
func drip(parts int, size int, every time.Duration) io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		for range parts {
			time.Sleep(every)
			if _, err := w.Write(make([]byte, size)); err != nil {
				return
			}
		}
		w.Close()
	}()
	return r
}

func TestStream(t *testing.T) {
	t.Parallel()
	for name, parts := range map[string]int{"kept": 3, "too large": 300} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				u := &upstream{answer: func(*http.Request, int64) (*http.Response, error) {
					res := answer(200, "", "Cache-Control: max-age=9")
					res.Body, res.ContentLength = drip(parts, 1<<10, 10*ms), -1
					return res, nil
				}}
				c := cache.New(u, megabyte, time.Now)
				defer u.settled(t)
				r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://notes/v1/tags", nil)
				begin := time.Now()
				res, err := c.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := res.Body.Read(make([]byte, 1<<10)); err != nil || time.Since(begin) != 10*ms {
					t.Errorf("the first part came after %v, %v", time.Since(begin), err)
				}
				other := make(chan result, 1)
				go func() { other <- get(t.Context(), c, "") }()
				if got := <-other; len(got.body) != parts<<10 { // though the leader does not read on
					t.Errorf("the follower got %d bytes, %v", len(got.body), got.err)
				}
				rest, err := io.ReadAll(res.Body)
				if err != nil || len(rest) != (parts-1)<<10 {
					t.Errorf("the leader got %d bytes more, %v", len(rest), err)
				}
				res.Body.Close()
				if want := map[bool]int64{true: 1, false: 2}[parts == 3]; u.n.Load() != want {
					t.Errorf("%d requests, want %d", u.n.Load(), want)
				}
			})
		})
	}
}

// A leader that is gone, or that hangs in its reading, leaves nothing behind:
// synctest fails on goroutines that stay.
func TestLeaderLeavesTheStream(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string]string{"kept": "Cache-Control: max-age=9", "not kept": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				u := &upstream{answer: func(r *http.Request, _ int64) (*http.Response, error) {
					res := answer(200, "", lines)
					pr, pw := io.Pipe() // that never says a thing
					context.AfterFunc(r.Context(), func() { pw.CloseWithError(r.Context().Err()) })
					res.Body, res.ContentLength = pr, -1
					return res, nil
				}}
				c := cache.New(u, megabyte, time.Now)
				defer u.settled(t)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				got := get(ctx, c, "")
				if got.err == nil || got.took != time.Second {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

func TestStaleWhileRevalidate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{answer: func(r *http.Request, n int64) (*http.Response, error) {
			const lines = "Cache-Control: max-age=10, stale-while-revalidate=100"
			switch n {
			case 1:
				return answer(200, "1", lines), nil
			case 2:
				return after(time.Second, r, answer(200, "2", lines))
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		}}
		c := cache.New(u, megabyte, time.Now)
		defer u.settled(t)
		ctx, cancel := context.WithCancel(t.Context())
		get(ctx, c, "")
		time.Sleep(11 * time.Second)
		for range 10 {
			if got := get(ctx, c, ""); got.body != "1" || got.took != 0 || got.marked != "hit; ttl=-1" {
				t.Errorf("while it is refreshed: %+v", got)
			}
		}
		cancel() // the client goes, the refresh goes on
		time.Sleep(2 * time.Second)
		if got := get(t.Context(), c, ""); got.body != "2" || u.n.Load() != 2 {
			t.Errorf("after that: %+v, %d requests", got, u.n.Load())
		}
		time.Sleep(10 * time.Second)
		begin := time.Now()
		get(t.Context(), c, "")
		for u.running.Load() == 0 || time.Since(begin) < time.Second {
			time.Sleep(ms)
		}
		for u.running.Load() > 0 {
			time.Sleep(time.Second)
		}
		if took := time.Since(begin).Round(time.Second); took > 31*time.Second || took < 29*time.Second {
			t.Errorf("a refresh that hangs ended after %v", took)
		}
		time.Sleep(100 * time.Second)
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := get(ctx, c, ""); got.err == nil {
			t.Errorf("stale for too long: %+v", got)
		}
	})
}

func TestChangeDuringAFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{answer: func(r *http.Request, n int64) (*http.Response, error) {
			switch {
			case r.Method == http.MethodPut:
				return answer(204, "", ""), nil
			case n == 1:
				return after(time.Second, r, answer(200, "before", "Cache-Control: max-age=9"))
			}
			return answer(200, "since", "Cache-Control: max-age=9"), nil
		}}
		c := cache.New(u, megabyte, time.Now)
		defer u.settled(t)
		go get(t.Context(), c, "")
		synctest.Wait()
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://notes/v1/tags", nil)
		if res, err := c.RoundTrip(r); err != nil {
			t.Fatal(err)
		} else {
			res.Body.Close()
		}
		if got := get(t.Context(), c, ""); got.body != "since" {
			t.Errorf("right after: %+v", got)
		}
		time.Sleep(2 * time.Second)
		if got := get(t.Context(), c, ""); got.body != "since" || !strings.HasPrefix(got.marked, "hit") {
			t.Errorf("later: %+v", got)
		}
	})
}

func TestPanic(t *testing.T) {
	t.Parallel()
	u := &upstream{answer: func(*http.Request, int64) (*http.Response, error) { panic("boom") }}
	got := get(t.Context(), cache.New(u, megabyte, time.Now), "")
	if got.err == nil || !strings.Contains(got.err.Error(), "boom") {
		t.Errorf("%+v", got)
	}
}

type contextKey struct{}

func TestContextOfARequestUpstream(t *testing.T) {
	t.Parallel()
	u := &upstream{answer: func(r *http.Request, _ int64) (*http.Response, error) {
		if _, ok := r.Context().Deadline(); ok || r.Context().Value(contextKey{}) != "it" {
			t.Errorf("context: %v", r.Context())
		}
		return answer(200, "a", "Cache-Control: max-age=9"), nil
	}}
	ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), contextKey{}, "it"), time.Minute)
	defer cancel()
	if got := get(ctx, cache.New(u, megabyte, time.Now), ""); got.body != "a" {
		t.Errorf("%+v", got)
	}
}
