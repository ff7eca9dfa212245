package event_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/event/eventtest"
)

// fake is a bus that gives what a test puts in it, and notes what is told of it.
type fake struct {
	event.Bus // for what no test calls

	mu      sync.Mutex
	waiting []event.Delivery
	more    chan struct{}
	max     int // that was asked for last
	done    []string
	parked  []event.Parked
	held    int
	left    bool
	wrong   map[string]error // by method
}

func newFake(list ...event.Delivery) *fake {
	return &fake{waiting: list, more: make(chan struct{}), wrong: map[string]error{}}
}

func (f *fake) add(list ...event.Delivery) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = append(f.waiting, list...)
	close(f.more)
	f.more = make(chan struct{})
}

func (f *fake) breaks(method string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wrong[method] = err
}

func (f *fake) Receive(ctx context.Context, _ event.Group, max int) ([]event.Delivery, error) {
	for late := time.After(time.Second); ; {
		f.mu.Lock()
		n, more, err := min(len(f.waiting), max), f.more, f.wrong["Receive"]
		list := f.waiting[:n:n]
		if err == nil {
			f.waiting, f.max = f.waiting[n:], max
		}
		f.mu.Unlock()
		if err != nil {
			return nil, err
		}
		if n > 0 {
			return list, nil
		}
		select {
		case <-more:
		case <-late:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (f *fake) Hold(context.Context, event.Group) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held++
	return f.wrong["Hold"]
}

func (f *fake) Done(_ context.Context, _ event.Group, list []event.Delivery) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.wrong["Done"]; err != nil {
		return err
	}
	for _, d := range list {
		f.done = append(f.done, d.Ref)
	}
	return nil
}

func (f *fake) Park(_ context.Context, _ event.Group, d event.Delivery, reason string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.wrong["Park"]; err != nil {
		return err
	}
	f.parked = append(f.parked, event.Parked{ID: d.Ref, Message: d.Message, Reason: reason, Attempts: d.Attempts})
	return nil
}

func (f *fake) Parked(context.Context, string) ([]event.Parked, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.parked), nil
}

func (f *fake) CountParked(context.Context, string) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.parked), nil
}

func (f *fake) Leave(context.Context, event.Group) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = true
	return nil
}

// isDone checks what was taken off the group, in any order.
func (f *fake) isDone(t testing.TB, want ...string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	got := slices.Sorted(slices.Values(f.done))
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("done are %q, not %q", got, want)
	}
}

// isParked checks what is parked, in order.
func (f *fake) isParked(t testing.TB, want ...string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var got []string
	for _, p := range f.parked {
		got = append(got, p.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("parked are %q, not %q", got, want)
	}
}

// delivered are n events of a subject, given for the first time: "NAME 0", "NAME 1", …
func delivered(t testing.TB, name string, n int) (list []event.Delivery) {
	t.Helper()
	subject := uuid.New()
	for i := range n {
		m := eventtest.Message(t, subject, i)
		m.Source = "teller"
		list = append(list, event.Delivery{Message: m, Ref: fmt.Sprint(name, " ", i), Attempts: 1})
	}
	return list
}
