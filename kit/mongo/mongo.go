// Package mongo opens a service's MongoDB database: its client, its indexes,
// and what the kit keeps beside the service's own collections.
//
// It uses no transactions, so that a server that stands alone will do. What
// must happen together is one update of one document; events are part of the
// document that they tell of (Events) until the outbox has them.
package mongo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// DB is an open database. Times are kept as microseconds since 1970 in UTC,
// because BSON's own have milliseconds only, and UUIDs as BSON's.
type DB struct {
	*driver.Database
	tell   []*driver.Collection // have events in their documents
	told   chan struct{}        // has one when this process wrote events
	outbox *outbox
}

// Collection is one of a service's, with what makes its queries fast.
type Collection struct {
	Name    string
	Indexes []driver.IndexModel
	Tells   bool // its documents have events in them
}

const (
	// patience is how long one operation may take, and how long the start
	// waits for a server that is not there yet.
	patience = 15 * time.Second
	// selection is how long an operation waits for a primary.
	selection = 5 * time.Second
)

// Open connects to the database that a URL names, and makes the indexes that
// are not there yet. A server that does not answer yet is waited for, as at the
// start of a whole system. What is written is in the journals of a majority.
func Open(ctx context.Context, address string, collections ...Collection) (*DB, error) {
	name := nameIn(address)
	if name == "" {
		return nil, errForm
	}
	client, err := driver.Connect(options.Client().ApplyURI(address).
		SetRegistry(values).SetBSONOptions(&options.BSONOptions{UseJSONStructTags: true}).
		SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: new(true)}).
		SetReadConcern(readconcern.Majority()).SetReadPreference(readpref.Primary()).
		SetTimeout(patience).SetServerSelectionTimeout(selection))
	if err != nil {
		return nil, errForm
	}
	d := &DB{Database: client.Database(name), told: make(chan struct{}, 1)}
	err = d.await(ctx)
	if err == nil {
		err = d.prepare(ctx, collections)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mongo: %w", err), d.Close())
	}
	return d, nil
}

// errForm says nothing of what there is instead, which may be a password.
var errForm = errors.New("mongo: the URL is not of the form mongodb://USER@HOST:PORT/DATABASE")

// nameIn returns the name of the database in a URL, which may name several hosts.
func nameIn(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	_, name, _ := strings.Cut(rest, "/")
	name, _, _ = strings.Cut(name, "?")
	name, err := url.PathUnescape(name)
	if err != nil || strings.ContainsAny(name, "/. ") {
		return ""
	}
	return name
}

// await pings until the server answers, refuses for good, or patience ends.
func (d *DB) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := d.Ping(ctx)
		if err == nil || refused(err) || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// refused tells whether the server knows us not, or not for this.
func refused(err error) bool {
	e, ok := errors.AsType[driver.ServerError](err)
	return ok && (e.HasErrorCode(13) || e.HasErrorCode(18))
}

// prepare makes the indexes: of the service's collections and of the kit's.
func (d *DB) prepare(ctx context.Context, collections []Collection) error {
	for _, c := range append(slices.Clone(collections), kit...) {
		indexes := c.Indexes
		if c.Tells {
			d.tell = append(d.tell, d.Collection(c.Name))
			indexes = append(slices.Clone(indexes), Index(eventsField+".id"))
		}
		for _, index := range indexes { // one by one: FerretDB 1 ends the connection over several of which some are there
			if _, err := d.Collection(c.Name).Indexes().CreateOne(ctx, index); err != nil {
				return fmt.Errorf("indexes of %s: %w", c.Name, err)
			}
		}
	}
	d.outbox = newOutbox(d)
	return d.outbox.prepare(ctx)
}

// kit is the kit's own collections.
var kit = []Collection{
	{Name: "kit_idempotency", Indexes: []driver.IndexModel{Index("expires_at")}},
	{Name: "kit_outbox", Indexes: []driver.IndexModel{Index("n"), Index("subject")}},
	{Name: "kit_published", Indexes: []driver.IndexModel{Index("last")}},
}

// Index is an index on fields, from their smallest values up.
func Index(fields ...string) driver.IndexModel {
	keys := bson.D{}
	for _, f := range fields {
		keys = append(keys, bson.E{Key: f, Value: 1})
	}
	return driver.IndexModel{Keys: keys}
}

// Close closes the connections.
func (d *DB) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), selection)
	defer cancel()
	return d.Client().Disconnect(ctx)
}

// Ping tells whether the database answers.
func (d *DB) Ping(ctx context.Context) error { return d.Client().Ping(ctx, nil) }

// Secret returns 32 random bytes that every instance on this database shares,
// made the first time that they are asked for.
func (d *DB) Secret(ctx context.Context, name string) ([]byte, error) {
	fresh := make([]byte, 32)
	rand.Read(fresh)
	type secret struct {
		Name   string `bson:"_id"`
		Secret []byte
	}
	secrets := d.Collection("kit_secrets")
	if _, err := secrets.InsertOne(ctx, secret{name, fresh}); err != nil && !Duplicate(err) {
		return nil, err
	}
	var kept secret
	err := secrets.FindOne(ctx, bson.M{"_id": name}).Decode(&kept)
	return kept.Secret, err
}

// Duplicate tells whether err means that a unique index has the key already.
func Duplicate(err error) bool { return driver.IsDuplicateKeyError(err) }
