package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/kit/sd"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport"
)

// soon is how long what happens promptly may take on a busy machine.
const soon = 20 * time.Second

// running is services that run in this process.
type running struct {
	urls map[string]string
	stop context.CancelFunc // begins the end
	err  chan error         // of Run
	said chan string
}

// run runs services until the test ends, and returns when all of them serve.
func run(t *testing.T, apps ...server.App) *running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	r := &running{urls: map[string]string{}, stop: stop, err: make(chan error, 1), said: make(chan string, 100)}
	go func() {
		err := server.Run(ctx, in, apps...)
		in.Close()
		r.err <- err
		close(r.err)
	}()
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			r.said <- lines.Text()
		}
	}()
	t.Cleanup(func() { stop(); <-r.err })
	for range apps {
		select {
		case line := <-r.said:
			words := strings.Fields(line)
			r.urls[words[0]] = words[1]
		case err := <-r.err:
			t.Fatal(err)
		case <-time.After(soon):
			t.Fatal("the services do not start")
		}
	}
	return r
}

// ended returns what Run does.
func (r *running) ended(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.err:
		return err
	case <-time.After(soon):
		t.Fatal("Run does not return")
		return nil
	}
}

// get returns an answer's status and body; 0 when there is none.
func get(url string) (int, string) {
	res, err := testenv.Client.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(body)
}

func TestServes(t *testing.T) {
	t.Parallel()
	url := run(t, thing()).urls["thing"]
	for path, want := range map[string]struct {
		status int
		part   string
	}{
		"/v1/hello?name=you": {200, `{"hello":"you"}`},
		"/livez":             {200, "ok"},
		"/readyz":            {200, "ok"},
		"/metrics":           {200, `trellis_requests_in_flight`},
		"/openapi.json":      {200, `"/v1/things"`},
		"/internal/things":   {401, `token_missing`},
		"/nowhere":           {404, `no_such_path`},
		"/readyz/":           {404, `no_such_path`},
	} {
		if status, body := get(url + path); status != want.status || !strings.Contains(body, want.part) {
			t.Errorf("%s answers %d %.200s, want %d %s", path, status, body, want.status, want.part)
		}
	}
}

// journal is what happened, in order.
type journal struct {
	mu     sync.Mutex
	events []string
}

func (j *journal) add(event string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, event)
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.events)
}

