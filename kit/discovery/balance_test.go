package discovery_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/testenv"
)

// fleet is a network with instances, in memory.
type fleet struct {
	mu    sync.Mutex
	fails map[string]error // by address; others answer
	got   map[string]int   // requests by address
}

func (f *fleet) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.got == nil {
		f.got = map[string]int{}
	}
	f.got[r.URL.Host]++
	err := f.fails[r.URL.Host]
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err != nil {
		time.Sleep(time.Microsecond)
		return nil, err
	}
	answer := r.URL.Host
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		answer = string(body)
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

func (f *fleet) requests(addr string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.got[addr]
}

var refused = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}

func notes(t testing.TB, addrs ...string) *discovery.Memory {
	m := new(discovery.Memory)
	for _, a := range addrs {
		join(t, m, discovery.Instance{Service: "notes", Addr: a})
	}
	return m
}

func get(t testing.TB, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	must(t, err)
	return r
}

func unavailable(t *testing.T, err error) {
	t.Helper()
	got := fault.Of(err)
	if got.Kind != fault.Unavailable || got.Code != "no_instance" || got.Message != "The service notes is not available just now." || got.RetryAfter != time.Second {
		t.Errorf("error %+v", got)
	}
}

func TestBalanceByLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // where no request takes longer than another
		net := new(fleet)
		m := notes(t, "a:1", "b:1", "c:1")
		b := discovery.Balance(m, discovery.Via(net))
		defer m.Close()
		defer b.Close()
		var open []io.Closer
		for range 300 {
			resp, err := b.RoundTrip(get(t, "http://notes/"))
			must(t, err)
			open = append(open, resp.Body)
		}
		for _, addr := range []string{"a:1", "b:1", "c:1"} {
			if n := net.requests(addr); n < 90 || n > 110 { // at random it would be 100 ± 25
				t.Errorf("%s has %d of 300 requests in flight", addr, n)
			}
		}
		for _, body := range open {
			body.Close()
			body.Close()
		}
		leave := join(t, m, discovery.Instance{Service: "notes", Addr: "d:1"})
		defer leave()
		testenv.Eventually(t, "a new one gets as much as the others", func() bool {
			resp, err := b.RoundTrip(get(t, "http://notes/"))
			must(t, err)
			resp.Body.Close()
			return net.requests("d:1") > 20
		})
	})
}

func TestBalancePrefersTheIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // where no request takes longer than another
		net := new(fleet)
		m := notes(t, "a:1", "b:1")
		b := discovery.Balance(m, discovery.Via(net))
		defer m.Close()
		defer b.Close()
		busy, err := b.RoundTrip(get(t, "http://notes/"))
		must(t, err)
		defer busy.Body.Close()
		call := func() {
			resp, err := b.RoundTrip(get(t, "http://notes/"))
			must(t, err)
			resp.Body.Close()
		}
		for range 100 {
			call()
		}
		idle := "a:1"
		if net.requests("b:1") == 100 {
			idle = "b:1"
		}
		if n := net.requests(idle); n != 100 {
			t.Fatalf("the idle one got %d requests of 100", n)
		}

		join(t, m, discovery.Instance{Service: "notes", Addr: "c:1"})
		testenv.Eventually(t, "a third one is there", func() bool { call(); return net.requests("c:1") > 0 })
		for range 100 {
			call()
		}
		if n := net.requests("a:1") + net.requests("b:1") - net.requests(idle); n > 50 { // at random it would be a third of thousands
			t.Errorf("what is in flight was forgotten when a third one came: the busy one got %d more", n)
		}
	})
}

// late is a registry that tells its first news when asked to.
type late struct {
	discovery.Memory
	watchers chan chan<- discovery.Update
}

func newLate() *late { return &late{watchers: make(chan chan<- discovery.Update, 1)} }

func (l *late) Watch(_ string, ch chan<- discovery.Update) (stop func()) {
	l.watchers <- ch
	return func() {}
}

func (l *late) news(u discovery.Update) (told chan<- discovery.Update) {
	told = <-l.watchers
	told <- u
	return told
}

