package discovery_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/hashicorp/consul/api"
	"github.com/trellis-go/trellis/kit/discovery"
)

// fakeConsul answers like an agent on which there is one service, notes, but
// does at once, in the fake time of synctest, what takes a real one long or
// happens to it rarely.
type fakeConsul struct {
	mu        sync.Mutex
	index     uint64
	instances []string
	status    int  // instead of an answer, if it isn't 0
	filtered  bool // says that a token may not see all
	changed   chan struct{}
	asked     []time.Time                    // questions about notes
	puts      []api.AgentServiceRegistration // announcements
}

func newFake() *fakeConsul { return &fakeConsul{index: 100, changed: make(chan struct{})} }

func (f *fakeConsul) open(t *testing.T) *discovery.Consul {
	t.Helper()
	r, err := discovery.NewConsul(&api.Config{HttpClient: &http.Client{Transport: f}}, log.NewLogfmtLogger(t.Output()))
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

// becomes changes what it answers, and waits until that has taken its course.
func (f *fakeConsul) becomes(change func()) {
	f.mu.Lock()
	change()
	close(f.changed)
	f.changed = make(chan struct{})
	f.mu.Unlock()
	synctest.Wait()
}

func (f *fakeConsul) knows(index uint64, instances ...string) {
	f.becomes(func() { f.index, f.instances, f.status = index, instances, 0 })
}

func (f *fakeConsul) fails(status int) { f.becomes(func() { f.status = status }) }

func (f *fakeConsul) announced() []api.AgentServiceRegistration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.puts)
}

func (f *fakeConsul) askedSince(begin time.Time) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, at := range f.asked {
		if !at.Before(begin) {
			n++
		}
	}
	return n
}

func (f *fakeConsul) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.Method == http.MethodPut:
		var put api.AgentServiceRegistration
		if r.Body != nil {
			json.NewDecoder(r.Body).Decode(&put)
		}
		f.puts = append(f.puts, put)
		return f.answer("")
	case strings.HasPrefix(r.URL.Path, "/v1/health/service/notes"):
		f.asked = append(f.asked, time.Now())
		return f.health(r)
	}
	return f.answer("{}")
}

func (f *fakeConsul) health(r *http.Request) (*http.Response, error) {
	query := r.URL.Query()
	if index, _ := strconv.ParseUint(query.Get("index"), 10, 64); index > 0 {
		wait, err := time.ParseDuration(query.Get("wait"))
		if err != nil {
			return nil, err
		}
		over := false
		for end := time.After(wait); f.status == 0 && f.index <= index && !over; {
			changed := f.changed
			f.mu.Unlock()
			select {
			case <-changed:
			case <-end:
				over = true
			case <-r.Context().Done():
			}
			f.mu.Lock()
			if err := r.Context().Err(); err != nil {
				return nil, err
			}
		}
	}
	return f.entries()
}

func (f *fakeConsul) entries() (*http.Response, error) {
	type service struct {
		Address string
		Port    int
	}
	entries := []map[string]service{}
	for _, i := range f.instances {
		entries = append(entries, map[string]service{"Service": {i, 80}, "Node": {}})
	}
	body, err := json.Marshal(entries)
	if err != nil {
		return nil, err
	}
	return f.answer(string(body))
}

func (f *fakeConsul) answer(body string) (*http.Response, error) {
	switch f.status {
	case 0:
	case -1:
		return nil, errors.New("connection refused")
	default:
		return &http.Response{StatusCode: f.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("no"))}, nil
	}
	h := http.Header{}
	h.Set("X-Consul-Index", fmt.Sprint(f.index))
	h.Set("X-Consul-LastContact", "0")
	h.Set("X-Consul-Results-Filtered-By-ACLs", fmt.Sprint(f.filtered))
	return &http.Response{StatusCode: http.StatusOK, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
}

const away = -1

