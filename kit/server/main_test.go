package server_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/kit/token"
	"github.com/trellis-go/trellis/kit/transport"
)

// asMain makes this test's binary the fake service's own: server.Main exits.
const asMain = "SERVER_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	switch os.Getenv(asMain) {
	case "one":
		server.Main(thing())
	case "two":
		other := thing()
		other.Name = "other"
		server.Main(thing(), other)
	default:
		os.Exit(m.Run())
	}
}

type config struct {
	Store  string        `env:"STORE" default:"memory:" schemes:"memory sqlite postgres" takes:"sqlite:FILE or postgres://…" doc:"where things are kept"`
	Max    int           `env:"MAX" default:"3" takes:"a number" doc:"how many things"`
	Wait   time.Duration `env:"WAIT" default:"1s" takes:"a duration such as 1s" doc:"how long"`
	Strict bool          `env:"STRICT" default:"true" takes:"true or false" doc:"whether"`
}

type ping struct {
	Name string `query:"name" json:"-"`
}

type pong struct {
	Hello string `json:"hello"`
}

func hello(_ context.Context, p ping) (pong, error) { return pong{p.Name}, nil }

func things() []transport.Route {
	return []transport.Route{
		transport.Get("/v1/hello", endpoint.New(hello, "Say hello.").Public().Named("Hello")),
		transport.Post("/v1/things", endpoint.Do(func(context.Context, endpoint.None) error { return nil }, "Make a thing.").Named("Make").Limit(7)),
		transport.Get("/internal/things", endpoint.New(hello, "List things.").Named("List").Internal()),
	}
}

// thing is a small service.
func thing() server.App {
	return server.New(server.App{Name: "thing", Doc: "Keeps things.", Addr: "127.0.0.1:0", Routes: things()},
		func(_ context.Context, env *server.Env, c config) (http.Handler, error) {
			return env.Handler(things(), nil)
		},
		server.Command[config]{Name: "echo", Args: "WORD", Doc: "say it again", Run: func(_ context.Context, env *server.Env, c config, args []string) error {
			if len(args) != 1 {
				return errors.New("echo takes one word")
			}
			env.OnStop(func() error { fmt.Println("closed"); return nil })
			fmt.Println(env.Name, c.Max, c.Wait, c.Strict, c.Store, args[0])
			return nil
		}},
		server.Migrate(func(_ context.Context, env *server.Env, c config) (string, error) {
			env.OnStop(func() error { return errors.New("the store does not close") })
			fmt.Println("migrated", c.Store)
			return c.Store, nil
		}))
}

// outcome is what a process said and how it ended.
type outcome struct {
	out, err string
	code     int
}

