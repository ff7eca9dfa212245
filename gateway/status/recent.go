package status

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/go-kit/log"
)

// Request is what is remembered of a request: nothing that the log doesn't say.
type Request struct {
	At       time.Time     `json:"at"` // when it ended
	ID       string        `json:"request_id"`
	Endpoint string        `json:"endpoint"`
	Status   int           `json:"status"`
	Code     string        `json:"code,omitempty"` // of the problem that was the answer
	Took     time.Duration `json:"took_ns"`
	Client   netip.Addr    `json:"client,omitzero"`
	User     string        `json:"user,omitempty"`
	Instance string        `json:"instance,omitempty"` // that answered, or was tried last
	Attempts int           `json:"attempts,omitempty"` // instances that were tried
}

// Requests that are remembered. Failures have room of their own: under load
// the others would push them out before anybody saw them.
const (
	remembered       = 192
	rememberedFailed = 64
)

// Recent remembers the last requests and counts them all. The zero value is
// ready; its methods may be called at the same time.
type Recent struct {
	mu     sync.Mutex
	totals Totals
	others [remembered]Request
	failed [rememberedFailed]Request
}

// Logger returns a logger that passes every line on to next, and takes those
// that tell of a request, which have "endpoint" and "status", into r. It
// keeps no value's pointer: the stack uses them again.
func (r *Recent) Logger(next log.Logger) log.Logger { return &reader{r, next} }

type reader struct {
	recent *Recent
	next   log.Logger
}

// Log implements log.Logger.
func (l *reader) Log(keyvals ...any) error {
	var q Request
	if q.read(keyvals); q.Endpoint != "" && q.Status != 0 {
		q.At = time.Now().UTC()
		l.recent.add(&q)
	}
	return l.next.Log(keyvals...)
}

// add overwrites the oldest.
func (r *Recent) add(q *Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := &r.totals; q.Status >= 500 {
		r.failed[t.Failed%rememberedFailed] = *q
		t.Failed++
	} else {
		r.others[(t.Requests-t.Failed)%remembered] = *q
		if q.Status >= 400 {
			t.Refused++
		}
	}
	r.totals.Requests++
}

func (q *Request) read(keyvals []any) {
	for i := 0; i+1 < len(keyvals); i += 2 {
		key, _ := keyvals[i].(string)
		switch value := keyvals[i+1]; key {
		case "endpoint":
			q.Endpoint = read[string](value)
		case "status":
			q.Status = read[int](value)
		case "took":
			q.Took = read[time.Duration](value)
		case "request_id":
			q.ID = read[string](value)
		case "client":
			q.Client = read[netip.Addr](value)
		case "user":
			q.User = read[string](value)
		case "code":
			q.Code = read[string](value)
		case "instance":
			q.Instance = read[string](value)
		case "attempts":
			q.Attempts = read[int](value)
		}
	}
}

// read returns a T or what a *T points to, and zero for anything else.
func read[T any](value any) (v T) {
	switch value := value.(type) {
	case *T:
		if value != nil {
			v = *value
		}
	case T:
		v = value
	}
	return v
}

// Requests returns the last requests, newest first.
func (r *Recent) Requests() []Request {
	r.mu.Lock()
	all := slices.Concat(r.others[:], r.failed[:])
	r.mu.Unlock()
	all = slices.DeleteFunc(all, func(q Request) bool { return q.At.IsZero() })
	slices.SortStableFunc(all, func(a, b Request) int { return b.At.Compare(a.At) })
	return all
}

// Totals returns how many requests there were.
func (r *Recent) Totals() Totals {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.totals
}
