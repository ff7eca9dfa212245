package redis_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/event/eventtest"
	"github.com/trellis-go/trellis/kit/event/redis"
	kit "github.com/trellis-go/trellis/kit/redis"
	"github.com/trellis-go/trellis/kit/testenv"
)

func TestBus(t *testing.T) {
	eventtest.RunBus(t, func(t *testing.T) eventtest.Bus {
		url := testenv.Redis(t)
		client := connect(t, url)
		return eventtest.Bus{
			Bus: open(t, url), Other: open(t, url),
			Age: func(t *testing.T, by time.Duration) { age(t, client, by) },
			Lose: func(t *testing.T) {
				if err := client.FlushDB(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

func open(t testing.TB, url string) event.Bus {
	t.Helper()
	bus, err := redis.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
	return bus
}

func connect(t testing.TB, url string) *goredis.Client {
	t.Helper()
	client, err := kit.OpenPatient(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// age makes all consumers silent for longer.
func age(t *testing.T, client *goredis.Client, by time.Duration) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	keys, err := client.Keys(ctx, "trellis:events:alive:*").Result()
	must(err)
	for _, key := range keys {
		members, err := client.ZRange(ctx, key, 0, -1).Result()
		must(err)
		for _, m := range members {
			must(client.ZIncrBy(ctx, key, -float64(by.Milliseconds()), m).Err())
		}
	}
}

// What a consumer was given in an answer that it never got it is given again,
// before what came later.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	url := testenv.Redis(t)
	bus := open(t, url)
	g := event.Group{Name: "hearers", Consumer: "a", Sources: []string{"tellers"}, Claim: time.Hour}
	subject := uuid.New()
	for n := range 6 {
		m := eventtest.Message(t, subject, n)
		if err := bus.Publish(t.Context(), "tellers", event.Batch{After: int64(n), Messages: []event.Message{m}}); err != nil {
			t.Fatal(err)
		}
	}
	receive := func(bus event.Bus, max int, want ...int) (list []event.Delivery) {
		t.Helper()
		list, err := bus.Receive(t.Context(), g, max)
		if err != nil || len(list) != len(want) {
			t.Fatalf("%d are received, not %v; %v", len(list), want, err)
		}
		for i, n := range want {
			if string(list[i].Data) != fmt.Sprintf(`{"n":%d}`, n) || list[i].Attempts != 1 {
				t.Errorf("the %d. is %s, for the %d. time", i, list[i].Data, list[i].Attempts)
			}
		}
		return list
	}
	first := receive(bus, 2, 0, 1)
	receive(open(t, url), 3, 0, 1, 2) // this one does not know of the first answer
	receive(open(t, url), 2, 0, 1)
	if err := bus.Done(t.Context(), g, first[:1]); err != nil {
		t.Fatal(err)
	}
	again := open(t, url)
	receive(again, 2, 1, 2)
	receive(again, 9, 3, 4, 5)
}
