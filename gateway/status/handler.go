package status

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/trellis-go/trellis/kit/server"
)

const (
	maxWatchers = 16               // of /events, at once
	every       = time.Second      // they get a snapshot
	patience    = 10 * time.Second // with one who doesn't take it
)

// Handler serves what source tells, for as long as somebody asks:
//
//	GET /             the page
//	GET /status.json  a Snapshot
//	GET /events       server-sent events, each a Snapshot, one a second
//
// A stream of events ends with its request's context. Of more than 16 at once
// the rest get 503; the page then asks for status.json.
//
// It is a Console: it needs no login, and answers to no host but IP addresses,
// "localhost" and hosts. Source may be called at the same time.
func Handler(source func() Snapshot, hosts ...string) http.Handler {
	p := pages{source, make(chan struct{}, maxWatchers)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.html)
	mux.HandleFunc("GET /status.json", p.json)
	mux.HandleFunc("GET /events", p.events)
	return server.Console(mux, policy, hosts...)
}

type pages struct {
	source   func() Snapshot
	watchers chan struct{}
}

func (p pages) json(w http.ResponseWriter, _ *http.Request) {
	body, err := json.Marshal(p.source().arranged())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n'))
}

func (p pages) events(w http.ResponseWriter, r *http.Request) {
	select {
	case p.watchers <- struct{}{}:
		defer func() { <-p.watchers }()
	default:
		w.Header().Set("Retry-After", "5")
		http.Error(w, "Too many are watching.", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := p.event(w); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

func (p pages) event(w http.ResponseWriter) error {
	body, err := json.Marshal(p.source().arranged())
	if err != nil {
		return err
	}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(patience)) // a writer without one has no reader to wait for
	if _, err := w.Write(slices.Concat([]byte("data: "), body, []byte("\n\n"))); err != nil {
		return err
	}
	return control.Flush()
}
