package token_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/token"
)

// publisher stands for the auth service and the way to it.
type publisher struct {
	mu      sync.Mutex
	body    string
	status  int
	err     error
	slow    time.Duration
	fetches atomic.Int64
}

func (p *publisher) publish(keys ...token.Key) {
	var set jose.JSONWebKeySet
	for _, k := range keys {
		set.Keys = append(set.Keys, k.Public())
	}
	text, err := json.Marshal(set)
	if err != nil {
		panic(err)
	}
	p.answer(200, string(text), nil)
}

func (p *publisher) answer(status int, body string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.body, p.err = status, body, err
}

// RoundTrip implements http.RoundTripper.
func (p *publisher) RoundTrip(r *http.Request) (*http.Response, error) {
	p.fetches.Add(1)
	if p.slow > 0 {
		select {
		case <-time.After(p.slow):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return nil, p.err
	}
	return &http.Response{StatusCode: p.status, Status: http.StatusText(p.status), Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(p.body)), Request: r}, nil
}

const keysURL = "http://auth/.well-known/jwks.json"

var errAway = errors.New("connection refused")

// remote runs f with a publisher of k1, in a bubble of time.
func remote(t *testing.T, f func(t *testing.T, p *publisher, r *token.Remote, k1 token.Key)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		k1 := newKey("k1")
		p.publish(k1)
		f(t, p, token.NewRemote(keysURL, p), k1)
		synctest.Wait()
	})
}

// finds fails unless r has the key.
func finds(t *testing.T, r *token.Remote, key token.Key) {
	t.Helper()
	got, err := r.Key(t.Context(), key.ID)
	if err != nil || !got.Equal(key.Private.Public()) {
		t.Errorf("Key(%q) = %x, %v", key.ID, got, err)
	}
}

func misses(t *testing.T, r *token.Remote, id string) {
	t.Helper()
	if got, err := r.Key(t.Context(), id); got != nil || !errors.Is(err, token.ErrInvalid) {
		t.Errorf("Key(%q) = %x, %v, want %v", id, got, err, token.ErrInvalid)
	}
}

func (p *publisher) fetched(t *testing.T, want int64) {
	t.Helper()
	if got := p.fetches.Load(); got != want {
		t.Errorf("fetched %d times, want %d", got, want)
	}
}

func TestFetchesOnceForManyFirstCallers(t *testing.T) {
	remote(t, func(t *testing.T, p *publisher, r *token.Remote, k1 token.Key) {
		p.fetched(t, 0)
		p.slow = time.Second
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond) // some come when the fetch is nearly done, or just done
				finds(t, r, k1)
			})
		}
		all.Wait()
		p.fetched(t, 1)
	})
}

// A caller who waits for the keys can go; the fetch goes on for the others.
func TestFetchOutlivesItsCaller(t *testing.T) {
	remote(t, func(t *testing.T, p *publisher, r *token.Remote, k1 token.Key) {
		p.slow = time.Second
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := r.Key(ctx, "k1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v", err)
		}
		finds(t, r, k1)
		p.fetched(t, 1)
	})
}

func TestRefetchesForANewKey(t *testing.T) {
	remote(t, func(t *testing.T, p *publisher, r *token.Remote, k1 token.Key) {
		finds(t, r, k1)
		time.Sleep(3 * time.Second)
		k2 := newKey("k2")
		p.publish(k1, k2)
		p.slow = time.Second
		var all sync.WaitGroup
		for range 20 { // whoever comes during the fetch waits for it
			all.Go(func() { finds(t, r, k2) })
		}
		all.Wait()
		finds(t, r, k1)
		p.fetched(t, 2)
		time.Sleep(3 * time.Second)
		p.slow = 0
		p.publish(k2) // k1 is withdrawn
		misses(t, r, "k3")
		misses(t, r, "k1")
		finds(t, r, k2)
	})
}

func TestFloodOfForeignKeys(t *testing.T) {
	remote(t, func(t *testing.T, p *publisher, r *token.Remote, k1 token.Key) {
		for i := range 1000 { // ten seconds long
			misses(t, r, "foreign"+string(rune('a'+i%26)))
			time.Sleep(10 * time.Millisecond)
		}
		if got := p.fetches.Load(); got > 6 {
			t.Errorf("fetched %d times in 10 s, want once in 2 s", got)
		}
		finds(t, r, k1)
	})
}

// Many foreign keys at the same moment are one fetch, good or not.
func TestFloodWhileThePublisherIsAway(t *testing.T) {
	remote(t, func(t *testing.T, p *publisher, r *token.Remote, k1 token.Key) {
		finds(t, r, k1)
		time.Sleep(3 * time.Second)
		p.answer(0, "", errAway)
		p.slow = 100 * time.Millisecond
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { misses(t, r, "k2") })
		}
		all.Wait()
		misses(t, r, "k2")
		p.fetched(t, 2)
		finds(t, r, k1)
	})
}

