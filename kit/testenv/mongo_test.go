package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// openMongo returns the database that the URL names.
func openMongo(t testing.TB, url string, opts ...*options.ClientOptions) *mongo.Database {
	t.Helper()
	client, err := mongo.Connect(append(opts, options.Client().ApplyURI(url))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client.Database(mongoName(url))
}

func TestMongoDatabasesAreSeparate(t *testing.T) {
	t.Parallel()
	one, two := openMongo(t, Mongo(t)), openMongo(t, Mongo(t))
	if _, err := one.Collection("notes").InsertOne(t.Context(), bson.M{"_id": 7}); err != nil {
		t.Fatal(err)
	}
	for db, want := range map[*mongo.Database]int64{one: 1, two: 0} {
		if got, err := db.Collection("notes").CountDocuments(t.Context(), bson.M{}); err != nil || got != want {
			t.Errorf("%s: %d documents, %v; want %d", db.Name(), got, err, want)
		}
	}
}

func TestMongoDatabaseIsDropped(t *testing.T) {
	t.Parallel()
	skipIfShort(t, "MongoDB")
	var db *mongo.Database
	t.Run("the user", func(t *testing.T) {
		url := Mongo(t)
		client, err := mongo.Connect(options.Client().ApplyURI(url)) // disconnected later than the database is dropped
		if err != nil {
			t.Fatal(err)
		}
		db = client.Database(mongoName(url))
		if _, err := db.Collection("notes").InsertOne(t.Context(), bson.M{"_id": 7}); err != nil {
			t.Fatal(err)
		}
	})
	defer func() { _ = db.Client().Disconnect(context.Background()) }()
	if names, err := db.Client().ListDatabaseNames(t.Context(), bson.M{"name": db.Name()}); err != nil || len(names) != 0 {
		t.Errorf("after its test: %v, %v", names, err)
	}
}

func TestMongoRemembers(t *testing.T) {
	t.Parallel()
	skipIfShort(t, "MongoDB")
	dir := filepath.Join(openDir(t), "mongo")
	s, err := StartMongo(t.Context(), dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	own(t, s, nil)
	notes := openMongo(t, s.URL+"test").Collection("notes")
	for id, how := range []func() error{
		s.Restart,
		func() error { return errors.Join(s.Kill(), s.Restart()) },
	} {
		if _, err := notes.InsertOne(t.Context(), bson.M{"_id": id}); err != nil {
			t.Fatal(err)
		}
		if err := how(); err != nil {
			t.Fatal(err)
		}
		if got, err := notes.CountDocuments(t.Context(), bson.M{}); err != nil || got != int64(id+1) {
			t.Errorf("%d documents, %v; want %d", got, err, id+1)
		}
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	again, err := StartMongo(t.Context(), dir, 0)
	own(t, again, err)
	if got, err := openMongo(t, again.URL+"test").Collection("notes").CountDocuments(t.Context(), bson.M{}); err != nil || got != 2 {
		t.Errorf("started again: %d documents, %v; want 2", got, err)
	}
}

// TestMongoUpdatesAreAtomic has writers that each raise the version they read.
func TestMongoUpdatesAreAtomic(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 50
	url := Mongo(t)
	type note struct {
		ID      int `bson:"_id"`
		Version int
		Sum     int
	}
	if _, err := openMongo(t, url).Collection("notes").InsertOne(t.Context(), note{ID: 1}); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range writers {
		notes := openMongo(t, url).Collection("notes")
		all.Go(func() {
			for done := 0; done < each; {
				var was, is note
				if err := notes.FindOne(t.Context(), bson.M{"_id": 1}).Decode(&was); err != nil {
					t.Error(err)
					return
				}
				err := notes.FindOneAndUpdate(t.Context(),
					bson.M{"_id": 1, "version": was.Version},
					bson.M{"$set": bson.M{"sum": was.Sum + 1}, "$inc": bson.M{"version": 1}},
					options.FindOneAndUpdate().SetReturnDocument(options.After),
				).Decode(&is)
				switch {
				case err == nil && is.Version == was.Version+1:
					done++
				case !errors.Is(err, mongo.ErrNoDocuments):
					t.Errorf("version %d became %d, %v", was.Version, is.Version, err)
					return
				}
			}
		})
	}
	all.Wait()
	var got note
	if err := openMongo(t, url).Collection("notes").FindOne(t.Context(), bson.M{"_id": 1}).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if want := (note{1, writers * each, writers * each}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestMongoUniqueIndex(t *testing.T) {
	t.Parallel()
	url := Mongo(t)
	notes := openMongo(t, url).Collection("notes")
	_, err := notes.Indexes().CreateOne(t.Context(), mongo.IndexModel{
		Keys:    bson.D{{Key: "owner", Value: 1}, {Key: "title", Value: 1}},
		Options: options.Index().SetUnique(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	const writers = 8
	errs := make(chan error, writers)
	for range writers {
		notes := openMongo(t, url).Collection("notes")
		go func() {
			_, err := notes.InsertOne(t.Context(), bson.M{"owner": "ann", "title": "Seeds"})
			errs <- err
		}()
	}
	refused := 0
	for range writers {
		switch err := <-errs; {
		case mongo.IsDuplicateKeyError(err):
			refused++
		case err != nil:
			t.Error(err)
		}
	}
	if refused != writers-1 {
		t.Errorf("%d of %d were refused", refused, writers)
	}

	if _, err := notes.InsertOne(t.Context(), bson.M{"_id": 1, "owner": "ann", "title": "Peas"}); err != nil {
		t.Fatal(err)
	}
	change := bson.M{"$set": bson.M{"title": "Seeds"}}
	if _, err := notes.UpdateOne(t.Context(), bson.M{"_id": 1}, change); !mongo.IsDuplicateKeyError(err) {
		t.Errorf("UpdateOne: got %v, want a duplicate key", err)
	}
	if err := notes.FindOneAndUpdate(t.Context(), bson.M{"_id": 1}, change).Err(); !mongo.IsDuplicateKeyError(err) {
		t.Errorf("FindOneAndUpdate: got %v, want a duplicate key", err)
	}
	if _, err := notes.ReplaceOne(t.Context(), bson.M{"_id": 1}, bson.M{"owner": "ann", "title": "Seeds"}); !mongo.IsDuplicateKeyError(err) {
		t.Errorf("ReplaceOne: got %v, want a duplicate key", err)
	}
	if n, err := notes.CountDocuments(t.Context(), bson.M{"title": "Peas"}); err != nil || n != 1 {
		t.Errorf("after that: %d documents, %v; want the one as it was", n, err)
	}
}

// TestMongoAnswersInTurn mixes what a client wants no reply to, what comes in
// parts, and what is large.
func TestMongoAnswersInTurn(t *testing.T) {
	t.Parallel()
	db := openMongo(t, Mongo(t), options.Client().SetMaxPoolSize(1))
	quiet := db.Collection("notes", options.Collection().SetWriteConcern(writeconcern.Unacknowledged()))
	const n = 300
	for id := range n {
		if _, err := quiet.InsertOne(t.Context(), bson.M{"_id": id}); err != nil {
			t.Fatal(err)
		}
	}
	found, err := db.Collection("notes").Find(t.Context(), bson.M{}, options.Find().SetSort(bson.M{"_id": 1}).SetBatchSize(7))
	if err != nil {
		t.Fatal(err)
	}
	var got []struct {
		ID int `bson:"_id"`
	}
	if err := found.All(t.Context(), &got); err != nil || len(got) != n || got[n-1].ID != n-1 {
		t.Errorf("%d documents, %v; want %d", len(got), err, n)
	}
	large := make([]byte, 15<<20)
	if _, err := db.Collection("large").InsertOne(t.Context(), bson.M{"_id": 1, "of": large}); err != nil {
		t.Fatal(err)
	}
	var back struct{ Of []byte }
	if err := db.Collection("large").FindOne(t.Context(), bson.M{}).Decode(&back); err != nil || len(back.Of) != len(large) {
		t.Errorf("%d bytes, %v; want %d", len(back.Of), err, len(large))
	}
}

func TestMongoStartFails(t *testing.T) {
	t.Parallel()
	skipIfShort(t, "MongoDB")
	other := MongoServer(t) // which answers to what our own would be asked
	u, err := url.Parse(other.URL)
	if err != nil {
		t.Fatal(err)
	}
	var port int
	if _, err := fmt.Sscan(u.Port(), &port); err != nil {
		t.Fatal(err)
	}
	_, err = StartMongo(t.Context(), "", port)
	wantError(t, err, "address already in use")
	if err := mongoReady(t.Context(), &Server{URL: other.URL, Addr: other.Addr, process: &process{pid: -1}}); err == nil {
		t.Error("another server's answer is taken for our own")
	}
}

func TestGivenMongo(t *testing.T) {
	t.Parallel()
	_, _, err := nameMongoDatabase(t.Context(), "127.0.0.1:27017")
	wantError(t, err, "TRELLIS_TEST_MONGO", "mongodb://")

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	soon, cancel := timeoutSoon(t)
	defer cancel()
	_, _, err = nameMongoDatabase(soon, "mongodb://"+l.Addr().String())
	wantError(t, err, "MongoDB")
}

func TestMongoBinaryIsMissing(t *testing.T) {
	t.Setenv("TRELLIS_TEST_MONGO_BIN", t.TempDir())
	_, err := MongoBinary(t.Context())
	wantError(t, err, "TRELLIS_TEST_MONGO_BIN", "not a program")

	t.Setenv("TRELLIS_TEST_MONGO_BIN", "")
	t.Setenv("TRELLIS_CACHE", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	_, err = MongoBinary(t.Context())
	wantError(t, err, "MongoDB is missing", "make tools", "TRELLIS_TEST_MONGO_BIN", "TRELLIS_TEST_MONGO ", "docker run")
}

func TestMongoDatabase(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]string{
		"mongodb://127.0.0.1:27017/":                    "mongodb://127.0.0.1:27017/notes",
		"mongodb://ann:pw@h":                            "mongodb://ann:pw@h/notes?authSource=admin",
		"mongodb://ann:pw@h/users?w=1":                  "mongodb://ann:pw@h/notes?authSource=users&w=1",
		"mongodb+srv://ann:pw@h/users?authSource=admin": "mongodb+srv://ann:pw@h/notes?authSource=admin",
		"postgres://ann:pw@h/":                          "",
		"mongodb://ann:pw@h:port/":                      "",
	} {
		got, err := MongoDatabase(server, "notes")
		if got != want || (err == nil) != (want != "") || err != nil && strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: %q, %v; want %q", server, got, err, want)
		}
	}
}
