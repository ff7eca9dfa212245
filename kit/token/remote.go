package token

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/trellis-go/trellis/kit/fault"
	"golang.org/x/sync/singleflight"
)

// Remote is a key set that another service publishes. The set is fetched when
// first needed, again in the background every few minutes, and again when a
// token names a key that is not in it, at most once in a few seconds however
// many such tokens come. The last good set stays while the publisher is away.
type Remote struct {
	url    string
	client *http.Client
	set    atomic.Pointer[keySet]
	tried  atomic.Pointer[time.Time] // when the last attempt began, good or not
	fetch  singleflight.Group
}

type keySet struct {
	keys    map[string]ed25519.PublicKey
	fetched time.Time
}

const (
	freshFor   = 5 * time.Minute
	retryAfter = 2 * time.Second
	maxKeySet  = 64 << 10
)

// NewRemote returns the key set at url, fetched over the round tripper.
func NewRemote(url string, over http.RoundTripper) *Remote {
	return &Remote{url: url, client: &http.Client{Transport: over, Timeout: 5 * time.Second}}
}

// Key returns the public key with the id. It answers ErrInvalid for an id
// that is not published, and Unavailable when no set was ever had.
func (r *Remote) Key(ctx context.Context, id string) (ed25519.PublicKey, error) {
	if set := r.set.Load(); set != nil {
		if key, ok := set.keys[id]; ok {
			if time.Since(set.fetched) > freshFor && r.rested() {
				r.refresh()
			}
			return key, nil
		}
	}
	var err error
	select {
	case res := <-r.refresh():
		err = res.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	set := r.set.Load()
	if set == nil {
		return nil, fault.New(fault.Unavailable, "keys_unavailable", "Access tokens cannot be verified just now.").After(time.Second).Because(err)
	}
	if key, ok := set.keys[id]; ok {
		return key, nil
	}
	return nil, ErrInvalid.Because(fmt.Errorf("no key has the id %.40q", id))
}

// rested says whether the last attempt is long enough ago.
func (r *Remote) rested() bool {
	t := r.tried.Load()
	return t == nil || time.Since(*t) >= retryAfter
}

// refresh fetches the set, unless that was tried a moment ago. Whoever comes
// while it is fetched gets the outcome of the same attempt.
func (r *Remote) refresh() <-chan singleflight.Result {
	return r.fetch.DoChan("", func() (any, error) {
		if r.set.Load() != nil && !r.rested() {
			return nil, nil
		}
		now := time.Now()
		r.tried.Store(&now)
		return nil, r.get()
	})
}

func (r *Remote) get() error {
	res, err := r.client.Get(r.url)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", r.url, res.Status)
	}
	var published struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxKeySet)).Decode(&published); err != nil {
		return fmt.Errorf("%s: %w", r.url, err)
	}
	set := &keySet{keys: map[string]ed25519.PublicKey{}, fetched: time.Now()}
	for _, text := range published.Keys {
		var k jose.JSONWebKey
		if json.Unmarshal(text, &k) != nil {
			continue // a kind that is not ours must not spoil the others (RFC 7517, 5)
		}
		if public, ok := k.Key.(ed25519.PublicKey); ok && k.KeyID != "" && len(public) == ed25519.PublicKeySize {
			set.keys[k.KeyID] = public
		}
	}
	if len(set.keys) == 0 {
		return errors.New(r.url + " publishes no Ed25519 key")
	}
	r.set.Store(set)
	return nil
}
