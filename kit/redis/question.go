package redis

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/trellis-go/trellis/kit/endpoint"
)

//go:embed take.lua
var source string

var script = redis.NewScript(source)

// command is the EVALSHA that asks for takes.
func command(takes []endpoint.Take) []any {
	args := make([]any, 0, 3+3*len(takes))
	args = append(args, "evalsha", script.Hash(), len(takes))
	for i := range takes {
		args = append(args, key(&takes[i].Bucket))
	}
	for i := range takes {
		each, all := times(takes[i].Rate)
		args = append(args, each, all)
	}
	return args
}

// longest is how long a request or a bucket may take to come back: 30 years
// from now is still far from where doubles skip microseconds.
const longest = int64(30 * 365 * 24 * time.Hour / time.Microsecond)

// times are how long one request and a whole bucket take to come back, in
// microseconds. What does not come out even is rounded against the caller.
func times(r endpoint.Rate) (each, all int64) {
	each = max(int64(math.Ceil(min(1e6/r.PerSecond, float64(longest)))), 1)
	return each, int64(min(float64(each)*float64(r.Burst), float64(longest)))
}

const (
	prefix     = "trellis:limit:"
	longestKey = 200
)

// key is where a bucket is kept. No two buckets have the same, whatever
// characters are in their names; one that would be long is hashed.
func key(b *endpoint.Bucket) string {
	var space [longestKey]byte
	k := append(space[:0], prefix...)
	k = append(k, b.By.String()...)
	k = append(k, ':')
	name := len(k)
	k = strconv.AppendQuote(k, b.Endpoint) // so that one can tell where it ends
	if b.User != "" {
		k = append(k, "user:"...)
		k = append(k, b.User...)
	} else if b.Addr.IsValid() {
		k = b.Addr.AppendTo(k)
	}
	if len(k) > longestKey {
		sum := sha256.Sum256(k[name:])
		k = append(k[:name], '#')
		k = hex.AppendEncode(k, sum[:])
	}
	return string(k)
}

// verdict reads the script's answer.
func verdict(answer any, takes int) (v endpoint.Verdict, err error) {
	list, _ := answer.([]any)
	var n [4]int64
	if len(list) != len(n) {
		return v, errors.New("redis: an answer of another form")
	}
	for i := range n {
		n[i], _ = list[i].(int64)
	}
	if n[0] < 1 || n[0] > int64(takes) {
		return v, errors.New("redis: an answer about another bucket")
	}
	return endpoint.Verdict{
		Tightest: int(n[0]) - 1, Left: int(n[1]),
		Full: time.Duration(n[2]) * time.Microsecond, Retry: time.Duration(n[3]) * time.Microsecond,
	}, nil
}
