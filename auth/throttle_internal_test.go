package auth

import (
	"testing"
	"time"
)

// Whoever asks for mails without a break fills nobody's mailbox, and an owner
// who asks now and then gets them.
func TestPaceOfMails(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	mails := func(from, until, every time.Duration, a *Attempts) (sent int) {
		for now := from; now < until; now += every {
			if at := start.Add(now); !a.Until.After(at) {
				a.count(at, linksWanted)
				sent++
			}
		}
		return sent
	}
	var a Attempts
	if n := mails(0, 24*time.Hour, time.Second, &a); n < 3 || n > 16 {
		t.Errorf("%d mails on the first day", n)
	}
	if n := mails(24*time.Hour, 48*time.Hour, time.Second, &a); n < 1 || n > 4 {
		t.Errorf("%d mails on the second day", n)
	}
	if n := mails(80*time.Hour, 80*time.Hour+3*time.Second, time.Second, &a); n != 3 {
		t.Errorf("%d mails after a day of rest, want 3", n)
	}
}
