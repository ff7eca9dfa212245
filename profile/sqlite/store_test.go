package sqlite_test

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/profile"
	"github.com/trellis-go/trellis/profile/sqlite"
	"github.com/trellis-go/trellis/profile/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) profile.Store { return open(t, file(t)) })
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) profile.Store { return open(b, file(b)) })
}

func TestTwoOpenAtOnce(t *testing.T) {
	t.Parallel()
	path := file(t)
	var stores [2]*sqlite.Store
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() { stores[i] = open(t, path) })
	}
	if wg.Wait(); !t.Failed() {
		storetest.Shared(t, stores[0], stores[1])
	}
}

func file(t testing.TB) string { return filepath.Join(t.TempDir(), "profile.db") }

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	return testenv.Open(t, sqlite.Open, path)
}
