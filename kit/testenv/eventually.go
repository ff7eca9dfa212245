package testenv

import (
	"testing"
	"time"
)

// Eventually waits for what nobody tells of: until ok. The test fails if that
// takes a minute.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	poll := time.NewTicker(20 * time.Millisecond) // slow enough for the rate limits of what may be asked
	defer poll.Stop()
	for deadline := time.Now().Add(time.Minute); !ok(); <-poll.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
