package deploy_test

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	_ "modernc.org/sqlite"
)

// texts is everything that stores have, as text, by where it is.
type texts map[string]string

// readable is a value as text: of 16 bytes, the UUID that they are too.
func readable(value any) string {
	b, ok := value.([]byte)
	if !ok {
		return fmt.Sprint(value)
	}
	if id, err := uuid.FromBytes(b); err == nil {
		return id.String() + " " + string(b)
	}
	return string(b) + " " + hex.EncodeToString(b)
}

// sqliteTexts is what the databases in a folder have.
func sqliteTexts(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := texts{}
	files, err := filepath.Glob(filepath.Join(folder, "data", "*.db"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no databases in %s: %v", folder, err)
	}
	for _, file := range files {
		db, err := sql.Open("sqlite", "file:"+file+"?mode=ro&_pragma=busy_timeout(10000)")
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range rowsOf(t, db, `select name from sqlite_master where type = 'table'`) {
			all[filepath.Base(file)+" "+table[0]] = fmt.Sprint(rowsOf(t, db, `select * from "`+table[0]+`"`))
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	return all
}

func rowsOf(t *testing.T, db *sql.DB, query string) (all [][]string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(values))
		for i, v := range values {
			row[i] = readable(v)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// serverTexts is what the services' databases have.
func serverTexts(t *testing.T, stores map[string]string) map[string]string {
	t.Helper()
	all := texts{}
	for service, url := range stores {
		switch scheme, _, _ := strings.Cut(url, ":"); scheme {
		case "postgres":
			all.postgres(t, service, url)
		case "mongodb":
			all.mongo(t, service, url)
		case "redis":
			all.redis(t, service, url)
		}
	}
	return all
}

func (all texts) postgres(t *testing.T, service, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	tables, err := pgx.CollectRows(must(t)(conn.Query(t.Context(), `select tablename from pg_tables where schemaname = 'public'`)), pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		rows, err := pgx.CollectRows(must(t)(conn.Query(t.Context(), `select t::text from `+pgx.Identifier{table}.Sanitize()+` t`)), pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		all[service+" "+table] = strings.Join(rows, "\n")
	}
}

func must(t *testing.T) func(pgx.Rows, error) pgx.Rows {
	return func(rows pgx.Rows, err error) pgx.Rows {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
}

func (all texts) mongo(t *testing.T, service, url string) {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(url))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(context.WithoutCancel(t.Context()))
	db := client.Database(url[strings.LastIndexByte(url, '/')+1:])
	names, err := db.ListCollectionNames(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		cursor, err := db.Collection(name).Find(t.Context(), bson.D{})
		if err != nil {
			t.Fatal(err)
		}
		var documents []bson.M
		if err := cursor.All(t.Context(), &documents); err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, d := range documents {
			write(&text, d)
		}
		all[service+" "+name] = text.String()
	}
}

// write writes what a document has, at any depth.
func write(to *strings.Builder, value any) {
	switch v := value.(type) {
	case bson.M:
		for name, v := range v {
			fmt.Fprint(to, name, " ")
			write(to, v)
		}
	case bson.D:
		for _, e := range v {
			fmt.Fprint(to, e.Key, " ")
			write(to, e.Value)
		}
	case bson.A:
		for _, v := range v {
			write(to, v)
		}
	case bson.Binary:
		fmt.Fprintln(to, readable(v.Data))
	default:
		fmt.Fprintln(to, readable(v))
	}
}

func (all texts) redis(t *testing.T, service, url string) {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	ctx := t.Context()
	keys := client.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		key := keys.Val()
		var has any
		switch client.Type(ctx, key).Val() {
		case "string":
			has = client.Get(ctx, key).Val()
		case "hash":
			has = client.HGetAll(ctx, key).Val()
		case "list":
			has = client.LRange(ctx, key, 0, -1).Val()
		case "set":
			has = client.SMembers(ctx, key).Val()
		case "zset":
			has = client.ZRange(ctx, key, 0, -1).Val()
		case "stream":
			has = client.XRange(ctx, key, "-", "+").Val()
		}
		all[service+" "+key] = fmt.Sprint(key, has)
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
}
