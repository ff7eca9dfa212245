package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/discovery"
)

// How often a request is carried out, by what it is and how instances fail:
// four of them over real connections, all alike.
func TestBalanceRepeats(t *testing.T) {
	t.Parallel()
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if len(header) > 0 {
				w.Header().Set(header[0], header[1])
			}
			w.WriteHeader(code)
		}
	}
	breaksOff := func(after string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			io.WriteString(conn, after)
			if after == "" {
				conn.(*net.TCPConn).SetLinger(0) // a reset, as of a process that was killed
			}
			conn.Close()
		}
	}
	requests := map[string]struct {
		method, key string
		how         discovery.Sending
		repeats     bool
	}{
		"GET":                {http.MethodGet, "", discovery.Sending{}, true},
		"HEAD":               {http.MethodHead, "", discovery.Sending{}, true},
		"OPTIONS":            {http.MethodOptions, "", discovery.Sending{}, true},
		"POST":               {http.MethodPost, "", discovery.Sending{}, false},
		"PUT":                {http.MethodPut, "", discovery.Sending{}, false},
		"PATCH":              {http.MethodPatch, "", discovery.Sending{}, false},
		"DELETE":             {http.MethodDelete, "", discovery.Sending{}, false},
		"POST with a key":    {http.MethodPost, "k", discovery.Sending{}, true},
		"PUT that repeats":   {http.MethodPut, "", discovery.Sending{Repeats: true}, true},
		"GET that is a copy": {http.MethodGet, "", discovery.Sending{Copy: true}, false},
	}
	for name, tt := range map[string]struct {
		fails  http.HandlerFunc
		most   int // tries of what may be repeated
		status int // that the caller sees; 0 for an error
	}{
		"reset before any byte": {breaksOff(""), 3, 0},
		"broken off in header":  {breaksOff("HTTP/1.1 200 OK\r\nContent-Le"), 3, 0},
		"500":                   {status(500), 1, 500},
		"501":                   {status(501), 1, 501},
		"502":                   {status(502), 3, 502},
		"503":                   {status(503), 3, 503},
		"504":                   {status(504), 3, 504},
		"503, come at once":     {status(503, "Retry-After", "0"), 3, 503},
		"503, come later":       {status(503, "Retry-After", "60"), 1, 503},
		"429":                   {status(429), 1, 429},
		"404":                   {status(404), 1, 404},
		"200":                   {status(200), 1, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for name, r := range requests {
				var addrs []string
				var seen [4]atomic.Int32
				for i := range seen {
					addrs = append(addrs, start(t, "notes", func(w http.ResponseWriter, got *http.Request) {
						seen[i].Add(1)
						if text, err := io.ReadAll(got.Body); r.method != http.MethodGet && (string(text) != "whole" || err != nil) {
							t.Errorf("%s: arrived %q, %v", name, text, err)
						}
						tt.fails(w, got)
					}).Addr)
				}
				b := discovery.Balance(notes(t, addrs...))
				how, body := r.how, &body{Reader: strings.NewReader("whole")}
				req := get(t, "http://notes/")
				req = req.WithContext(how.With(req.Context()))
				if req.Method = r.method; r.method != http.MethodGet {
					req.Body = body
				}
				if r.key != "" {
					req.Header.Set("Idempotency-Key", r.key)
				}
				got, _, err := call(b, req)
				if got != tt.status || (err != nil) != (tt.status == 0) {
					t.Errorf("%s: %d, %v; want %d", name, got, err, tt.status)
				}
				if req.Body != nil && body.closed.Load() != 1 {
					t.Errorf("%s: body closed %d times", name, body.closed.Load())
				}
				want, sum := 1, 0
				if r.repeats {
					want = tt.most
				}
				for i := range seen {
					n := int(seen[i].Load())
					if sum += n; n > 1 {
						t.Errorf("%s: sent %d times to one instance", name, n)
					}
				}
				if sum != want || how.Attempts != want || how.Instance == "" {
					t.Errorf("%s: seen %d times, Attempts %d, want %d", name, sum, how.Attempts, want)
				}
				b.Close()
			}
		})
	}
}

// What no instance heard of goes on to another, be it what it may.
func TestBalanceUnheard(t *testing.T) {
	t.Parallel()
	inCloud(t, at("a:1", "b:1", "c:1", "d:1", "e:1"), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
		for _, addr := range []string{"a:1", "b:1", "c:1", "d:1"} {
			c.becomes(addr, breaks(errRefused))
		}
		for range 100 {
			if _, body, err := call(b, post(t, "x")); body != "e:1" || err != nil {
				t.Errorf("answered by %q, %v", body, err)
			}
		}
		if got := c.since(); sum(got) != 104 {
			t.Errorf("sent %v", got)
		}
	})
}

