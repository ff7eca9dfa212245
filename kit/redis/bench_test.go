package redis_test

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/redis"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/testenv"
)

// What a request pays for its limit: kept here, kept in Redis by one caller
// and by many at once, and refused again; beside it a bare PING.
func BenchmarkTake(b *testing.B) {
	url := testenv.Redis(b)
	client := open(b, url)
	var log journal
	shared := redis.NewLimiter(client, endpoint.NewLocal(), telemetry.NewLogger(&log))
	take := func(b *testing.B, l endpoint.Limiter, t endpoint.Take) {
		takes := []endpoint.Take{t}
		for b.Loop() {
			l.Take(b.Context(), time.Now(), takes)
		}
	}
	b.Run("local", func(b *testing.B) { take(b, endpoint.NewLocal(), of("ann", 1e9, 1e9)) })
	b.Run("ping", func(b *testing.B) {
		for b.Loop() {
			if err := client.Ping(b.Context()).Err(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("redis", func(b *testing.B) { take(b, shared, of("ann", 1e9, 1e9)) })
	b.Run("redis-parallel", func(b *testing.B) {
		var callers atomic.Int64
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			takes := []endpoint.Take{of(strconv.FormatInt(callers.Add(1), 10), 1e9, 1e9)}
			for pb.Next() {
				shared.Take(b.Context(), time.Now(), takes)
			}
		})
	})
	b.Run("refused", func(b *testing.B) {
		shared.Take(b.Context(), time.Now(), []endpoint.Take{of("eve", slow, 1)})
		take(b, shared, of("eve", slow, 1))
	})
	if text := log.String(); text != "" {
		b.Log(text)
	}
}
