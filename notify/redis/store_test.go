package redis_test

import (
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/notify/redis"
	"github.com/trellis-go/trellis/notify/storetest"
)

func TestStore(t *testing.T) { storetest.Run(t, create) }

func BenchmarkStore(b *testing.B) { storetest.Bench(b, create) }

func create(t testing.TB) storetest.Database {
	url := testenv.Redis(t)
	admin := open(t, url)
	return storetest.Database{
		Open: func(t testing.TB) notify.Store { return open(t, url) },
		Age:  func(t testing.TB, by time.Duration) { age(t, admin.Client, by) },
		Text: func(t testing.TB) string { return dump(t, admin.Client) },
	}
}

func open(t testing.TB, url string) *redis.Store {
	t.Helper()
	return testenv.Open(t, redis.Open, url)
}

// age takes time from what expires, and from the times in the sets of what does.
func age(t testing.TB, r *goredis.Client, by time.Duration) {
	t.Helper()
	ctx := t.Context()
	for _, key := range r.Keys(ctx, "*").Val() {
		if strings.HasSuffix(key, ":dedupe") || strings.HasSuffix(key, ":tickets") {
			for _, m := range r.ZRangeWithScores(ctx, key, 0, -1).Val() {
				r.ZAdd(ctx, key, goredis.Z{Score: m.Score - float64(by.Milliseconds()), Member: m.Member})
			}
		}
		if left := r.PTTL(ctx, key).Val(); left > 0 {
			if err := r.PExpire(ctx, key, left-by).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// dump is all that there is: keys and values.
func dump(t testing.TB, r *goredis.Client) string {
	t.Helper()
	ctx := t.Context()
	keys, err := r.Keys(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(keys)
	var b strings.Builder
	for _, key := range keys {
		var v any
		switch kind := r.Type(ctx, key).Val(); kind {
		case "string":
			v, err = r.Get(ctx, key).Result()
		case "hash":
			v, err = r.HGetAll(ctx, key).Result()
		case "set":
			v, err = r.SMembers(ctx, key).Result()
		case "zset":
			v, err = r.ZRangeWithScores(ctx, key, 0, -1).Result()
		case "stream":
			v, err = r.XRange(ctx, key, "-", "+").Result()
		default:
			err = fmt.Errorf("a key of type %s", kind)
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, key, v)
	}
	return b.String()
}
