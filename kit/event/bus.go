package event

import (
	"context"
	"fmt"
	"time"
)

// Bus carries events from the services that tell of them to the groups that
// handle them. A group is a service's name: each event is handled by one of
// its instances, its consumers.
type Bus interface {
	// Publish adds a source's events, all or none. It answers *Lost, and adds
	// none, when the last position that it knows of the source is before
	// batch.After.
	Publish(ctx context.Context, source string, batch Batch) error
	// Receive waits for events of the group's sources, and returns up to max:
	// first those of consumers from whom there was no word for longer than
	// Claim, then new ones, each source's in their order. What comes of a
	// subject while a consumer has earlier events of it in hand, from that
	// source, is for that consumer, so that their order holds over the whole
	// group. It returns none after a second or so without any. A group's first
	// Receive begins with the oldest events that there are.
	Receive(ctx context.Context, g Group, max int) ([]Delivery, error)
	// Hold is a sign of life. A consumer gives one three times in Claim, or
	// what it has in hand becomes others'.
	Hold(ctx context.Context, g Group) error
	// Done takes events off the group.
	Done(ctx context.Context, g Group, done []Delivery) error
	// Park takes an event off the group and keeps it for an operator, in one
	// step. One that is parked already stays so once.
	Park(ctx context.Context, g Group, d Delivery, reason string) error
	// Leave gives what the consumer was given and is not done with to others,
	// at once and as if it had never been given.
	Leave(ctx context.Context, g Group) error
	// Parked returns what is parked for a group, the oldest first.
	Parked(ctx context.Context, group string) ([]Parked, error)
	// CountParked returns how many that are.
	CountParked(ctx context.Context, group string) (int, error)
	// Replay gives parked events to the group again, as new; of no ids, all. It
	// returns how many there were.
	Replay(ctx context.Context, group string, ids ...string) (int, error)
	// Discard forgets the parked events of these ids. It returns how many there were.
	Discard(ctx context.Context, group string, ids ...string) (int, error)
	// Trim forgets a source's events that every group which has ever received
	// of it is done with; while there is none, all but the last 100,000.
	Trim(ctx context.Context, source string) error
	Ping(ctx context.Context) error
	Close() error
}

// Group is one consumer of a group, and what the group receives.
type Group struct {
	Name     string        // the service
	Consumer string        // this instance of it, and no other's
	Sources  []string      // the services that it hears of
	Claim    time.Duration // after which a silent consumer is dead
}

// Delivery is an event on its way through a group.
type Delivery struct {
	Message
	Ref      string // where the bus has it
	Attempts int    // how often the group was given it, this time included
}

// Parked is an event that could not be handled.
type Parked struct {
	ID       string // the message's, for Replay and Discard
	Message  Message
	Reason   string
	Attempts int
	ParkedAt time.Time
}

// Lost is the error of a bus that has forgotten events, as after a crash.
type Lost struct {
	Has int64 // the last position that it knows of
}

func (e *Lost) Error() string { return fmt.Sprintf("the bus knows events up to %d only", e.Has) }
