package deploy_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/testenv"
)

// A page that opens a stream where its server says, and tells it what it hears.
const listeningPage = `<!doctype html><title>Listening</title><script type="module">
const say = (m) => fetch("/heard", {method: "POST", body: m});
const ws = new WebSocket(await (await fetch("/where")).text());
ws.onopen = () => ws.send("{}");
ws.onmessage = (e) => say(e.data);
ws.onclose = (e) => say(JSON.stringify({type: "closed", data: {code: e.code, reason: e.reason}}));
</script>`

// A browser hears what happens to a user, through the gateway, until their
// session ends; a page of another origin hears nothing.
func TestBrowserListens(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://" + ln.Addr().String()
	addrs := localPorts(t)
	run(t, t.TempDir(), "local", append(localEnv(addrs), "NOTIFY_WEB_URL="+origin)...)
	c := client{base: "http://" + addrs[2]}
	c.routed(t, paths...)
	ann := c.signup(t, "ann@example.com")
	testenv.Eventually(t, "a welcome", func() bool { return ann.told(t, "account") != nil })

	said := make(chan heard, 100)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, listeningPage)
	})
	mux.HandleFunc("GET /where", func(w http.ResponseWriter, _ *http.Request) {
		ticket := ann.must(t, 201, "POST", "/v1/realtime/ticket", map[string]any{})["ticket"].(string)
		_, _ = io.WriteString(w, "ws://"+addrs[2]+"/v1/realtime/ws?ticket="+ticket)
	})
	mux.HandleFunc("POST /heard", func(_ http.ResponseWriter, r *http.Request) {
		var h heard
		if err := json.NewDecoder(r.Body).Decode(&h); err != nil {
			t.Error(err)
		}
		said <- h
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { _ = server.Close() })

	browse(t, origin)
	hear := func(kind, part string) {
		t.Helper()
		deadline := time.After(time.Minute)
		for {
			select {
			case h := <-said:
				if h.Type == kind && strings.Contains(string(h.Data), part) {
					return
				}
			case <-deadline:
				t.Fatalf("the browser hears no %s %s", kind, part)
			}
		}
	}
	hear("hello", "")
	n := ann.must(t, 201, "POST", "/v1/notes", map[string]any{"title": "one"})
	hear("note.created", n["id"].(string))
	ann.must(t, 204, "POST", "/v1/auth/logout", nil)
	hear("closed", "4401")

	bob := c.signup(t, "bob@example.com")
	ticket := bob.must(t, 201, "POST", "/v1/realtime/ticket", map[string]any{})["ticket"].(string)
	status, _, err := c.call(t, "GET", "/v1/realtime/ws?ticket="+ticket, nil, "Origin", "http://elsewhere.example",
		"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	if err != nil || status != http.StatusForbidden {
		t.Errorf("a page of another origin gets %d, %v", status, err)
	}
}

// browse opens a page in Chromium until the test ends.
func browse(t *testing.T, url string) {
	t.Helper()
	binary, err := testenv.ChromiumBinary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--remote-debugging-port=0", "--user-data-dir="+t.TempDir(), url)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
}
