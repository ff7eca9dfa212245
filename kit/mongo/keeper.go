package mongo

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/transport"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Keeper keeps answers for Idempotency-Key in this database.
func (d *DB) Keeper() transport.Keeper { return keeper{d.Collection("kit_idempotency")} }

type keeper struct{ keys *driver.Collection }

// claim is a key as it is kept.
type claim struct {
	Key          []byte    `bson:"_id"`
	ID           uuid.UUID `bson:"id"`
	Fingerprint  []byte    `bson:"fingerprint"`
	ClaimedUntil int64     `bson:"claimed_until"`
	ExpiresAt    int64     `bson:"expires_at"`
	Answer       []byte    `bson:"answer,omitempty"`
}

// Begin goes by the clocks of the instances, which ought to agree to a second:
// not all servers that speak MongoDB's protocol tell their own.
func (k keeper) Begin(ctx context.Context, key transport.Hash, id uuid.UUID, fingerprint transport.Hash) (transport.Kept, error) {
	if err := k.purge(ctx, key, Micros(time.Now())); err != nil {
		return transport.Kept{}, err
	}
	for {
		now := time.Now()
		fresh := claim{
			Key: key[:], ID: id, Fingerprint: fingerprint[:],
			ClaimedUntil: Micros(now.Add(transport.ClaimedFor)), ExpiresAt: Micros(now.Add(transport.KeptFor)),
		}
		_, err := k.keys.InsertOne(ctx, fresh)
		if err == nil {
			return transport.Kept{ID: id, Fingerprint: fingerprint}, nil
		}
		if !Duplicate(err) {
			return transport.Kept{}, err
		}
		kept, ok, err := k.take(ctx, fresh, Micros(now))
		if err != nil || ok {
			return kept, err
		}
	}
}

// purge forgets the key if its time is past, and some others.
func (k keeper) purge(ctx context.Context, key transport.Hash, now int64) error {
	past := bson.M{"$lt": now}
	if _, err := k.keys.DeleteOne(ctx, bson.M{"_id": key[:], "expires_at": past}); err != nil {
		return err
	}
	found, err := k.keys.Find(ctx, bson.M{"expires_at": past}, options.Find().SetLimit(100).SetProjection(bson.M{"_id": 1}))
	if err != nil {
		return err
	}
	var old []claim
	if err := found.All(ctx, &old); err != nil || len(old) == 0 {
		return err
	}
	ids := make(bson.A, len(old))
	for i, c := range old {
		ids[i] = c.Key
	}
	_, err = k.keys.DeleteMany(ctx, bson.M{"_id": bson.M{"$in": ids}, "expires_at": past})
	return err
}

// take returns what there is of a key, and claims it if that is due. It is not
// ok when the key changed meanwhile.
func (k keeper) take(ctx context.Context, fresh claim, now int64) (kept transport.Kept, ok bool, err error) {
	var c claim
	err = k.keys.FindOne(ctx, bson.M{"_id": fresh.Key}).Decode(&c)
	if errors.Is(err, driver.ErrNoDocuments) {
		return kept, false, nil
	}
	if err != nil {
		return kept, false, err
	}
	kept.ID, kept.Sealed = c.ID, c.Answer
	copy(kept.Fingerprint[:], c.Fingerprint)
	switch {
	case c.Answer != nil:
		kept.State = transport.Finished
	case c.ClaimedUntil > now:
		kept.State = transport.Running
	case string(c.Fingerprint) == string(fresh.Fingerprint):
		done, err := k.keys.UpdateOne(ctx, bson.M{"_id": c.Key, "claimed_until": c.ClaimedUntil, "answer": nil},
			bson.M{"$set": bson.M{"claimed_until": fresh.ClaimedUntil}})
		return kept, err == nil && done.MatchedCount == 1, err
	}
	return kept, true, nil
}

func (k keeper) Finish(ctx context.Context, key transport.Hash, sealed []byte) error {
	_, err := k.keys.UpdateOne(ctx, bson.M{"_id": key[:], "answer": nil}, bson.M{"$set": bson.M{"answer": sealed}})
	return err
}

func (k keeper) Hold(ctx context.Context, key transport.Hash, d time.Duration) error {
	_, err := k.keys.UpdateOne(ctx, bson.M{"_id": key[:], "answer": nil}, bson.M{"$set": bson.M{"claimed_until": Micros(time.Now().Add(d))}})
	return err
}