func up(addrs ...string) (u discovery.Update) {
	for _, a := range addrs {
		u.Instances = append(u.Instances, discovery.Instance{Service: "notes", Addr: a, Weight: 1})
	}
	return u
}

func TestBalanceFirstCall(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		news    func(*late)
		timeout time.Duration // of the request
		after   time.Duration
		wrong   func(*testing.T, error)
	}{
		{"waits for the first news",
			func(l *late) { time.Sleep(300 * time.Millisecond); l.news(up("a:1")) },
			time.Minute, 300 * time.Millisecond, nil},
		{"learns that there is none",
			func(l *late) { time.Sleep(300 * time.Millisecond); l.news(up()) },
			time.Minute, 300 * time.Millisecond, unavailable},
		{"learns that nobody knows",
			func(l *late) { l.news(discovery.Update{Err: errors.New("away")}) },
			time.Minute, 0, unavailable},
		{"does not wait for ever",
			func(l *late) { <-l.watchers },
			time.Minute, time.Second, unavailable},
		{"waits no longer than the caller",
			func(l *late) { <-l.watchers },
			100 * time.Millisecond, 100 * time.Millisecond, func(t *testing.T, err error) {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v", err)
				}
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLate()
				b := discovery.Balance(l, discovery.Via(new(fleet)))
				defer b.Close()
				go tt.news(l)
				ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
				defer cancel()
				begin := time.Now()
				_, err := b.RoundTrip(get(t, "http://notes/").WithContext(ctx))
				if d := time.Since(begin); d != tt.after {
					t.Errorf("answered after %v, want %v", d, tt.after)
				}
				switch {
				case tt.wrong != nil:
					tt.wrong(t, err)
				case err != nil:
					t.Error(err)
				}
			})
		})
	}
}

func TestBalanceClosedWhileWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := discovery.Balance(newLate())
		go func() {
			time.Sleep(time.Millisecond)
			b.Close()
		}()
		begin := time.Now()
		if _, err := b.RoundTrip(get(t, "http://notes/")); err == nil || time.Since(begin) != time.Millisecond {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}

// An error after good news changes nothing.
func TestBalanceKeepsTheLastGood(t *testing.T) {
	t.Parallel()
	l := newLate()
	b := discovery.Balance(l, discovery.Via(new(fleet)))
	defer b.Close()
	told := make(chan chan<- discovery.Update)
	go func() { told <- l.news(up("a:1")) }()
	for range 3 {
		resp, err := b.RoundTrip(get(t, "http://notes/"))
		must(t, err)
		resp.Body.Close()
		if told != nil {
			ch := <-told
			ch <- discovery.Update{Err: errors.New("away")}
			ch <- discovery.Update{Err: errors.New("away")} // taken once the first has been dealt with
			told = nil
		}
	}
}

func TestBalanceSetsAside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		net := &fleet{fails: map[string]error{"dead:1": refused}}
		m := notes(t, "dead:1", "a:1", "b:1")
		defer m.Close()
		b := discovery.Balance(m, discovery.Via(net))
		defer b.Close()
		for second := range 5 {
			for range 100 {
				resp, err := b.RoundTrip(get(t, "http://notes/"))
				must(t, err)
				resp.Body.Close()
			}
			if n := net.requests("dead:1"); n != second+1 {
				t.Fatalf("tried the dead one %d times in %d seconds", n, second+1)
			}
			time.Sleep(time.Second)
		}
		if a, b := net.requests("a:1"), net.requests("b:1"); min(a, b) < 150 {
			t.Errorf("the others got %d and %d", a, b)
		}
	})
}

