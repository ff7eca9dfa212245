package mongo_test

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/event/eventtest"
	"github.com/trellis-go/trellis/kit/mongo"
	"github.com/trellis-go/trellis/kit/testenv"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestOutbox(t *testing.T) {
	eventtest.RunOutbox(t, func(t *testing.T) eventtest.Outbox {
		url := testenv.Mongo(t)
		db := open(t, url)
		things, all := db.Collection("things"), bson.M{"_id": "all"}
		var writing sync.Mutex // a write is committed at once; nothing comes between it and finish
		return eventtest.Outbox{
			Outbox: db.Outbox(), Other: open(t, url).Outbox(), Serial: true,
			Emit: func(ctx context.Context, finish func() error, events ...event.Message) error {
				writing.Lock()
				defer writing.Unlock()
				if err := finish(); err != nil {
					return err
				}
				_, err := things.UpdateOne(ctx, all, bson.M{"$inc": bson.M{"version": 1}, "$push": mongo.Tell(events...)}, options.UpdateOne().SetUpsert(true))
				db.Told()
				return err
			},
			Forget: func(ctx context.Context, subject uuid.UUID) error {
				if _, err := things.UpdateOne(ctx, all, bson.M{"$pullAll": bson.M{"outbox": about(t, things, subject)}}); err != nil {
					return err
				}
				return db.Forget(ctx, subject)
			},
		}
	})
}

// about are the events of a subject in documents.
func about(t *testing.T, things *driver.Collection, subject uuid.UUID) bson.A {
	t.Helper()
	found, err := things.Find(t.Context(), bson.M{})
	must(t, err)
	var docs []struct{ Outbox []bson.Raw }
	must(t, found.All(t.Context(), &docs))
	list := bson.A{}
	for _, d := range docs {
		for _, e := range d.Outbox {
			if _, id := e.Lookup("subject").Binary(); bytes.Equal(id, subject[:]) {
				list = append(list, e)
			}
		}
	}
	return list
}
