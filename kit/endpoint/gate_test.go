package endpoint_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

// crowd calls the endpoints of one stack, without a transport and in a bubble
// of fake time.
type crowd struct {
	*world
	t     *testing.T
	calls sync.WaitGroup
	free  chan struct{} // each value lets one of those go who hold a place

	mu     sync.Mutex
	events []string // who was worked for, and who was not
}

func newCrowd(t *testing.T) *crowd {
	return &crowd{world: quietWorld(t), t: t, free: make(chan struct{})}
}

// call is an endpoint without a request.
type call func(context.Context) error

// endpoint is one that does what work does.
func (c *crowd) endpoint(e endpoint.Endpoint) call {
	typed := e.Invoke
	e.Invoke = func(ctx context.Context, _ any) (any, error) { return typed(ctx, &endpoint.None{}) }
	wrapped := c.Wrap(e)
	return func(ctx context.Context) error {
		_, err := wrapped(&endpoint.Call{Context: ctx, Answer: http.Header{}}, nil)
		return err
	}
}

type nameKey struct{}

// lasting is an endpoint that takes so long, and notes for whom.
func (c *crowd) lasting(name string, d time.Duration) call {
	return c.endpoint(works(name, func(ctx context.Context) {
		if who, ok := ctx.Value(nameKey{}).(string); ok {
			c.note(who)
		}
		time.Sleep(d)
	}))
}

func (c *crowd) note(event string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, event)
}

// expect checks what was noted since it was asked last.
func (c *crowd) expect(want ...string) {
	c.t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(c.events, want) {
		c.t.Errorf("events are %q, want %q", c.events, want)
	}
	c.events = nil
}

// come calls an endpoint in the background, for one of that name.
func (c *crowd) come(ctx context.Context, name string, f call) {
	c.calls.Go(func() {
		switch err := f(context.WithValue(ctx, nameKey{}, name)); {
		case overloaded(err):
			c.note(name + " shed")
		case err != nil:
			c.note(name + " " + fault.Of(err).Code)
		}
	})
	synctest.Wait()
}

func overloaded(err error) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && f.Kind == fault.Unavailable && f.Code == "overloaded" && f.RetryAfter >= time.Second
}

// fill takes all places.
func (c *crowd) fill() {
	c.t.Helper()
	hold := c.endpoint(works("Hold", func(context.Context) { <-c.free }))
	for l := c.Load(); l.Running < l.Limit; l = c.Load() {
		c.come(c.t.Context(), "holder", hold)
	}
	if l := c.Load(); l.Running != l.Limit || l.Queued != 0 {
		c.t.Fatalf("filled, it is %+v", l)
	}
}

