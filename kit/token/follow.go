package token

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trellis-go/trellis/kit/discovery"
)

// Revocation is one line, in JSON, of the stream that Follow reads: a session
// that has ended; or that all which had ended when the stream began were told;
// or nothing, by which the teller shows that it is alive and knows of no more.
type Revocation struct {
	Session  string `json:"session,omitempty"`
	Seconds  int64  `json:"seconds,omitempty"` // until the last of the session's tokens has expired
	Complete bool   `json:"complete,omitempty"`
}

// A teller that says nothing for silence is left for another, at once. One
// that ends the stream or refuses it is asked again after a pause that grows.
const (
	silence  = 600 * time.Millisecond
	steady   = time.Second // a stream that is complete for so long begins the pauses anew
	minPause = 50 * time.Millisecond
	maxPause = 400 * time.Millisecond

	maxLine    = 4 << 10 // bytes
	maxSession = 64      // bytes
	maxLife    = 24 * time.Hour
)

var (
	errSilent = errors.New("nothing was told for " + silence.String())
	errFull   = fmt.Errorf("more than %d sessions have ended: further ones are refused when their tokens expire", maxRevoked)
)

// Follow learns from the stream at url which sessions have ended, until ctx
// ends. When it loses the stream what is known stands, and failed is told:
// once, until a stream has been steady again.
func (r *Revocations) Follow(ctx context.Context, url string, over http.RoundTripper, failed func(error)) {
	f := &follower{Revocations: r, url: url, over: over, failed: failed, silent: func() {}}
	defer f.readers.Wait()
	defer func() { f.silent() }()
	for tries, lost := 0, false; ; tries++ {
		err := f.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if !f.since.IsZero() && time.Since(f.since) >= steady {
			tries, lost = 0, false
		}
		if !lost {
			lost = true
			failed(fmt.Errorf("%s: %w", url, err))
		}
		if tries == 0 || errors.Is(err, errSilent) {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause(tries)):
		}
	}
}

// pause is random, lest all services come back at the same moment.
func pause(tries int) time.Duration {
	longest := min(minPause<<min(tries, 10), maxPause)
	return longest/2 + rand.N(longest/2)
}

type follower struct {
	*Revocations
	url     string
	over    http.RoundTripper
	failed  func(error)
	readers sync.WaitGroup

	silent context.CancelFunc     // ends the stream that fell silent last
	from   atomic.Pointer[string] // the instance that the last stream came from, to be left for another
	since  time.Time              // when the present stream was complete; zero if it is not
}

// once follows one stream until it ends or falls silent. A silent one is held
// until another is complete: the balancer counts it as a request in flight,
// and so prefers another instance.
func (f *follower) once(ctx context.Context) error {
	own, end := context.WithCancel(ctx)
	alive, complete, ended := make(chan struct{}, 1), make(chan struct{}, 1), make(chan error, 1)
	f.readers.Go(func() { ended <- f.read(own, alive, complete) })
	f.since = time.Time{}
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		select {
		case <-alive:
			quiet.Reset(silence)
		case <-complete:
			f.silent()
			f.silent, f.since = func() {}, time.Now()
		case err := <-ended:
			end()
			return err
		case <-quiet.C:
			f.silent()
			f.silent = end
			return errSilent
		}
	}
}

// read reads a stream until it ends.
func (f *follower) read(ctx context.Context, alive, complete chan<- struct{}) error {
	how := new(discovery.Sending)
	if from := f.from.Load(); from != nil {
		how.Avoid = *from
	}
	req, err := http.NewRequestWithContext(how.With(ctx), http.MethodGet, f.url, nil)
	if err != nil {
		return err
	}
	res, err := f.over.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	f.from.Store(&how.Instance)
	if res.StatusCode != http.StatusOK {
		return errors.New("the answer is " + res.Status)
	}
	full := false
	for lines := bufio.NewReaderSize(res.Body, maxLine); ; notify(alive) {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return errors.New("the stream ended")
		} else if err != nil {
			return err
		}
		switch isComplete, err := f.take(line); {
		case errors.Is(err, errFull):
			if !full {
				full = true
				f.failed(err)
			}
		case err != nil:
			return err
		case isComplete:
			notify(complete)
		}
	}
}

func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// take takes in one line. Members that it does not know are a newer teller's.
func (r *Revocations) take(line []byte) (complete bool, err error) {
	var told Revocation
	if err := json.Unmarshal(line, &told); err != nil {
		return false, err
	}
	if told.Session != "" {
		life := time.Duration(told.Seconds) * time.Second
		if len(told.Session) > maxSession || told.Seconds <= 0 || told.Seconds > int64(maxLife/time.Second) {
			return false, fmt.Errorf("session %.70q is told for %d s", told.Session, told.Seconds)
		}
		if !r.Add(told.Session, time.Now().Add(life)) {
			return false, errFull
		}
	}
	if told.Complete {
		r.Complete()
	}
	return told.Complete, nil
}
