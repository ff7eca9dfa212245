package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/mongo"
	"github.com/trellis-go/trellis/kit/testenv"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

var changed = event.Define[string]("thing.changed", 1, "A thing was changed.")

// change changes a thing and tells of it.
func change(t testing.TB, db *mongo.DB, thing uuid.UUID, texts ...string) {
	t.Helper()
	var events []event.Message
	for _, text := range texts {
		e, err := changed.About(t.Context(), thing, text)
		must(t, err)
		events = append(events, e)
	}
	_, err := db.Collection("things").UpdateOne(t.Context(), bson.M{"_id": thing},
		bson.M{"$inc": bson.M{"version": 1}, "$push": mongo.Tell(events...)}, options.UpdateOne().SetUpsert(true))
	must(t, err)
	db.Told()
}

// pass is one pass, and what it published.
func pass(t testing.TB, db *mongo.DB, max int) (after int64, texts []string) {
	t.Helper()
	after = -1
	n, err := db.Outbox().Pass(t.Context(), max, func(b event.Batch) error {
		after = b.After
		for _, m := range b.Messages {
			texts = append(texts, string(m.Data))
		}
		return nil
	})
	must(t, err)
	if n != len(texts) {
		t.Errorf("%d events are said to be %d", len(texts), n)
	}
	return after, texts
}

func wantPass(t testing.TB, db *mongo.DB, max int, wantAfter int64, want ...string) {
	t.Helper()
	if after, texts := pass(t, db, max); after != wantAfter || fmt.Sprint(texts) != fmt.Sprint(want) {
		t.Errorf("published %q behind %d, want %q behind %d", texts, after, want, wantAfter)
	}
}

func TestOutboxPasses(t *testing.T) {
	t.Parallel()
	url := testenv.Mongo(t)
	a, b := open(t, url), open(t, url)
	wantPass(t, a, 10, -1)
	wantPass(t, a, 0, 0)
	one, two := uuid.New(), uuid.New()
	change(t, a, one, "1", "2")
	change(t, b, two, "3")
	change(t, a, one, "4")
	wantPass(t, b, 3, 0, `"1"`, `"2"`, `"3"`)
	wantPass(t, a, 3, 3, `"4"`)
	wantPass(t, a, 3, -1)
	wantPass(t, b, 0, 4)
	must(t, b.Outbox().Rewind(t.Context(), 9))
	must(t, b.Outbox().Rewind(t.Context(), 1))
	change(t, a, two, "5")
	wantPass(t, a, 9, 1, `"2"`, `"3"`, `"4"`, `"5"`)
	must(t, a.Outbox().Sweep(t.Context(), time.Now().Add(-time.Hour)))
	must(t, a.Outbox().Rewind(t.Context(), 4))
	wantPass(t, a, 9, 4, `"5"`)
	must(t, a.Outbox().Sweep(t.Context(), time.Now().Add(time.Hour)))
	must(t, a.Outbox().Rewind(t.Context(), 0))
	wantPass(t, a, 0, 0)
	wantPass(t, a, 9, -1)
}

// Events that a publisher fails on stay; those of a document that is gone too.
func TestOutboxKeepsEvents(t *testing.T) {
	t.Parallel()
	db := open(t, testenv.Mongo(t))
	things := db.Collection("things")
	one := uuid.New()
	change(t, db, one, "1")
	e, err := changed.About(t.Context(), one, "gone")
	must(t, err)
	_, err = things.UpdateOne(t.Context(), bson.M{"_id": one}, bson.M{"$set": bson.M{"gone": true}, "$unset": bson.M{"version": ""}, "$push": mongo.Tell(e)})
	must(t, err)
	sorry := errors.New("sorry")
	n, err := db.Outbox().Pass(t.Context(), 9, func(event.Batch) error { return sorry })
	if n != 0 || !errors.Is(err, sorry) {
		t.Errorf("%d, %v", n, err)
	}
	wantPass(t, db, 9, 0, `"1"`, `"gone"`)
	if n, err := things.CountDocuments(t.Context(), bson.M{}); err != nil || n != 0 {
		t.Errorf("%d documents are left, %v", n, err)
	}
}

// A pass that ended between any two of its steps is followed by one that loses
// nothing, doubles nothing in the outbox and keeps the order.
func TestOutboxAfterACrash(t *testing.T) {
	t.Parallel()
	db := open(t, testenv.Mongo(t))
	things, events := db.Collection("things"), db.Collection("kit_outbox")
	one := uuid.New()
	change(t, db, one, "1", "2")
	var before bson.M
	must(t, things.FindOne(t.Context(), bson.M{"_id": one}).Decode(&before))
	sorry := errors.New("sorry")
	_, err := db.Outbox().Pass(t.Context(), 9, func(event.Batch) error { return sorry })
	if !errors.Is(err, sorry) {
		t.Fatal(err)
	}
	// Moved, but not taken out of the document, and the second not even moved.
	_, err = things.UpdateOne(t.Context(), bson.M{"_id": one}, bson.M{"$set": bson.M{"outbox": before["outbox"]}})
	must(t, err)
	_, err = events.DeleteOne(t.Context(), bson.M{"data": `"2"`})
	must(t, err)
	change(t, db, one, "3")
	wantPass(t, db, 2, 0, `"1"`, `"2"`)
	// Published, but the position did not move.
	states := db.Collection("kit_state")
	_, err = states.UpdateOne(t.Context(), bson.M{}, bson.M{"$set": bson.M{"position": int64(1), "n": int64(1)}})
	must(t, err)
	wantPass(t, db, 9, 1, `"2"`, `"3"`)
	must(t, db.Outbox().Rewind(t.Context(), 2))
	wantPass(t, db, 9, 2, `"3"`)
}

