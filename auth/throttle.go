package auth

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
)

// Guessing is slowed, not locked out. Attempts are counted before the
// password is looked at, so that many at once gain nothing, and a success
// takes them back. They are counted for an account together with where they
// come from: a device that has logged in to this account before, known by its
// cookie, or else an address. So whoever guesses slows only guesses from where
// he sits, and an owner gets in from any other place at once, and from the
// same one after a minute at most. And they are counted for an address
// whatever the account, against one password tried on many.
const (
	freeForAccount = 5
	freeForAddress = 100
	firstPause     = 2 * time.Second
	longestPause   = time.Minute
	forgottenAfter = 15 * time.Minute // since the last attempt
)

var errThrottled = fault.New(fault.TooMany, "too_many_attempts", "Too many wrong attempts. Wait a moment.")

// guess is one attempt's keys: for the account, and for the address.
type guess []Hash

// guess counts an attempt to log in as u, or as nobody there is, or says how
// long to wait.
func (s *Service) guess(ctx context.Context, r LoginRequest, u User, known bool) (guess, error) {
	block := endpoint.Block(endpoint.From(ctx).Client).String()
	name, where := "login "+EmailKey(r.Login), block
	if known {
		name = "user " + u.ID.String()
		if device := deviceHash(r.Device); device != nil {
			trusted, err := s.store.KnowsDevice(ctx, u.ID, device)
			if err != nil {
				return nil, err
			}
			if trusted {
				where = "device " + string(device)
			}
		}
	}
	g := guess{
		sha256.Sum256([]byte(name + "\x00" + where)),
		sha256.Sum256([]byte("address " + block)),
	}
	now := s.now()
	return g, s.store.Attempts(ctx, g, func(a []Attempts) error {
		var wait time.Duration
		for i := range a {
			wait = max(wait, a[i].Until.Sub(now))
		}
		if wait > 0 {
			return errThrottled.After(wait)
		}
		a[0].count(now, freeForAccount)
		a[1].count(now, freeForAddress)
		return nil
	})
}

// forgive takes an attempt back that succeeded.
func (s *Service) forgive(ctx context.Context, g guess) error {
	return s.store.Attempts(ctx, g, func(a []Attempts) error {
		a[0] = Attempts{}
		if a[1].Failures--; a[1].Failures <= 0 {
			a[1] = Attempts{}
		} else if a[1].Failures <= freeForAddress {
			a[1].Until = time.Time{}
		}
		return nil
	})
}

func (a *Attempts) count(now time.Time, free int) {
	if now.Sub(a.Last) > forgottenAfter {
		*a = Attempts{}
	}
	a.Failures++
	a.Last = now
	if over := a.Failures - free; over > 0 {
		a.Until = now.Add(min(firstPause<<min(over-1, 10), longestPause))
	}
}