// end lets everybody go, and checks that nobody is forgotten.
func (c *crowd) end() {
	c.t.Helper()
	close(c.free)
	c.calls.Wait()
	if l := c.Load(); l.Running != 0 || l.Queued != 0 {
		c.t.Errorf("empty, it is %+v", l)
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, tt := range []struct {
		name string
		test func(*crowd)
	}{
		{"the first come first", func(c *crowd) {
			quick := c.lasting("Quick", 0)
			c.fill()
			for _, name := range []string{"a", "b", "c"} {
				c.come(c.t.Context(), name, quick)
				time.Sleep(20 * ms)
			}
			c.free <- struct{}{}
			c.expect("a", "b", "c")
		}},
		{"a burst may wait", func(c *crowd) {
			quick := c.lasting("Quick", 0)
			c.fill()
			c.come(c.t.Context(), "a", quick)
			time.Sleep(100*ms - 1)
			c.expect()
			time.Sleep(time.Nanosecond)
			c.expect("a shed")
			if l := c.Load(); l.Shed != 1 || l.Queued != 0 {
				c.t.Errorf("it is %+v", l)
			}
		}},
		{"in overload there is little patience, and the last come first", func(c *crowd) {
			quick := c.lasting("Quick", 0)
			c.fill()
			c.come(c.t.Context(), "a", quick)
			time.Sleep(101 * ms)
			c.come(c.t.Context(), "b", quick)
			time.Sleep(5 * ms)
			c.expect("a shed", "b shed")
			c.come(c.t.Context(), "c", quick)
			time.Sleep(ms)
			c.come(c.t.Context(), "d", quick)
			time.Sleep(ms)
			c.come(c.t.Context(), "e", quick)
			c.free <- struct{}{}
			c.expect("e", "d", "c")
		}},
		{"an overload lasts until nobody was refused for a while", func(c *crowd) {
			quick := c.lasting("Quick", 0)
			c.fill()
			c.come(c.t.Context(), "a", quick)
			time.Sleep(101 * ms)
			c.free <- struct{}{}
			for _, again := range []time.Duration{50 * ms, 51 * ms} {
				time.Sleep(again)
				c.come(c.t.Context(), "b", quick)
				c.fill()
				c.come(c.t.Context(), "c", quick)
				time.Sleep(3 * ms)
				c.come(c.t.Context(), "d", quick)
				c.free <- struct{}{}
				synctest.Wait()
			}
			c.expect("a shed", "b", "d", "c", "b", "c", "d")
		}},
		{"in overload what costs little goes first, and may wait longer", func(c *crowd) {
			cheap, dear := c.lasting("Cheap", ms), c.lasting("Dear", 10*ms)
			for range 3 {
				c.come(context.Background(), "", cheap)
				c.come(context.Background(), "", dear)
			}
			time.Sleep(time.Second)
			c.expect("", "", "", "", "", "")
			c.fill()
			c.come(c.t.Context(), "a", dear)
			time.Sleep(101 * ms)
			c.come(c.t.Context(), "cheap", cheap)
			c.come(c.t.Context(), "dear", dear)
			c.free <- struct{}{}
			c.expect("a shed", "cheap")
			time.Sleep(20 * ms)
			c.expect("dear")

			c.fill()
			c.come(c.t.Context(), "a", dear)
			time.Sleep(101 * ms)
			c.come(c.t.Context(), "cheap", cheap)
			c.come(c.t.Context(), "dear", dear)
			time.Sleep(6 * ms)
			c.expect("a shed", "dear shed")
			time.Sleep(44 * ms)
			c.expect("cheap shed")
		}},
		{"whoever goes away leaves the queue", func(c *crowd) {
			quick := c.lasting("Quick", 0)
			c.fill()
			ctx, cancel := context.WithCancel(c.t.Context())
			c.come(c.t.Context(), "a", quick)
			c.come(ctx, "b", quick)
			c.come(c.t.Context(), "c", quick)
			time.Sleep(ms)
			cancel()
			c.expect("b canceled")
			if l := c.Load(); l.Queued != 2 || l.Shed != 0 {
				c.t.Errorf("it is %+v", l)
			}
			c.free <- struct{}{}
			c.expect("a", "c")
		}},
		{"whoever runs out of time leaves the queue", func(c *crowd) {
			c.fill()
			ctx, cancel := context.WithTimeout(c.t.Context(), 3*ms)
			defer cancel()
			c.come(ctx, "a", c.lasting("Quick", 0))
			time.Sleep(3 * ms)
			c.expect("a timeout")
		}},
		{"what is essential never waits", func(c *crowd) {
			essential := c.endpoint(works("Essential", func(context.Context) { c.note("served") }).Essential())
			c.fill()
			c.come(c.t.Context(), "a", c.lasting("Quick", 0))
			time.Sleep(101 * ms)
			c.expect("a shed")
			c.come(c.t.Context(), "b", essential)
			c.expect("served")
		}},
		{"no signature is checked for what is refused", func(c *crowd) {
			e := works("Private", func(context.Context) {})
			e.Anonymous = false
			private := c.Wrap(e)
			c.fill()
			c.come(c.t.Context(), "a", func(ctx context.Context) error {
				_, err := private(&endpoint.Call{Context: ctx, Token: tokenOf("panic"), Answer: http.Header{}}, nil)
				return err
			})
			time.Sleep(100 * ms)
			c.expect("a shed")
		}},
		{"what fails gives its place back", func(c *crowd) {
			fails := c.endpoint(works("Fails", func(context.Context) { panic("hunter2") }))
			for range 2 * c.Load().Limit {
				c.come(c.t.Context(), "a", fails)
			}
			if l := c.Load(); l.Running != 0 || l.Queued != 0 {
				c.t.Errorf("it is %+v", l)
			}
		}},
		{"refusals do not open the breaker", func(c *crowd) {
			quick := c.lasting("Quick", 0)
			c.fill()
			for range 50 {
				c.calls.Go(func() {
					if err := quick(c.t.Context()); !overloaded(err) {
						c.t.Errorf("a full service answers %v", err)
					}
				})
			}
			time.Sleep(150 * ms)
			c.free <- struct{}{}
			c.come(c.t.Context(), "a", quick)
			c.expect("a")
			if got := c.metric(`trellis_requests_shed_total{endpoint="Quick"}`); got != "50" {
				c.t.Errorf("%s are counted as shed", got)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t)
				time.Sleep(time.Hour) // that nothing happened says nothing
				tt.test(c)
				c.end()
			})
		})
	}
}