// What subscribers are told, after each thing that happens to Consul.
func TestConsulAnswers(t *testing.T) {
	t.Parallel()
	type step struct {
		what string
		do   func(*fakeConsul)
		want string
	}
	knows := func(index uint64, instances ...string) func(*fakeConsul) {
		return func(f *fakeConsul) { f.knows(index, instances...) }
	}
	fails := func(status int) func(*fakeConsul) { return func(f *fakeConsul) { f.fails(status) } }
	lasts := func(d time.Duration) func(*fakeConsul) {
		return func(*fakeConsul) { time.Sleep(d); synctest.Wait() }
	}
	filters := func(f *fakeConsul) { f.becomes(func() { f.index, f.instances, f.filtered = f.index+1, nil, true }) }

	for name, steps := range map[string][]step{
		"it stays up": {
			{"two join", knows(101, "a", "b"), "a b"},
			{"one leaves", knows(102, "b"), "b"},
			{"the last leaves", knows(103), ""},
			{"one joins", knows(104, "c"), "c"},
			{"nothing", lasts(time.Hour), "c"},
			{"the last leaves", knows(105), ""},
		},
		"it is away, and comes back as it was": {
			{"two join", knows(101, "a", "b"), "a b"},
			{"away", fails(away), "a b"},
			{"for long", lasts(time.Hour), "a b"},
			{"back", knows(101, "a", "b"), "a b"},
			{"in time", lasts(3 * time.Second), "a b"},
			{"the last leave", knows(102), ""},
		},
		"it comes back empty, and learns again": {
			{"two join", knows(101, "a", "b"), "a b"},
			{"away", fails(away), "a b"},
			{"for a while", lasts(time.Minute), "a b"},
			{"back", knows(12), "a b"},
			{"noticed", lasts(3 * time.Second), "a b"},
			{"one registers", knows(13, "a"), "a b"},
			{"and a new one", knows(14, "a", "c"), "a b c"},
			{"the new one leaves", knows(15, "a"), "a b"},
			{"the one that did leaves", knows(16), "b"},
			{"grace is over", lasts(10 * time.Second), ""},
		},
		"it comes back empty, and stays so": {
			{"two join", knows(101, "a", "b"), "a b"},
			{"no leader", fails(500), "a b"},
			{"back", knows(102), "a b"},
			{"noticed", lasts(3 * time.Second), "a b"},
			{"away again", fails(500), "a b"},
			{"for a while", lasts(time.Minute), "a b"},
			{"back", knows(103), "a b"},
			{"grace begins anew", lasts(9 * time.Second), "a b"},
			{"grace is over", lasts(6 * time.Second), ""},
		},
		"it restarts between two questions": {
			{"two join", knows(101, "a", "b"), "a b"},
			{"its index goes back", knows(3), "a b"},
			{"which is noticed when it has held the question long enough", lasts(31 * time.Second), "a b"},
			{"one registers", knows(4, "b"), "a b"},
			{"grace is over", lasts(12 * time.Second), "b"},
			{"the last leaves", knows(5), ""},
		},
		"it stops letting the token see": {
			{"two join", knows(101, "a", "b"), "a b"},
			{"none to be seen", filters, "a b"},
			{"for long", lasts(time.Hour), "a b"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				r := f.open(t)
				defer r.Close()
				w := watch(t, r.Instancer("notes"))
				w.wants(t)
				told := ""
				for i, s := range steps {
					s.do(f)
					for waiting := true; waiting; synctest.Wait() {
						select {
						case e := <-w.ch:
							told = strings.ReplaceAll(strings.Join(e.Instances, " "), ":80", "")
							if e.Err != nil {
								t.Errorf("step %d, %s: error %v", i, s.what, e.Err)
							}
						default:
							waiting = false
						}
					}
					if told != s.want {
						t.Fatalf("step %d, %s: told %q, want %q", i, s.what, told, s.want)
					}
				}
			})
		})
	}
}

// A watch asks seldom while nothing happens or Consul is away, and never spins.
func TestConsulPace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		happens  func(*fakeConsul)
		min, max int // questions in a minute
	}{
		{"nothing", func(f *fakeConsul) { f.knows(100) }, 2, 5},
		{"away", func(f *fakeConsul) { f.fails(away) }, 30, 80},
		{"an index of 0", func(f *fakeConsul) { f.knows(0) }, 2, 5},
		{"an ever new index", func(f *fakeConsul) {
			for range 60_000 {
				time.Sleep(time.Millisecond)
				f.becomes(func() { f.index++ })
			}
		}, 550, 620},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				r := f.open(t)
				defer r.Close()
				watch(t, r.Instancer("notes")).wants(t)
				begin := time.Now()
				tt.happens(f)
				time.Sleep(time.Minute - time.Since(begin))
				if n := f.askedSince(begin); n < tt.min || n > tt.max {
					t.Errorf("asked %d times in a minute, want %d to %d", n, tt.min, tt.max)
				}
			})
		})
	}
}

func TestConsulOneWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		r := f.open(t)
		defer r.Close()
		begin := time.Now()
		for range 10 {
			watch(t, r.Instancer("notes")).wants(t)
		}
		synctest.Wait()
		if n := f.askedSince(begin); n != 2 { // once at once, once to wait
			t.Errorf("ten callers make %d questions, want 2", n)
		}
	})
}

func TestConsulAnnounces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		r := f.open(t)
		defer r.Close()
		_, err := r.Register(t.Context(), discovery.Instance{Service: "notes", Addr: "[::1]:80", Check: "/ok", Tags: []string{"x"}})
		must(t, err)
		got := f.announced()[0]
		if got.ID != "notes-[::1]:80" || got.Name != "notes" || got.Address != "::1" || got.Port != 80 || !slices.Equal(got.Tags, []string{"x"}) {
			t.Errorf("registers %+v", got)
		}
		if c := got.Check; c == nil || c.HTTP != "http://[::1]:80/ok" || c.Interval != "1s" || c.Timeout != "1s" || c.DeregisterCriticalServiceAfter != "1m" {
			t.Errorf("with check %+v", c)
		}
		time.Sleep(time.Minute)
		if n := len(f.announced()); n != 1 {
			t.Errorf("announced %d times while known", n)
		}
		f.fails(http.StatusNotFound)
		time.Sleep(2 * time.Second)
		if len(f.announced()) < 2 {
			t.Error("not announced again when forgotten")
		}
	})
}

// What Consul refuses is the caller's error; what it cannot do now is done later.
func TestConsulRefuses(t *testing.T) {
	t.Parallel()
	for status, fatal := range map[int]bool{400: true, 403: true, 429: false, 500: false, 503: false, away: false} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.status = status
			r := f.open(t)
			defer r.Close()
			leave, err := r.Register(t.Context(), discovery.Instance{Service: "notes", Addr: "10.0.0.1:80"})
			if (err != nil) != fatal || (leave == nil) != fatal {
				t.Errorf("%d: error %v", status, err)
			}
			time.Sleep(time.Minute)
			switch tries := len(f.announced()); {
			case fatal && tries != 1:
				t.Errorf("%d: tried %d times though it is refused", status, tries)
			case !fatal && (tries < 30 || tries > 80):
				t.Errorf("%d: tried %d times in a minute", status, tries)
			}
		})
	}
}