// execute runs the service's binary.
func execute(t *testing.T, services string, env []string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append([]string{asMain + "=" + services, "GORACE=atexit_sleep_ms=0"}, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%v, %v: %s", err, ctx.Err(), &errs)
	}
	return outcome{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// Whatever is wrong with the configuration is told at start, all of it: the
// variable, what it got and what it takes. Passwords are not.
func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		env  string
		tell []string
	}{
		{"THING_STORE=mysql://root:hunter2@db/things", []string{"mysql:…", "takes sqlite:FILE or postgres://…"}},
		{"THING_STORE=postgress://root:hunter2@db/things", []string{"postgress:…", "takes sqlite:FILE"}},
		{"THING_STORE=root:hunter2@db/things", []string{"takes sqlite:FILE"}},
		{"THING_STORE=//root:hunter2@db/things", []string{"takes sqlite:FILE"}},
		{"THING_STORE=things.db", []string{"things.db", "takes sqlite:FILE"}},
		{"THING_STORE=sqlite:", []string{"sqlite:", "nothing behind it", "takes sqlite:FILE"}},
		{"THING_MAX=many", []string{`got "many"`, "takes a number"}},
		{"THING_MAX=1.5", []string{`got "1.5"`, "takes a number"}},
		{"THING_WAIT=soon", []string{`got "soon"`, "takes a duration"}},
		{"THING_WAIT=-1s", []string{`got "-1s"`, "takes a duration"}},
		{"THING_STRICT=perhaps", []string{`got "perhaps"`, "takes true or false"}},
		{"THING_ADDR=8001", []string{`got "8001"`, "takes HOST:PORT"}},
		{"THING_ADDR=localhost:99999", []string{`got "localhost:99999"`, "takes HOST:PORT"}},
		{"THING_ADDR=localhost:http", []string{`got "localhost:http"`, "takes HOST:PORT"}},
		{"THING_ADVERTISE=example.com", []string{`got "example.com"`, "takes HOST:PORT"}},
		{"TRELLIS_DISCOVERY=etcd://root:hunter2@db", []string{"etcd:…", "takes memory:"}},
		{"TRELLIS_DISCOVERY=consul://root:hunter2@[::1", []string{"takes"}},
		{"TRELLIS_DISCOVERY=consul://root:hunter2@db:port", []string{"takes"}},
		{"TRELLIS_DISCOVERY=consul://", []string{"takes"}},
		{"TRELLIS_TRACE_SAMPLE=2", []string{`got "2"`, "takes a share from 0 to 1"}},
		{"TRELLIS_TRACE_SAMPLE=NaN", []string{`got "NaN"`, "takes a share from 0 to 1"}},
		{"TRELLIS_TRUSTED_PROXIES=10.0.0.0/8,everyone", []string{`got "10.0.0.0/8,everyone"`, "takes networks"}},
		{"TRELLIS_EVENTS=amqp://root:hunter2@db", []string{"amqp:…", "takes sqlite:FILE or redis://HOST:PORT"}},
		{"TRELLIS_SECRET=hunter2", []string{"got something else", "takes 32 characters or more"}},
		{"TRELLIS_SECRET=hunter2, and 23 letters more", []string{"got something else", "takes 32 characters or more"}},
		{"TRELLIS_DRAIN=long", []string{`got "long"`, "takes a duration"}},
	} {
		t.Run(tt.env, func(t *testing.T) {
			t.Parallel()
			got := execute(t, "one", []string{tt.env})
			name, _, _ := strings.Cut(tt.env, "=")
			for _, want := range append(tt.tell, name) {
				if !strings.Contains(got.err, want) {
					t.Errorf("%q is not told: %s", want, got.err)
				}
			}
			if got.code != 1 || strings.Contains(got.err+got.out, "hunter2") || strings.Contains(got.err, "goroutine") {
				t.Errorf("exit code %d: %s", got.code, got.err)
			}
			if name != "THING_ADDR" && name != "THING_ADVERTISE" {
				if got := execute(t, "one", []string{tt.env}, "echo", "x"); name != "TRELLIS_DISCOVERY" && got.code != 1 {
					t.Errorf("a command goes on: %+v", got)
				}
			}
		})
	}

	if got := execute(t, "one", []string{"TRELLIS_DISCOVERY=consul://127.0.0.1:1"}); got.code != 1 || !strings.Contains(got.err, "TRELLIS_SECRET: got nothing, takes 32 characters or more") {
		t.Errorf("with Consul and without a secret: %+v", got)
	}
	got := execute(t, "one", []string{"THING_MAX=a", "THING_WAIT=b", "THING_ADDR=c"})
	for _, want := range []string{"THING_MAX", "THING_WAIT", "THING_ADDR"} {
		if !strings.Contains(got.err, want) {
			t.Errorf("of three that are wrong %s is not told: %s", want, got.err)
		}
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		services string
		env      string
		args     []string
		code     int
		out, err string // exactly, or "…" and a part of it
	}{
		"a command":                {"one", "THING_MAX=5", []string{"echo", "x"}, 0, "thing 5 1s true memory: x\nclosed\n", ""},
		"an empty variable":        {"one", "THING_MAX=", []string{"echo", "x"}, 0, "thing 3 1s true memory: x\nclosed\n", ""},
		"a command that fails":     {"one", "", []string{"echo"}, 1, "", "error: echo takes one word\n"},
		"a closer that fails":      {"one", "THING_STORE=sqlite:x", []string{"migrate"}, 1, "migrated sqlite:x\n", "error: the store does not close\n"},
		"migrate with arguments":   {"one", "", []string{"migrate", "all"}, 1, "", `…migrate takes no arguments, got ["all"]`},
		"an unknown command":       {"one", "", []string{"ecoh"}, 1, "", `…there is no command "ecoh"; -help tells what there is`},
		"one of several services":  {"two", "", []string{"echo", "x"}, 1, "", `…there is no command "echo"`},
		"an unknown flag":          {"one", "", []string{"-verbose"}, 1, "", "…-help tells what there is"},
		"serve with arguments":     {"one", "", []string{"serve", "fast"}, 1, "", `…serve takes no arguments, got ["fast"]`},
		"version":                  {"one", "", []string{"-version"}, 0, "… go1.", ""},
		"version in another style": {"one", "", []string{"--version"}, 0, "… go1.", ""},
		"routes": {"one", "", []string{"routes"}, 0, "" +
			"GET   /v1/hello         public           50/s  Hello  Say hello.\n" +
			"POST  /v1/things        token            7/s   Make   Make a thing.\n" +
			"GET   /internal/things  token, internal  any   List   List things.\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := execute(t, tt.services, []string{tt.env}, tt.args...)
			is := func(got, want string) bool {
				if part, ok := strings.CutPrefix(want, "…"); ok {
					return strings.Contains(got, part)
				}
				return got == want
			}
			if got.code != tt.code || !is(got.out, tt.out) || !is(got.err, tt.err) {
				t.Errorf("got %+v, want %d %q %q", got, tt.code, tt.out, tt.err)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"-help", "-h", "--help", "help"} {
		got := execute(t, "one", []string{"THING_MAX=many", "TRELLIS_SECRET=hunter2"}, arg) // wrong configuration is no reason to be silent
		if got.code != 0 || got.err != "" || strings.Contains(got.out, "hunter2") {
			t.Errorf("%s: %+v", arg, got)
		}
		for _, want := range []string{
			"Keeps things.", "serve", "routes", "events [replay ID…|all] [discard ID…]", "-version", "echo WORD", "say it again", "migrate",
			"THING_ADDR", `takes HOST:PORT; default "127.0.0.1:0"`, "THING_ADVERTISE",
			"THING_STORE", "where things are kept", `takes sqlite:FILE or postgres://…; default "memory:"`,
			"THING_MAX", "THING_WAIT", "THING_STRICT", `default "true"`,
			"TRELLIS_DISCOVERY", "TRELLIS_EVENTS", "TRELLIS_SECRET", "TRELLIS_ISSUER", "TRELLIS_AUDIENCE", "TRELLIS_TRUSTED_PROXIES", "TRELLIS_ZIPKIN", "TRELLIS_TRACE_SAMPLE", "TRELLIS_DRAIN",
		} {
			if !strings.Contains(got.out, want) {
				t.Errorf("%s does not tell %q:\n%s", arg, want, got.out)
			}
		}
	}
	got := execute(t, "two", nil, "-help")
	for _, want := range []string{"thing ", "other ", "THING_STORE", "OTHER_STORE"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("with two services %q is not told:\n%s", want, got.out)
		}
	}
	if strings.Contains(got.out, "echo") || strings.Count(got.out, "TRELLIS_ISSUER") != 1 {
		t.Errorf("with two services:\n%s", got.out)
	}
}

// As a process: it serves by default, and a signal ends it in order.
func TestSignalStops(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = []string{asMain + "=one", "GORACE=atexit_sleep_ms=0"}
		pipe, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		out := bufio.NewReader(pipe)
		line, err := out.ReadString('\n')
		words := strings.Fields(line)
		if err != nil || len(words) < 2 || words[0] != "thing" {
			t.Fatalf("it says %q, %v", line, err)
		}
		if status, body := get(words[1] + "/v1/hello?name=you"); status != 200 {
			t.Errorf("it answers %d %s", status, body)
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(out)
		if err := cmd.Wait(); err != nil || string(rest) != "stopping\n" {
			t.Errorf("on %v it says %q and ends with %v", signal, rest, err)
		}
	}
}

// A signal that comes while a service starts ends it in order, too: here its
// registry takes connections, and does not answer.
func TestSignalStopsTheStart(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	var said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = []string{asMain + "=one", "GORACE=atexit_sleep_ms=0", "TRELLIS_DISCOVERY=consul://" + silent.Addr().String(), "TRELLIS_DRAIN=1ms",
		"TRELLIS_SECRET=" + strings.Repeat("s", token.MinServiceKey)}
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := silent.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	conn, err := silent.Accept()
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("it does not ask the registry: %v, and says\n%s", err, &said)
	}
	defer conn.Close()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ends with %v, and says\n%s", err, &said)
	}
}