// What was had stands, whatever the publisher says later.
func TestKeepsTheLastGoodSet(t *testing.T) {
	k2, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: newKey("k2").Private, KeyID: "k2"}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]struct {
		status int
		body   string
		err    error
	}{
		"away":                {err: errAway},
		"failing":             {status: 500, body: `{"keys":[]}`},
		"moved":               {status: 302},
		"garbage":             {status: 200, body: "<html>"},
		"nothing":             {status: 200},
		"another shape":       {status: 200, body: `[1]`},
		"no keys":             {status: 200, body: `{"keys":[]}`},
		"keys of other kinds": {status: 200, body: `{"keys":[{"kty":"oct","k":"AAAA","kid":"k1"}]}`},
		"a key too short":     {status: 200, body: `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA","kid":"k1"}]}`},
		"a key without an id": {status: 200, body: `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`},
		"its private keys":    {status: 200, body: string(k2)},
		"too much":            {status: 200, body: `{"keys":[` + strings.Repeat(" ", 1<<20) + `]}`},
	} {
		t.Run(name, func(t *testing.T) {
			remote(t, func(t *testing.T, p *publisher, r *token.Remote, k1 token.Key) {
				finds(t, r, k1)
				p.answer(bad.status, bad.body, bad.err)
				time.Sleep(3 * time.Second)
				misses(t, r, "k2")
				finds(t, r, k1)
				time.Sleep(time.Hour)
				finds(t, r, k1)
				synctest.Wait()
				if p.fetches.Load() < 3 {
					t.Errorf("fetched %d times only", p.fetches.Load())
				}
				finds(t, r, k1)

				time.Sleep(3 * time.Second)
				fresh := newKey("k3")
				p.publish(fresh)
				finds(t, r, fresh)
			})
		})
	}
}

func TestNeverHadKeys(t *testing.T) {
	remote(t, func(t *testing.T, p *publisher, r *token.Remote, k1 token.Key) {
		for range 3 {
			p.answer(0, "", errAway)
			_, err := r.Key(t.Context(), "k1")
			if f := fault.Of(err); f.Kind != fault.Unavailable || f.Code != "keys_unavailable" || f.RetryAfter <= 0 || !errors.Is(err, errAway) {
				t.Errorf("error is %v", err)
			}
			p.answer(503, "", nil)
			if _, err := r.Key(t.Context(), "k1"); fault.Of(err).Code != "keys_unavailable" {
				t.Errorf("error is %v", err)
			}
		}
		p.publish(k1)
		finds(t, r, k1) // at once: nobody waits for a pause to end
	})
}

// A publisher that hangs is given up.
func TestPublisherHangs(t *testing.T) {
	remote(t, func(t *testing.T, p *publisher, r *token.Remote, _ token.Key) {
		p.slow = time.Hour
		began := time.Now()
		if _, err := r.Key(t.Context(), "k1"); fault.Of(err).Code != "keys_unavailable" {
			t.Errorf("error is %v", err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("given up after %v", took)
		}
	})
}

// A set that grows old is fetched in the background: nobody waits for it.
func TestRefreshesInTheBackground(t *testing.T) {
	remote(t, func(t *testing.T, p *publisher, r *token.Remote, k1 token.Key) {
		finds(t, r, k1)
		time.Sleep(4 * time.Minute)
		finds(t, r, k1)
		synctest.Wait()
		p.fetched(t, 1)
		time.Sleep(2 * time.Minute)
		p.publish(newKey("k2"))
		p.slow = time.Second
		began := time.Now()
		for range 100 {
			finds(t, r, k1)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("callers waited for %v", took)
		}
		time.Sleep(2 * time.Second)
		p.fetched(t, 2)
		misses(t, r, "k1") // withdrawn meanwhile
	})
}

// A new key appears, and a token that it signed is good; over real HTTP.
func TestRotation(t *testing.T) {
	t.Parallel()
	p := &publisher{}
	k1, k2 := newKey("k1"), newKey("k2")
	p.publish(k1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res, err := p.RoundTrip(r)
		if err != nil || r.URL.Path != "/.well-known/jwks.json" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.Copy(w, res.Body)
	}))
	t.Cleanup(server.Close)
	w := newWorld()
	v := token.NewVerifier(token.NewRemote(server.URL+"/.well-known/jwks.json", server.Client().Transport), w.signer.Issuer, w.signer.Audience)
	verify := func(key token.Key, user string) error {
		t.Helper()
		text, err := w.signer.Sign(key, token.Caller{ID: user, Expires: time.Now().Add(time.Hour)}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		c, err := v.Verify(t.Context(), text)
		if err == nil && c.ID != user {
			t.Errorf("caller is %+v", c)
		}
		return err
	}
	if err := verify(k1, "u1"); err != nil {
		t.Fatal(err)
	}
	if err := verify(newKey("k1"), "u1"); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("another key of the same name: %v", err)
	}
	p.publish(k1, k2)
	deadline := time.Now().Add(20 * time.Second)
	for err := verify(k2, "u2"); err != nil; err = verify(k2, "u2") { // until the pause between two fetches is over
		if !errors.Is(err, token.ErrInvalid) || time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := verify(k1, "u3"); err != nil {
		t.Errorf("a token of the old key: %v", err)
	}
}

// Keys of kinds that are not ours do not spoil the others.
func TestKeysOfOtherKinds(t *testing.T) {
	remote(t, func(t *testing.T, p *publisher, r *token.Remote, k1 token.Key) {
		good, err := json.Marshal(k1.Public())
		if err != nil {
			t.Fatal(err)
		}
		p.answer(200, `{"keys":[
			{"kty":"oct","k":"AAAA","kid":"hmac"},
			{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"ec"},
			{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA","kid":"new"},
			`+string(good)+`],"more":1}`, nil)
		finds(t, r, k1)
		for _, id := range []string{"hmac", "ec", "new", ""} {
			misses(t, r, id)
		}
	})
}
