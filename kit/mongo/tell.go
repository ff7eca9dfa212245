package mongo

import (
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// The way of an event. It is written into the document that it tells of, by
// the update that it tells of, with
//
//	"$push": Tell(events...)
//
// and so is there if and only if that happened. A Pass moves the events of all
// documents to the outbox, those of one document in their order, and publishes
// from there. Whatever ends in between, an event is in one of the two places,
// or in both, where its id makes it one.
//
// A document that is removed, and whose removal is to be told, is instead
// emptied but for gone: true and its events. The Pass that moves these removes it.

// eventsField is where documents have their events, oldest first.
const eventsField = "outbox"

// stored is an event as it is kept, in a document (under id) and in the outbox
// (under _id).
type stored struct {
	ID      uuid.UUID `bson:"id"`
	Type    string    `bson:"type"`
	Subject uuid.UUID `bson:"subject"`
	Time    time.Time `bson:"time"`
	Trace   string    `bson:"trace"`
	Data    string    `bson:"data"`
}

// Tell is what an update pushes so that a document tells of events. Call Told
// when the update is done.
func Tell(events ...event.Message) bson.M {
	return bson.M{eventsField: bson.M{"$each": Events(events...)}}
}

// Events is the value of a new document's "outbox". Call Told when it is inserted.
func Events(events ...event.Message) any {
	list := make([]stored, len(events))
	for i, e := range events {
		list[i] = stored{e.ID, e.Type, e.Subject, e.Time, e.Trace, string(e.Data)}
	}
	return list
}

// Told lets Await know that there are events.
func (d *DB) Told() {
	select {
	case d.told <- struct{}{}:
	default:
	}
}
