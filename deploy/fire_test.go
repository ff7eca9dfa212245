package deploy_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/testenv"
)

// scene is the whole system as processes, two of each service, with clients
// that find the gateways as services find each other.
type scene struct {
	t                       *testing.T // which processes end with, whichever subtest starts them
	consul, postgres, redis *testenv.Server
	services                map[string][]*member
	registry                discovery.Registry
	client                  *http.Client
	users                   []client
}

// member is one instance of a service, which can be started again.
type member struct {
	*process
	name string
	addr string
	env  []string
}

func (m *member) start(t *testing.T) { m.process = run(t, t.TempDir(), m.name, m.env...) }

const inScene = 2 // instances of each service

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t, consul: testenv.Consul(t), postgres: testenv.PostgresServer(t), redis: testenv.RedisServer(t), services: map[string][]*member{}}
	addrs := ports(t, 4*inScene)
	shared := []string{"TRELLIS_DISCOVERY=" + s.consul.URL, "TRELLIS_EVENTS=" + s.redis.URL, secret}
	for _, name := range []string{"auth", "notes", "gateway"} {
		store := ""
		if name != "gateway" {
			store = database(t, s.postgres, name)
		}
		for range inScene {
			prefix := strings.ToUpper(name) + "_"
			m := &member{name: name, addr: addrs[0], env: append(slices.Clone(shared), prefix+"ADDR="+addrs[0])}
			addrs = addrs[1:]
			if name == "gateway" {
				m.env = append(m.env, prefix+"ADMIN="+addrs[0], prefix+"REDIS="+s.redis.URL)
				addrs = addrs[1:]
			} else {
				m.env = append(m.env, prefix+"STORE="+store)
			}
			s.services[name] = append(s.services[name], m)
		}
	}
	for _, members := range s.services {
		for _, m := range members {
			m.start(t)
		}
	}
	var err error
	if s.registry, err = discovery.Open(s.consul.URL, log.NewNopLogger()); err != nil {
		t.Fatal(err)
	}
	balancer := discovery.Balance(s.registry)
	t.Cleanup(func() { _ = balancer.Close(); _ = s.registry.Close() })
	s.client = &http.Client{Transport: balancer, Timeout: 20 * time.Second}
	for name := range s.services {
		s.complete(t, name)
	}
	for _, m := range s.services["gateway"] {
		c := client{base: "http://" + m.addr}
		c.routed(t, "/v1/notes", "/v1/auth/login")
		for len(s.users) < 8 {
			s.users = append(s.users, c.signup(t, fmt.Sprintf("user%d@example.com", len(s.users))))
		}
	}
	return s
}

// complete waits until the registry names all instances of a service.
func (s *scene) complete(t *testing.T, name string) {
	t.Helper()
	updates := make(chan discovery.Update)
	stop := s.registry.Watch(name, updates)
	defer func() {
		go func() {
			for range updates {
			}
		}()
		stop()
		close(updates)
	}()
	deadline := time.After(time.Minute)
	for {
		select {
		case u := <-updates:
			if len(u.Instances) == inScene {
				return
			}
		case <-deadline:
			t.Fatalf("%s: not all instances are registered", name)
		}
	}
}

// kind is what a call is to the one that would repeat it.
type kind string

const (
	read  kind = "read"  // may be repeated
	keyed kind = "keyed" // a POST with an Idempotency-Key: may be repeated
	bare  kind = "bare"  // a POST without: may not
)

// call is what came of one call.
type call struct {
	kind  kind
	began time.Time
	took  time.Duration
	why   string // it failed; "" when it did not
}

// load calls the system, as a few users do, until it is told to stop.
type load struct {
	*scene
	stop chan struct{}
	done sync.WaitGroup

	mu    sync.Mutex
	calls []call
	acked map[string]bool // titles of notes that were answered with 201
	doubt map[string]bool // titles of notes for which there was no answer
}

func (s *scene) load() *load {
	l := &load{scene: s, stop: make(chan struct{}), acked: map[string]bool{}, doubt: map[string]bool{}}
	for i, user := range s.users {
		l.done.Go(func() {
			every := time.NewTicker(25 * time.Millisecond)
			defer every.Stop()
			for n := 0; ; n++ {
				select {
				case <-l.stop:
					return
				case <-every.C:
				}
				l.call([]kind{read, keyed, read, bare}[(n+i)%4], user)
			}
		})
	}
	return l
}