// When all have been set aside one of them may be back, so they are tried.
func TestBalanceNoneReachable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		net := &fleet{fails: map[string]error{"a:1": refused, "b:1": refused}}
		m := notes(t, "a:1", "b:1")
		defer m.Close()
		b := discovery.Balance(m, discovery.Via(net))
		defer b.Close()
		for n := range 3 {
			_, err := b.RoundTrip(get(t, "http://notes/"))
			unavailable(t, err)
			if !errors.Is(err, refused) {
				t.Errorf("the cause is lost: %v", err)
			}
			if a, b := net.requests("a:1"), net.requests("b:1"); a != n+1 || b != n+1 {
				t.Errorf("tried %d and %d times after %d calls", a, b, n+1)
			}
		}
		delete(net.fails, "b:1")
		_, err := b.RoundTrip(get(t, "http://notes/"))
		must(t, err)
	})
}

// body counts how often it is closed, and may not be read after that.
type body struct {
	io.Reader
	closed atomic.Int32
}

func (b *body) Read(p []byte) (int, error) {
	if b.closed.Load() > 0 {
		return 0, errors.New("read after close")
	}
	return b.Reader.Read(p)
}

func (b *body) Close() error { b.closed.Add(1); return nil }

// Whatever happens, the body is closed once, and what is tried again is whole.
func TestBalanceBody(t *testing.T) {
	t.Parallel()
	reset := &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset")}
	for _, tt := range []struct {
		name      string
		instances []string
		fails     map[string]error
		err       error
		tries     int
	}{
		{"sent", []string{"a:1"}, nil, nil, 1},
		{"not sent to some", []string{"a:1", "b:1", "c:1"}, map[string]error{"a:1": refused, "b:1": refused}, nil, 0},
		{"not sent to any", []string{"a:1", "b:1"}, map[string]error{"a:1": refused, "b:1": refused}, refused, 2},
		{"no instance", nil, nil, fault.New(fault.Unavailable, "no_instance", ""), 0},
		{"sent in vain", []string{"a:1", "b:1"}, map[string]error{"a:1": reset, "b:1": reset}, reset, 1},
	} {
		for _, again := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, GetBody %t", tt.name, again), func(t *testing.T) {
				t.Parallel()
				net := &fleet{fails: tt.fails}
				balancer := discovery.Balance(notes(t, tt.instances...), discovery.Via(net))
				defer balancer.Close()
				for range 4 {
					r, b := get(t, "http://notes/"), &body{Reader: strings.NewReader("whole")}
					r.Method, r.Body = http.MethodPost, b
					if again {
						r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("whole")), nil }
					}
					resp, err := balancer.RoundTrip(r)
					if !errors.Is(err, tt.err) {
						t.Fatalf("error %v, want %v", err, tt.err)
					}
					if err == nil {
						if got, err := io.ReadAll(resp.Body); string(got) != "whole" || err != nil {
							t.Errorf("arrived: %q, %v", got, err)
						}
						resp.Body.Close()
						if resp.Request != r || r.URL.Host != "notes" {
							t.Error("the caller's request is another now")
						}
					}
					if n := b.closed.Load(); n != 1 {
						t.Fatalf("body closed %d times", n)
					}
				}
				if n := net.requests("a:1") + net.requests("b:1"); tt.tries > 0 && n != 4*tt.tries {
					t.Errorf("%d tries in 4 calls, want %d in each", n, tt.tries)
				}
			})
		}
	}
}