// Not parallel: TRELLIS_DRAIN is the process's.
func TestDrains(t *testing.T) {
	t.Setenv("TRELLIS_DRAIN", "1s")
	var happened journal
	began, finish := make(chan bool), make(chan bool)
	slow := func(ctx context.Context, p ping) (pong, error) {
		if p.Name == "slow" {
			close(began)
			<-finish
			happened.add("request finished")
		}
		return pong{p.Name}, ctx.Err()
	}
	routes := []transport.Route{transport.Get("/v1/hello", endpoint.New(slow, "").Named("Hello").Public())}
	seen := make(chan sd.Event, 10)
	app := server.New(server.App{Name: "draining", Addr: "127.0.0.1:0", Routes: routes},
		func(_ context.Context, env *server.Env, _ struct{}) (http.Handler, error) {
			env.Registry.Instancer("draining").Register(seen)
			env.OnStop(func() error { happened.add("store closed"); return nil })
			env.Go(func(ctx context.Context) { <-ctx.Done(); happened.add("work ended") })
			env.OnStop(func() error { happened.add("last closed"); return nil })
			return env.Handler(routes, nil)
		})
	r := run(t, app)
	url := r.urls["draining"]
	registered := func() []string {
		t.Helper()
		select {
		case e := <-seen:
			return e.Instances
		case <-time.After(soon):
			t.Fatal("the registry tells nothing")
			return nil
		}
	}
	for i := registered(); len(i) == 0; i = registered() { // empty before it joined
	}
	if status, _ := get(url + "/readyz"); status != 200 {
		t.Fatalf("registered, and /readyz answers %d", status)
	}
	answer := make(chan string, 1)
	go func() { status, body := get(url + "/v1/hello?name=slow"); answer <- fmt.Sprint(status, " ", body) }()
	<-began

	r.stop()
	if i := registered(); len(i) != 0 {
		t.Errorf("the registry has %v", i)
	}
	if status, body := get(url + "/readyz"); status != 503 || body != "not taking work\n" {
		t.Errorf("left the registry, and /readyz answers %d %s", status, body)
	}
	if status, _ := get(url + "/livez"); status != 200 {
		t.Errorf("draining, and /livez answers %d", status)
	}
	if status, body := get(url + "/v1/hello?name=late"); status != 200 {
		t.Errorf("one who has not noticed yet gets %d %s", status, body)
	}
	testenv.Eventually(t, "no more connections are taken", func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	if got := happened.all(); len(got) != 0 {
		t.Errorf("while a request is in flight: %q", got)
	}
	close(finish)
	if got := <-answer; !strings.HasPrefix(got, `200 {"hello":"slow"}`) {
		t.Errorf("the request in flight gets %s", got)
	}
	if err := r.ended(t); err != nil {
		t.Errorf("Run: %v", err)
	}
	if got, want := happened.all(), []string{"request finished", "last closed", "work ended", "store closed"}; !slices.Equal(got, want) {
		t.Errorf("happened: %q, want %q", got, want)
	}
}

// Two services in one process find and call each other, and while they stop
// the later one still reaches the earlier.
func TestServicesCallEachOther(t *testing.T) {
	t.Parallel()
	began, finish := make(chan bool, 1), make(chan bool)
	type n struct {
		N int `query:"n" json:"-"`
	}
	type path struct {
		Path string `json:"path"`
	}
	var ids sync.Map
	// Each calls the other with one less until nothing is left.
	service := func(name, other string) server.App {
		routes := func(bounce func(context.Context, n) (path, error)) []transport.Route {
			return []transport.Route{transport.Get("/v1/bounce", endpoint.New(bounce, "").Named("Bounce").Public())}
		}
		return server.New(server.App{Name: name, Addr: "127.0.0.1:0", Routes: routes(nil)},
			func(_ context.Context, env *server.Env, _ struct{}) (http.Handler, error) {
				client := transport.NewClient(other, routes(nil), env.Others)
				return env.Handler(routes(func(ctx context.Context, r n) (path, error) {
					ids.Store(endpoint.From(ctx).RequestID, true)
					if r.N >= 100 {
						began <- true
						<-finish
						r.N = 1
					}
					if r.N == 0 {
						return path{name}, nil
					}
					p, err := transport.Call[path](ctx, client, "Bounce", n{r.N - 1})
					return path{name + " " + p.Path}, err
				}), nil)
			})
	}
	r := run(t, service("ping", "pong"), service("pong", "ping"))
	if status, body := get(r.urls["ping"] + "/v1/bounce?n=4"); status != 200 || body != `{"path":"ping pong ping pong ping"}` {
		t.Errorf("answer is %d %s", status, body)
	}
	seen := 0
	ids.Range(func(any, any) bool { seen++; return true })
	if seen != 1 {
		t.Errorf("one request had %d ids on its way", seen)
	}

	answer := make(chan string, 1)
	go func() {
		status, body := get(r.urls["pong"] + "/v1/bounce?n=100")
		answer <- fmt.Sprint(status, " ", body)
	}()
	<-began
	r.stop()
	testenv.Eventually(t, "pong takes no more connections", func() bool { status, _ := get(r.urls["pong"] + "/livez"); return status == 0 })
	close(finish)
	if got := <-answer; got != `200 {"path":"pong ping"}` {
		t.Errorf("the request in flight gets %s", got)
	}
	if err := r.ended(t); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestOccupiedPort(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	assembled := false
	first := server.New(server.App{Name: "first", Addr: "127.0.0.1:0"},
		func(context.Context, *server.Env, struct{}) (http.Handler, error) {
			assembled = true
			return http.NotFoundHandler(), nil
		})
	second := server.New(server.App{Name: "second", Addr: ln.Addr().String()},
		func(context.Context, *server.Env, struct{}) (http.Handler, error) {
			assembled = true
			return http.NotFoundHandler(), nil
		})
	err = server.Run(t.Context(), io.Discard, first, second)
	if err == nil || assembled {
		t.Fatalf("assembled: %t; error: %v", assembled, err)
	}
	for _, want := range []string{"second", ln.Addr().String(), "SECOND_ADDR"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not tell %q: %v", want, err)
		}
	}
}

// A service that cannot be assembled ends the process, and those that were
// started before it are stopped in order.
func TestAssemblyFails(t *testing.T) {
	t.Parallel()
	var happened journal
	addrs := make(chan string, 1)
	var out strings.Builder
	first := server.New(server.App{Name: "first", Addr: "127.0.0.1:0", Routes: things()},
		func(_ context.Context, env *server.Env, _ struct{}) (http.Handler, error) {
			env.OnStop(func() error { happened.add("first closed"); return nil })
			return env.Handler(things(), nil)
		})
	second := server.New(server.App{Name: "second", Addr: "127.0.0.1:0"},
		func(_ context.Context, env *server.Env, _ struct{}) (http.Handler, error) {
			addrs <- strings.Fields(out.String())[1]
			env.OnStop(func() error { happened.add("second closed"); return errors.New("and it does not close") })
			return nil, errors.New("the store is away")
		})
	err := server.Run(t.Context(), &out, first, second)
	if err == nil || !strings.Contains(err.Error(), "second: the store is away") || !strings.Contains(err.Error(), "and it does not close") {
		t.Errorf("error is %v", err)
	}
	if got, want := happened.all(), []string{"second closed", "first closed"}; !slices.Equal(got, want) {
		t.Errorf("happened: %q, want %q", got, want)
	}
	if status, _ := get(<-addrs + "/livez"); status != 0 {
		t.Errorf("the first still answers %d", status)
	}
}

// Whose routes collide learns it at start.
func TestRoutesThatCollide(t *testing.T) {
	t.Parallel()
	app := server.New(server.App{Name: "colliding", Addr: "127.0.0.1:0"},
		func(_ context.Context, env *server.Env, _ struct{}) (http.Handler, error) {
			return env.Handler(append(things(), things()...), nil)
		})
	if err := server.Run(t.Context(), io.Discard, app); err == nil || !strings.Contains(err.Error(), "colliding: ") {
		t.Errorf("error is %v", err)
	}
}