// call makes one call, and notes what came of it.
func (l *load) call(k kind, user client) {
	method, body, title := http.MethodGet, "", ""
	if k != read {
		title = uuid.NewString()
		method, body = http.MethodPost, `{"title":"`+title+`"}`
	}
	r, err := http.NewRequest(method, "http://gateway/v1/notes", strings.NewReader(body))
	if err != nil {
		panic(err) // the URL is right
	}
	if body == "" {
		r.Body, r.GetBody, r.ContentLength = nil, nil, 0
	}
	r.Header.Set("Authorization", "Bearer "+user.token)
	r.Header.Set("Content-Type", "application/json")
	if k == keyed {
		r.Header.Set("Idempotency-Key", title)
	}
	c := call{kind: k, began: time.Now()}
	res, err := l.client.Do(r)
	status := 0
	if err == nil {
		status = res.StatusCode
		text, readErr := io.ReadAll(res.Body)
		res.Body.Close()
		if err = readErr; err == nil && status != http.StatusOK && status != http.StatusCreated {
			err = fmt.Errorf("%s: %s", res.Status, text)
		}
	}
	c.took = time.Since(c.began)
	if err != nil {
		c.why = err.Error()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, c)
	switch {
	case title == "":
	case err == nil:
		l.acked[title] = true
	case status == 0 || status >= 500:
		l.doubt[title] = true
	}
}

// flows waits until so many more calls have succeeded.
func (l *load) flows(t *testing.T, calls int) {
	t.Helper()
	begin := time.Now()
	testenv.Eventually(t, "calls succeed", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		n := 0
		for _, c := range slices.Backward(l.calls) {
			if c.began.Before(begin) {
				break
			}
			if c.why == "" {
				n++
			}
		}
		return n >= calls
	})
}

// fail tells whether a call has failed.
func (l *load) fail() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.calls, func(c call) bool { return c.why != "" })
}

// end stops the load, checks that what was acknowledged is there, and nothing
// twice, and returns the calls that failed.
func (l *load) end(t *testing.T) (failed []call) {
	t.Helper()
	close(l.stop)
	l.done.Wait()
	longest := time.Duration(0)
	for _, c := range l.calls {
		longest = max(longest, c.took)
		if c.why != "" {
			failed = append(failed, c)
		}
	}
	t.Logf("%d calls, %d failed, the longest took %v", len(l.calls), len(failed), longest.Round(time.Millisecond))
	there := map[string]int{}
	for _, user := range l.users {
		cursor := ""
		for {
			var page map[string]any
			testenv.Eventually(t, "the notes are listed", func() bool { // a breaker may have to close first
				status, answer, err := user.call(t, "GET", "/v1/notes?limit=100&sort=created_at&cursor="+cursor, nil)
				page = answer
				return err == nil && status == http.StatusOK
			})
			for _, n := range page["data"].([]any) {
				there[n.(map[string]any)["title"].(string)]++
			}
			next, _ := page["page"].(map[string]any)["next_cursor"].(string)
			if cursor = next; cursor == "" {
				break
			}
		}
	}
	for title := range l.acked {
		if there[title] != 1 {
			t.Errorf("a note that was acknowledged is there %d times", there[title])
		}
	}
	for title := range l.doubt {
		if there[title] > 1 {
			t.Errorf("a note whose call failed is there %d times", there[title])
		}
	}
	return failed
}

// none fails the test for each call that failed, but for those forgiven.
func none(t *testing.T, failed []call, forgiven func(call) bool) {
	t.Helper()
	for _, c := range failed {
		if !forgiven(c) {
			t.Errorf("%s call failed after %v: %s", c.kind, c.took, c.why)
		}
	}
}

func nobody(call) bool { return false }

// problem forgives calls that failed as they should while nothing can serve
// them: answered with a problem, be it that whoever holds their key has died
// and it isn't known yet, or not made, as the caller's own breakers are open
// after enough of those.
func problem(c call) bool {
	return slices.ContainsFunc([]string{`"status":50`, "idempotency_key_running", "The service gateway is not available just now."},
		func(sign string) bool { return strings.Contains(c.why, sign) })
}

// notRepeatable forgives up to n calls that could not be repeated.
func notRepeatable(n int) func(call) bool {
	return func(c call) bool {
		n--
		return c.kind == bare && n >= 0
	}
}

