package mongo_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/mongo"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport/keepertest"
	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestTwoOpen(t *testing.T) {
	t.Parallel()
	url := testenv.Mongo(t)
	var dbs [2]*mongo.DB
	var wg sync.WaitGroup
	for i := range dbs {
		wg.Go(func() { dbs[i] = open(t, url) })
	}
	if wg.Wait(); t.Failed() {
		return
	}
	keepertest.Shared(t, dbs[0].Keeper(), dbs[1].Keeper())
	secret := func(db *mongo.DB, name string) []byte {
		t.Helper()
		s, err := db.Secret(t.Context(), name)
		if err != nil || len(s) != 32 {
			t.Fatalf("%x, %v", s, err)
		}
		return s
	}
	if a := secret(dbs[0], "a"); !slices.Equal(a, secret(dbs[1], "a")) || slices.Equal(a, secret(dbs[1], "b")) {
		t.Error("secrets are not shared, or not of their own")
	}
	for _, db := range dbs {
		must(t, db.Ping(t.Context()))
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	db := open(t, testenv.Mongo(t))
	type thing struct {
		ID   uuid.UUID  `bson:"_id"`
		At   time.Time  `json:"at"`
		Else *time.Time `json:"else"`
		Of   []uuid.UUID
	}
	want := thing{uuid.New(), time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.UTC), nil, []uuid.UUID{uuid.New()}}
	_, err := db.Collection("things").InsertOne(t.Context(), want)
	must(t, err)
	var got thing
	must(t, db.Collection("things").FindOne(t.Context(), bson.M{"_id": want.ID, "at": want.At, "of": want.Of[0]}).Decode(&got))
	if got.ID != want.ID || got.At != want.At || got.Else != nil || got.Of[0] != want.Of[0] {
		t.Errorf("%+v became %+v", want, got)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "mongodb://127.0.0.1:1", "mongodb://127.0.0.1:1/", "mongodb://ann:hunter2@127.0.0.1:1/a/b", "mongodb://ann:hunter2@127.0.0.1:x/a", "mongodb://ann:hunter2@127.0.0.1/a?w=x&nonsense=%"} {
		db, err := mongo.Open(t.Context(), url)
		if err == nil {
			_ = db.Close()
			t.Errorf("%s is opened", url)
		} else if !strings.HasPrefix(err.Error(), "mongo: ") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := mongo.Open(ctx, "mongodb://ann:hunter2@127.0.0.1:1/a"); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("nobody is there: %v", err)
	}
}
