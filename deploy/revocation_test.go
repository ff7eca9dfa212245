package deploy_test

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/testenv"
)

// endSession ends sessions, and sees them refused everywhere within a second:
// while all is well, while one instance of auth stands still, and by a service
// that was killed meanwhile and starts anew.
func (s *scene) endSession(t *testing.T) {
	everywhere := func(c client) (all []client) {
		for _, m := range append(s.services["notes"], s.services["gateway"]...) {
			all = append(all, client{"http://" + m.addr, c.token})
		}
		return all
	}
	refused := func(t *testing.T, c client) {
		t.Helper()
		testenv.Eventually(t, c.base+" refuses the token", func() bool {
			status, answer, err := c.call(t, "GET", "/v1/notes", nil)
			if err != nil || status != http.StatusOK && status != http.StatusUnauthorized {
				t.Fatalf("%s: %d %v %v", c.base, status, answer, err)
			}
			return status == http.StatusUnauthorized && answer["code"] == "session_ended"
		})
	}
	end := func(t *testing.T, what string, at *member, meanwhile func()) (old client) {
		t.Helper()
		c := client{base: "http://" + s.services["gateway"][0].addr}.signup(t, fmt.Sprintf("%d@example.com", time.Now().UnixNano()))
		for _, at := range everywhere(c) {
			at.must(t, 200, "GET", "/v1/notes", nil)
		}
		meanwhile()
		client{"http://" + at.addr, c.token}.must(t, 204, "POST", "/v1/auth/logout", nil)
		ended := time.Now()
		for _, at := range everywhere(c) {
			refused(t, at)
		}
		took := time.Since(ended)
		t.Logf("%s: refused everywhere after %v", what, took.Round(time.Millisecond))
		if took > 10*time.Second { // a second on a machine that does nothing else
			t.Errorf("%s: refused everywhere only after %v", what, took)
		}
		return c
	}
	auth := s.services["auth"]
	old := end(t, "all is well", auth[1], func() {})
	for i, still := range auth { // each in turn: whom they followed, all follow the other then
		end(t, fmt.Sprintf("instance %d of auth stands still", i), auth[1-i], func() { still.signal(t, syscall.SIGSTOP) })
		still.signal(t, syscall.SIGCONT)
		s.complete(t, "auth")
	}

	notes := s.services["notes"][0]
	notes.signal(t, syscall.SIGKILL)
	<-notes.done
	notes.start(s.t)
	at := client{"http://" + notes.addr, old.token}
	testenv.Eventually(t, "notes answers again", func() bool {
		status, answer, err := at.call(t, "GET", "/v1/notes", nil)
		if err == nil && status == http.StatusOK {
			t.Fatalf("after a restart the old token is good again: %v", answer)
		}
		return err == nil && status == http.StatusUnauthorized
	})
	s.complete(t, "auth")
	s.complete(t, "notes")
}

// In one process, too, an ended session is refused at every door, also after
// kill -9; and nobody's stream holds up the end of the process.
func TestSessionEndsInOneProcess(t *testing.T) {
	t.Parallel()
	folder, addrs := t.TempDir(), localPorts(t)
	c := client{base: "http://" + addrs[2]}
	local := run(t, folder, "local", localEnv(addrs)...)
	c.routed(t, "/v1/notes", "/v1/auth/login")
	ann, bob := c.signup(t, "ann@example.com"), c.signup(t, "bob@example.com")
	doors := func(c client) []client { return []client{c, {"http://" + addrs[1], c.token}} }
	for _, at := range append(doors(ann), doors(bob)...) {
		at.must(t, 200, "GET", "/v1/notes", nil)
	}
	ann.must(t, 204, "POST", "/v1/auth/logout", nil)
	ended := time.Now()
	refused := func(c client) bool {
		status, answer, err := c.call(t, "GET", "/v1/notes", nil)
		return err == nil && status == http.StatusUnauthorized && answer["code"] == "session_ended"
	}
	for _, at := range doors(ann) {
		testenv.Eventually(t, at.base+" refuses the token", func() bool { return refused(at) })
	}
	took := time.Since(ended)
	t.Logf("refused at both doors after %v", took.Round(time.Millisecond))
	if took > 5*time.Second { // a second on a machine that does nothing else
		t.Errorf("refused only after %v", took)
	}
	ann.must(t, 401, "GET", "/v1/auth/me", nil)

	local.signal(t, syscall.SIGKILL)
	<-local.done
	local = run(t, folder, "local", localEnv(addrs)...)
	for _, at := range doors(ann) {
		testenv.Eventually(t, at.base+" refuses the token after a restart", func() bool {
			if status, answer, err := at.call(t, "GET", "/v1/notes", nil); err == nil && status == http.StatusOK {
				t.Fatalf("%s takes it after a restart: %v", at.base, answer)
			}
			return refused(at)
		})
	}
	for _, at := range doors(bob) {
		at.must(t, 200, "GET", "/v1/notes", nil)
	}
	told := time.Now()
	local.signal(t, syscall.SIGTERM)
	<-local.done
	t.Logf("it ended in %v", time.Since(told).Round(time.Millisecond))
	if code := local.cmd.ProcessState.ExitCode(); code != 0 || time.Since(told) > 15*time.Second {
		t.Errorf("told to stop, it ended with %d after %v", code, time.Since(told))
	}
}