// Many come and many go away meanwhile: everybody gets an answer, and while
// what there is to do is done in time, nobody is refused.
func TestQueueLosesNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		short := c.lasting("Short", time.Millisecond)
		for i := range 4 * c.Load().Limit {
			c.calls.Go(func() {
				r := rand.New(rand.NewPCG(uint64(i), 0))
				for range 50 {
					ctx, cancel := t.Context(), context.CancelFunc(func() {})
					if r.IntN(4) == 0 {
						ctx, cancel = context.WithTimeout(ctx, time.Duration(r.IntN(4000))*time.Microsecond)
					}
					err := short(ctx)
					if err != nil && ctx.Err() == nil {
						t.Errorf("one who waits is told: %v", err)
					}
					cancel()
				}
			})
		}
		c.calls.Wait()
		if l := c.Load(); l.Running != 0 || l.Queued != 0 || l.Shed != 0 {
			t.Errorf("it is %+v", l)
		}
		c.end()
	})
}

// load calls an endpoint so often a second for some time, and returns how
// many calls were served within goodWithin.
func (c *crowd) load(m call, perSecond int, d time.Duration) (good int) {
	var mu sync.Mutex
	gap := time.Second / time.Duration(perSecond)
	for range int(d / gap) {
		c.calls.Go(func() {
			began := time.Now()
			err := m(c.t.Context())
			if err == nil && time.Since(began) <= goodWithin {
				mu.Lock()
				good++
				mu.Unlock()
			}
			if err != nil && !overloaded(err) {
				c.t.Error(err)
			}
		})
		time.Sleep(gap)
	}
	c.calls.Wait()
	return good
}

// pooled is an endpoint that needs one of so many connections for a time.
func (c *crowd) pooled(size int, d time.Duration) call {
	pool := make(chan struct{}, size)
	return c.endpoint(works("Pooled", func(context.Context) {
		pool <- struct{}{}
		time.Sleep(d)
		<-pool
	}))
}

// Whatever the size of a pool, what it can do is done in time, once the limit
// has found it. The first seconds are not counted: places are plenty at first,
// and have to be taken before anybody waits for one.
func TestLimitFindsPool(t *testing.T) {
	t.Parallel()
	const settling, seconds = 3, 3
	for _, tt := range []struct {
		name     string
		size     int
		each     time.Duration
		capacity int // a second
	}{
		{"short", 8, 5 * time.Millisecond, 1600},
		{"long", 8, 50 * time.Millisecond, 160},
		{"large", 50, 50 * time.Millisecond, 1000},
		{"single", 1, 10 * time.Millisecond, 100},
	} {
		for _, times := range []int{2, 4} {
			t.Run(fmt.Sprint(tt.name, " ", times), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					c := newCrowd(t)
					pooled := c.pooled(tt.size, tt.each)
					c.load(pooled, times*tt.capacity, settling*time.Second)
					good := c.load(pooled, times*tt.capacity, seconds*time.Second)
					t.Logf("goodput is %.0f %%: %+v", float64(good)/float64(seconds*tt.capacity)*100, c.Load())
					if good < seconds*tt.capacity*9/10 {
						t.Errorf("%d calls are good, of %d that could be", good, seconds*tt.capacity)
					}
					c.end()
				})
			})
		}
	}
}

