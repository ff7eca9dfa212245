// Package password hashes and verifies passwords: Argon2id, and every hasher
// that a Django application's users may have.
package password

import (
	"context"
	"errors"
)

var (
	// ErrBusy: as many computations wait as may. Try again later.
	ErrBusy = errors.New("password: too many computations are waiting")
	// ErrUnusable: the account has no password to log in with, as Django
	// marks those of single sign-on.
	ErrUnusable = errors.New("password: the account has no usable password")
	// ErrMalformed: the hash is of no known form, or costs more than its
	// form is allowed. The wrapping message says which, and holds nothing of the hash.
	ErrMalformed = errors.New("password: malformed hash")
)

// waiting is how many computations may wait for each that runs: at 25 ms
// each, the last one waits less than half a second.
const waiting = 16

// Hasher hashes and verifies passwords, a few at once so that logins cannot
// exhaust memory. It is safe for concurrent use.
type Hasher struct {
	admitted chan struct{} // running or waiting
	running  chan struct{}
}

// New returns a Hasher that runs at most parallel computations at once, at
// least one. Up to 16 times as many wait; the next gets ErrBusy at once.
//
// A current hash takes 19 MiB while it is computed; one of Django's by
// Argon2 takes 100 MiB by default, and never more than 256.
func New(parallel int) *Hasher {
	parallel = max(parallel, 1)
	return &Hasher{
		admitted: make(chan struct{}, parallel*(1+waiting)),
		running:  make(chan struct{}, parallel),
	}
}

// Hash returns a hash of password under a fresh salt, as a PHC string:
// $argon2id$v=19$m=19456,t=2,p=1$salt$key. Its errors are ErrBusy and ctx's.
//
// The password is taken byte for byte, here as in Verify.
func (h *Hasher) Hash(ctx context.Context, password string) (encoded string, err error) {
	err = h.run(ctx, func() { encoded = newArgon2(password) })
	return encoded, err
}

// Verify reports whether password is the one that encoded was made of, and
// if so, whether encoded is stale: to be replaced by a fresh Hash, because it
// is not of Argon2id or not of today's parameters.
//
// Its errors are those of Check, ErrBusy and ctx's; a wrong password is none.
// It costs what Waste costs or more, also for ErrUnusable, so that accounts
// without a password or with a cheap old hash answer no sooner than unknown
// users. Only a malformed hash is refused at once.
func (h *Hasher) Verify(ctx context.Context, encoded, password string) (ok, stale bool, err error) {
	known, err := parse(encoded)
	if errors.Is(err, ErrUnusable) {
		if busy := h.Waste(ctx, password); busy != nil {
			return false, false, busy
		}
	}
	if err != nil {
		return false, false, err
	}
	err = h.run(ctx, func() {
		ok = known.matches(password)
		if known.quick {
			waste(password)
		}
	})
	return ok, ok && !known.current, err
}

// Waste costs what a verification of a current hash costs: for logins of
// unknown users. Its errors are ErrBusy and ctx's.
func (h *Hasher) Waste(ctx context.Context, password string) error {
	return h.run(ctx, func() { waste(password) })
}

// Check says whether Verify can work with encoded: nil, ErrUnusable, or an
// error that wraps ErrMalformed. It computes nothing.
func Check(encoded string) error {
	_, err := parse(encoded)
	return err
}

// run computes as soon as it may. A computation that began is not interrupted.
func (h *Hasher) run(ctx context.Context, compute func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case h.admitted <- struct{}{}:
		defer func() { <-h.admitted }()
	default:
		return ErrBusy
	}
	select {
	case h.running <- struct{}{}:
		defer func() { <-h.running }()
	case <-ctx.Done():
		return ctx.Err()
	}
	compute()
	return nil
}
