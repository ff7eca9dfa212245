package cache_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-go/trellis/gateway/cache"
)

// clock stands still until it is moved.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// service is a server that gives the same answer until it is told another:
// "200 the body", and lines of headers. "gone" breaks connections.
type service struct {
	*httptest.Server
	clock *clock

	mu     sync.Mutex
	answer string
	seen   []*http.Request
}

func newService(t testing.TB, clock *clock) *service {
	s := &service{clock: clock}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, r)
	if s.answer == "gone" {
		panic(http.ErrAbortHandler)
	}
	first, lines, _ := strings.Cut(s.answer, "\n")
	setLines(w.Header(), lines)
	if w.Header()["Date"] == nil {
		w.Header().Set("Date", s.clock.now().Format(http.TimeFormat))
	}
	status, body, _ := strings.Cut(first, " ")
	code, err := strconv.Atoi(status)
	if err != nil {
		panic(err)
	}
	w.WriteHeader(code)
	_, _ = io.WriteString(w, body)
}

func (s *service) tell(answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// requests are those that came.
func (s *service) requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[:len(s.seen):len(s.seen)]
}

func setLines(h http.Header, lines string) {
	for line := range strings.Lines(lines) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		h.Add(name, value)
	}
}

// fixture is a client of a service behind a cache.
type fixture struct {
	*service
	*clock
	cache  *cache.Cache
	client *http.Client
}

func newFixture(t testing.TB, size int64) *fixture {
	c := newClock()
	s := newService(t, c)
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	k := cache.New(transport, size, c.now)
	return &fixture{s, c, k, &http.Client{Transport: k, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// do sends "GET /path" with lines of headers.
func (f *fixture) do(t testing.TB, what, lines string) (*http.Response, string) {
	t.Helper()
	method, path, _ := strings.Cut(what, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, f.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	setLines(req.Header, lines)
	res, err := f.client.Do(req)
	if err != nil {
		return nil, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

const megabyte = 1 << 20
