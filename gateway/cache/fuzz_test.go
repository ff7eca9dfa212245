package cache_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/trellis-go/trellis/gateway/cache"
)

// Whatever a Cache-Control says: nothing is kept without a lifetime, nor when
// another line or directive forbids it.
func FuzzCacheControl(f *testing.F) {
	for _, seed := range []string{
		"max-age=10", `MAX-AGE="10" , public`, "s-maxage=1,max-age=0", "private=\"a,b\"", `x="a\"b", max-age=1`, `"`, "=", ",,", "max-age", "max-age=99999999999999999999",
		"no-cache, max-age=1", "stale-if-error=1, stale-while-revalidate=1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if got := kept(t, line); got && !strings.Contains(strings.ToLower(line), "max") && !strings.Contains(strings.ToLower(line), "stale-while-revalidate") {
			t.Errorf("%q is kept", line)
		}
		for _, lines := range [][]string{{line, "no-store"}, {"private", line}, {line + ", no-store"}} {
			if kept(t, lines...) {
				t.Errorf("%q is kept", lines)
			}
		}
		asked(t, line)
	})
}

// kept tells whether a second request is answered without the service.
func kept(t *testing.T, lines ...string) bool {
	u := &upstream{answer: func(*http.Request, int64) (*http.Response, error) {
		res := answer(200, "a", "")
		res.Header["Cache-Control"] = lines
		return res, nil
	}}
	c := cache.New(u, megabyte, time.Now)
	get(t.Context(), c, "")
	return strings.HasPrefix(get(t.Context(), c, "").marked, "hit; ttl=") && u.n.Load() == 1
}

// asked sends the line as a client's, which may only ever lead to an answer or
// to the one error there is.
func asked(t *testing.T, line string) {
	u := &upstream{answer: func(*http.Request, int64) (*http.Response, error) {
		return answer(200, "a", "Cache-Control: max-age=9"), nil
	}}
	c := cache.New(u, megabyte, time.Now)
	for range 2 {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://notes/", nil)
		r.Header["Cache-Control"] = []string{line}
		res, err := c.RoundTrip(r)
		if err != nil {
			if !strings.Contains(strings.ToLower(line), "only-if-cached") {
				t.Errorf("%q: %v", line, err)
			}
			continue
		}
		res.Body.Close()
	}
}