// A retry waits: a little by chance, or as long as it was told to.
func TestBalanceRetryAfter(t *testing.T) {
	t.Parallel()
	in := func(d time.Duration) func() string {
		return func() string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	}
	is := func(text string) func() string { return func() string { return text } }
	for name, tt := range map[string]struct {
		after    func() string
		timeout  time.Duration // of the caller
		min, max time.Duration
		attempts int
	}{
		"not told":          {is(""), time.Minute, 0, 60 * time.Millisecond, 3},
		"a second":          {is("1"), time.Minute, 2 * time.Second, 2100 * time.Millisecond, 3},
		"a date":            {in(2 * time.Second), time.Minute, time.Second, 2500 * time.Millisecond, 3},
		"a date gone by":    {in(-time.Hour), time.Minute, 0, 60 * time.Millisecond, 3},
		"nonsense":          {is("soon"), time.Minute, 0, 60 * time.Millisecond, 3},
		"less than nothing": {is("-5"), time.Minute, 0, 60 * time.Millisecond, 3},
		"too long":          {is("3"), time.Minute, 0, 0, 1},
		"for ages":          {is("99999999999999999999"), time.Minute, 0, 60 * time.Millisecond, 3},
		"a very long time":  {is("9999999999"), time.Minute, 0, 0, 1},
		"caller can't wait": {is("1"), 500 * time.Millisecond, 0, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inCloud(t, at("a:1", "b:1", "c:1"), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
				for _, addr := range []string{"a:1", "b:1", "c:1"} {
					c.becomes(addr, says(503, "Retry-After", tt.after()))
				}
				ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
				defer cancel()
				how := new(discovery.Sending)
				begin := time.Now()
				status, _, err := call(b, get(t, "http://notes/").WithContext(how.With(ctx)))
				if d := time.Since(begin); status != 503 || err != nil || d < tt.min || d > tt.max || how.Attempts != tt.attempts {
					t.Errorf("%d, %v after %v, %d attempts", status, err, d, how.Attempts)
				}
			})
		})
	}
}

// An outage is not made worse: retries are a tenth of the calls, and ten.
func TestBalanceBudget(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]answer{
		"503":   says(503),
		"reset": breaks(errReset),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inCloud(t, at("a:1", "b:1", "c:1"), func(t *testing.T, c *cloud, _ *discovery.Memory, b *discovery.Balancer) {
				for _, addr := range []string{"a:1", "b:1", "c:1"} {
					c.becomes(addr, fails)
				}
				var all sync.WaitGroup
				for range 10 {
					all.Go(func() { reads(t, b, 100) })
				}
				all.Wait()
				n := sum(c.since())
				if n > 1110 || name == "503" && n < 1080 {
					t.Errorf("1000 calls made %d attempts", n)
				}
				for addr := range c.answers {
					c.becomes(addr, nil)
				}
				time.Sleep(time.Hour)
				reads(t, b, 5000)
				if left := b.Status()[0].Retries; left != 100 {
					t.Errorf("after a good time %v retries at once, want 100", left)
				}
			})
		})
	}
}

// A body is sent again whole, as far as it was kept.
func TestBalanceReplay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		size, attempts int
		anew           bool // the request can make its body anew
	}{
		{1, 2, false}, {64 << 10, 2, false}, {64<<10 + 1, 1, false}, {1 << 20, 1, false}, {1 << 20, 2, true},
	} {
		t.Run(fmt.Sprint(tt.size, tt.anew), func(t *testing.T) {
			t.Parallel()
			want := strings.Repeat("n", tt.size-1) + "!"
			var seen atomic.Int32
			h := func(w http.ResponseWriter, r *http.Request) {
				if got, err := io.ReadAll(r.Body); string(got) != want || err != nil {
					t.Errorf("arrived %d bytes, %v", len(got), err)
				}
				if seen.Add(1) == 1 {
					w.WriteHeader(http.StatusBadGateway)
				}
			}
			b := discovery.Balance(notes(t, start(t, "notes", h).Addr, start(t, "notes", h).Addr))
			defer b.Close()
			how := &discovery.Sending{Repeats: true}
			r := post(t, want)
			if tt.anew {
				r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(want)), nil }
			}
			status, _, err := call(b, r.WithContext(how.With(r.Context())))
			if ok := status == 200; err != nil || ok != (tt.attempts == 2) || how.Attempts != tt.attempts {
				t.Errorf("%d, %v, %d attempts", status, err, how.Attempts)
			}
		})
	}
}

