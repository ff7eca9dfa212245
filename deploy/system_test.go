package deploy_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/testenv"
)

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "trellis-bin-")
	if err != nil {
		return "", err
	}
	for name, pkg := range map[string]string{
		"local": "./local", "auth": "../auth/cmd", "notes": "../notes/cmd", "profile": "../profile/cmd", "notify": "../notify/cmd", "gateway": "../gateway/cmd", "webapp": "../webapp/cmd",
	} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg).CombinedOutput(); err != nil {
			return dir, fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := build(); dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// process is a binary of ours, running.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	log  *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// run starts a binary in a folder, and ends it with the test.
func run(t *testing.T, folder, name string, env ...string) *process {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes")
	}
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(filepath.Join(bin, name)), done: make(chan struct{}), log: &syncBuffer{}}
	p.cmd.Dir, p.cmd.Env = folder, append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.done) }()
	t.Cleanup(func() {
		p.signal(t, syscall.SIGKILL)
		<-p.done
		if t.Failed() {
			t.Logf("%s said:\n%s", name, tail(p.log.String()))
		}
	})
	return p
}

// tail is the end of a log, without what went well.
func tail(log string) string {
	var s strings.Builder
	for line := range strings.Lines(log) {
		if !strings.Contains(line, `"level":"info"`) {
			s.WriteString(line)
		}
	}
	return s.String()[max(0, s.Len()-4000):]
}

// signal sends the process a signal, if it is still there.
func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	select {
	case <-p.done:
	default:
		if err := p.cmd.Process.Signal(s); err != nil && err != os.ErrProcessDone {
			t.Error(err)
		}
	}
}

// ports finds n addresses on loopback that are free. They are anybody's until
// they are used, so what takes long is done before.
func ports(t *testing.T, n int) []string {
	t.Helper()
	if !testing.Short() {
		if _, err := build(); err != nil {
			t.Fatal(err)
		}
	}
	addrs := make([]string, n)
	for i := range addrs {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		addrs[i] = ln.Addr().String()
	}
	return addrs
}

// client talks JSON to one address.
type client struct{ base, token string }

func (c client) call(t *testing.T, method, path string, body any, headers ...string) (status int, answer map[string]any, err error) {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := testenv.Client.Transport.RoundTrip(r)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(bufio.NewReader(res.Body))
	if err != nil {
		return 0, nil, err
	}
	if len(text) > 0 && strings.Contains(res.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(text, &answer); err != nil {
			t.Errorf("%s %s: %v in %s", method, path, err, text)
		}
	}
	return res.StatusCode, answer, nil
}

// must is call, for what must answer with a status.
func (c client) must(t *testing.T, want int, method, path string, body any, headers ...string) map[string]any {
	t.Helper()
	status, answer, err := c.call(t, method, path, body, headers...)
	if err != nil || status != want {
		t.Fatalf("%s %s: %d %v %v, want %d", method, path, status, answer, err, want)
	}
	return answer
}

// routed waits until the gateway knows the services.
func (c client) routed(t *testing.T, paths ...string) {
	t.Helper()
	testenv.Eventually(t, "the gateway routes", func() bool {
		if status, _, err := c.call(t, "GET", "/readyz", nil); err != nil || status != http.StatusOK {
			return false
		}
		_, doc, err := c.call(t, "GET", "/openapi.json", nil)
		if err != nil {
			return false
		}
		known, _ := doc["paths"].(map[string]any)
		for _, p := range paths {
			if known[p] == nil {
				return false
			}
		}
		return true
	})
}

func (c client) signup(t *testing.T, email string) client {
	t.Helper()
	answer := c.must(t, 201, "POST", "/v1/auth/signup", map[string]any{"email": email, "password": "kupfer-dach-77"})
	c.token, _ = answer["access_token"].(string)
	return c
}

// localVariables name the addresses of the whole system in one process.
var localVariables = []string{"AUTH_ADDR", "NOTES_ADDR", "GATEWAY_ADDR", "GATEWAY_ADMIN", "PROFILE_ADDR", "NOTIFY_ADDR", "NOTIFY_MAIL_ADDR", "WEBAPP_ADDR"}

// localPorts reserves these addresses: [2] is where clients go.
func localPorts(t *testing.T) []string { return ports(t, len(localVariables)) }

func localEnv(addrs []string) (env []string) {
	for i, name := range localVariables {
		env = append(env, name+"="+addrs[i])
	}
	return env
}

