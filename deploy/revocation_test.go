package deploy_test

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"
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
		eventually(t, c.base+" refuses the token", func() bool {
			status, answer, err := c.call(t, "GET", "/v1/notes", nil)
			if err != nil || status != http.StatusOK && status != http.StatusUnauthorized {
				t.Fatalf("%s: %d %v %v", c.base, status, answer, err)
			}
			return status == http.StatusUnauthorized && answer["code"] == "session_ended"
		})
	}
	end := func(t *testing.T, what string, meanwhile func()) (old client) {
		t.Helper()
		c := client{base: "http://" + s.services["gateway"][0].addr}.signup(t, fmt.Sprintf("%d@example.com", time.Now().UnixNano()))
		for _, at := range everywhere(c) {
			at.must(t, 200, "GET", "/v1/notes", nil)
		}
		meanwhile()
		client{"http://" + s.services["auth"][1].addr, c.token}.must(t, 204, "POST", "/v1/auth/logout", nil)
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
	old := end(t, "all is well", func() {})

	auth := s.services["auth"][0]
	end(t, "the other instance of auth stands still", func() { auth.signal(t, syscall.SIGSTOP) })
	auth.signal(t, syscall.SIGCONT)

	notes := s.services["notes"][0]
	notes.signal(t, syscall.SIGKILL)
	<-notes.done
	notes.start(s.t)
	at := client{"http://" + notes.addr, old.token}
	eventually(t, "notes answers again", func() bool {
		status, answer, err := at.call(t, "GET", "/v1/notes", nil)
		if err == nil && status == http.StatusOK {
			t.Fatalf("after a restart the old token is good again: %v", answer)
		}
		return err == nil && status == http.StatusUnauthorized
	})
	s.complete(t, "auth")
	s.complete(t, "notes")
}
