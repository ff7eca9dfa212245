package discovery_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/kit/discovery"
)

// cloud is a network in memory, whose instances answer as their functions say.
type cloud struct {
	mu      sync.Mutex
	answers map[string]answer // by address; others answer 200
	got     map[string]int    // requests by address, but for probes
	probes  map[string]int
}

type answer func(*http.Request) (*http.Response, error)

func (c *cloud) RoundTrip(r *http.Request) (*http.Response, error) {
	addr, count := r.URL.Host, &c.got
	if r.URL.Path == "/livez" {
		count = &c.probes
	}
	c.mu.Lock()
	if *count == nil {
		*count = map[string]int{}
	}
	(*count)[addr]++
	a := c.answers[addr]
	c.mu.Unlock()
	if r.Body != nil {
		io.Copy(io.Discard, r.Body)
		defer r.Body.Close()
	}
	if a == nil {
		a = says(200)
	}
	return a(r)
}

// becomes changes how an instance answers from now on.
func (c *cloud) becomes(addr string, a answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil {
		c.answers = map[string]answer{}
	}
	c.answers[addr] = a
}

// since forgets what was counted, and returns it.
func (c *cloud) since() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	got := maps.Clone(c.got)
	clear(c.got)
	return got
}

func sum(got map[string]int) (n int) {
	for _, g := range got {
		n += g
	}
	return n
}

// says is an instance that answers so; header is a name and a value.
func says(status int, header ...string) answer {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{}
		if len(header) == 2 {
			h.Set(header[0], header[1])
		}
		return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: h, Body: &tiedBody{r.Context(), strings.NewReader(r.URL.Host)}, Request: r}, nil
	}
}

// tiedBody breaks off when its request is over, as that of a connection does.
type tiedBody struct {
	ctx context.Context
	io.Reader
}

func (b *tiedBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.Reader.Read(p)
}

func (b *tiedBody) Close() error { return nil }

var (
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
)

func breaks(err error) answer {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// takes is an instance that needs a time for what it says.
func takes(d time.Duration, a answer) answer {
	return func(r *http.Request) (*http.Response, error) {
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-time.After(d):
			return a(r)
		}
	}
}

// busy is an instance that lives, but whose requests hang.
func busy(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/livez" {
		return says(200)(r)
	}
	return hangs(r)
}

// inCloud runs a test in a bubble, with a balancer over instances in memory.
func inCloud(t *testing.T, instances []discovery.Instance, test func(*testing.T, *cloud, *discovery.Memory, *discovery.Balancer), options ...discovery.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, m := new(cloud), new(discovery.Memory)
		for _, i := range instances {
			i.Service = "notes"
			join(t, m, i)
		}
		b := discovery.Balance(m, append(slices.Clone(options), discovery.Via(c))...)
		test(t, c, m, b)
		b.Close()
		m.Close()
	})
}

func at(addrs ...string) (all []discovery.Instance) {
	for _, a := range addrs {
		all = append(all, discovery.Instance{Addr: a})
	}
	return all
}

// call sends one request, and reads its answer.
func call(b *discovery.Balancer, r *http.Request) (status int, body string, err error) {
	resp, err := b.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// read sends a GET as how says, which may be nil.
func read(t testing.TB, b *discovery.Balancer, how *discovery.Sending) (status int, body string, err error) {
	t.Helper()
	r := get(t, "http://notes/")
	if how != nil {
		r = r.WithContext(how.With(r.Context()))
	}
	return call(b, r)
}

func reads(t testing.TB, b *discovery.Balancer, n int) {
	t.Helper()
	for range n {
		read(t, b, nil)
	}
}

func post(t testing.TB, text string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://notes/", io.NopCloser(strings.NewReader(text)))
	must(t, err)
	return r
}

// known is what the balancer says of one instance.
func known(t testing.TB, b *discovery.Balancer, addr string) discovery.InstanceStatus {
	t.Helper()
	for _, s := range b.Status() {
		for _, i := range s.Instances {
			if i.Addr == addr {
				return i
			}
		}
	}
	t.Fatalf("no status of %s: %+v", addr, b.Status())
	panic("unreachable")
}

func wantState(t testing.TB, b *discovery.Balancer, addr string, want discovery.State) {
	t.Helper()
	if got := known(t, b, addr); got.State != want {
		t.Errorf("%s is %q until %v, breaker %s; want %q", addr, got.State, got.Until, got.Breaker, want)
	}
}

func logTo(w io.Writer) log.Logger { return log.NewLogfmtLogger(log.NewSyncWriter(w)) }
