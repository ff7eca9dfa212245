// Package eventtest is what every event.Bus and every event.Outbox must pass.
package eventtest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
)

// Counted is the payload of events in tests.
type Counted struct {
	N int `json:"n"`
}

// Happened is a kind of event.
var Happened = event.Define[Counted]("test.happened", 1, "Something happened.")

// Message is an event for an outbox.
func Message(t testing.TB, subject uuid.UUID, n int) event.Message {
	t.Helper()
	m, err := Happened.About(t.Context(), subject, Counted{n})
	must(t, err)
	return m
}

// messages are events about subjects in turn, numbered from 0.
func messages(t testing.TB, n int, subjects ...uuid.UUID) (list []event.Message) {
	t.Helper()
	for i := range n {
		list = append(list, Message(t, subjects[i%len(subjects)], i))
	}
	return list
}

// from are messages as a relay gives them to a bus.
func from(source string, list []event.Message) []event.Message {
	list = slices.Clone(list)
	for i := range list {
		list[i].Source = source
	}
	return list
}

// same checks that two lists are of the same messages in the same order.
func same(t testing.TB, what string, got, want []event.Message) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s are not what they should be (-want +got):\n%s", what, diff)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// within fails the test when f takes longer than it may on a busy machine.
func within(t testing.TB, most time.Duration, what string, f func()) {
	t.Helper()
	began := time.Now()
	f()
	if took := time.Since(began); took > most {
		t.Errorf("%s took %v", what, took)
	}
}

// run runs tests side by side, each on a store of its own.
func run[S any](t *testing.T, open func(*testing.T) S, tests map[string]func(*testing.T, S)) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, open(t)) })
	}
}
