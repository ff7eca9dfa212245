package redis

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/trellis-go/trellis/kit/endpoint"
)

// maxRefusals bounds the memory of refusals to some 5 MB.
const maxRefusals = 16 << 10

// refusals are the empty buckets: until the time that Redis gave no request
// can pass them, so that a flood of such requests costs it nothing.
type refusals struct {
	mu   sync.Mutex
	list *simplelru.LRU[endpoint.Bucket, refusal]
}

type refusal struct {
	rate        endpoint.Rate // under another one it says nothing
	retry, full time.Time
}

func newRefusals() *refusals {
	list, err := simplelru.NewLRU[endpoint.Bucket, refusal](maxRefusals, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &refusals{list: list}
}

// add remembers what Redis has just said. It counted from a moment that is past.
func (r *refusals) add(t endpoint.Take, v endpoint.Verdict) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list.Add(t.Bucket, refusal{t.Rate, now.Add(v.Retry), now.Add(v.Full)})
}

// find returns the refusal that holds longest, if there is any.
func (r *refusals) find(takes []endpoint.Take, now time.Time) (v endpoint.Verdict, found bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.list.Len() == 0 {
		return v, false
	}
	for i := range takes {
		f, ok := r.list.Get(takes[i].Bucket)
		if !ok {
			continue
		}
		if retry := f.retry.Sub(now); retry > v.Retry && f.rate == takes[i].Rate {
			v, found = endpoint.Verdict{Tightest: i, Full: f.full.Sub(now), Retry: retry}, true
		}
	}
	return v, found
}
