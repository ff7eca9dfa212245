package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
)

// Guessing is slowed, not locked out. Attempts are counted before the
// password is looked at, so that many at once gain nothing, and taken back
// unless the password was wrong. They are counted for a login together with
// the address that they come from, and for an address whatever the login,
// against one password tried on many. So whoever guesses slows only guesses
// from where he sits, and an owner gets in from any other place. A device that
// has logged in to this account before, known by its cookie, is counted by
// itself alone, so that not even a neighbour at the same address is in its way.
const (
	freeForAccount = 5
	freeForAddress = 100
	firstPause     = 2 * time.Second
	longestPause   = time.Minute
	forgottenAfter = 15 * time.Minute // since the last attempt
)

var errThrottled = fault.New(fault.TooMany, "too_many_attempts", "Too many wrong attempts. Wait a moment.")

// guess is one attempt at a password: what it is counted under, and how many
// are free.
type guess struct {
	keys []Hash
	free []int
}

func (g *guess) count(what string, free int) {
	g.keys = append(g.keys, sha256.Sum256([]byte(what)))
	g.free = append(g.free, free)
}

// loginGuess is an attempt to log in. It is counted in the same way whether
// there is such a user or not, so that being slowed tells nothing.
func (s *Service) loginGuess(ctx context.Context, r LoginRequest, u User, known bool) (g guess, err error) {
	if device := deviceHash(r.Device); known && device != nil {
		trusted, err := s.store.KnowsDevice(ctx, u.ID, device)
		if err != nil {
			return g, err
		}
		if trusted {
			g.count("device "+u.ID.String()+string(device), freeForAccount)
			return g, nil
		}
	}
	block := endpoint.Block(endpoint.From(ctx).Client).String()
	g.count("login "+block+" "+EmailKey(r.Login), freeForAccount)
	g.count("address "+block, freeForAddress)
	return g, nil
}

// try counts an attempt, or says how long to wait.
func (s *Service) try(ctx context.Context, g guess) error {
	now := s.now()
	return s.store.Attempts(ctx, g.keys, func(a []Attempts) error {
		var wait time.Duration
		for i := range a {
			wait = max(wait, a[i].Until.Sub(now))
		}
		if wait > 0 {
			return errThrottled.After(wait)
		}
		for i := range a {
			a[i].count(now, g.free[i])
		}
		return nil
	})
}

// settle takes an attempt back when the password was not found wrong; the
// right one wipes out what was counted for its login.
func (s *Service) settle(ctx context.Context, g guess, outcome error) error {
	if errors.Is(outcome, ErrCredentials) {
		return outcome
	}
	err := s.store.Attempts(context.WithoutCancel(ctx), g.keys, func(a []Attempts) error {
		for i := range a {
			a[i].forgive(g.free[i])
		}
		if outcome == nil {
			a[0] = Attempts{}
		}
		return nil
	})
	return errors.Join(outcome, err)
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

func (a *Attempts) forgive(free int) {
	if a.Failures--; a.Failures <= 0 {
		*a = Attempts{}
	} else if a.Failures <= free {
		a.Until = time.Time{}
	}
}
