package auth

import (
	"bufio"
	"encoding/json"
	"net/http"
	"time"

	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/token"
)

// blind is for how long an instance whose store does not answer may be asked.
const blind = time.Second

var errBlind = fault.New(fault.Unavailable, "store_unavailable", "Which sessions have ended cannot be told just now.").After(time.Second)

// Revocations streams, as lines of token.Revocation, the sessions that have
// ended, and each further one when it does. A line without one says that the
// store was asked, and there is none: while the store does not answer, nothing
// is told, so that whoever listens goes to another instance.
func (s *Service) Revocations(w http.ResponseWriter, r *http.Request) error {
	found, n, looked, next := s.feed.after(0)
	if time.Since(looked) > blind {
		return errBlind
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return nil
	}
	out := bufio.NewWriter(w)
	lines, control := json.NewEncoder(out), http.NewResponseController(w)
	for last := (token.Revocation{Complete: true}); ; last = (token.Revocation{}) {
		for _, e := range found {
			left := int64(time.Until(e.expires)/time.Second) + 1
			_ = lines.Encode(token.Revocation{Session: e.session.String(), Seconds: max(left, 1)}) // Flush tells
		}
		_ = lines.Encode(last)
		if out.Flush() != nil || control.Flush() != nil {
			return nil // the listener has gone
		}
		select {
		case <-next:
			found, n, _, next = s.feed.after(n)
		case <-r.Context().Done():
			return nil
		case <-s.feed.draining:
			return nil
		}
	}
}