// secret is by which the services of a test know each other.
const secret = "TRELLIS_SECRET=they-are-all-of-one-and-the-same-test"

// What was answered 2xx is there after kill -9, whenever that comes.
func TestNothingIsLostToKill9(t *testing.T) {
	t.Parallel()
	folder, addrs := t.TempDir(), localPorts(t)
	c := client{base: "http://" + addrs[2]}
	local := run(t, folder, "local", localEnv(addrs)...)
	c.routed(t, "/v1/notes", "/v1/auth/login")
	ann := c.signup(t, "ann@example.com")

	acknowledged := map[string]string{} // id → title
	for round := range 3 {
		answered := make(chan struct{})
		var mu sync.Mutex
		var writers sync.WaitGroup
		for w := range 4 {
			writers.Go(func() {
				for i := 0; ; i++ {
					title := fmt.Sprintf("%d.%d.%d", round, w, i)
					status, n, err := ann.call(t, "POST", "/v1/notes", map[string]any{"title": title}, "Idempotency-Key", title)
					if err != nil || status >= 500 {
						return // it is gone
					}
					if status == 201 {
						mu.Lock()
						acknowledged[n["id"].(string)] = title
						if len(acknowledged) == 10*(round+1) {
							close(answered)
						}
						mu.Unlock()
					}
				}
			})
		}
		<-answered
		local.signal(t, syscall.SIGKILL)
		writers.Wait()
		<-local.done
		local = run(t, folder, "local", localEnv(addrs)...)
		c.routed(t, "/v1/notes", "/v1/auth/login")
	}
	for id, title := range acknowledged {
		if n := ann.must(t, 200, "GET", "/v1/notes/"+id, nil); n["title"] != title {
			t.Errorf("note %s is %v, want %s", id, n["title"], title)
		}
	}
	c.must(t, 200, "POST", "/v1/auth/login", map[string]any{"login": "ann@example.com", "password": "kupfer-dach-77"})
}

// The same services as processes of their own, on PostgreSQL, found through
// Consul: two instances of notes, one of which is killed.
func TestProcessesOnPostgresAndConsul(t *testing.T) {
	t.Parallel()
	consul := testenv.Consul(t)
	shared := []string{"TRELLIS_DISCOVERY=" + consul.URL, secret}
	authStore, notesStore := testenv.Postgres(t), testenv.Postgres(t)
	addrs := ports(t, 5)
	run(t, t.TempDir(), "auth", append(shared, "AUTH_ADDR="+addrs[0], "AUTH_STORE="+authStore)...)
	first := run(t, t.TempDir(), "notes", append(shared, "NOTES_ADDR="+addrs[1], "NOTES_STORE="+notesStore)...)
	second := run(t, t.TempDir(), "notes", append(shared, "NOTES_ADDR="+addrs[2], "NOTES_STORE="+notesStore)...)
	gateway := run(t, t.TempDir(), "gateway", append(shared, "GATEWAY_ADDR="+addrs[3], "GATEWAY_ADMIN="+addrs[4])...)
	c := client{base: "http://" + addrs[3]}
	c.routed(t, "/v1/notes", "/v1/auth/login")
	ann := c.signup(t, "ann@example.com")
	n := ann.must(t, 201, "POST", "/v1/notes", map[string]any{"title": "one"})

	testenv.Eventually(t, "both instances are found", func() bool {
		ann.must(t, 200, "GET", "/v1/notes/"+n["id"].(string), nil)
		const got = `"endpoint":"Get"`
		return strings.Contains(first.log.String(), got) && strings.Contains(second.log.String(), got)
	})
	second.signal(t, syscall.SIGKILL)
	<-second.done
	for range 20 {
		ann.must(t, 200, "GET", "/v1/notes/"+n["id"].(string), nil)
	}
	gateway.signal(t, syscall.SIGTERM)
	<-gateway.done
	if code := gateway.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the gateway, told to stop, ended with %d", code)
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	addrs := localPorts(t)
	addrs[1] = ln.Addr().String()
	p := run(t, t.TempDir(), "local", localEnv(addrs)...)
	<-p.done
	if out := p.log.String(); p.cmd.ProcessState.Success() || !strings.Contains(out, "notes wants "+addrs[1]) || !strings.Contains(out, "NOTES_ADDR") {
		t.Errorf("it said %q", out)
	}
}
