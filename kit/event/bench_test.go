package event_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/event/eventtest"
)

// through runs a benchmark on each store and bus, with a relay and a consumer.
func through(b *testing.B, bench func(b *testing.B, s store, handled <-chan happened)) {
	for _, from := range []string{"sqlite", "postgres"} {
		for _, over := range []string{"sqlite", "redis"} {
			b.Run(from+" over "+over, func(b *testing.B) {
				s, bus := stores[from](b), buses[over](b)
				handled := make(chan happened, 10_000)
				start(b, relay(b, s, bus).Run)
				start(b, consumer(b, bus, func(_ context.Context, e happened) error { handled <- e; return nil }).Run)
				must(b, s.emit(b.Context(), eventtest.Message(b, uuid.New(), 0)))
				<-handled
				b.ResetTimer()
				bench(b, s, handled)
			})
		}
	}
}

// How many events go through, each transaction with ten.
func BenchmarkThroughput(b *testing.B) {
	through(b, func(b *testing.B, s store, handled <-chan happened) {
		go func() {
			for n := 0; n < b.N; n += 10 {
				var list []event.Message
				for i := n; i < min(n+10, b.N); i++ {
					list = append(list, eventtest.Message(b, uuid.New(), i))
				}
				if err := s.emit(b.Context(), list...); err != nil {
					b.Error(err)
				}
			}
		}()
		for range b.N {
			<-handled
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
}

// How long after its transaction an event is handled, while little happens.
func BenchmarkLatency(b *testing.B) {
	through(b, func(b *testing.B, s store, handled <-chan happened) {
		took := make([]time.Duration, 0, b.N)
		for b.Loop() {
			m := eventtest.Message(b, uuid.New(), 0)
			must(b, s.emit(b.Context(), m))
			committed := time.Now()
			<-handled
			took = append(took, max(time.Since(committed), 0))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
	})
}