// What happens to instances and to what they depend on, one thing after the
// other, while calls are made.
func TestUnderFire(t *testing.T) {
	s := newScene(t)

	t.Run("end a session", s.endSession)

	// Each process is told to stop, and started again, and no call is lost.
	t.Run("rolling restart", func(t *testing.T) {
		l := s.load()
		l.flows(t, 50)
		for _, name := range []string{"notes", "auth", "gateway"} {
			for _, m := range s.services[name] {
				m.signal(t, syscall.SIGTERM)
				<-m.done
				if code := m.cmd.ProcessState.ExitCode(); code != 0 {
					t.Errorf("%s, told to stop, ended with %d", name, code)
				}
				m.start(s.t)
				s.complete(t, name)
				l.flows(t, 50)
			}
		}
		none(t, l.end(t), nobody)
	})

	// A killed instance costs at most the calls in flight on it that could not be repeated.
	for _, name := range []string{"notes", "auth"} {
		t.Run("kill "+name, func(t *testing.T) {
			l := s.load()
			l.flows(t, 50)
			m := s.services[name][0]
			m.signal(t, syscall.SIGKILL)
			<-m.done
			l.flows(t, 200)
			m.start(s.t)
			s.complete(t, name)
			l.flows(t, 50)
			none(t, l.end(t), notRepeatable(len(s.users)))
		})
	}

	// A paused one is soon out of rotation; what waits for it goes elsewhere.
	t.Run("pause notes", func(t *testing.T) {
		l := s.load()
		l.flows(t, 50)
		m := s.services["notes"][0]
		m.signal(t, syscall.SIGSTOP)
		paused := time.Now()
		l.flows(t, 1500)
		m.signal(t, syscall.SIGCONT)
		s.complete(t, "notes")
		l.flows(t, 50)
		failed := l.end(t)
		none(t, failed, notRepeatable(2*len(s.users)))
		settled := time.Duration(0)
		for _, c := range l.calls {
			if c.took > time.Second && c.began.After(paused) {
				settled = max(settled, c.began.Sub(paused))
			}
		}
		t.Logf("calls were slow for %v", settled.Round(time.Millisecond))
		if settled > 10*time.Second {
			t.Errorf("it was still called %v after it had stopped", settled)
		}
	})

	// A slow one gets what it can do in time: little, beside a quick one.
	t.Run("slow notes", func(t *testing.T) {
		m := s.services["notes"][0]
		m.signal(t, syscall.SIGTERM)
		<-m.done
		slow, answers := slowly(s.t, m.addr, 300*time.Millisecond)
		env := m.env
		m.env = append(slices.Clone(env), "NOTES_ADVERTISE="+slow)
		m.start(s.t)
		s.complete(t, "notes")
		l := s.load()
		before := answers.Load()
		l.flows(t, 1000)
		failed := l.end(t)
		late := int(answers.Load() - before)
		m.env = env
		m.signal(t, syscall.SIGTERM)
		<-m.done
		m.start(s.t)
		s.complete(t, "notes")
		none(t, failed, nobody)
		t.Logf("%d of %d calls went to the slow one", late, len(l.calls))
		if late*4 > len(l.calls) {
			t.Errorf("%d of %d calls went to the slow one", late, len(l.calls))
		}
	})

	// Without any instance calls fail at once, and work again as soon as there is one.
	t.Run("kill all notes", func(t *testing.T) {
		l := s.load()
		l.flows(t, 50)
		for _, m := range s.services["notes"] {
			m.signal(t, syscall.SIGKILL)
			<-m.done
		}
		testenv.Eventually(t, "calls fail", l.fail)
		for _, m := range s.services["notes"] {
			m.start(s.t)
		}
		s.complete(t, "notes")
		l.flows(t, 200)
		none(t, l.end(t), problem)
	})

	// Consul killed, and empty when it is back: nobody notices.
	t.Run("kill Consul", func(t *testing.T) {
		l := s.load()
		l.flows(t, 50)
		if err := s.consul.Kill(); err != nil {
			t.Fatal(err)
		}
		away := time.After(time.Minute)
		<-away
		if err := s.consul.Restart(); err != nil {
			t.Fatal(err)
		}
		for name := range s.services {
			s.complete(t, name)
		}
		l.flows(t, 50)
		none(t, l.end(t), nobody)
	})

	// Redis only keeps limits; each gateway has its own meanwhile.
	t.Run("Redis", func(t *testing.T) {
		l := s.load()
		l.flows(t, 50)
		for _, do := range []func() error{s.redis.Pause, s.redis.Resume, s.redis.Kill, s.redis.Restart} {
			if err := do(); err != nil {
				t.Fatal(err)
			}
			l.flows(t, 100)
		}
		none(t, l.end(t), nobody)
	})

	// PostgreSQL is what the services cannot do without: calls fail, in time,
	// and what was acknowledged is there.
	t.Run("PostgreSQL", func(t *testing.T) {
		l := s.load()
		l.flows(t, 50)
		if err := s.postgres.Kill(); err != nil {
			t.Fatal(err)
		}
		testenv.Eventually(t, "calls fail", l.fail)
		if err := s.postgres.Restart(); err != nil {
			t.Fatal(err)
		}
		for name := range s.services {
			s.complete(t, name)
		}
		l.flows(t, 50)
		none(t, l.end(t), problem)
	})
}

// slowly passes connections on to addr, and what comes from there late; it
// counts how often.
func slowly(t *testing.T, addr string, delay time.Duration) (slow string, answers *atomic.Int64) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	answers = new(atomic.Int64)
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", addr)
			if err != nil {
				in.Close()
				continue
			}
			go func() { _, _ = io.Copy(out, in); out.Close() }()
			go func() {
				defer in.Close()
				buffer := make([]byte, 64<<10)
				for {
					n, err := out.Read(buffer)
					if err != nil {
						return
					}
					answers.Add(1)
					<-time.After(delay)
					if _, err := in.Write(buffer[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr().String(), answers
}

// database makes a database on a server that the test has for itself.
func database(t *testing.T, server *testenv.Server, name string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "create database "+name); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}
