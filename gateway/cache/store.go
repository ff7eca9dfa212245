package cache

import (
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// variants is how many answers that differ by Vary are kept of one URL.
const variants = 16

// store keeps the entries of the URLs that were asked for last, in as many
// bytes as it may take. It isn't safe for use by several goroutines.
type store struct {
	urls        *simplelru.LRU[key, *resource]
	bytes, size int64
}

// resource is what is known of a URL.
type resource struct {
	entries []*entry  // the newest first
	passing time.Time // until then requests do not wait for each other
	bytes   int64
}

func newStore(size int64) *store {
	s := &store{size: size}
	urls, err := simplelru.NewLRU(math.MaxInt, func(_ key, r *resource) { s.bytes -= r.bytes })
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	s.urls = urls
	return s
}

// get returns what is known of a URL, which may be nothing, and the newest
// entry that a request with these headers may have.
func (s *store) get(k key, asked http.Header) (*resource, *entry) {
	r, ok := s.urls.Get(k)
	if !ok {
		return nil, nil
	}
	for _, e := range r.entries {
		if e.matches(asked) {
			return r, e
		}
	}
	return r, nil
}

// put keeps e in the place of what it is a newer version of.
func (s *store) put(k key, e *entry) {
	s.update(k, func(r *resource) {
		r.passing = time.Time{}
		r.entries = slices.DeleteFunc(r.entries, e.replaces)
		r.entries = slices.Insert(r.entries, 0, e)
		if len(r.entries) > variants {
			r.entries = slices.Delete(r.entries, variants, len(r.entries))
		}
	})
}

func (e *entry) replaces(old *entry) bool {
	return slices.Equal(e.vary, old.vary) && slices.Equal(e.values, old.values)
}

// pass notes that the answers of a URL can't be kept, and drops what was.
func (s *store) pass(k key, until time.Time) {
	s.update(k, func(r *resource) { r.entries, r.passing = nil, until })
}

func (s *store) update(k key, change func(*resource)) {
	r, ok := s.urls.Get(k)
	if !ok {
		r = new(resource)
	}
	s.bytes -= r.bytes
	change(r)
	r.bytes = 256 + k.size()
	for _, e := range r.entries {
		r.bytes += e.size()
	}
	s.bytes += r.bytes
	if !ok {
		s.urls.Add(k.own(), r)
	}
	for s.bytes > s.size && s.urls.Len() > 0 {
		s.urls.RemoveOldest()
	}
}

func (s *store) remove(k key) { s.urls.Remove(k) }
