package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Outbox is the events of this database's service.
func (d *DB) Outbox() event.Outbox { return d.outbox }

// Forget removes a subject's events from the outbox. Remove those in documents
// before. It waits while events are being moved, as long as ctx lets it: they
// may be read already.
func (d *DB) Forget(ctx context.Context, subject uuid.UUID) error {
	for {
		moving, err := d.outbox.moving(ctx)
		if err != nil {
			return err
		}
		if !moving {
			_, err := d.outbox.events.DeleteMany(ctx, bson.M{"subject": subject})
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// outbox is an event.Outbox.
type outbox struct {
	db     *DB
	events *driver.Collection
	runs   *driver.Collection
	lease
}

func newOutbox(d *DB) *outbox {
	return &outbox{db: d, events: d.Collection("kit_outbox"), runs: d.Collection("kit_published"), lease: lease{states: d.Collection("kit_state")}}
}

// entry is an event in the outbox.
type entry struct {
	ID      uuid.UUID `bson:"_id"`
	N       int64     `bson:"n"` // its place; those up to state.N are published
	Type    string    `bson:"type"`
	Subject uuid.UUID `bson:"subject"`
	Time    time.Time `bson:"time"`
	Trace   string    `bson:"trace"`
	Data    string    `bson:"data"`
}

func (e entry) message() event.Message {
	return event.Message{
		SpecVersion: "1.0", ID: e.ID, Type: e.Type, Subject: e.Subject, Time: e.Time, Trace: e.Trace, Data: jsontext.Value(e.Data),
	}
}

// run says at which positions events were published whose places follow one
// another. Several of what is one batch are few, as only Forget leaves gaps.
type run struct {
	First int64     `bson:"_id"` // positions
	Last  int64     `bson:"last"`
	From  int64     `bson:"from"` // places
	To    int64     `bson:"to"`
	At    time.Time `bson:"at"`
}

// Pass is event.Outbox's. While there is nothing to do it only looks.
func (o *outbox) Pass(ctx context.Context, max int, publish func(event.Batch) error) (int, error) {
	if max > 0 {
		if idle, err := o.idle(ctx); err != nil || idle {
			return 0, err
		}
	}
	l, err := o.take(ctx)
	if err != nil || l == nil {
		return 0, err
	}
	defer l.release(ctx)
	if err := o.collect(ctx, l); err != nil {
		return 0, fmt.Errorf("collect events: %w", err)
	}
	var list []entry
	if max > 0 {
		found, err := o.events.Find(ctx, behind(l.n), options.Find().SetSort(bson.M{"n": 1}).SetLimit(int64(max)))
		if err == nil {
			err = found.All(ctx, &list)
		}
		if err != nil || len(list) == 0 {
			return 0, err
		}
	}
	batch := event.Batch{After: l.position, Messages: make([]event.Message, len(list))}
	for i, e := range list {
		batch.Messages[i] = e.message()
	}
	if err := publish(batch); err != nil || len(list) == 0 {
		return 0, err
	}
	// Whoever ends before the position moves leaves the events to be published
	// at the same positions again.
	if err := o.note(ctx, list, batch.After); err != nil {
		return 0, err
	}
	return len(list), l.advance(ctx, batch.After+int64(len(list)), list[len(list)-1].N)
}

// behind finds the events behind a place.
func behind(n int64) bson.M { return bson.M{"n": bson.M{"$gt": n}} }

// note writes down at which positions events are published.
func (o *outbox) note(ctx context.Context, list []entry, after int64) error {
	if _, err := o.runs.DeleteMany(ctx, bson.M{"_id": bson.M{"$gt": after}}); err != nil { // of a pass that ended here, or was taken back
		return err
	}
	var runs []run
	now := time.Now()
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].N == list[0].N+int64(n) {
			n++
		}
		runs = append(runs, run{after + 1, after + int64(n), list[0].N, list[n-1].N, now})
		after += int64(n)
		list = list[n:]
	}
	_, err := o.runs.InsertMany(ctx, runs)
	return err
}

// idle tells whether there is no event to publish or to move.
func (o *outbox) idle(ctx context.Context) (bool, error) {
	s, err := o.read(ctx)
	if err != nil {
		return false, err
	}
	if found, err := some(ctx, o.events, behind(s.N)); err != nil || found {
		return false, err
	}
	for _, c := range o.db.tell {
		if found, err := some(ctx, c, telling); err != nil || found {
			return false, err
		}
	}
	return true, nil
}

func some(ctx context.Context, c *driver.Collection, filter any) (bool, error) {
	found, err := c.Find(ctx, filter, options.Find().SetLimit(1).SetProjection(bson.M{"_id": 1}))
	if err != nil {
		return false, err
	}
	defer found.Close(ctx)
	return found.Next(ctx), found.Err()
}

// Rewind is event.Outbox's.
func (o *outbox) Rewind(ctx context.Context, to int64) error {
	s, err := o.read(ctx)
	if err != nil {
		return err
	}
	n := s.N // what was published is forgotten, unless there is a run
	var r run
	err = o.runs.FindOne(ctx, bson.M{"last": bson.M{"$gt": to}}, options.FindOne().SetSort(bson.M{"last": 1})).Decode(&r)
	if err == nil {
		n = min(n, r.From-1+max(0, to+1-r.First))
	} else if !errors.Is(err, driver.ErrNoDocuments) {
		return err
	}
	if err := o.rewind(ctx, to, n); err != nil {
		return err
	}
	o.db.Told()
	return nil
}

// Await is event.Outbox's.
func (o *outbox) Await(ctx context.Context) {
	timer := time.NewTimer(900 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-o.db.told:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Sweep is event.Outbox's.
func (o *outbox) Sweep(ctx context.Context, before time.Time) error {
	s, err := o.read(ctx)
	if err != nil {
		return err
	}
	var r run
	err = o.runs.FindOne(ctx, bson.M{"last": bson.M{"$lte": s.Position}, "at": bson.M{"$lt": before}}, options.FindOne().SetSort(bson.M{"last": -1})).Decode(&r)
	if errors.Is(err, driver.ErrNoDocuments) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := o.events.DeleteMany(ctx, bson.M{"n": bson.M{"$lte": r.To}}); err != nil {
		return err
	}
	_, err = o.runs.DeleteMany(ctx, bson.M{"last": bson.M{"$lte": r.Last}})
	return err
}