func TestBalanceCaller(t *testing.T) {
	t.Parallel()
	net := &fleet{fails: map[string]error{"a:1": refused, "b:1": refused}}
	b := discovery.Balance(notes(t, "a:1", "b:1"), discovery.Via(net))
	defer b.Close()
	_, err := b.RoundTrip(get(t, "http://notes/"))
	unavailable(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.RoundTrip(get(t, "http://notes/").WithContext(ctx))
	if !errors.Is(err, context.Canceled) || net.requests("a:1")+net.requests("b:1") != 3 {
		t.Errorf("a caller that has gone is served on: %v", err)
	}
	if _, err := b.RoundTrip(get(t, "http://notes:80/")); err == nil || !strings.Contains(err.Error(), `"notes:80"`) {
		t.Errorf("a host that is no service: %v", err)
	}
	b.Close()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := b.RoundTrip(get(t, "http://notes/")); err == nil {
		t.Error("a closed balancer sends")
	}
}

// From here on over real connections.

func TestBalanceDeadInstance(t *testing.T) {
	t.Parallel()
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	dead.Close()
	echo := start(t, "notes", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	})
	b := discovery.Balance(notes(t, dead.Addr().String(), echo.Addr))
	defer b.Close()
	for range 20 {
		want := strings.Repeat("note ", 10_000)
		resp, err := b.RoundTrip(&http.Request{
			Method: http.MethodPost,
			URL:    &url.URL{Scheme: "http", Host: "notes", Path: "/"},
			Header: http.Header{},
			Body:   io.NopCloser(strings.NewReader(want)), // no GetBody
		})
		must(t, err)
		if got, err := io.ReadAll(resp.Body); string(got) != want || err != nil {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
		resp.Body.Close()
	}
}

func TestBalanceLeavingInstance(t *testing.T) {
	t.Parallel()
	arrived, answer := make(chan bool), make(chan bool)
	old := start(t, "notes", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			arrived <- true
			<-answer
			io.WriteString(w, "old")
		}
	})
	var m discovery.Memory
	defer m.Close()
	leave := join(t, &m, old.Instance)
	b := discovery.Balance(&m)
	defer b.Close()
	result := make(chan string)
	go func() {
		resp, err := b.RoundTrip(get(t, "http://notes/slow"))
		if err != nil {
			result <- err.Error()
			return
		}
		defer resp.Body.Close()
		got, _ := io.ReadAll(resp.Body)
		result <- string(got)
	}()
	<-arrived
	leave()
	testenv.Eventually(t, "nobody is there", func() bool { _, err := b.RoundTrip(get(t, "http://notes/")); return err != nil })
	close(answer)
	if got := <-result; got != "old" {
		t.Errorf("in flight when it left: %s", got)
	}
}

func TestBalanceRedirect(t *testing.T) {
	t.Parallel()
	i := start(t, "notes", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/there", http.StatusFound)
			return
		}
		io.WriteString(w, r.Host)
	})
	b := discovery.Balance(notes(t, i.Addr))
	defer b.Close()
	resp, err := (&http.Client{Transport: b}).Do(get(t, "http://notes/"))
	must(t, err)
	defer resp.Body.Close()
	if got, _ := io.ReadAll(resp.Body); string(got) != "notes" || resp.Request.URL.String() != "http://notes/there" {
		t.Errorf("came to %s at host %s", resp.Request.URL, got)
	}
}

func TestBalanceUpgrade(t *testing.T) {
	t.Parallel()
	i := start(t, "notes", func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		io.Copy(conn, rw)
	})
	b := discovery.Balance(notes(t, i.Addr))
	defer b.Close()
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "notes"}) },
		Transport: b,
	})
	defer proxy.Close()

	conn, err := net.Dial("tcp", proxy.Listener.Addr().String())
	must(t, err)
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	must(t, err)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp.Status)
	}
	fmt.Fprint(conn, "hello\n")
	if line, err := in.ReadString('\n'); line != "hello\n" {
		t.Errorf("echoed %q, %v", line, err)
	}
	must(t, conn.(*net.TCPConn).CloseWrite())
	if rest, err := io.ReadAll(in); len(rest) != 0 || err != nil {
		t.Errorf("after closing: %q, %v", rest, err)
	}
}

// Instances come and go under load, and no call is lost.
func TestBalanceUnderChange(t *testing.T) {
	t.Parallel()
	m := new(discovery.Memory)
	defer m.Close()
	join(t, m, start(t, "notes", ok).Instance)
	b := discovery.Balance(m)
	defer b.Close()
	var callers sync.WaitGroup
	stop := make(chan struct{})
	for range 8 {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				resp, err := b.RoundTrip(get(t, "http://notes/"))
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
			}
		})
	}
	for range 50 {
		leave := join(t, m, start(t, "notes", ok).Instance)
		resp, err := b.RoundTrip(get(t, "http://notes/"))
		must(t, err)
		resp.Body.Close()
		leave()
	}
	close(stop)
	callers.Wait()
}