// Work that only waits for others needs many places, and gets them.
func TestLimitGrows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		waits := c.lasting("Waits", 200*time.Millisecond)
		c.load(waits, 3000, 3*time.Second)
		if good := c.load(waits, 3000, time.Second); good < 2990 {
			t.Errorf("of 3000 calls %d are good: %+v", good, c.Load())
		}
		c.end()
	})
}

// What the limit was in the last rush is nothing to a service that has been
// quiet since: a burst is served as if it were the first.
func TestLimitForgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		start := c.Load().Limit
		pooled, slow := c.pooled(8, 5*time.Millisecond), c.lasting("Slow", 300*time.Millisecond)
		c.load(pooled, 3200, 3*time.Second)
		rush := c.Load()
		if rush.Limit >= start || rush.Shed == 0 {
			t.Errorf("in a rush it is %+v", rush)
		}
		time.Sleep(2 * time.Second)
		for range start {
			c.calls.Go(func() {
				if err := slow(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		c.calls.Wait()
		if l := c.Load(); l.Shed != rush.Shed {
			t.Errorf("after a burst it is %+v, before %+v", l, rush)
		}
		c.end()
	})
}

// A stream does not hold a place once it has begun, however it begins, nor
// does a request whose body is on its way.
func TestPlaceIsLeft(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		begin func(http.ResponseWriter)
		held  int
	}{
		{"nothing sent", func(http.ResponseWriter) {}, 1},
		{"informational", func(w http.ResponseWriter) { w.WriteHeader(http.StatusEarlyHints) }, 1},
		{"status", func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) }, 0},
		{"body", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "x") }, 0},
		{"flush", func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }, 0},
		{"twice", func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK); _, _ = io.WriteString(w, "x") }, 0},
		{"hijack", func(w http.ResponseWriter) { _, _, _ = http.NewResponseController(w).Hijack() }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := quietWorld(t)
			began, end, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
			h := w.handler(t, transport.Get("/stream", transport.Raw("Stream", "", func(rw http.ResponseWriter, _ *http.Request) error {
				tt.begin(rw)
				close(began)
				<-end
				return nil
			}).Public()))
			go func() {
				defer close(done)
				h.ServeHTTP(hijackable{httptest.NewRecorder()}, request("GET", "/stream", ""))
			}()
			<-began
			if l := w.Load(); l.Running != tt.held {
				t.Errorf("it is %+v", l)
			}
			close(end)
			<-done
			if l := w.Load(); l.Running != 0 {
				t.Errorf("in the end it is %+v", l)
			}
		})
	}
	t.Run("slow upload", func(t *testing.T) {
		t.Parallel()
		w := quietWorld(t)
		running := make(chan int, 1)
		h := w.handler(t, transport.Post("/notes/{id}", endpoint.New(func(context.Context, note) (answer, error) {
			running <- w.Load().Running
			return answer{}, nil
		}, "").Named("Write").Public()))
		r := request("POST", "/notes/1", "", "Content-Type", "application/json")
		in, out := io.Pipe()
		r.Body, r.ContentLength = in, -1
		done := make(chan struct{})
		go func() { defer close(done); h.ServeHTTP(httptest.NewRecorder(), r) }()
		_, _ = io.WriteString(out, `{"title":`) // returns when it is read
		if l := w.Load(); l.Running != 0 {
			t.Errorf("during an upload it is %+v", l)
		}
		_, _ = io.WriteString(out, `"x"}`)
		_ = out.Close()
		<-done
		if got, l := <-running, w.Load(); got != 1 || l.Running != 0 {
			t.Errorf("%d are running while the method is called, then %+v", got, l)
		}
	})
}

// hijackable gives away a connection that there is not.
type hijackable struct{ *httptest.ResponseRecorder }

func (hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, nil }
