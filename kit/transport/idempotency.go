package transport

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	kit "github.com/go-kit/kit/endpoint"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/pause"
)

// Keeper keeps what requests with an Idempotency-Key were answered, for
// KeptFor. Whoever reads its store learns neither keys nor requests nor
// answers: it is given hashes, and answers sealed with the client's key.
type Keeper interface {
	// Begin claims a key, for ClaimedFor. A key that is new, or whose claim has
	// run out, is Claimed; ID is then what the request may name what it
	// creates, the same in every claim. Otherwise State says what there is.
	Begin(ctx context.Context, key Hash, id uuid.UUID, fingerprint Hash) (Kept, error)
	// Finish keeps the sealed answer of a claimed key that has none yet.
	Finish(ctx context.Context, key Hash, sealed []byte) error
	// Hold has a claim last for so long from now. With 0 it is given up: the
	// next one gets it at once, with the same ID.
	Hold(ctx context.Context, key Hash, d time.Duration) error
}

// Hash is a SHA-256.
type Hash = [sha256.Size]byte

// How long an answer is kept, and how long a request of which nothing is heard
// holds its key.
const (
	KeptFor    = 24 * time.Hour
	ClaimedFor = 5 * time.Second
)

const (
	// holdEvery is how often a request that runs says so.
	holdEvery = time.Second
	// runsOut is how long a request waits for another with its key: whoever has
	// died by then holds it no more, so that what was sent again runs.
	runsOut = ClaimedFor + time.Second
)

// Kept is what a Keeper knows of a key.
type Kept struct {
	State       KeyState
	ID          uuid.UUID
	Fingerprint Hash // of the request that came first
	Sealed      []byte
}

// KeyState is where the request behind a key stands.
type KeyState int

const (
	Claimed  KeyState = iota // it is this one's to run
	Running                  // another is at it
	Finished                 // it has its answer
)

var (
	errKeyMalformed = fault.New(fault.Malformed, "idempotency_key_malformed", "Idempotency-Key takes 1 to 255 visible ASCII characters.")
	errKeyRunning   = fault.New(fault.Conflict, "idempotency_key_running", "The first request with this Idempotency-Key is still running.").After(time.Second)
	errKeyReused    = fault.New(fault.Invalid, "idempotency_key_reused", "This Idempotency-Key was used for another request.")
)

// idempotent is codec.around for a route that takes an Idempotency-Key: a
// repeated request is answered with what the first one was. One that cannot
// be read, or breaks a rule, is refused before anything is kept of it.
func (c *codec) idempotent(keeper Keeper, next kit.Endpoint) kit.Endpoint {
	plain := c.around(next)
	return func(ctx context.Context, req any) (any, error) {
		x := req.(*exchange)
		values := x.in.Header["Idempotency-Key"]
		if len(values) == 0 {
			return plain(ctx, req)
		}
		if len(values) > 1 || !visible(values[0]) {
			return nil, errKeyMalformed
		}
		typed, err := c.decode(x)
		if err != nil {
			return nil, err
		}
		k, kept, asked, err := c.await(ctx, keeper, x, values[0])
		switch {
		case err != nil:
			return nil, err
		case kept.State == Running:
			return nil, errKeyRunning
		case kept.State == Finished:
			return k.open(kept.Sealed)
		}
		x.NewID = kept.ID
		return k.run(ctx, keeper, x, asked, func() (any, error) { return c.answer(ctx, x, typed, next) })
	}
}

// await claims the caller's key, as it was asked for then. If another request
// is at it, it waits until that is done, or its claim has run out.
func (c *codec) await(ctx context.Context, keeper Keeper, x *exchange, text string) (k idempotencyKey, kept Kept, asked time.Time, err error) {
	next := 20 * time.Millisecond
	for until := time.Now().Add(runsOut); ; next = min(2*next, 500*time.Millisecond) {
		asked = time.Now()
		k, kept, err = c.claim(ctx, keeper, x, text)
		if err != nil || kept.State != Running || asked.After(until) {
			return k, kept, asked, err
		}
		x.StepAside()
		ok := pause.For(ctx, next)
		x.ComeBack()
		if !ok {
			return k, kept, asked, ctx.Err()
		}
	}
}

// claim asks the keeper for the caller's key.
func (c *codec) claim(ctx context.Context, keeper Keeper, x *exchange, text string) (k idempotencyKey, kept Kept, err error) {
	body, err := x.body(c.route.BodyMax)
	if err != nil {
		return k, kept, err
	}
	if k, err = deriveKey(endpoint.Caller(ctx).ID, c.route, text); err != nil {
		return k, kept, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return k, kept, err
	}
	fingerprint := k.fingerprint(x.in.URL.RequestURI(), body)
	kept, err = keeper.Begin(ctx, k.name, id, fingerprint)
	if err == nil && !hmac.Equal(kept.Fingerprint[:], fingerprint[:]) {
		err = errKeyReused
	}
	return k, kept, err
}

