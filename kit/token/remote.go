package token

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
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
	url     string
	client  *http.Client
	set     atomic.Pointer[keySet]
	fetch   singleflight.Group
	mu      sync.Mutex
	attempt time.Time // the last one, good or not
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
	set := r.set.Load()
	if set != nil {
		if key, ok := set.keys[id]; ok {
			if time.Since(set.fetched) > freshFor && r.mayTry() {
				go func() { _, _ = r.refresh() }()
			}
			return key, nil
		}
	}
	if set == nil || r.mayTry() {
		fetched, err := r.refreshWithin(ctx)
		switch {
		case fetched != nil:
			set = fetched
		case set == nil:
			return nil, fault.New(fault.Unavailable, "keys_unavailable", "Access tokens cannot be verified just now.").After(time.Second).Because(err)
		}
	}
	if key, ok := set.keys[id]; ok {
		return key, nil
	}
	return nil, ErrInvalid.Because(fmt.Errorf("no key has the id %.40q", id))
}

// mayTry says whether the last attempt is long enough ago, and if so counts one.
func (r *Remote) mayTry() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.attempt) < retryAfter {
		return false
	}
	r.attempt = time.Now()
	return true
}

func (r *Remote) refreshWithin(ctx context.Context) (*keySet, error) {
	done := r.fetch.DoChan("", func() (any, error) { return r.get() })
	select {
	case res := <-done:
		set, _ := res.Val.(*keySet)
		return set, res.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *Remote) refresh() (*keySet, error) { return r.refreshWithin(context.Background()) }

func (r *Remote) get() (*keySet, error) {
	res, err := r.client.Get(r.url)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", r.url, res.Status)
	}
	var published jose.JSONWebKeySet
	if err := json.NewDecoder(io.LimitReader(res.Body, maxKeySet)).Decode(&published); err != nil {
		return nil, fmt.Errorf("%s: %w", r.url, err)
	}
	set := &keySet{keys: map[string]ed25519.PublicKey{}, fetched: time.Now()}
	for _, k := range published.Keys {
		if public, ok := k.Key.(ed25519.PublicKey); ok && k.KeyID != "" && len(public) == ed25519.PublicKeySize {
			set.keys[k.KeyID] = public
		}
	}
	if len(set.keys) == 0 {
		return nil, errors.New(r.url + " publishes no Ed25519 key")
	}
	r.set.Store(set)
	return set, nil
}