// While one pass is under way, and while its process may be, there is no other.
func TestOutboxOnePassAtATime(t *testing.T) {
	t.Parallel()
	url := testenv.Mongo(t)
	a, b := open(t, url), open(t, url)
	change(t, a, uuid.New(), "1")
	_, err := a.Outbox().Pass(t.Context(), 9, func(event.Batch) error {
		wantPass(t, a, 9, -1)
		wantPass(t, b, 9, -1)
		must(t, b.Forget(t.Context(), uuid.New()))
		_, err := a.Collection("kit_state").UpdateOne(t.Context(), bson.M{}, bson.M{"$set": bson.M{"moving": true}})
		must(t, err)
		short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if err := b.Forget(short, uuid.New()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Forget while events are moved: %v", err)
		}
		// This pass takes so long that its lease is given to another.
		must(t, b.Outbox().Rewind(t.Context(), -1))
		wantPass(t, b, 9, -1, `"1"`)
		return nil
	})
	if err == nil {
		t.Error("a pass that lost its lease moved the position")
	}
}

// The lease of a process that died is another's when it has run out.
func TestOutboxOfTheDead(t *testing.T) {
	t.Parallel()
	db := open(t, testenv.Mongo(t))
	change(t, db, uuid.New(), "1")
	_, err := db.Collection("kit_state").UpdateOne(t.Context(), bson.M{}, bson.M{"$set": bson.M{"held": true, "moving": true}})
	must(t, err)
	wantPass(t, db, 9, -1)
	mongo.Age(db, 15*time.Second)
	wantPass(t, db, 9, -1)
	mongo.Age(db, 5*time.Second)
	must(t, db.Forget(t.Context(), uuid.New()))
	wantPass(t, db, 9, 0, `"1"`)
	change(t, db, uuid.New(), "2")
	wantPass(t, db, 9, 1, `"2"`)
}

func TestOutboxForgets(t *testing.T) {
	t.Parallel()
	db := open(t, testenv.Mongo(t))
	one, two := uuid.New(), uuid.New()
	change(t, db, one, "1")
	change(t, db, two, "2")
	wantPass(t, db, 1, 0, `"1"`)
	must(t, db.Forget(t.Context(), one))
	must(t, db.Outbox().Rewind(t.Context(), 0))
	wantPass(t, db, 9, 0, `"2"`)
}

func TestOutboxAwait(t *testing.T) {
	t.Parallel()
	db := open(t, testenv.Mongo(t))
	change(t, db, uuid.New(), "1")
	began := time.Now()
	db.Outbox().Await(t.Context())
	if d := time.Since(began); d > 500*time.Millisecond {
		t.Errorf("what this process wrote is waited for %s", d)
	}
	db.Outbox().Await(t.Context())
	if d := time.Since(began); d < 500*time.Millisecond || d > 5*time.Second {
		t.Errorf("nothing is waited for %s", d)
	}
}

// Two relays and several writers: everything comes, each thing's in its order.
func TestOutboxUnderWay(t *testing.T) {
	t.Parallel()
	const each = 40
	url := testenv.Mongo(t)
	var things []uuid.UUID
	for range 4 {
		things = append(things, uuid.New())
	}
	var mu sync.Mutex
	got := map[uuid.UUID][]string{}
	total := 0
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for range 2 {
		db := open(t, url)
		all.Go(func() {
			for ctx.Err() == nil {
				_, err := db.Outbox().Pass(ctx, 7, func(b event.Batch) error {
					mu.Lock()
					defer mu.Unlock()
					for _, m := range b.Messages {
						got[m.Subject] = append(got[m.Subject], string(m.Data))
						if total++; total == each*len(things) {
							cancel()
						}
					}
					return nil
				})
				if err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i, thing := range things {
		db := open(t, url)
		all.Go(func() {
			for n := range each {
				change(t, db, thing, fmt.Sprint(i, " ", n))
			}
		})
	}
	all.Wait()
	for i, thing := range things {
		var want []string
		for n := range each {
			want = append(want, fmt.Sprintf("%q", fmt.Sprint(i, " ", n)))
		}
		if !slices.Equal(got[thing], want) {
			t.Errorf("got %v", got[thing])
		}
	}
}
