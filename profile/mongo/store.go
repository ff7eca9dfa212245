// Package mongo keeps profiles in MongoDB.
package mongo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	kitmongo "github.com/trellis-go/trellis/kit/mongo"
	"github.com/trellis-go/trellis/profile"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Store is a profile.Store.
type Store struct {
	*kitmongo.DB
	records *mongo.Collection
	blobs   *mongo.GridFSBucket
	secret  []byte // of the records' keys
}

// document is a record as it is kept. What is found by, and the events on their
// way to the outbox, are beside it.
type document struct {
	Key      []byte `bson:"_id"`
	Revision int64  `bson:"revision"`
	DueAt    *int64 `bson:"due_at"`
	// ErasureAt is missing, or that of a revision before, where a previous
	// version wrote the document last: until the next change, Due alone finds it.
	ErasureAt *int64         `bson:"erasure_at"`
	Record    profile.Record `bson:"record"`
	Outbox    any            `bson:"outbox,omitempty"`
}

const (
	chunk = 1 << 20 // of a blob
	tries = 100     // of an update that others come before
)

// Open opens the database that a URL names.
func Open(ctx context.Context, url string) (*Store, error) {
	db, err := kitmongo.Open(ctx, url, kitmongo.Collection{
		Name: "records", Tells: true,
		Indexes: []mongo.IndexModel{kitmongo.Index("due_at"), kitmongo.Index("record.tasks.id")},
	})
	if err != nil {
		return nil, err
	}
	secret, err := db.Secret(ctx, profile.KeySecret)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mongo: %w", err), db.Close())
	}
	return &Store{db, db.Collection("records"), bucket(db), secret}, nil
}

func bucket(db *kitmongo.DB) *mongo.GridFSBucket {
	return db.GridFSBucket(options.GridFSBucket().SetName("blobs").SetChunkSizeBytes(chunk))
}

var recordOnly = bson.M{"record": 1}

func (s *Store) Get(ctx context.Context, user uuid.UUID) (profile.Record, error) {
	return s.one(ctx, bson.M{"_id": profile.Key(s.secret, user)})
}

func (s *Store) Find(ctx context.Context, task uuid.UUID) (profile.Record, error) {
	return s.one(ctx, bson.M{"record.tasks.id": task})
}

func (s *Store) one(ctx context.Context, filter any) (profile.Record, error) {
	var d document
	err := s.records.FindOne(ctx, filter, options.FindOne().SetProjection(recordOnly)).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		err = profile.ErrNotFound
	}
	d.Record.Normalize()
	return d.Record, err
}

func (s *Store) Due(ctx context.Context, by time.Time, limit int) ([]profile.Record, error) {
	return s.list(ctx, limit, bson.M{"due_at": before(by)})
}

func (s *Store) DueErasures(ctx context.Context, by time.Time, limit int) ([]profile.Record, error) {
	return s.list(ctx, limit, bson.M{"due_at": before(by), "erasure_at": before(by)})
}

func before(by time.Time) bson.M { return bson.M{"$lte": kitmongo.Micros(by)} }

// list returns up to limit records, the most overdue first.
func (s *Store) list(ctx context.Context, limit int, filter any) ([]profile.Record, error) {
	found, err := s.records.Find(ctx, filter,
		options.Find().SetSort(bson.M{"due_at": 1}).SetLimit(int64(limit)).SetProjection(recordOnly))
	if err != nil {
		return nil, err
	}
	var docs []document
	if err := found.All(ctx, &docs); err != nil {
		return nil, err
	}
	list := make([]profile.Record, len(docs))
	for i, d := range docs {
		list[i] = d.Record
		list[i].Normalize()
	}
	return list, nil
}

func (s *Store) Update(ctx context.Context, user uuid.UUID, edit profile.Edit) (profile.Record, error) {
	return s.update(ctx, user, edit, false)
}

func (s *Store) Erase(ctx context.Context, user uuid.UUID, edit profile.Edit) (profile.Record, error) {
	r, err := s.update(ctx, user, edit, true)
	if err != nil {
		return r, err
	}
	return r, s.Forget(ctx, user)
}

// update changes a document that is as it was read, or begins anew. With
// forget it drops the events that are on their way.
func (s *Store) update(ctx context.Context, user uuid.UUID, edit profile.Edit, forget bool) (profile.Record, error) {
	key := profile.Key(s.secret, user)
	for range tries {
		r, err := s.one(ctx, bson.M{"_id": key})
		if errors.Is(err, profile.ErrNotFound) {
			r, err = profile.Record{User: user}, nil
		}
		if err != nil {
			return profile.Record{}, err
		}
		was := r.Revision
		events, err := edit(&r)
		if err != nil {
			return profile.Record{}, err
		}
		r.Revision = was + 1
		r.Normalize()
		done, err := s.write(ctx, key, was, r, events, forget)
		if err != nil {
			return profile.Record{}, err
		}
		if done {
			if len(events) > 0 {
				s.Told()
			}
			return r, nil
		}
	}
	return profile.Record{}, errors.New("mongo: others change the record all the time")
}

// write writes a record that is still at a revision; it is not done when
// another came before.
func (s *Store) write(ctx context.Context, key []byte, was int64, r profile.Record, events []event.Message, forget bool) (done bool, err error) {
	d := document{Key: key, Revision: r.Revision, Record: r}
	if at := r.DueAt(); at != nil {
		d.DueAt = new(kitmongo.Micros(*at))
	}
	if at := r.ErasureDueAt(); at != nil {
		d.ErasureAt = new(kitmongo.Micros(*at))
	}
	if was == 0 {
		d.Outbox = kitmongo.Events(events...)
		_, err := s.records.InsertOne(ctx, d)
		if kitmongo.Duplicate(err) {
			return false, nil
		}
		return err == nil, err
	}
	set := bson.M{"revision": d.Revision, "due_at": d.DueAt, "erasure_at": d.ErasureAt, "record": d.Record}
	change := bson.M{"$set": set}
	switch {
	case forget:
		set["outbox"] = kitmongo.Events(events...)
	case len(events) > 0:
		change["$push"] = kitmongo.Tell(events...)
	}
	result, err := s.records.UpdateOne(ctx, bson.M{"_id": key, "revision": was}, change)
	if err != nil {
		return false, err
	}
	return result.MatchedCount == 1, nil
}

// PutBlob may take as long as ctx lets it. It has a bucket of its own, because
// one notes, with no lock, that it has been written to.
func (s *Store) PutBlob(ctx context.Context, id uuid.UUID, r io.Reader) (size int64, err error) {
	counted := &counter{Reader: r}
	err = bucket(s.DB).UploadFromStreamWithID(ctx, id, "", counted)
	return counted.n, err
}

type counter struct {
	io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

func (s *Store) OpenBlob(ctx context.Context, id uuid.UUID) (io.ReadCloser, int64, error) {
	stream, err := s.blobs.OpenDownloadStream(ctx, id)
	if errors.Is(err, mongo.ErrFileNotFound) {
		err = profile.ErrNoBlob
	}
	if err != nil {
		return nil, 0, err
	}
	return stream, stream.GetFile().Length, nil
}

// DeleteBlob removes the chunks, too, of a blob that never became one.
func (s *Store) DeleteBlob(ctx context.Context, id uuid.UUID) error {
	if _, err := s.blobs.GetFilesCollection().DeleteOne(ctx, bson.M{"_id": id}); err != nil {
		return err
	}
	_, err := s.blobs.GetChunksCollection().DeleteMany(ctx, bson.M{"files_id": id})
	return err
}
