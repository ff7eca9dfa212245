package status

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
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
// It needs no login, so it belongs on an address that only operators reach,
// and guards against pages elsewhere that make an operator's browser ask: it
// answers to no host but IP addresses, "localhost" and hosts, and to no script
// or frame of another origin. Source may be called at the same time.
func Handler(source func() Snapshot, hosts ...string) http.Handler {
	p := pages{source, make(chan struct{}, maxWatchers)}
	hosts = append([]string{"localhost"}, hosts...)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.html)
	mux.HandleFunc("GET /status.json", p.json)
	mux.HandleFunc("GET /events", p.events)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		switch {
		case !addressed(r.Host, hosts):
			http.Error(w, "This host is not known here: use an IP address, localhost, or the host of the admin address.", http.StatusForbidden)
		case foreign(r.Header):
			http.Error(w, "Not for pages from elsewhere.", http.StatusForbidden)
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

// addressed tells whether the request was meant for us. A page whose name was
// rebound to our address still sends that name.
func addressed(host string, known []string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	return slices.ContainsFunc(known, func(name string) bool { return strings.EqualFold(name, host) })
}

// foreign tells whether a page of another origin asks. It may link here.
func foreign(h http.Header) bool {
	switch h.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	return h.Get("Sec-Fetch-Mode") != "navigate"
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
