// Package redis keeps inboxes, their streams and what is to be sent in Redis,
// version 7.0 or later: in one, not in a cluster, for scripts that decide and
// change everything in one step name the keys of a user beside those of all.
//
// What Redis loses, users lose: it wants appendonly yes, and noeviction. An
// epoch ends with the life of the Redis that it began on, so that nobody goes
// on with a stream that has lost its end.
package redis

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"
	kitredis "github.com/trellis-go/trellis/kit/redis"
	"github.com/trellis-go/trellis/notify"
)

// Store is a notify.Store.
type Store struct {
	*kitredis.Store

	live    string        // the channel on which entries are told
	silence time.Duration // after which Live asks whether anybody is there
}

// Open opens the Redis that a URL names. Store.Risks says why that may not be
// a place to keep an inbox.
func Open(ctx context.Context, url string) (*Store, error) {
	s, err := kitredis.OpenStore(ctx, url, "notify")
	if err != nil {
		return nil, err
	}
	live := s.Prefix + "live"
	if db := s.Options().DB; db != 0 { // channels are those of all databases
		live += ":" + strconv.Itoa(db)
	}
	return &Store{s, live, 5 * time.Second}, nil
}

// run runs a script that writes.
func (s *Store) run(ctx context.Context, script *goredis.Script, args ...any) *goredis.Cmd {
	return script.Run(ctx, s.Client, nil, append([]any{s.Prefix}, args...)...)
}

// ask runs a script that reads.
func (s *Store) ask(ctx context.Context, script *goredis.Script, args ...any) ([]any, error) {
	return script.RunRO(ctx, s.Client, nil, append([]any{s.Prefix}, args...)...).Slice()
}

// change runs a script that changes a user's stream.
func (s *Store) change(ctx context.Context, script *goredis.Script, user uuid.UUID, args ...any) *goredis.Cmd {
	return s.run(ctx, script, append([]any{user.String(), mark(user), s.live, strings.ToLower(rand.Text()[:12])}, args...)...)
}

// admitted is the error of a script that answers "forgotten" for a user who was erased.
func admitted(answer *goredis.Cmd) error {
	if text, err := answer.Text(); err == nil && text == "forgotten" {
		return notify.ErrForgotten
	}
	return answer.Err()
}

// key is what of a user is kept under a name.
func (s *Store) key(user uuid.UUID, name string) string {
	return s.Prefix + "{" + user.String() + "}:" + name
}

// mark is what remains of a user who was erased.
func mark(user uuid.UUID) string { return hash(string(user[:])) }

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// dedupe is what remains of a dedupe key, if it is one.
func dedupe(kind, key string) string {
	if key == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(kind + key))
	return string(sum[:16])
}

var errForm = errors.New("redis: an answer of another form")

// str and num are what a script answered at a place.
func str(answer []any, i int) string {
	text, _ := answer[i].(string)
	return text
}

func num(answer []any, i int) int64 {
	switch v := answer[i].(type) {
	case int64:
		return v
	case string:
		n, _ := strconv.ParseInt(v, 10, 64)
		return n
	}
	return 0
}

func micros(t time.Time) int64 { return t.UnixMicro() }

func moment(text string) (time.Time, error) {
	n, err := strconv.ParseFloat(text, 64) // as scores are written
	return time.UnixMicro(int64(n)).UTC(), err
}