// An instance that answers before it has read the body is not waited for, nor
// is the client; and what the second instance gets is whole, or an error.
func TestBalanceReplayWhileRead(t *testing.T) {
	t.Parallel()
	for name, rest := range map[string]string{"small": strings.Repeat("r", 100), "large": strings.Repeat("r", maxReplay)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			more, over := make(chan bool), make(chan bool)
			defer close(over)
			var seen atomic.Int32
			h := func(w http.ResponseWriter, r *http.Request) {
				if seen.Add(1) == 1 {
					http.NewResponseController(w).EnableFullDuplex()
					io.ReadFull(r.Body, make([]byte, 5))
					w.WriteHeader(http.StatusServiceUnavailable)
					http.NewResponseController(w).Flush()
					<-over // reads no more
					return
				}
				close(more)
				if got, err := io.ReadAll(r.Body); err == nil && string(got) != "begin"+rest {
					t.Errorf("arrived %d bytes: %.10s…", len(got), got)
				}
			}
			b := discovery.Balance(notes(t, start(t, "notes", h).Addr, start(t, "notes", h).Addr))
			defer b.Close()
			in, out := io.Pipe()
			go func() {
				io.WriteString(out, "begin")
				<-more // the client sends the rest when the second instance has the request
				io.WriteString(out, rest)
				out.Close()
			}()
			r := post(t, "")
			r.Body = in
			how := &discovery.Sending{Repeats: true}
			status, _, err := call(b, r.WithContext(how.With(r.Context())))
			if name == "small" && (status != 200 || err != nil) {
				t.Errorf("%d, %v", status, err)
			}
			if how.Attempts != 2 {
				t.Errorf("%d attempts", how.Attempts)
			}
		})
	}
}

const maxReplay = 64 << 10

// A body that breaks off is its client's fault.
func TestBalanceBodyBreaksOff(t *testing.T) {
	t.Parallel()
	h := func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }
	b := discovery.Balance(notes(t, start(t, "notes", h).Addr, start(t, "notes", h).Addr))
	defer b.Close()
	mine := errors.New("client gone")
	for range 20 {
		r := post(t, "")
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader("begin"), broken{mine}))
		how := &discovery.Sending{Repeats: true}
		if _, _, err := call(b, r.WithContext(how.With(r.Context()))); !errors.Is(err, mine) || how.Attempts != 1 {
			t.Errorf("%v, %d attempts", err, how.Attempts)
		}
	}
	for _, i := range b.Status()[0].Instances {
		if i.Failures != 0 || i.InFlight != 0 || i.Breaker != "closed" {
			t.Errorf("%+v", i)
		}
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// watchedConn tells when it was closed.
type watchedConn struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (c *watchedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// A POST that was given a connection which the server closed just then was
// not sent: it goes out over another, and is carried out once.
func TestBalanceIdleConnectionClosed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "whole"} {
		t.Run("body "+text, func(t *testing.T) {
			t.Parallel()
			var seen atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen.Add(1)
				if got, err := io.ReadAll(r.Body); string(got) != text || err != nil {
					t.Errorf("arrived %q, %v", got, err)
				}
			}))
			defer server.Close()
			via := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				return &watchedConn{Conn: conn, closed: make(chan struct{})}, err
			}}
			b := discovery.Balance(notes(t, server.Listener.Addr().String()), discovery.Via(via))
			defer b.Close()
			reused := 0
			for n := range 20 {
				trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
					if c.Reused {
						reused++
						server.CloseClientConnections()
						<-c.Conn.(*watchedConn).closed
					}
				}}
				r := post(t, text)
				if text == "" {
					r.Body = nil
				}
				if status, _, err := call(b, r.WithContext(httptrace.WithClientTrace(r.Context(), trace))); status != 200 {
					t.Errorf("%d: %v", n, err)
				}
			}
			if seen.Load() != 20 || reused < 5 {
				t.Errorf("20 POSTs were carried out %d times; %d connections were reused", seen.Load(), reused)
			}
		})
	}
}

// However connections close under it, a POST is never carried out twice.
func TestBalanceNeverTwice(t *testing.T) {
	t.Parallel()
	var seen sync.Map
	h := func(w http.ResponseWriter, r *http.Request) {
		if _, twice := seen.LoadOrStore(r.Header.Get("X-Id"), true); twice {
			t.Errorf("%s was carried out twice", r.Header.Get("X-Id"))
		}
	}
	one, two := httptest.NewServer(http.HandlerFunc(h)), httptest.NewServer(http.HandlerFunc(h))
	defer one.Close()
	defer two.Close()
	b := discovery.Balance(notes(t, one.Listener.Addr().String(), two.Listener.Addr().String()))
	defer b.Close()
	stop := make(chan struct{})
	var closer, callers sync.WaitGroup
	closer.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				one.CloseClientConnections()
			}
		}
	})
	var failed atomic.Int32
	for caller := range 4 {
		callers.Go(func() {
			for n := range 250 {
				r := post(t, "whole")
				r.Header.Set("X-Id", fmt.Sprint(caller, "-", n))
				if status, _, _ := call(b, r); status != 200 {
					failed.Add(1)
				} else if _, ok := seen.Load(r.Header.Get("X-Id")); !ok {
					t.Error("answered by nobody")
				}
			}
		})
	}
	callers.Wait()
	close(stop)
	closer.Wait()
	t.Log(failed.Load(), "of 1000 were cut off in the middle")
}
