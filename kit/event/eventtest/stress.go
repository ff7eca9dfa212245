package eventtest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
)

// ledger checks that no event is handled before those that its subject had
// earlier; any may come again.
type ledger struct {
	mu   sync.Mutex
	next map[uuid.UUID]int
	left int
}

// Consumers come, stop halfway, leave and die, and all events are handled in
// their order.
func stress(t *testing.T, b Bus) {
	const each = 12
	subjects := people(9)
	l := ledger{next: map[uuid.UUID]int{}, left: each * len(subjects)}
	var wg sync.WaitGroup
	wg.Go(func() {
		after := int64(0)
		for n := range each {
			for _, s := range subjects {
				b.publish(t, "tellers", after, Message(t, s, n))
				after++
			}
		}
	})
	for i := range 4 {
		wg.Go(func() {
			bus := []event.Bus{b.Bus, b.Other}[i%2]
			for life := 0; !t.Failed() && l.remain(); life++ {
				g := member(fmt.Sprint("consumer ", i, ", ", life))
				g.Claim = 50 * time.Millisecond // for a sign of life: what is in hand is not held, and comes again
				l.live(t, bus, g)
			}
		})
	}
	wg.Wait()
}

func (l *ledger) remain() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.left > 0
}

// live receives some times, and then leaves or dies.
func (l *ledger) live(t *testing.T, bus event.Bus, g event.Group) {
	for range 1 + rand.IntN(8) {
		if !l.remain() {
			return
		}
		list, err := bus.Receive(t.Context(), g, 1+rand.IntN(5))
		if err != nil {
			t.Error(err)
			return
		}
		for i, d := range list {
			if rand.IntN(6) == 0 { // it ends with some in hand
				if rand.IntN(2) == 0 {
					if err := bus.Leave(t.Context(), g); err != nil {
						t.Error(err)
					}
				}
				return
			}
			l.handle(t, d)
			if err := bus.Done(t.Context(), g, list[i:i+1]); err != nil {
				t.Error(err)
			}
		}
	}
}

func (l *ledger) handle(t *testing.T, d event.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var n int
	if _, err := fmt.Sscanf(string(d.Data), `{"n":%d}`, &n); err != nil {
		t.Error(err)
	}
	switch next := l.next[d.Subject]; {
	case n > next:
		t.Errorf("of %s the %d. comes before the %d.", d.Subject, n, next)
	case n == next:
		l.next[d.Subject]++
		l.left--
	}
}
