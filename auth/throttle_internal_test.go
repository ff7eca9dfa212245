package auth

import (
	"testing"
	"time"
)

// Whoever asks for mails without a break fills nobody's mailbox, and an owner
// who asks now and then gets them; or has got, by whoever keeps them from it, a
// link to a new password that is good for long enough.
func TestPaceOfMails(t *testing.T) {
	t.Parallel()
	for purpose, want := range map[Purpose]struct {
		first, second int // mails on a day, at most
		pause         time.Duration
	}{
		VerifyEmail:   {16, 4, 6 * time.Hour},
		ResetPassword: {55, 48, 30 * time.Minute},
	} {
		t.Run(string(purpose), func(t *testing.T) {
			t.Parallel()
			var a Attempts
			start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			last, longest := start, time.Duration(0)
			mails := func(from, until time.Duration) (sent int) {
				for now := from; now < until; now += time.Second {
					if at := start.Add(now); !a.Until.After(at) {
						a.count(at, linksWanted[purpose])
						longest, last = max(longest, at.Sub(last)), at
						sent++
					}
				}
				return sent
			}
			if n := mails(0, 24*time.Hour); n < 3 || n > want.first {
				t.Errorf("%d mails on the first day", n)
			}
			if n := mails(24*time.Hour, 48*time.Hour); n < 1 || n > want.second {
				t.Errorf("%d mails on the second day", n)
			}
			if longest != want.pause {
				t.Errorf("there was no mail for %v, want %v", longest, want.pause)
			}
			if n := mails(80*time.Hour, 80*time.Hour+3*time.Second); n != 3 {
				t.Errorf("%d mails after a day of rest, want 3", n)
			}
		})
	}
}
