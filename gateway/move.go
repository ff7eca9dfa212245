package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/trellis-go/trellis/kit/endpoint"
)

// mover moves a request to a service and the answer back. It knows HTTP and
// nothing of the gateway's duties, so that another may take its place: what is
// to be sent has been decided when it gets the request.
type mover interface {
	// move sends out, and writes the answer to w, to which the header that
	// w has already is added. An error that comes before anything was written
	// leaves w as it was; one that the client caused, after that, is a
	// context.Canceled.
	move(w http.ResponseWriter, out *http.Request) error
}

// courier is a mover over a round tripper.
type courier struct {
	http.RoundTripper
	draining context.Context // ends when streams are to
	tunnels  *sync.WaitGroup
}

// notPassed is what an answer says that the gateway says itself.
var notPassed = []string{endpoint.RequestIDHeader, "Ratelimit", "Ratelimit-Policy", "Server"}

func (c courier) move(w http.ResponseWriter, out *http.Request) error {
	res, err := c.RoundTrip(out)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	for _, name := range notPassed {
		delete(res.Header, name)
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		return c.tunnel(w, out, res)
	}
	if res.StatusCode < http.StatusOK {
		return fmt.Errorf("the service answered with the status %d", res.StatusCode)
	}
	stripHops(res.Header)
	h := w.Header()
	join(h, res.Header)
	if h["Content-Type"] == nil {
		h["Content-Type"] = nil // or net/http guesses one
	}
	for name := range res.Trailer {
		if trails(name) {
			h["Trailer"] = append(h["Trailer"], name)
		}
	}
	if body, ok := out.Body.(*clientBody); ok {
		body.release(h)
	}
	w.WriteHeader(res.StatusCode)
	if err := c.copy(w, res); err != nil {
		return err
	}
	for name, values := range res.Trailer {
		switch {
		case !trails(name):
		case slices.Contains(h["Trailer"], name):
			h[name] = values
		default: // it was not announced
			h[http.TrailerPrefix+name] = values
		}
	}
	return nil
}

// copy copies an answer's body. One of unknown length may be a stream, and is
// sent on as it comes, the header at once.
func (c courier) copy(w http.ResponseWriter, res *http.Response) error {
	var flush *http.ResponseController
	if res.ContentLength < 0 {
		flush = http.NewResponseController(w)
		_ = flush.Flush()
	}
	events := strings.HasPrefix(strings.ToLower(res.Header.Get("Content-Type")), "text/event-stream")
	if events {
		stop := context.AfterFunc(c.draining, func() { res.Body.Close() })
		defer stop()
	}
	buffer := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buffer)
	for {
		n, err := res.Body.Read(buffer[:])
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return fmt.Errorf("%w: %w", context.Canceled, err)
			}
			if flush != nil && err == nil {
				_ = flush.Flush()
			}
		}
		switch {
		case err == io.EOF, err != nil && events && c.draining.Err() != nil: // who listens comes back, elsewhere
			return nil
		case err != nil:
			return err
		}
	}
}

const copySize = 32 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copySize]byte) }}

var errNoUpgrade = errors.New("the service switched to another protocol, unasked")
