package mongo_test

import (
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/mongo"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport/keepertest"
	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestKeeper(t *testing.T) {
	keepertest.Run(t, func(t *testing.T) keepertest.Store {
		db := open(t, testenv.Mongo(t))
		keys := db.Collection("kit_idempotency")
		return keepertest.Store{
			Keeper: db.Keeper(),
			Age: func(t *testing.T, by time.Duration) {
				less := -by.Microseconds()
				_, err := keys.UpdateMany(t.Context(), bson.M{}, bson.M{"$inc": bson.M{"claimed_until": less, "expires_at": less}})
				must(t, err)
			},
			Bytes: func(t *testing.T) (all []byte) {
				found, err := keys.Find(t.Context(), bson.M{})
				must(t, err)
				for found.Next(t.Context()) {
					all = append(all, found.Current...)
				}
				must(t, found.Err())
				return all
			},
		}
	})
}

func open(t testing.TB, url string) *mongo.DB {
	t.Helper()
	db, err := mongo.Open(t.Context(), url, mongo.Collection{Name: "things", Tells: true})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return db
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
