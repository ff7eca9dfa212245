package mongo_test

import (
	"sync"
	"testing"

	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/profile"
	"github.com/trellis-go/trellis/profile/mongo"
	"github.com/trellis-go/trellis/profile/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) profile.Store { return open(t, testenv.Mongo(t)) })
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) profile.Store { return open(b, testenv.Mongo(b)) })
}

func TestTwoOpenAtOnce(t *testing.T) {
	t.Parallel()
	url := testenv.Mongo(t)
	var stores [2]*mongo.Store
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() { stores[i] = open(t, url) })
	}
	if wg.Wait(); !t.Failed() {
		storetest.Shared(t, stores[0], stores[1])
	}
}

func open(t testing.TB, url string) *mongo.Store {
	t.Helper()
	return testenv.Open(t, mongo.Open, url)
}
