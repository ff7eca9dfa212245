package auth

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/token"
)

// How signing keys come and go. There is always a next one, published long
// before it signs, so that every verifier knows it by then; a retired one
// stays published until all that it signed has expired.
const (
	keyLife   = 30 * 24 * time.Hour
	keyAhead  = time.Hour // at least
	keyBehind = time.Hour
	keyLook   = time.Minute // how often the store is asked
)

// Keyring is the signing keys in the store, as this instance last saw them.
type Keyring struct {
	store Store
	keys  atomic.Pointer[[]signingKey]
}

type signingKey struct {
	token.Key
	from time.Time
}

// OpenKeyring returns the store's keys, after making the first ones if there are none.
func OpenKeyring(ctx context.Context, store Store) (*Keyring, error) {
	k := &Keyring{store: store}
	return k, k.turn(ctx, time.Now())
}

// Run turns the keys over as time passes, until ctx ends. It tells failed of errors.
func (k *Keyring) Run(ctx context.Context, failed func(error)) {
	ticker := time.NewTicker(keyLook)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if err := k.turn(ctx, now); err != nil && ctx.Err() == nil {
				failed(err)
			}
		}
	}
}

// turn brings the keys to what they should be at now.
func (k *Keyring) turn(ctx context.Context, now time.Time) error {
	kept, err := k.store.UpdateKeys(ctx, func(keys []Key) []Key { return turn(keys, now) })
	if err != nil {
		return err
	}
	ring := make([]signingKey, len(kept))
	for i, key := range kept {
		if len(key.Seed) != ed25519.SeedSize {
			return errors.New("auth: a signing key in the store is damaged: " + key.ID)
		}
		ring[i] = signingKey{token.Key{ID: key.ID, Private: ed25519.NewKeyFromSeed(key.Seed)}, key.SignsFrom}
	}
	slices.SortFunc(ring, func(a, b signingKey) int { return a.from.Compare(b.from) })
	k.keys.Store(&ring)
	return nil
}

// turn adds the first key and the next one, and drops those long retired. It
// returns the keys in the order in which they sign.
func turn(keys []Key, now time.Time) []Key {
	now = now.UTC().Truncate(time.Microsecond)
	slices.SortFunc(keys, func(a, b Key) int { return a.SignsFrom.Compare(b.SignsFrom) })
	if len(keys) == 0 {
		keys = append(keys, newKey(now, now))
	}
	if last := keys[len(keys)-1].SignsFrom; !last.After(now) {
		from := last.Add(keyLife)
		if soonest := now.Add(keyAhead); from.Before(soonest) {
			from = soonest
		}
		keys = append(keys, newKey(now, from))
	}
	for len(keys) > 1 && keys[1].SignsFrom.Add(keyBehind).Before(now) {
		keys = keys[1:]
	}
	return keys
}

func newKey(now, from time.Time) Key {
	return Key{ID: uuid.NewString(), Seed: random(ed25519.SeedSize), CreatedAt: now, SignsFrom: from}
}

// signing is the key that signs at now.
func (k *Keyring) signing(now time.Time) token.Key {
	ring := *k.keys.Load()
	current := ring[0].Key
	for _, key := range ring {
		if !key.from.After(now) {
			current = key.Key
		}
	}
	return current
}

// Key implements token.Keys: this service need not ask itself over HTTP.
func (k *Keyring) Key(_ context.Context, id string) (ed25519.PublicKey, error) {
	for _, key := range *k.keys.Load() {
		if key.ID == id {
			return key.Private.Public().(ed25519.PublicKey), nil
		}
	}
	return nil, token.ErrInvalid.Because(errors.New("no such key"))
}

// JWKS returns the public keys: those that sign, the next, and those just retired.
func (s *Service) JWKS(context.Context, endpoint.None) (JWKS, error) {
	var set JWKS
	for _, key := range *s.keys.keys.Load() {
		public := key.Private.Public().(ed25519.PublicKey)
		set.Keys = append(set.Keys, JWK{"OKP", "Ed25519", base64.RawURLEncoding.EncodeToString(public), key.ID, "EdDSA", "sig"})
	}
	return set, nil
}
