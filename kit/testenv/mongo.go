package testenv

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	ferretModule  = "github.com/FerretDB/FerretDB"
	ferretVersion = "1.24.0" // the last that keeps its data in SQLite
)

// The sources of the server that we build.
var (
	//go:embed mongod/main.go.txt
	mongodMain string
	//go:embed mongod/turns/turns.go
	mongodTurns string
)

var mongod = tool{
	name: "mongod", version: fmt.Sprintf("ferretdb-%s-%.4x", ferretVersion, sha256.Sum256([]byte(mongodMain+mongodTurns))),
	variable: mongoBinaryVariable, takes: "about a minute on two cores", build: buildMongod,
}

// MongoBinary returns the path of a MongoDB server: the one that
// TRELLIS_TEST_MONGO_BIN names, or else one found or built as [ConsulBinary]
// does. The one built is FerretDB on SQLite files, made to do one command at a
// time. It has neither transactions nor change streams, expires nothing, and
// knows no partial or text indexes and no $lookup.
func MongoBinary(ctx context.Context) (string, error) {
	binary, err := mongod.binary(ctx)
	if err != nil {
		return "", fmt.Errorf(`testenv: MongoDB is missing: %w
Either
  make it build: make tools (it needs Go and the network; FerretDB, which speaks MongoDB's protocol, is a Go module)
  or install MongoDB, so that mongod is in PATH, or set %s to where it is
  or, which will do where a test leaves the server alone, set %s to the URL of a server where databases may be created; one in Docker:
    docker run --rm -d -p 127.0.0.1:27018:27017 mongo
    export %[3]s=mongodb://127.0.0.1:27018/`, err, mongoBinaryVariable, mongoVariable)
	}
	return binary, nil
}

// buildMongod builds work/mongod.
func buildMongod(ctx context.Context, work string) error {
	if err := errors.Join(
		os.WriteFile(filepath.Join(work, "main.go"), []byte(mongodMain), 0o644),
		os.Mkdir(filepath.Join(work, "turns"), 0o755),
		os.WriteFile(filepath.Join(work, "turns", "turns.go"), []byte(mongodTurns), 0o644),
		wrap(ctx, work, ferretModule, ferretVersion),
	); err != nil {
		return err
	}
	return goBuild(ctx, work, "mongod", ".")
}

// StartMongo runs a MongoDB server on 127.0.0.1; port 0 is a free one. dir
// ("" for a temporary one) keeps its data from run to run.
//
// The binary is found by [MongoBinary], which builds it if there is none: the
// first start may take a minute or two, which ctx bounds like the rest of it.
func StartMongo(ctx context.Context, dir string, port int) (*Server, error) {
	binary, err := MongoBinary(ctx)
	if err != nil {
		return nil, err
	}
	return start(ctx, dir, port, func(s *Server, port int) error {
		s.URL = "mongodb://" + s.Addr + "/"
		s.kind = kind{
			name:    "MongoDB",
			quit:    syscall.SIGTERM,
			ready:   func(ctx context.Context) error { return mongoReady(ctx, s) },
			command: []string{binary, "--bind_ip", "127.0.0.1", "--port", strconv.Itoa(port), "--dbpath", "data"},
		}
		return os.MkdirAll(filepath.Join(s.Dir, "data"), 0o755)
	})
}

// mongoReady asks for the server's pid too: if the port was taken, it is
// another server that answers.
func mongoReady(ctx context.Context, s *Server) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr) // the driver would wait before it tries again
	if err != nil {
		return err
	}
	conn.Close()
	var status struct{ PID int }
	err = mongoAsk(ctx, s.URL, func(db *mongo.Database) error {
		return db.RunCommand(ctx, bson.D{{Key: "serverStatus", Value: 1}}).Decode(&status)
	})
	if err == nil && status.PID != s.process.pid {
		err = fmt.Errorf("another server answers at %s", s.URL)
	}
	return err
}

// mongoAsk calls ask with the database that the URL names, or admin, through a
// client of its own.
func mongoAsk(ctx context.Context, url string, ask func(*mongo.Database) error) error {
	client, err := mongo.Connect(options.Client().ApplyURI(url).SetServerSelectionTimeout(5 * time.Second))
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	return ask(client.Database(mongoName(url)))
}

// mongoName returns the name of the database in a URL.
func mongoName(server string) string {
	if u, err := url.Parse(server); err == nil && len(u.Path) > 1 {
		return u.Path[1:]
	}
	return "admin"
}

// MongoDatabase returns the URL of a database on the server of another URL, for
// the same user. Its error says nothing of the URL, which may have a password.
func MongoDatabase(server, name string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "mongodb" && u.Scheme != "mongodb+srv" || u.Host == "" {
		return "", errors.New("not a URL like mongodb://127.0.0.1:27017/")
	}
	if query := u.Query(); u.User != nil && !query.Has("authSource") {
		query.Set("authSource", mongoName(server)) // it would be the new database
		u.RawQuery = query.Encode()
	}
	u.Path = "/" + name
	return u.String(), nil
}

// nameMongoDatabase returns the URL of a database that the server does not have
// yet, and what drops it. The server makes it when it is first written to.
func nameMongoDatabase(ctx context.Context, server string) (database string, drop func() error, err error) {
	database, err = MongoDatabase(server, "trellis_test_"+strings.ToLower(rand.Text()))
	if err != nil {
		return "", nil, fmt.Errorf("testenv: %s is %w", mongoVariable, err)
	}
	err = mongoAsk(ctx, database, func(db *mongo.Database) error {
		return db.RunCommand(ctx, bson.D{{Key: "ping", Value: 1}}).Err()
	})
	if err != nil {
		return "", nil, fmt.Errorf("testenv: MongoDB: %w", err)
	}
	return database, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		err := mongoAsk(ctx, database, func(db *mongo.Database) error { return db.Drop(ctx) })
		if err != nil {
			return fmt.Errorf("testenv: drop the database: %w", err)
		}
		return nil
	}, nil
}