// run calls next and keeps its answer, if it is one to keep. A process that
// stood still may find that its claim has run out: the key is another's then.
func (k idempotencyKey) run(ctx context.Context, keeper Keeper, x *exchange, claimed time.Time, next func() (any, error)) (any, error) {
	kept, stop := false, k.hold(ctx, keeper, claimed)
	defer func() {
		if stop() && !kept { // a failure, a panic: the next try begins anew
			_ = keeper.Hold(context.WithoutCancel(ctx), k.name, 0) // else the claim runs out by itself
		}
	}()
	result, err := next()
	if err != nil {
		if !keepable4xx(err) {
			return nil, err
		}
		result = problemResponse(err, x.in.URL.EscapedPath(), x.RequestID)
	}
	sealed, sealErr := k.seal(result.(*response))
	if sealErr == nil && stop() {
		sealErr = keeper.Finish(context.WithoutCancel(ctx), k.name, sealed)
	}
	if sealErr != nil {
		return nil, fmt.Errorf("idempotency key: %w", sealErr)
	}
	kept = true
	if err != nil {
		return nil, err
	}
	return result, nil
}

// hold keeps a claim from running out until it is told to stop. stop tells
// whether the claim has not run out all the same.
func (k idempotencyKey) hold(ctx context.Context, keeper Keeper, claimed time.Time) (stop func() bool) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	good := claimed.Add(ClaimedFor)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for pause.For(ctx, holdEvery) {
			began := time.Now()
			if began.After(good) {
				return
			}
			try, cancel := context.WithTimeout(ctx, holdEvery)
			if keeper.Hold(try, k.name, ClaimedFor) == nil {
				good = began.Add(ClaimedFor)
			}
			cancel()
		}
	}()
	return func() bool {
		cancel()
		<-ended
		return time.Now().Before(good)
	}
}

// keepable4xx tells whether a refusal is the request's answer for good, and
// not one about its time or its caller's haste.
func keepable4xx(err error) bool {
	switch kind := fault.Of(err).Kind; kind {
	case fault.Unauthenticated, fault.RequestTimeout, fault.TooMany, fault.Canceled:
		return false
	default:
		return !kind.Failure()
	}
}

func visible(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// idempotencyKey is what is derived from a caller's key: its name in the
// store, and the secrets that make the store's content unreadable without it.
type idempotencyKey struct {
	name  Hash
	print []byte
	aead  cipher.AEAD
}

func deriveKey(caller string, r Route, text string) (k idempotencyKey, err error) {
	secret := []byte(r.Method + " " + r.Path + "\x00" + caller + "\x00" + text)
	material, err := hkdf.Key(sha256.New, secret, nil, "trellis idempotency key", 96)
	if err != nil {
		return k, err
	}
	copy(k.name[:], material[:32])
	k.print = material[32:64]
	block, err := aes.NewCipher(material[64:])
	if err != nil {
		return k, err
	}
	k.aead, err = cipher.NewGCM(block)
	return k, err
}

func (k idempotencyKey) fingerprint(uri string, body []byte) (h Hash) {
	mac := hmac.New(sha256.New, k.print)
	mac.Write([]byte(uri))
	mac.Write([]byte{0})
	mac.Write(body)
	mac.Sum(h[:0])
	return h
}

// keptResponse is a response as the store has it, under seal.
type keptResponse struct {
	Status int
	Header http.Header
	Body   []byte
}

func (k idempotencyKey) seal(r *response) ([]byte, error) {
	kept := keptResponse{Status: r.status, Header: r.header}
	if r.body != nil {
		kept.Body = r.body.Bytes()
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, k.aead.NonceSize(), k.aead.NonceSize()+len(text)+k.aead.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return k.aead.Seal(nonce, nonce, text, k.name[:]), nil
}

func (k idempotencyKey) open(sealed []byte) (*response, error) {
	n := k.aead.NonceSize()
	if len(sealed) < n {
		return nil, errors.New("idempotency key: what is kept is too short")
	}
	text, err := k.aead.Open(nil, sealed[:n], sealed[n:], k.name[:])
	if err != nil {
		return nil, fmt.Errorf("idempotency key: %w", err)
	}
	var kept keptResponse
	if err := json.Unmarshal(text, &kept); err != nil {
		return nil, fmt.Errorf("idempotency key: %w", err)
	}
	r := &response{status: kept.Status, header: kept.Header}
	if r.header == nil {
		r.header = http.Header{}
	}
	r.header["Idempotency-Replayed"] = []string{"true"}
	if kept.Body != nil {
		r.body = bytes.NewBuffer(kept.Body)
	}
	return r, nil
}
