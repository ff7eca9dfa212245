// Package event tells other services what happened in one: at least once, in
// the order of each subject, and never of what was not committed.
//
// A service lists its events in a table, as it does its routes, and writes
// each to the Outbox in the transaction that it tells of. A Relay publishes
// them on a Bus. Other services subscribe with handlers, which see an event
// again when they, or the bus, failed: a second time must change nothing more.
package event

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/telemetry"
)

// Message is an event as it is stored and carried: a CloudEvent (CloudEvents
// 1.0 in its JSON format, with the Distributed Tracing extension).
type Message struct {
	SpecVersion string         `json:"specversion"`
	ID          uuid.UUID      `json:"id"`
	Source      string         `json:"source"`  // the service
	Type        string         `json:"type"`    // "note.changed.v1"
	Subject     uuid.UUID      `json:"subject"` // the user concerned; events of one subject are handled in their order
	Time        time.Time      `json:"time"`
	Trace       string         `json:"traceparent,omitempty"`
	Data        jsontext.Value `json:"data"`
}

// Kind is one row of a service's table of events.
type Kind interface {
	Type() string // name and version: "note.changed.v1"
	Doc() string
	Payload() reflect.Type
}

// Type is a kind of event that carries an E, a struct that marshals to JSON.
// Members may be added to E; any other change makes a new version, which is
// sent beside the old one until nobody handles that.
type Type[E any] struct {
	name, doc string
	version   int
}

// Define returns a kind of event: "note.changed", 1, "A note was changed."
func Define[E any](name string, version int, doc string) Type[E] { return Type[E]{name, doc, version} }

func (t Type[E]) Type() string          { return fmt.Sprintf("%s.v%d", t.name, t.version) }
func (t Type[E]) Doc() string           { return t.doc }
func (t Type[E]) Payload() reflect.Type { return reflect.TypeFor[E]() }

// About returns the event for an outbox, within the trace of ctx's call.
func (t Type[E]) About(ctx context.Context, subject uuid.UUID, data E) (Message, error) {
	text, err := json.Marshal(data)
	if err != nil {
		return Message{}, fmt.Errorf("event %s: %w", t.Type(), err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Message{}, err
	}
	return Message{
		SpecVersion: "1.0", ID: id, Type: t.Type(), Subject: subject, Time: time.Now().UTC().Truncate(time.Microsecond),
		Trace: telemetry.Traceparent(endpoint.From(ctx).Trace), Data: text,
	}, nil
}

// Event is what a handler is given.
type Event[E any] struct {
	ID      uuid.UUID // the same each time this event is handled
	Subject uuid.UUID
	Time    time.Time
	Data    E
}

// Handler handles one kind of event of one service.
type Handler struct {
	Source string // the service
	Kind   Kind
	handle func(context.Context, Message) error
}

// On returns a handler of a kind of event that the source, a service, tells of.
// Its context belongs to the event's trace. An error that is not the
// handling service's own trouble (see Consumer) counts as an attempt.
func On[E any](source string, t Type[E], handle func(context.Context, Event[E]) error) Handler {
	return Handler{Source: source, Kind: t, handle: func(ctx context.Context, m Message) error {
		e := Event[E]{ID: m.ID, Subject: m.Subject, Time: m.Time}
		if err := json.Unmarshal(m.Data, &e.Data); err != nil { // members that this version does not know are let pass
			return fmt.Errorf("event %s %s: %w", m.Type, m.ID, err)
		}
		return handle(ctx, e)
	}}
}
