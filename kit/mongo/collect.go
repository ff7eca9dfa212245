package mongo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// telling finds the documents that have events; an index on the ids serves it.
var telling = bson.M{eventsField + ".id": bson.M{"$gte": uuid.Nil}}

// teller is a document that has events.
type teller struct {
	ID     bson.RawValue `bson:"_id"`
	Gone   bool          `bson:"gone"`
	Events []bson.Raw    `bson:"outbox"`
}

// tellers bounds how many documents' events are moved in one go.
const tellers = 500

// collect moves events from documents to the outbox.
func (o *outbox) collect(ctx context.Context, l *held) error {
	lists := make([][]teller, len(o.db.tell))
	for i, c := range o.db.tell {
		found, err := c.Find(ctx, telling, options.Find().SetLimit(tellers).SetProjection(bson.M{eventsField: 1, "gone": 1}))
		if err != nil {
			return err
		}
		if err := found.All(ctx, &lists[i]); err != nil {
			return err
		}
	}
	fresh, err := o.fresh(ctx, slices.Concat(lists...))
	if err != nil {
		return err
	}
	if err := o.append(ctx, l, fresh); err != nil {
		return err
	}
	for i, list := range lists {
		if len(list) == 0 {
			continue
		}
		if err := drop(ctx, o.db.tell[i], list); err != nil {
			return err
		}
	}
	return nil
}

// fresh returns the documents' events that the outbox has not yet: each
// document's in their order, and apart from that in the order of their ids.
func (o *outbox) fresh(ctx context.Context, list []teller) ([]entry, error) {
	type ranked struct {
		entry
		rank uuid.UUID // the greatest id so far in its document
	}
	var all []ranked
	var ids bson.A
	for _, t := range list {
		var rank uuid.UUID
		for _, raw := range t.Events {
			var s stored
			dec := bson.NewDecoder(bson.NewDocumentReader(bytes.NewReader(raw)))
			dec.SetRegistry(values)
			if err := dec.Decode(&s); err != nil {
				return nil, err
			}
			if bytes.Compare(s.ID[:], rank[:]) > 0 {
				rank = s.ID
			}
			all = append(all, ranked{entry{ID: s.ID, Type: s.Type, Subject: s.Subject, Time: s.Time, Trace: s.Trace, Data: s.Data}, rank})
			ids = append(ids, s.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := o.events.Find(ctx, bson.M{"_id": bson.M{"$in": ids}}, options.Find().SetProjection(bson.M{"_id": 1}))
	if err != nil {
		return nil, err
	}
	var have []entry
	if err := found.All(ctx, &have); err != nil {
		return nil, err
	}
	moved := map[uuid.UUID]bool{}
	for _, e := range have {
		moved[e.ID] = true
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return bytes.Compare(a.rank[:], b.rank[:]) })
	var fresh []entry
	for _, e := range all {
		if !moved[e.ID] {
			fresh = append(fresh, e.entry)
		}
	}
	return fresh, nil
}

// append adds events to the outbox, one after another. It fails at one that is
// there meanwhile: somebody else adds events, and this is a pass whose lease is
// over, or theirs is. To go on would be to put a later event of the same
// document before it. Events that came too late, behind a pass of others that
// published what has later places, are taken back.
func (o *outbox) append(ctx context.Context, l *held, list []entry) error {
	if len(list) == 0 {
		return l.moved(ctx)
	}
	last, err := l.places(ctx, len(list))
	if err != nil {
		return err
	}
	for i := range list {
		list[i].N = last + int64(i) + 1
	}
	if _, err := o.events.InsertMany(ctx, list); err != nil { // ordered: it ends at the first that fails
		return err
	}
	err = l.moved(ctx)
	if errors.Is(err, errLeaseLost) {
		_, late := o.events.DeleteMany(ctx, bson.M{"n": bson.M{"$gt": last, "$lte": last + int64(len(list))}})
		err = errors.Join(err, late)
	}
	return err
}

// drop removes from the documents the events that were moved, and documents
// that stayed for their events alone. To empty a list that is as it was read is
// cheap; to pick events out of one that has more of them now takes the server
// longer the more there are.
func drop(ctx context.Context, c *driver.Collection, list []teller) error {
	var empty, pick []driver.WriteModel
	var gone bson.A
	for _, t := range list {
		n := len(t.Events)
		unchanged := bson.M{"_id": t.ID, eventsField: bson.M{"$size": n}, fmt.Sprint(eventsField, ".", n-1, ".id"): t.Events[n-1].Lookup("id")}
		empty = append(empty, driver.NewUpdateOneModel().SetFilter(unchanged).SetUpdate(bson.M{"$set": bson.M{eventsField: bson.A{}}}))
		pick = append(pick, driver.NewUpdateOneModel().SetFilter(bson.M{"_id": t.ID}).SetUpdate(bson.M{"$pullAll": bson.M{eventsField: t.Events}}))
		if t.Gone {
			gone = append(gone, t.ID)
		}
	}
	done, err := c.BulkWrite(ctx, empty, options.BulkWrite().SetOrdered(false))
	if err != nil {
		return err
	}
	if done.MatchedCount < int64(len(list)) {
		if _, err := c.BulkWrite(ctx, pick, options.BulkWrite().SetOrdered(false)); err != nil {
			return err
		}
	}
	if len(gone) > 0 {
		_, err = c.DeleteMany(ctx, bson.M{"_id": bson.M{"$in": gone}, "gone": true, eventsField: bson.M{"$size": 0}})
	}
	return err
}
