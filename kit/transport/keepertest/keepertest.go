// Package keepertest is what every transport.Keeper must pass.
package keepertest

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/transport"
)

// Store is a keeper, and what a test does to it behind its back.
type Store struct {
	transport.Keeper
	Age   func(t *testing.T, by time.Duration) // makes all that is kept that much older
	Bytes func(t *testing.T) []byte            // is all that an onlooker would see
}

// Run tests the keeper of the database that open opens anew, and closes when
// the test ends: by itself, and behind a service with Idempotency-Key.
func Run(t *testing.T, open func(t *testing.T) Store) {
	t.Parallel()
	shared := open(t)
	for name, test := range map[string]func(*testing.T, Store){
		"Claim":          claim,
		"Replay":         replay,
		"ReplayEmpty":    replayEmpty,
		"Keyless":        keyless,
		"OtherRequest":   otherRequest,
		"StillRunning":   stillRunning,
		"ComesMeanwhile": comesMeanwhile,
		"AtOnce":         atOnce,
		"Failures":       failures,
		"Refusals":       refusals,
		"Undecodable":    undecodable,
		"CallerAndRoute": callerAndRoute,
		"MalformedKeys":  malformedKeys,
		"CallerGone":     callerGone,
		"OtherMethods":   otherMethods,
		"KeeperFails":    keeperFails,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, shared) })
	}
	t.Run("Shared", func(t *testing.T) { t.Parallel(); Shared(t, shared, shared) })
	for name, test := range map[string]func(*testing.T, Store){
		"Ages":        ages,
		"DeadProcess": deadProcess,
		"Forgotten":   forgotten,
		"Secret":      secret,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, open(t)) })
	}
}

func hash(text string) transport.Hash { return sha256.Sum256([]byte(text)) }

func (s Store) begin(t *testing.T, key string, id uuid.UUID, fingerprint string) transport.Kept {
	t.Helper()
	kept, err := s.Begin(t.Context(), hash(key), id, hash(fingerprint))
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// is checks what a keeper knows of a key.
func is(t *testing.T, kept transport.Kept, state transport.KeyState, id uuid.UUID, fingerprint, sealed string) {
	t.Helper()
	if kept.State != state || kept.ID != id || kept.Fingerprint != hash(fingerprint) || string(kept.Sealed) != sealed {
		t.Errorf("kept is %d %s %x %q, want %d %s %q", kept.State, kept.ID, kept.Fingerprint[:2], kept.Sealed, state, id, sealed)
	}
}

func claim(t *testing.T, s Store) {
	first, other := uuid.New(), uuid.New()
	is(t, s.begin(t, "claim", first, "a"), transport.Claimed, first, "a", "")
	is(t, s.begin(t, "claim", other, "a"), transport.Running, first, "a", "")
	is(t, s.begin(t, "claim", other, "b"), transport.Running, first, "a", "")
	is(t, s.begin(t, "claim 2", other, "a"), transport.Claimed, other, "a", "")
	must(t, s.Hold(t.Context(), hash("claim"), 0))
	if kept := s.begin(t, "claim", other, "b"); kept.Fingerprint != hash("a") {
		t.Error("another request takes a released key over")
	}
	is(t, s.begin(t, "claim", other, "a"), transport.Claimed, first, "a", "")
	is(t, s.begin(t, "claim", other, "a"), transport.Running, first, "a", "")
	must(t, s.Finish(t.Context(), hash("claim"), []byte("\x00answer")))
	is(t, s.begin(t, "claim", other, "a"), transport.Finished, first, "a", "\x00answer")
	must(t, s.Finish(t.Context(), hash("claim"), []byte("another answer")))
	must(t, s.Hold(t.Context(), hash("claim"), 0))
	is(t, s.begin(t, "claim", other, "b"), transport.Finished, first, "a", "\x00answer")
	must(t, s.Hold(t.Context(), hash("never claimed"), 0))
}

// Shared tests two keepers of one database, as of two instances of a service:
// of those who claim a key at once, one gets it.
func Shared(t *testing.T, a, b transport.Keeper) {
	key := hash(uuid.NewString())
	var mu sync.Mutex
	var wg sync.WaitGroup
	states, ids := map[transport.KeyState]int{}, map[uuid.UUID]bool{}
	for i := range 8 {
		wg.Go(func() {
			kept, err := []transport.Keeper{a, b}[i%2].Begin(t.Context(), key, uuid.New(), hash("a"))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			states[kept.State]++
			ids[kept.ID] = true
		})
	}
	wg.Wait()
	if states[transport.Claimed] != 1 || states[transport.Running] != 7 || len(ids) != 1 {
		t.Errorf("states %v, ids %v", states, ids)
	}
}

func ages(t *testing.T, s Store) {
	first, other := uuid.New(), uuid.New()
	is(t, s.begin(t, "a", first, "a"), transport.Claimed, first, "a", "")
	must(t, s.Hold(t.Context(), hash("a"), 2*transport.ClaimedFor))
	s.Age(t, transport.ClaimedFor)
	is(t, s.begin(t, "a", other, "a"), transport.Running, first, "a", "") // as it was held for longer
	s.Age(t, transport.ClaimedFor)
	if kept := s.begin(t, "a", other, "b"); kept.Fingerprint != hash("a") {
		t.Error("another request takes a dead one's key over")
	}
	is(t, s.begin(t, "a", other, "a"), transport.Claimed, first, "a", "")
	is(t, s.begin(t, "a", other, "a"), transport.Running, first, "a", "") // the new claim has its own time
	must(t, s.Finish(t.Context(), hash("a"), []byte("answer")))
	s.Age(t, transport.KeptFor-3*transport.ClaimedFor)
	is(t, s.begin(t, "a", other, "a"), transport.Finished, first, "a", "answer")
	s.Age(t, 3*transport.ClaimedFor)
	is(t, s.begin(t, "a", other, "b"), transport.Claimed, other, "b", "")

	for i := range 50 {
		s.begin(t, fmt.Sprint(i), other, "a")
	}
	s.Age(t, transport.KeptFor)
	var wg sync.WaitGroup
	for range 8 { // all of whom clear away what is past
		wg.Go(func() {
			if kept, err := s.Begin(t.Context(), hash(uuid.NewString()), first, hash("a")); err != nil || kept.State != transport.Claimed {
				t.Errorf("%+v, %v", kept, err)
			}
		})
	}
	wg.Wait()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
