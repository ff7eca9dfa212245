package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/google/uuid"
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
var (
	guessesOfAccount  = pace{5, 2 * time.Second, time.Minute, 15 * time.Minute}
	guessesOfAddress  = pace{100, 2 * time.Second, time.Minute, 15 * time.Minute}
	requestsOfAddress = pace{20, 2 * time.Second, time.Minute, 15 * time.Minute} // for a forgotten password
)

// pace is how quickly attempts may follow each other: some are free, then
// pauses begin, and double.
type pace struct {
	free           int
	first, longest time.Duration
	forgotten      time.Duration // since the last attempt; what is counted behind a key is purged after an hour
}

var errThrottled = fault.New(fault.TooMany, "too_many_attempts", "Too many wrong attempts. Wait a moment.")

// guess is one attempt at a password: what it is counted under, and at which pace.
type guess struct {
	keys  []Hash
	paces []pace
}

func (g *guess) count(what string, p pace) {
	g.keys = append(g.keys, sha256.Sum256([]byte(what)))
	g.paces = append(g.paces, p)
}

// What is counted for one user alone.
func passwordGuess(user uuid.UUID) string { return "password " + user.String() }
func deviceGuess(user uuid.UUID, device []byte) string {
	return "device " + user.String() + string(device)
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
			g.count(deviceGuess(u.ID, device), guessesOfAccount)
			return g, nil
		}
	}
	block := endpoint.Block(endpoint.From(ctx).Client).String()
	g.count("login "+block+" "+EmailKey(r.Login), guessesOfAccount)
	g.count("address "+block, guessesOfAddress)
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
			a[i].count(now, g.paces[i])
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
			a[i].forgive(g.paces[i])
		}
		if outcome == nil {
			a[0] = Attempts{}
		}
		return nil
	})
	return errors.Join(outcome, err)
}

func (a *Attempts) count(now time.Time, p pace) {
	if now.Sub(a.Last) > p.forgotten {
		*a = Attempts{}
	}
	a.Failures++
	a.Last = now
	if over := a.Failures - p.free; over > 0 {
		a.Until = now.Add(min(p.first<<min(over-1, 10), p.longest))
	}
}

func (a *Attempts) forgive(p pace) {
	if a.Failures--; a.Failures <= 0 {
		*a = Attempts{}
	} else if a.Failures <= p.free {
		a.Until = time.Time{}
	}
}
